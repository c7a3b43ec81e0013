# SPDX-License-Identifier: MIT
"""The exact rooms of the meshing benchmark: the mesh is correct, the same on every device, and every stage is timed."""

import copy
import importlib
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fastsdf import FittedField, TriangleMesh
from fastsdf.spatial.knn import TreeIndex

VOXEL_M, SPACING_M = 0.0637, 0.08  # metres; coarse, so that the test takes seconds


@pytest.fixture(scope="module")
def meshing_benchmark() -> ModuleType:
    """The benchmark as a module; importing it in a fixture keeps its patches in this file."""
    return importlib.import_module("benchmarks.speed.meshing")


@pytest.fixture(scope="module")
def rooms(meshing_benchmark: ModuleType) -> FittedField:
    """Two furnished rooms, in float64 so that all devices round alike."""
    field = meshing_benchmark.make_rooms(2, SPACING_M, VOXEL_M, "cpu")
    field.field.double()
    return field


@pytest.fixture(scope="module")
def mesh(rooms: FittedField) -> TriangleMesh:
    """The mesh of the rooms, extracted on the CPU."""
    return rooms.extract_mesh()


def test_the_mesh_lies_on_the_rooms_and_is_supported(rooms: FittedField, mesh: TriangleMesh) -> None:
    assert np.quantile(np.abs(rooms.sdf(mesh.vertices)), 0.99) < 0.1 * VOXEL_M
    assert mesh.normals is not None and mesh.colors is not None
    inward = np.asarray(rooms.sdf(mesh.vertices + 0.1 * VOXEL_M * mesh.normals))
    assert (inward > 0).mean() > 0.98 and mesh.attributes["measured"].mean() > 0.9
    everything = rooms.extract_mesh(min_confidence=0)
    assert 0.9 < len(mesh.vertices) / len(everything.vertices) < 0.99


def test_blocks_and_chunks_change_nothing(
    rooms: FittedField, mesh: TriangleMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastsdf.meshing.discs.CHUNK", (777, 777))
    monkeypatch.setattr("fastsdf.meshing.extract._CHUNK_POINTS", {"cpu": 5003})
    monkeypatch.setattr("fastsdf.meshing.extract._BLOCK_CELLS", {"cpu": 7 * 8**3})
    assert_same(rooms.extract_mesh(), mesh)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_makes_the_same_mesh(rooms: FittedField, mesh: TriangleMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """The meshes are equal if both use the same neighbours; a float32 index may swap points that are equally near."""
    on_cuda = replace(rooms, field=copy.deepcopy(rooms.field).to("cuda"))
    found, everything = on_cuda.extract_mesh(), on_cuda.extract_mesh(min_confidence=0)
    assert abs(len(found.faces) - len(mesh.faces)) < 1e-3 * len(mesh.faces)
    expected = rooms.extract_mesh(min_confidence=0)
    for name, values in expected.attributes.items():
        assert (np.abs(everything.attributes[name] - values) > 1e-5).mean() < 1e-3
    monkeypatch.setattr("fastsdf.meshing.discs.point_index", TreeIndex)
    assert_same(on_cuda.extract_mesh(), mesh)
    assert_same(on_cuda.extract_mesh(min_confidence=0), expected)


def test_every_stage_is_timed(meshing_benchmark: ModuleType) -> None:
    options = ["--spacing", "0.1", "--voxel-size", "0.1", "--device", "cpu", "--repeat", "1"]
    app = meshing_benchmark.typer.Typer()
    app.command()(meshing_benchmark.main)
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    rows = dict(line.rsplit(",", 1) for line in done.stdout.splitlines() if not line.startswith("#"))
    assert {stage for _, _, stage in meshing_benchmark.STAGES} | {"write", "vertices"} <= set(rows)


def assert_same(found: TriangleMesh, expected: TriangleMesh) -> None:
    """Checks that two meshes agree up to rounding and the order of their faces, attributes included."""
    np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-6)  # borders depend on float32 confidence
    assert found.normals is not None and expected.normals is not None
    np.testing.assert_allclose(found.normals, expected.normals, atol=1e-6)
    np.testing.assert_array_equal(np.sort(in_order(found.faces)), np.sort(in_order(expected.faces)))
    np.testing.assert_array_equal(found.colors, expected.colors)
    for name, values in expected.attributes.items():
        np.testing.assert_allclose(found.attributes[name], values, atol=1e-5)


def in_order(faces: np.ndarray) -> np.ndarray:
    """One number (f,) per face (f, 3), which does not depend on the corner that comes first."""
    turn = (faces.argmin(axis=1)[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces, turn, axis=1).T
    size = int(faces.max()) + 1
    assert size < 2**21
    return (a * size + b) * size + c

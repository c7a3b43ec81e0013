# SPDX-License-Identifier: MIT
"""Open, closed up to a hole size, or watertight: meshes of one exact room whose scan has a hole and a doorway."""

import numpy as np
import pytest
import torch
import trimesh

from fastsdf import FittedField, TriangleMesh, write_mesh
from fastsdf.commands.mesh import mesh_extraction
from fastsdf.errors import ConfigError, InputError, MeshingError
from fastsdf.meshing import BoxClip, extract_watertight, in_small_holes, is_closed, scanned_pieces
from fastsdf.meshing.watertight import cubes_near_surface
from tests.helpers.analytic_room import DOOR_M, HOLE_M, HOLE_RADIUS_M, VOXEL_M, exact_fit
from tests.helpers.cli_runs import SIZE_M
from tests.helpers.flat_meshes import flat_mesh
from tests.helpers.surfaces import as_surface

ROOM_AREA_M2 = 2 * (SIZE_M[0] * SIZE_M[1] + SIZE_M[0] * SIZE_M[2] + SIZE_M[1] * SIZE_M[2])
HOLE_AREA_M2 = np.pi * HOLE_RADIUS_M**2
DOOR_AREA_M2 = (DOOR_M[0][1] - DOOR_M[0][0]) * (DOOR_M[1][1] - DOOR_M[1][0])


@pytest.fixture(scope="module")
def room() -> FittedField:
    return exact_fit()


def area(mesh: TriangleMesh) -> float:
    return float(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).area)


def covers_hole(mesh: TriangleMesh) -> bool:
    return bool((np.linalg.norm(mesh.vertices - [*HOLE_M, 0], axis=1) < VOXEL_M).any())


def covers_door(mesh: TriangleMesh) -> bool:
    middle = [0.0, np.mean(DOOR_M[0]), np.mean(DOOR_M[1])]
    return bool((np.linalg.norm(mesh.vertices - middle, axis=1) < VOXEL_M).any())


def test_open_closed_by_size_and_watertight_come_from_one_field(room: FittedField) -> None:
    opened, default = room.extract_mesh(gap_spacings=0), room.extract_mesh()
    closed, whole = room.extract_mesh(gap_spacings=0, close_holes_m=1.0), room.extract_mesh(watertight=True)
    assert [covers_hole(m) for m in (opened, default, closed, whole)] == [False, False, True, True]
    assert [covers_door(m) for m in (opened, default, closed, whole)] == [False, False, False, True]
    assert area(closed) - area(opened) == pytest.approx(HOLE_AREA_M2, rel=0.25)  # the rim of the hole is measured
    assert area(whole) == pytest.approx(ROOM_AREA_M2, rel=0.01)
    assert area(whole) - area(closed) == pytest.approx(DOOR_AREA_M2, rel=0.15)
    assert opened.attributes["measured"].all()
    in_hole = np.linalg.norm(closed.vertices - [*HOLE_M, 0], axis=1) < HOLE_RADIUS_M / 2
    assert in_hole.any() and not closed.attributes["measured"][in_hole].any()


@pytest.mark.parametrize(("size", "closes"), [(0.6, False), (1.0, True)])
def test_the_size_of_a_hole_is_its_diameter(room: FittedField, size: float, closes: bool) -> None:
    assert covers_hole(room.extract_mesh(gap_spacings=0, close_holes_m=size)) is closes


def test_a_doorway_closes_when_its_size_is_asked_for(room: FittedField) -> None:
    mesh = room.extract_mesh(close_holes_m=2.8)
    assert covers_door(mesh) and is_closed(torch.from_numpy(mesh.faces))


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl", ".glb"])
def test_watertight_files_are_watertight_to_trimesh(room: FittedField, tmp_path, suffix: str) -> None:
    write_mesh(room.extract_mesh(watertight=True), tmp_path / f"m{suffix}")
    read = trimesh.load(str(tmp_path / f"m{suffix}"), force="mesh")
    assert read.is_watertight and read.is_winding_consistent
    assert read.volume == pytest.approx(-np.prod(SIZE_M), rel=0.01)  # faces point into the air, here inwards


def test_a_watertight_object_is_solid_inside() -> None:
    mesh = exact_fit("object").extract_mesh(watertight=True)
    read = trimesh.Trimesh(mesh.vertices, mesh.faces)
    assert read.is_volume and read.volume == pytest.approx(np.prod(SIZE_M), rel=0.01)


def test_a_box_ends_air_and_solid_that_leave_it() -> None:
    """Half spaces that fill half of a box: closed, with the normals of the plane and of the box."""
    lower, upper = torch.zeros(3, dtype=torch.float64), torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64)

    def sdf(x: torch.Tensor) -> torch.Tensor:
        return x[:, 0] - 0.813

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return torch.tensor([1.0, 0.0, 0.0], dtype=x.dtype).expand(len(x), 3)

    for solid_outside, volume in ((True, -(2.0 - 0.813) * 0.5), (False, 0.813 * 0.5)):
        mesh = extract_watertight(sdf, gradient, BoxClip(lower, upper, solid_outside), 0.05).numpy()
        read = trimesh.Trimesh(mesh.vertices, mesh.faces)
        assert read.is_watertight and read.volume == pytest.approx(volume, rel=0.03)
        assert mesh.normals is not None
        flat = np.abs(read.face_normals).max(axis=1) > 0.999
        facing = (mesh.normals[mesh.faces][flat] * read.face_normals[flat][:, None]).sum(-1)
        assert np.median(facing) > 0.999


def test_steep_fields_are_searched_again_until_closed() -> None:
    """A distance that falls off six times too fast would lose cubes at the usual bound on the slope."""
    corners = torch.tensor([[-2.0] * 3, [2.0] * 3], dtype=torch.float64)
    mesh = extract_watertight(
        lambda x: 6 * (x - 0.013).norm(dim=1) - 6.0, lambda x: x, BoxClip(corners[0], corners[1], False), 0.1
    )
    assert is_closed(mesh.faces) and float(mesh.vertices.norm(dim=1).max()) == pytest.approx(1.0, abs=0.05)
    with pytest.raises(MeshingError, match="no surface in its box"):
        cubes_near_surface(lambda x: x[:, 0] * 0 + 99, corners[0], corners[1], 0.1, 2.0)


def test_only_surrounded_patches_close_and_the_scanned_pieces_stay() -> None:
    plane = flat_mesh(41)  # 0.8 m wide
    x, y = plane.vertices[:, 0], plane.vertices[:, 1]
    hole, bay = np.hypot(x - 0.3, y - 0.4) < 0.1, (x > 0.65) & (np.abs(y - 0.4) < 0.1)
    keep = torch.from_numpy(~(hole | bay)[plane.faces].any(axis=1))
    surface = as_surface(plane)
    closing = in_small_holes(surface, keep, 0.25).numpy()
    np.testing.assert_array_equal(closing, hole[plane.faces].any(axis=1))
    assert not in_small_holes(surface, keep, 0.18).any()
    assert not in_small_holes(surface, torch.zeros_like(keep), 9.0).any()
    assert not in_small_holes(surface, torch.ones_like(keep), 9.0).any()
    turned = as_surface(
        TriangleMesh(plane.vertices @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0], plane.faces)
    )
    np.testing.assert_array_equal(in_small_holes(turned, keep, 0.25).numpy(), closing)
    two = TriangleMesh(np.vstack([plane.vertices, plane.vertices + 5]), np.vstack([plane.faces, plane.faces + len(x)]))
    first = torch.arange(2 * len(x)) == 7
    assert len(scanned_pieces(as_surface(two), first).faces) == len(plane.faces)
    with pytest.raises(MeshingError, match="no part of the surface"):
        scanned_pieces(as_surface(two), first & False)


def test_options_say_once_what_is_kept(room: FittedField) -> None:
    assert mesh_extraction(close_holes_m=0.3)["close_holes_m"] == 0.3
    assert mesh_extraction(opened=True)["watertight"] is False
    with pytest.raises(InputError, match="--open and --watertight exclude each other"):
        mesh_extraction(opened=True, watertight=True)
    with pytest.raises(InputError, match="--close-holes and --closed exclude each other"):
        mesh_extraction(support_spacings=0, close_holes_m=1.0)
    for size in (-1.0, 0.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=f"--close-holes is {size}"):
            mesh_extraction(close_holes_m=size)
    with pytest.raises(ConfigError, match=r"mesh\.close_holes_m = -1"):
        room.extract_mesh(close_holes_m=-1)

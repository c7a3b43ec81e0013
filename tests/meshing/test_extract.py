# SPDX-License-Identifier: MIT
"""Sparse marching cubes and mesh cleaning: closed, oriented, accurate, sparse, and independent of batching."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from fastsdf.errors import InputError, MeshingError
from fastsdf.geometry import TriangleMesh
from fastsdf.meshing import Surface, drop_small_components, extract_surface, remove_unreferenced
from fastsdf.meshing.bricks import brick_grid, march, no_values, open_block
from fastsdf.meshing.components import components, face_areas, face_cross, lowest_linked
from fastsdf.meshing.lattice import cells_near_points, contains, pack, step_key, unpack
from fastsdf.meshing.marching_cubes_table import CORNERS, EDGE_AXIS, EDGE_CORNER, case_loops, case_table, share_face
from tests.helpers.surfaces import as_surface

Field = Callable[[np.ndarray], np.ndarray]
CPU = torch.device("cpu")
CENTRE = np.array([0.0137, -0.0211, 0.0073])


def on_tensors(function: Field) -> Callable[[Tensor], Tensor]:
    """A function of numpy arrays as one of tensors on the CPU."""
    return lambda x: torch.from_numpy(np.asarray(function(x.numpy())))


def extract(sdf: Field, points: np.ndarray, **options: Any) -> TriangleMesh:
    """`extract_surface` of a numpy field."""
    if "gradient" in options:
        options["gradient"] = on_tensors(options["gradient"])
    if isinstance(options["support_distance"], np.ndarray):
        options["support_distance"] = torch.from_numpy(options["support_distance"])
    return extract_surface(on_tensors(sdf), torch.from_numpy(points), **options).numpy()


def cross_of(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    return face_cross(torch.from_numpy(vertices), torch.from_numpy(faces)).numpy()


def sphere_points(radius: float, count: int = 20000, centre: np.ndarray = CENTRE) -> np.ndarray:
    direction = np.random.default_rng(0).normal(size=(count, 3))
    return centre + radius * direction / np.linalg.norm(direction, axis=1, keepdims=True)


def ball(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x - CENTRE, axis=1) - 1.0


def room(x: np.ndarray) -> np.ndarray:
    return 1.0 - np.linalg.norm(x - CENTRE, axis=1)


def plane(x: np.ndarray) -> np.ndarray:
    return x[:, 2] - 0.0123


def directed_edges(faces: np.ndarray) -> np.ndarray:
    return faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)


def assert_closed(faces: np.ndarray) -> None:
    """Every directed edge occurs once and its reverse occurs once."""
    edges = directed_edges(faces)
    code = edges[:, 0] * (faces.max() + 1) + edges[:, 1]
    reverse = edges[:, 1] * (faces.max() + 1) + edges[:, 0]
    assert len(np.unique(code)) == len(code)
    assert np.array_equal(np.sort(code), np.sort(reverse))


def euler(mesh: TriangleMesh) -> int:
    return len(mesh.vertices) - len(mesh.faces) * 3 // 2 + len(mesh.faces)


def volume(mesh: TriangleMesh) -> float:
    corner = mesh.vertices - mesh.vertices.mean(axis=0)
    return float((corner[mesh.faces[:, 0]] * cross_of(corner, mesh.faces)).sum() / 6.0)


def facing(mesh: TriangleMesh, sdf: Field, step: float) -> np.ndarray:
    """Per face of non-negligible size: does its normal point to larger values?"""
    cross = cross_of(mesh.vertices, mesh.faces)
    length = np.linalg.norm(cross, axis=1)
    solid = length > 1e-3 * np.median(length)
    middle = mesh.vertices[mesh.faces[solid]].mean(axis=1)
    normal = cross[solid] / length[solid, None]
    return sdf(middle + step * normal) > sdf(middle - step * normal)


def test_case_table_loops_hold_every_crossed_edge_once() -> None:
    for case in range(256):
        edges = sorted(edge for loop in case_loops(case) for edge in loop)
        lower, upper = EDGE_CORNER.numpy(), (EDGE_CORNER + (1 << EDGE_AXIS)).numpy()
        assert edges == np.flatnonzero((case >> lower & 1) != (case >> upper & 1)).tolist()
        assert case_table(CPU).counts[case] == sum(len(loop) - 2 for loop in case_loops(case))


def test_no_fan_diagonal_lies_in_a_cell_face() -> None:
    table = case_table(CPU)
    for case in range(256):
        sides = {(a, b) for loop in case_loops(case) for a, b in zip(loop, loop[1:] + loop[:1], strict=True)}
        for triangle in table.triangles[case, : table.counts[case]].tolist():
            for a, b in zip(triangle, triangle[1:] + triangle[:1], strict=True):
                assert (a, b) in sides or (b, a) in sides or not share_face(a, b)


def test_triangles_face_the_positive_corners() -> None:
    table = case_table(CPU)
    middle = CORNERS[EDGE_CORNER] + 0.5 * torch.eye(3)[EDGE_AXIS]
    for corner in range(8):
        normal = face_cross(middle, table.triangles[1 << corner, :1])[0]
        assert normal @ (0.5 - CORNERS[corner]) > 0
        inverse = face_cross(middle, table.triangles[255 ^ (1 << corner), :1])[0]
        assert inverse @ (CORNERS[corner] - 0.5) > 0


@pytest.mark.parametrize("density", [0.2, 0.5, 0.8])
def test_random_signs_give_a_closed_surface(density: float) -> None:
    rng = np.random.default_rng(3)
    grid = rng.random((16, 16, 16))
    grid[2:14, 2:14, 2:14] -= density
    grid[grid == 0] = 1.0
    cube = torch.cartesian_prod(*[torch.arange(4)] * 3)
    bricks = brick_grid(pack(cube), 4)
    block = open_block(bricks, 0, 64, no_values(bricks))

    def field(node: np.ndarray) -> np.ndarray:
        inside = (node < 16).all(axis=1)
        return np.where(inside, grid[tuple(np.minimum(node, 15).T)], 1.0)

    cells = block.cell_indices(
        torch.arange(64).repeat_interleave(64), torch.cartesian_prod(*[torch.arange(4)] * 3).repeat(64, 1)
    )
    patch = march(block, cells, on_tensors(field))
    assert len(patch.faces) > 1000
    assert_closed(patch.faces.long().numpy())
    assert ((patch.ends[:, 0] < 0) != (patch.ends[:, 1] < 0)).all()


@pytest.mark.parametrize("voxel", [1 / 3, 1 / 10, 1 / 50])
@pytest.mark.parametrize("sdf", [ball, room])
def test_sphere_is_closed_round_and_oriented(sdf: Field, voxel: float) -> None:
    mesh = extract(sdf, sphere_points(1.0), voxel_size=voxel, support_distance=2 * voxel, refine_steps=0)
    assert_closed(mesh.faces)
    assert euler(mesh) == 2
    assert np.abs(sdf(mesh.vertices)).max() < 0.1 * voxel
    assert facing(mesh, sdf, 0.1 * voxel).all()
    sign = 1.0 if sdf is ball else -1.0
    assert sign * volume(mesh) == pytest.approx(4 / 3 * np.pi, rel=0.01 if voxel < 0.05 else 0.2)
    assert mesh.normals is not None
    outward = (mesh.normals * (mesh.vertices - CENTRE)).sum(axis=1)
    assert (sign * outward > 0.7).all()


def test_refinement_brings_vertices_onto_the_surface() -> None:
    error = []
    for steps in (0, 1, 2):
        mesh = extract(
            ball, sphere_points(1.0), voxel_size=0.1, support_distance=0.2, refine_steps=steps, gradient=lambda x: 3 * x
        )
        error.append(np.abs(ball(mesh.vertices)).mean())
    assert error[1] < 0.1 * error[0] and error[2] < 0.5 * error[1]
    assert mesh.normals is not None
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0)


def test_torus_has_euler_number_zero() -> None:
    def torus(x: np.ndarray) -> np.ndarray:
        return np.hypot(np.hypot(x[:, 0], x[:, 1]) - 1.0, x[:, 2]) - 0.4

    angle = np.random.default_rng(1).random((8000, 2)) * 2 * np.pi
    ring = 1.0 + 0.4 * np.cos(angle[:, 1])
    points = np.stack((ring * np.cos(angle[:, 0]), ring * np.sin(angle[:, 0]), 0.4 * np.sin(angle[:, 1])), axis=1)
    mesh = extract(torus, points, voxel_size=0.05, support_distance=0.1)
    assert_closed(mesh.faces)
    assert euler(mesh) == 0


def test_thin_plate_keeps_both_sides() -> None:
    half = np.array([0.5, 0.4, 0.75 * 0.02])

    def plate(x: np.ndarray) -> np.ndarray:
        gap = np.abs(x - CENTRE) - half
        return np.linalg.norm(np.maximum(gap, 0), axis=1) + np.minimum(gap.max(axis=1), 0)

    side = np.random.default_rng(2).random((6000, 3)) * 2 - 1
    side[:, 2] = np.sign(side[:, 2])
    mesh = extract(plate, CENTRE + side * half, voxel_size=0.02, support_distance=0.06)
    assert_closed(mesh.faces)
    assert euler(mesh) == 2
    assert face_areas(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces)).sum().item() == pytest.approx(
        2 * 0.8 + 3.6 * 0.03, rel=0.03
    )


@pytest.mark.parametrize(("block_cells", "chunk_points"), [(1, 1000), (8**3 * 7, 12345), (2**30, 2**30)])
def test_mesh_does_not_depend_on_batching(block_cells: int, chunk_points: int) -> None:
    seen: list[np.ndarray] = []

    def counted(x: np.ndarray) -> np.ndarray:
        assert len(x) <= chunk_points
        seen.append(x)
        return x[:, 0] * x[:, 0] + x[:, 1] * x[:, 1] + x[:, 2] * x[:, 2] - 1.0

    points = sphere_points(1.0, centre=np.zeros(3))
    expected = extract(
        lambda x: x[:, 0] * x[:, 0] + x[:, 1] * x[:, 1] + x[:, 2] * x[:, 2] - 1.0,
        points, voxel_size=0.05, support_distance=0.1, lipschitz=3.0, refine_steps=0,
    )  # fmt: skip
    mesh = extract(
        counted, points, voxel_size=0.05, support_distance=0.1, lipschitz=3.0, refine_steps=0,
        block_cells=block_cells, chunk_points=chunk_points,
    )  # fmt: skip
    assert np.array_equal(mesh.vertices, expected.vertices)
    assert np.array_equal(mesh.faces, expected.faces)
    nodes = np.round(np.concatenate(seen) / 0.025).astype(np.int64)
    fine = nodes[(nodes % 2 == 0).all(axis=1)]
    times = np.unique(fine, axis=0, return_counts=True)[1]
    assert times.max() <= 2  # once as a node, and perhaps once as the centre of one cube


def test_large_world_coordinates_keep_precision() -> None:
    shift = np.array([4e5, 5e6, 100.0])
    near = extract(ball, sphere_points(1.0), voxel_size=0.02, support_distance=0.05)
    far = extract(lambda x: ball(x - shift), sphere_points(1.0) + shift, voxel_size=0.02, support_distance=0.05)
    assert np.array_equal(near.faces, far.faces)
    assert np.abs(far.vertices - shift - near.vertices).max() < 1e-4


@pytest.mark.parametrize("lipschitz, share", [(2.0, 0.20), (1.2, 0.15)])
def test_evaluations_are_sparse(lipschitz: float, share: float) -> None:
    count = 0

    def counted(x: np.ndarray) -> np.ndarray:
        nonlocal count
        count += len(x)
        return ball(x)

    mesh = extract(
        counted, sphere_points(1.0), voxel_size=1 / 50, support_distance=0.06, lipschitz=lipschitz, refine_steps=0
    )
    assert euler(mesh) == 2
    assert count < share * 120**3  # a dense grid with a tenth of the diameter around the sphere


def test_surface_stays_near_the_support() -> None:
    points = np.random.default_rng(4).random((20000, 3)) * [1.0, 2.0, 0.0]
    mesh = extract(plane, points, voxel_size=0.02, support_distance=0.05)
    assert -0.6 < mesh.vertices[:, 0].min() < 0.0 and 1.0 < mesh.vertices[:, 0].max() < 1.6


def test_support_distance_per_point() -> None:
    points = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    mesh = extract(plane, points, voxel_size=0.02, support_distance=np.array([0.1, 0.8]))
    reached = [np.abs(mesh.vertices[np.linalg.norm(mesh.vertices - p, axis=1) < 2.0] - p).max() for p in points]
    assert 0.1 <= reached[0] < 0.5 and 0.8 <= reached[1] < 1.2


def test_cells_near_points_match_brute_force() -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(40, 3))
    distance = rng.choice([0.05, 0.3, 0.9], 40)
    origin = np.array([0.1, 0.2, -0.3])
    keys = cells_near_points(
        torch.from_numpy(points), torch.from_numpy(distance), origin=torch.from_numpy(origin), cell_size=0.25
    )
    cells = np.indices((50, 50, 50)).reshape(3, -1).T - 25
    low = origin + cells * 0.25
    gap = np.linalg.norm(np.maximum(np.maximum(low[:, None] - points, points - low[:, None] - 0.25), 0), axis=2)
    touched = (gap <= distance).any(axis=1)
    assert contains(keys, pack(torch.from_numpy(cells[touched]))).all()
    loose = (gap <= distance * np.sqrt(2) + 0.25 * 1.8).any(axis=1)
    assert contains(pack(torch.from_numpy(cells[loose])).sort().values, keys).all()


def test_keys_round_trip_and_step() -> None:
    cells, step = torch.tensor([[-1048576, 0, 1048575], [5, -7, 11]]), torch.tensor([1, -2, 3])
    assert torch.equal(unpack(pack(cells)), cells)
    assert pack(cells[1] + step) == pack(cells[1]) + step_key(step)


def test_small_components_are_dropped_and_attributes_follow() -> None:
    def two(x: np.ndarray) -> np.ndarray:
        return np.minimum(ball(x), np.linalg.norm(x - [3.0, 0, 0], axis=1) - 0.2)

    points = np.concatenate((sphere_points(1.0), sphere_points(0.2, 500, np.array([3.0, 0, 0]))))
    raw = extract(two, points, voxel_size=0.05, support_distance=0.1)
    colors = np.where(raw.vertices[:, :1] > 2, 200, 10).astype(np.uint8).repeat(3, axis=1)
    mesh = as_surface(TriangleMesh(raw.vertices, raw.faces, raw.normals, colors))
    assert components(mesh.faces, len(mesh.vertices))[0] == 2
    assert drop_small_components(mesh, min_area=0.1).vertices.shape == mesh.vertices.shape
    for kept in (drop_small_components(mesh, min_area=1.0), drop_small_components(mesh, 0.0, min_share=0.2)):
        assert kept.vertices[:, 0].max() < 1.1 and kept.colors is not None and kept.colors.max() == 10
        assert_closed(kept.faces.numpy())
    assert len(drop_small_components(mesh, min_area=1e9).faces) > 0
    assert len(remove_unreferenced(Surface(mesh.vertices, mesh.faces[:1])).vertices) == 3


@pytest.mark.parametrize("count", [0, 1, 500, 1500])
def test_components_match_those_of_scipy(count: int) -> None:
    """From random triangles, which link up in any order, and along a strip far longer than one round can see."""
    size = 3000
    faces = torch.from_numpy(np.random.default_rng(count).integers(0, size, (count, 3)))
    number, of_face = components(faces, size)
    a, b = faces[:, :2].flatten().numpy(), faces[:, 1:].flatten().numpy()
    expected = connected_components(coo_matrix((np.ones(len(a)), (a, b)), (size, size)), directed=False)[1][
        faces[:, 0].numpy()
    ]
    assert number == len(np.unique(expected)) == len(np.unique(np.stack([expected, of_face]), axis=1).T)
    strip = torch.randperm(size, generator=torch.Generator().manual_seed(1)).unfold(0, 3, 1)
    assert not lowest_linked(strip, size).any()
    assert torch.equal(lowest_linked(strip[:0], size), torch.arange(size))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voxel_size": 0.0}, "voxel_size must be a positive"),
        ({"voxel_size": 1e-7}, "smallest possible voxel_size"),
        ({"coarse_factor": 3}, "coarse_factor"),
        ({"support_distance": np.ones(3)}, "support_distance"),
        ({"support_distance": -1.0}, "support_distance"),
    ],
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    arguments = {"voxel_size": 0.1, "support_distance": 0.2, **options}
    with pytest.raises(InputError, match=message):
        extract(ball, sphere_points(1.0), **arguments)
    with pytest.raises(InputError, match="support must be finite"):
        extract(ball, np.zeros((0, 3)), voxel_size=0.1, support_distance=0.1)


def test_fields_without_a_surface_are_reported() -> None:
    points = sphere_points(1.0)
    for constant in (1e-3, 5.0):
        with pytest.raises(MeshingError, match="--scene"):
            extract(lambda x, c=constant: np.full(len(x), c), points, voxel_size=0.1, support_distance=0.2)
    with pytest.raises(MeshingError, match="not finite"):
        extract(lambda x: np.full(len(x), np.nan), points, voxel_size=0.1, support_distance=0.2)

# SPDX-License-Identifier: MIT
"""A virtual terrestrial laser scanner, and random samples of exact surfaces."""

import numpy as np

from fastsdf.errors import InputError
from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.synthetic.directions import even_directions
from fastsdf.synthetic.raycast import RayScene
from fastsdf.synthetic.scene import Scene
from fastsdf.synthetic.solids import face_cross

_EDGE_M = 0.05  # depth difference between neighbouring rays at a depth edge; chosen, not measured on a scanner
_MIXED_SHARE = 0.3  # share of the rays at depth edges that are mixed pixels; chosen, not measured on a scanner
_MIN_RANGE_M = 0.1  # smallest range of an outlier; chosen
_ROUNDS = 60  # batches of surface samples before giving up; bounds the time


def scan(
    scene: Scene,
    *,
    points: int | None = None,
    angular_step_deg: float = 0.5,
    range_noise_m: float = 0.003,
    outliers: float = 0.005,
    mixed_pixels: bool = True,
    seed: int = 0,
) -> PointCloud:
    """Scan a scene from each of its stations.

    Args:
        scene: the scene with its sensor positions.
        points: exact number of points; the angular step follows from it. None: one point per ray that hits the scene.
        angular_step_deg: angle between neighbouring rays, degrees; only used if ``points`` is None.
        range_noise_m: standard deviation of the Gaussian noise along the ray, metres.
        outliers: share of the rays, 0 to 1, that return a range drawn uniformly from 0.1 m to 1.3 times the true one.
        mixed_pixels: whether 3 in 10 rays at depth edges of more than 5 cm return a range between the two depths.
        seed: random seed; equal seeds give equal scans.

    Returns:
        Points with ``sensors``, without normals.

    Raises:
        InputError: a value is out of range, or fewer than ``points`` rays hit the scene.
    """
    if not 0.0 <= outliers <= 1.0 or range_noise_m < 0 or angular_step_deg <= 0 or (points is not None and points < 1):
        raise InputError(
            f"scan: {points=}, {angular_step_deg=}, {range_noise_m=}, {outliers=}: a value is out of range"
        )
    rng = np.random.default_rng([seed, 3])
    step, rays = _step_for(points, len(scene.stations)) if points else angular_step_deg, RayScene(scene.mesh)
    seen = [_sweep(rays, s, step, range_noise_m, outliers, mixed_pixels, rng) for s in scene.stations]
    cloud = PointCloud(np.concatenate(seen), sensors=np.repeat(scene.stations, [len(p) for p in seen], axis=0))
    if points is None:
        return cloud
    if len(cloud) < points:
        raise InputError(f"only {len(cloud)} rays hit the scene, {points} points were requested; close its openings")
    return cloud.select(np.sort(rng.choice(len(cloud), points, replace=False)))


def _step_for(points: int, stations: int) -> float:
    """The angular step in degrees that gives 2% more rays than ``points`` over all stations."""
    return float(np.degrees(np.sqrt(4.0 * np.pi * stations / (1.02 * points))))


def _sweep(
    rays: RayScene,
    station: np.ndarray,
    step: float,
    noise: float,
    outliers: float,
    mixed: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """The points (n, 3) measured from one station."""
    directions, neighbour = even_directions(step, rng)
    hits = rays.cast(station, directions)
    ranges = hits.range_m.copy()
    if mixed:
        nearby = _range_on_plane(hits.range_m, hits.normal, directions, directions[neighbour])
        jump = hits.range_m[neighbour] - hits.range_m
        edge = (np.abs(jump) > _EDGE_M) & (np.abs(hits.range_m[neighbour] - nearby) > _EDGE_M) & np.isfinite(jump)
        chosen = np.flatnonzero(edge & (rng.random(len(ranges)) < _MIXED_SHARE))
        ranges[chosen] += rng.random(len(chosen)) * jump[chosen]
    hit = np.isfinite(hits.range_m)
    ranges[hit] += noise * rng.standard_normal(int(hit.sum()))
    stray = np.flatnonzero(hit & (rng.random(len(ranges)) < outliers))
    ranges[stray] = rng.uniform(_MIN_RANGE_M, 1.3 * hits.range_m[stray])
    return station + directions[hit] * ranges[hit, None]


def _range_on_plane(ranges: np.ndarray, normals: np.ndarray, rays: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Range (n,) at which the rays ``others`` meet the planes hit by ``rays``; infinite if they do not meet them.

    Args:
        ranges, normals: (n,) ranges and (n, 3) normals of the hits of ``rays``.
        rays, others: (n, 3) unit directions.
    """
    cosine, other_cosine = (normals * rays).sum(axis=1), (normals * others).sum(axis=1)
    meets = np.isfinite(ranges) & (cosine * other_cosine > 1e-12)
    result = np.full(len(ranges), np.inf)
    result[meets] = ranges[meets] * cosine[meets] / other_cosine[meets]
    return result


def sample_surface(mesh: TriangleMesh, n: int, seed: int | np.random.Generator = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sample a mesh uniformly by area.

    Returns:
        Points (n, 3) and unit face normals (n, 3).

    Raises:
        InputError: the mesh has no area.
    """
    rng = np.random.default_rng(seed)
    cross = face_cross(mesh)
    areas = np.linalg.norm(cross, axis=1)
    total = np.cumsum(areas)
    if not len(total) or not total[-1] > 0:
        raise InputError(f"cannot sample a mesh of {len(mesh.faces)} faces without area")
    face = np.searchsorted(total, rng.random(n) * total[-1], side="right").clip(max=len(total) - 1)
    root, along = np.sqrt(rng.random((n, 1))), rng.random((n, 1))
    a, b, c = (mesh.vertices[mesh.faces[face, i]] for i in range(3))
    points = (1.0 - root) * a + root * ((1.0 - along) * b + along * c)
    return points, cross[face] / np.maximum(areas[face, None], 1e-300)


def visible_samples(scene: Scene, n: int, seed: int = 0) -> np.ndarray:
    """Sample the surface that is visible from some station uniformly by area.

    Returns:
        (n, 6): x, y, z, nx, ny, nz.

    Raises:
        InputError: less than about one part in sixty of the surface is visible.
    """
    rng = np.random.default_rng([seed, 4])
    rays = RayScene(scene.mesh)
    found, count = [], 0
    for _ in range(_ROUNDS):
        points, normals = sample_surface(scene.mesh, n, rng)
        kept = seen_from(rays, scene.stations, points, normals)
        found.append(np.concatenate([points[kept], normals[kept]], axis=1))
        count += int(kept.sum())
        if count >= n:
            return np.concatenate(found)[:n]
    raise InputError(
        f"only {count} of {_ROUNDS * n} surface samples are visible from the {len(scene.stations)} stations"
    )


def seen_from(rays: RayScene, stations: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n,) True for points whose front side is visible from one of the stations (k, 3), to within 1 mm."""
    seen = np.zeros(len(points), bool)
    for station in stations:
        toward = points - station
        index = np.flatnonzero(~seen & ((toward * normals).sum(axis=1) < 0))
        length = np.linalg.norm(toward[index], axis=1)
        hits = rays.cast(station, toward[index] / length[:, None])
        seen[index[hits.range_m > length - 1e-3]] = True
    return seen

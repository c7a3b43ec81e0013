# SPDX-License-Identifier: MIT
import numpy as np
import pytest
import torch

from fastsdf.config.loading import load_config
from fastsdf.geometry import PointCloud
from fastsdf.prepare.local_geometry import measure_local_geometry
from fastsdf.prepare.noise_from_normals import noise_from_normals
from fastsdf.prepare.pipeline import prepare_scan


def sphere(count: int, noise: float, tilt: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Points on the unit sphere, moved along the normals, and normals turned at random by about ``tilt`` radians."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    normals = x + tilt * rng.standard_normal((count, 3))
    return x * (1 + noise * rng.standard_normal((count, 1))), normals / np.linalg.norm(normals, axis=1, keepdims=True)


def estimates(points: np.ndarray, normals: np.ndarray) -> tuple[float | None, float]:
    geometry = measure_local_geometry(torch.as_tensor(points))
    return noise_from_normals(torch.as_tensor(points), torch.as_tensor(normals), geometry.nearest), geometry.noise


def test_curvature_is_no_noise() -> None:
    noise, roughness = estimates(*sphere(3000, 0.0))
    assert noise is not None and noise < 1e-12 < 1e-3 < roughness


@pytest.mark.parametrize("sigma", [0.002, 0.01])
def test_noise_along_the_normals_is_measured(sigma: float) -> None:
    noise, _ = estimates(*sphere(20_000, sigma))
    assert noise == pytest.approx(sigma, rel=0.1)


def test_noisy_normals_say_nothing() -> None:
    noise, _ = estimates(*sphere(3000, 0.0, tilt=0.4))
    assert noise is None


def test_unknown_normals_say_nothing() -> None:
    points, normals = sphere(3000, 0.0)
    noise, _ = estimates(points, np.zeros_like(normals))
    assert noise is None


def test_exact_points_are_not_smoothed() -> None:
    """A coarse scan of a sphere without noise stays on the sphere when its normals are known."""
    points, normals = sphere(2000, 0.0)
    config = load_config(scene="object", device="cpu")
    known, unknown = (prepare_scan(PointCloud(points, normals=n), config) for n in (normals, None))

    def deviation(prepared) -> float:
        radius = np.linalg.norm(prepared.transform.to_world(prepared.surface.points), axis=1)
        return float(np.abs(radius - 1).mean())

    assert deviation(known) < 1e-6
    assert deviation(unknown) > 1e-4

# SPDX-License-Identifier: MIT
"""A run's figures of its own accuracy, against errors that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import fastsdf
from fastsdf.evaluation.self_accuracy import root_mean_square_of_means, self_accuracy, squared_error_by_noise


@pytest.mark.parametrize("bias", [0.0, 0.001, 0.004])
def test_the_scatter_of_single_points_is_taken_out(bias: float) -> None:
    generator = torch.Generator().manual_seed(1)
    values = bias + 0.003 * torch.randn(20_000, 32, generator=generator, dtype=torch.float64)
    counted = torch.rand(values.shape, generator=generator) < 0.7
    assert root_mean_square_of_means(values, counted) == pytest.approx(bias, abs=2.5e-4)


@pytest.mark.parametrize("group", [4, 10, 30])
def test_the_error_by_noise_is_that_of_a_mean(group: int) -> None:
    """The fit: one mean for each group of points. Its error is the noise over the root of the group's size."""
    rng = np.random.default_rng(2)
    data = rng.normal(0, 0.003, (400_000 // group, group + 1))
    fit = data[:, :group].mean(1, keepdims=True)
    found = squared_error_by_noise((data[:, :group] - fit).ravel(), (data[:, group:] - fit).ravel())
    assert found == pytest.approx(0.003**2 / group, rel=0.25)


def test_outliers_do_not_count() -> None:
    rng = np.random.default_rng(3)
    seen, unseen = rng.normal(0, 0.003, (2, 100_000))
    seen[::20] = unseen[::20] = 1.0
    assert np.sqrt(squared_error_by_noise(seen, unseen)) < 0.0003


def test_rows_of_few_points_do_not_count() -> None:
    values = torch.full((4, 16), 0.002, dtype=torch.float64)
    counted = torch.zeros(4, 16, dtype=torch.bool)
    assert root_mean_square_of_means(values, counted) == 0
    counted[0] = True
    values[1:] = 1e9
    assert root_mean_square_of_means(values, counted) == pytest.approx(0.002)


def test_distances_are_those_of_the_zero_set(tiny_fit: fastsdf.FittedField) -> None:
    mesh = tiny_fit.extract_mesh()
    on_it = mesh.vertices[:: max(len(mesh.vertices) // 500, 1)]
    assert np.median(np.abs(tiny_fit.surface_distance(on_it))) < 1e-3


def test_a_fit_reports_its_own_error(tiny_fit: fastsdf.FittedField) -> None:
    found = self_accuracy(tiny_fit)
    scan = tiny_fit.scan
    assert scan.held_out is not None and scan.measured is not None
    assert found["held_out_points"] == scan.held_out.sum() > 0
    assert len(scan.training.points) == len(scan.surface.points) - found["held_out_points"]
    assert 0 < found["held_out_median_m"] < found["held_out_p95_m"]
    assert 0 <= found["error_estimate_m"] < 0.05


def test_a_shifted_scan_shows_as_error(tiny_fit: fastsdf.FittedField) -> None:
    """The scan moved along its normals by 3 cm: the estimate grows by about as much."""
    scan = tiny_fit.scan
    assert scan.measured is not None
    shift = (0.03 / scan.transform.half_extent_m) * scan.surface.normals
    moved = replace(tiny_fit, scan=replace(scan, measured=scan.measured + shift.astype(np.float32)))
    assert self_accuracy(moved)["error_estimate_m"] == pytest.approx(0.03, rel=0.35)


def test_without_the_points_as_measured_there_are_no_figures(tiny_fit: fastsdf.FittedField) -> None:
    older = replace(tiny_fit, scan=replace(tiny_fit.scan, measured=None, held_out=None))
    assert self_accuracy(older) == {}
    assert len(older.scan.training.points) == len(older.scan.surface.points)

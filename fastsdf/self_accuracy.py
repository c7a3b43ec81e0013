# SPDX-License-Identifier: MIT
"""What a fit can say about its own error without a reference.

Two figures. The distance of held-out points to the surface shows how well points are met that the training never saw;
noise is part of it. The error estimate takes the noise out: the signed distances of neighbouring points to the surface
are averaged, so that the scatter of single points cancels and what is left is where the surface runs beside the scan.
The distances are the residual on the boundary of the a-posteriori bound of ViscoReg (arXiv 2507.00412, theorem on the
generalisation error); the report has the residual of the equation beside them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fastsdf.nearest import point_index
from fastsdf.vectors import dot

if TYPE_CHECKING:
    from fastsdf.fitted import FittedField

NEIGHBOURS = 32
MIN_NEIGHBOURS = 8
MIN_COSINE = 0.7
SAMPLES = 50_000
KEPT_SHARE = 0.95
MEDIAN_SIGMAS = 0.6745


def surface_distance(field: "FittedField", points_m: np.ndarray) -> np.ndarray:
    """Signed distance (n,) of world points (n, 3) to the zero set, to first order: u / |grad u| (Taubin 1991)."""
    slope = np.linalg.norm(np.asarray(field.gradient(points_m)), axis=1)
    return np.asarray(field.sdf(points_m)) / np.clip(slope, 0.5, None)


def self_accuracy(field: "FittedField", seed: int = 0) -> dict[str, Any]:
    """Figures of a fit's accuracy in metres, from its scan alone; empty if the scan as measured is not at hand.

    Returns:
        ``held_out_points``, ``held_out_median_m`` and ``held_out_p95_m``: distances of the held-out points to the
        surface; ``noise_median_m``: what the noise alone would make of the median; ``error_estimate_m``: root mean
        square of the surface's distance from the locally averaged scan, the largest 5% left out.
    """
    scan = field.scan
    if scan.measured is None or scan.held_out is None:
        return {}
    figures: dict[str, Any] = {"error_estimate_m": _estimate(field, scan.measured, seed)}
    if scan.held_out.any():
        distance = np.abs(surface_distance(field, field.transform.to_world(scan.measured[scan.held_out])))
        figures |= {
            "held_out_points": len(distance),
            "held_out_median_m": float(np.median(distance)),
            "held_out_p95_m": float(np.quantile(distance, 0.95)),
            "noise_median_m": MEDIAN_SIGMAS * field.support.noise,
        }
    return figures


def _estimate(field: "FittedField", measured: np.ndarray, seed: int) -> float:
    """Root mean square of the local means of the signed distances, less what the noise leaves in them."""
    device = next(field.field.parameters()).device
    points = torch.as_tensor(field.transform.to_world(measured), device=device)
    normals = torch.as_tensor(field.support.normals, dtype=points.dtype, device=device)
    chosen = torch.from_numpy(np.random.default_rng(seed).permutation(len(points))[:SAMPLES]).to(device)
    nearest = point_index(points).query(points[chosen], min(NEIGHBOURS, len(points)))[1]
    needed, place = nearest.unique(return_inverse=True)
    distance = torch.as_tensor(surface_distance(field, points[needed].cpu().numpy()), device=device)
    alike = dot(normals[nearest], normals[chosen, None]) > MIN_COSINE
    return root_mean_square_of_means(distance[place], alike)


def root_mean_square_of_means(values: Tensor, counted: Tensor) -> float:
    """Root mean square, over the rows, of the expectation behind each row's counted values (m, k).

    The square of a mean of c values exceeds that of their expectation by their variance over c, on average; it is taken
    off. Rows with fewer than 8 counted values and the 5% of the largest means are left out.
    """
    count = counted.sum(1)
    enough = count >= MIN_NEIGHBOURS
    if not bool(enough.any()):
        return float("nan")
    values, counted, count = values[enough], counted[enough], count[enough]
    mean = (values * counted).sum(1) / count
    variance = ((values - mean[:, None]).square() * counted).sum(1) / (count - 1)
    squared, excess = mean.square(), variance / count
    kept = squared <= torch.quantile(squared, KEPT_SHARE)
    return float((squared - excess)[kept].mean().clamp_min(0.0).sqrt())

# SPDX-License-Identifier: MIT
"""Estimates the error of a fitted surface from its scan alone, without a reference.

The distances of held-out points to the surface contain their noise and the error of the surface. The distances of
training points are smaller, because the surface follows their noise. For a fit that is linear in the points, half the
difference of the mean squares is the part of the squared surface error that the noise caused (Mallows' Cp; Efron 2004).
Where many neighbouring points lie on the same side of the surface, their mean distance is a further error. The estimate
adds both. These distances are the boundary residual in the a-posteriori bound of ViscoReg (arXiv 2507.00412).
"""

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fastsdf.numerics.vectors import dot
from fastsdf.spatial.knn import point_index

if TYPE_CHECKING:
    from fastsdf.model import FittedField

NEIGHBOURS = 32  # points whose mean distance shows an offset of the surface; chosen, not swept
MIN_NEIGHBOURS = 8  # points with a similar normal that a mean needs; chosen, not swept
MIN_COSINE = 0.7  # cosine of 45 degrees; points with normals closer than that lie on the same surface
SAMPLES = 20_000  # training points that are evaluated; bounds the time
KEPT_SHARE = 0.9  # share of the smallest squares that counts, so that outliers do not
MEDIAN_SIGMAS = 0.6745  # median of |x| in standard deviations of a normal distribution


def self_accuracy(field: "FittedField", seed: int = 0) -> dict[str, Any]:
    """Returns accuracy metrics of a fit in metres, from its scan alone; empty if no points were held out.

    Returns:
        ``held_out_points``, ``held_out_median_m`` and ``held_out_p95_m``: distances of the held-out points to the
        surface; ``noise_median_m``: the median that the noise alone would cause; ``error_estimate_m``: estimated root
        mean square error of the surface where it was measured.
    """
    scan = field.scan
    if scan.measured is None or scan.held_out is None or not scan.held_out.any():
        return {}
    unseen = np.abs(field.surface_distance(field.transform.to_world(scan.measured[scan.held_out])))
    seen, offset = _seen(field, scan.measured, np.flatnonzero(~scan.held_out), seed)
    return {
        "held_out_points": len(unseen),
        "held_out_median_m": float(np.median(unseen)),
        "held_out_p95_m": float(np.quantile(unseen, 0.95)),
        "noise_median_m": MEDIAN_SIGMAS * field.support.noise,
        "error_estimate_m": float(np.sqrt(squared_error_by_noise(seen, unseen) + offset**2)),
    }


def squared_error_by_noise(seen: np.ndarray, unseen: np.ndarray) -> float:
    """Mean squared error that noise caused, from residuals at training points (n,) and held-out points (m,).

    The largest tenth of each is left out because of outliers; a factor for the normal distribution corrects for it.
    """
    squares = [np.sort(np.square(values))[: max(int(KEPT_SHARE * len(values)), 1)].mean() for values in (seen, unseen)]
    edge = NormalDist().inv_cdf((1 + KEPT_SHARE) / 2)
    kept = 1 - 2 * edge * NormalDist().pdf(edge) / KEPT_SHARE
    return max(float(squares[1] - squares[0]) / (2 * kept), 0.0)


def root_mean_square_of_means(values: Tensor, counted: Tensor) -> float:
    """Root mean square over the rows of the expected value of each row, from its counted values (m, k).

    On average, the squared mean of c values exceeds the squared expected value by their variance divided by c, which is
    subtracted. Rows with fewer than 8 counted values and the tenth of the rows with the largest means are left out.
    Returns 0 if no row is left.
    """
    count = counted.sum(1)
    enough = count >= MIN_NEIGHBOURS
    if not bool(enough.any()):
        return 0.0
    values, counted, count = values[enough], counted[enough], count[enough]
    mean = (values * counted).sum(1) / count
    variance = ((values - mean[:, None]).square() * counted).sum(1) / (count - 1)
    squared, excess = mean.square(), variance / count
    kept = squared <= torch.quantile(squared, KEPT_SHARE)
    return float((squared - excess)[kept].mean().clamp_min(0.0).sqrt())


def _seen(field: "FittedField", measured: np.ndarray, seen: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """Distances (m,) of a sample of the training points, and the root mean square of local mean distances."""
    device = next(field.field.parameters()).device
    points = torch.as_tensor(field.transform.to_world(measured[seen]), device=device)
    normals = torch.as_tensor(field.support.normals[seen], dtype=points.dtype, device=device)
    chosen = torch.from_numpy(np.random.default_rng(seed).permutation(len(points))[:SAMPLES]).to(device)
    nearest = point_index(points).query(points[chosen], min(NEIGHBOURS, len(points)))[1]
    needed, index = nearest.unique(return_inverse=True)
    distance = field.surface_distance(points[needed])[index]
    alike = dot(normals[nearest], normals[chosen, None]) > MIN_COSINE
    return distance[:, 0].cpu().numpy(), root_mean_square_of_means(distance, alike)

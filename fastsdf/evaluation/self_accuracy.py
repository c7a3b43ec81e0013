# SPDX-License-Identifier: MIT
"""What a fit can say about its own error without a reference.

Points that training never saw lie as far from the surface as their noise and the surface's error together say. Points
that it saw lie nearer, because the surface follows their noise. For a fit that is linear in the points, half of the
difference of the mean squares is the part of the surface's squared error that the noise caused (Mallows' Cp, Efron
2004); where the surface runs beside many points together, it is wrong by that much more. The two make the estimate. Its
distances are the boundary residual in the a-posteriori bound of ViscoReg (arXiv 2507.00412), and the report has the
residual of the equation beside them.
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

NEIGHBOURS = 32
MIN_NEIGHBOURS = 8
MIN_COSINE = 0.7
SAMPLES = 20_000
KEPT_SHARE = 0.9
MEDIAN_SIGMAS = 0.6745


def self_accuracy(field: "FittedField", seed: int = 0) -> dict[str, Any]:
    """Figures of a fit's accuracy in metres, from its scan alone; empty if no points were held out.

    Returns:
        ``held_out_points``, ``held_out_median_m`` and ``held_out_p95_m``: distances of the held-out points to the
        surface; ``noise_median_m``: what the noise alone would make of the median; ``error_estimate_m``: estimated root
        mean square error of the surface where it was measured.
    """
    scan = field.scan
    if scan.measured is None or scan.held_out is None or not scan.held_out.any():
        return {}
    unseen = np.abs(field.surface_distance(field.transform.to_world(scan.measured[scan.held_out])))
    seen, beside = _seen(field, scan.measured, np.flatnonzero(~scan.held_out), seed)
    return {
        "held_out_points": len(unseen),
        "held_out_median_m": float(np.median(unseen)),
        "held_out_p95_m": float(np.quantile(unseen, 0.95)),
        "noise_median_m": MEDIAN_SIGMAS * field.support.noise,
        "error_estimate_m": float(np.sqrt(squared_error_by_noise(seen, unseen) + beside**2)),
    }


def squared_error_by_noise(seen: np.ndarray, unseen: np.ndarray) -> float:
    """Mean squared error of a fit that its data's noise caused, from its residuals at data seen and unseen, (n,), (m,).

    The largest tenth of each is left out, as outliers belong to neither, and made up for as for a normal distribution.
    """
    squares = [np.sort(np.square(values))[: max(int(KEPT_SHARE * len(values)), 1)].mean() for values in (seen, unseen)]
    edge = NormalDist().inv_cdf((1 + KEPT_SHARE) / 2)
    kept = 1 - 2 * edge * NormalDist().pdf(edge) / KEPT_SHARE
    return max(float(squares[1] - squares[0]) / (2 * kept), 0.0)


def root_mean_square_of_means(values: Tensor, counted: Tensor) -> float:
    """Root mean square, over the rows, of the expectation behind each row's counted values (m, k).

    The square of a mean of c values exceeds that of their expectation by their variance over c, on average; it is taken
    off. Rows with fewer than 8 counted values and the tenth with the largest means are left out. 0 if nothing is left.
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
    """Distances (m,) of a sample of the points seen in training, and the root mean square of local means of such."""
    device = next(field.field.parameters()).device
    points = torch.as_tensor(field.transform.to_world(measured[seen]), device=device)
    normals = torch.as_tensor(field.support.normals[seen], dtype=points.dtype, device=device)
    chosen = torch.from_numpy(np.random.default_rng(seed).permutation(len(points))[:SAMPLES]).to(device)
    nearest = point_index(points).query(points[chosen], min(NEIGHBOURS, len(points)))[1]
    needed, place = nearest.unique(return_inverse=True)
    distance = field.surface_distance(points[needed])[place]
    alike = dot(normals[nearest], normals[chosen, None]) > MIN_COSINE
    return distance[:, 0].cpu().numpy(), root_mean_square_of_means(distance, alike)

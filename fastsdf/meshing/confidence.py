# SPDX-License-Identifier: MIT
"""How likely a vertex lies on measured surface, judged from the scan's points around it and the field on both sides.

A small network, trained by ``benchmarks/accuracy/confidence.py`` on scans of synthetic scenes with known truth, gives
the probability that the true surface is within 0.6 spacings of a vertex (or three standard deviations of the noise, if
that is more), faces the same way to within 60 degrees, and was seen by the scanner. A count of the discs under a vertex
tells much less, see docs/notebook/2026-11-27-confidence.md.
"""

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fastsdf.meshing.discs import Discs, Neighbours
from fastsdf.meshing.lattice import Field
from fastsdf.numerics.vectors import dot

WEIGHTS = "confidence.npz"
DISCS = 4
PROBES = (2.0, 5.0)
FURTHEST = 4.0
MOST_THICKNESSES = 20.0
MOST_NORMAL_WEIGHT = 1.5
CLOSE_SPACINGS = 1.5
RADIUS_SPACINGS = 1.5  # of the discs in training
FEATURES = 4 * DISCS + 2 * len(PROBES) + 11
MOST_DEVIATIONS = 5.0


class ConfidenceNetwork(NamedTuple):
    """A trained network on a device.

    Attributes:
        mean, scale: (f,) of the features in training.
        layers: weights (out, in) and biases (out,) of each layer; ReLU between them, a logit at the end.
    """

    mean: Tensor
    scale: Tensor
    layers: tuple[tuple[Tensor, Tensor], ...]

    def __call__(self, features: Tensor) -> Tensor:
        """Probability (m,) that the vertices with these features (m, f) lie on real surface."""
        x = ((features - self.mean) / self.scale).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        for number, (weight, bias) in enumerate(self.layers):
            x = functional.linear(functional.relu(x) if number else x, weight, bias)
        return x[:, 0].sigmoid()


def load_confidence_network(device: torch.device | str) -> ConfidenceNetwork:
    """The network that comes with the package."""
    arrays = {name: torch.from_numpy(values).to(device) for name, values in _stored().items()}
    layers = range((len(arrays) - 2) // 2)
    return ConfidenceNetwork(
        arrays["mean"], arrays["scale"], tuple((arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in layers)
    )


@cache
def _stored() -> dict[str, np.ndarray]:
    content = BytesIO(files("fastsdf.meshing").joinpath(WEIGHTS).read_bytes())
    with np.load(content, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def features(vertices: Tensor, normals: Tensor, near: Neighbours, discs: Discs, sdf: Field) -> Tensor:
    """What tells real surface from invented: (m, f) float32, f = `FEATURES`.

    Of the 4 nearest discs: how far along (in spacings), how far across (in thicknesses), which way they face, and the
    normal_weight in that. Of the 8 nearest points: the gap to the first, how one-sided they lie along the surface, their
    offsets along its normal and those of the vertex from their discs. The field 2 and 5 spacings before and behind: a
    sheet invented in a slot has a wall before it soon. And how local spacing and noise compare to the median spacing.
    Larger discs make all spacings count as larger.

    Args:
        vertices: (m, 3) float64 places.
        normals: (m, 3) unit normals into the air.
        near: the places' 8 nearest discs.
        discs: those of the scan.
        sdf: world points (n, 3) -> (n,).
    """
    local, facing = discs.radii[near.index] / RADIUS_SPACINGS, discs.normals[near.index]
    spacing, first = local[:, :1], slice(0, DISCS)
    median = discs.spacing * discs.spacings / RADIUS_SPACINGS
    along = (near.gap.square() - near.across.square()).clamp_min(0.0).sqrt()
    rows = [
        (along / local)[:, first].clamp_max(FURTHEST),
        (near.across / discs.thickness[near.index])[:, first].clamp_max(MOST_THICKNESSES).log1p(),
        dot(facing[:, first], normals[:, None]),
        discs.normal_weight[near.index[:, first]].clamp_max(MOST_NORMAL_WEIGHT),
        *_layout(near, normals, spacing),
        *_extremes(-dot(near.toward, facing) / local),
    ]
    for side in (1.0, -1.0):
        rows += [(side * sdf(vertices + side * k * spacing * normals))[:, None] / (k * spacing) for k in PROBES]
    rows += [(spacing / median).log(), torch.full_like(spacing, discs.noise / median)]
    return torch.cat(rows, 1).float()


def _layout(near: Neighbours, normals: Tensor, spacing: Tensor) -> list[Tensor]:
    """How the nearest points lie around places, in spacings (m, 1): seven columns (m, 1)."""
    height = dot(near.toward, normals[:, None])
    beside = near.toward - height[..., None] * normals[:, None]
    direction = beside / beside.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(beside.dtype).tiny)
    weight = torch.exp(-0.5 * (near.gap / spacing).square()) + torch.finfo(beside.dtype).tiny
    middle = (weight[..., None] * beside).sum(1).norm(dim=1, keepdim=True) / weight.sum(1, keepdim=True)
    close = (near.gap < CLOSE_SPACINGS * spacing).to(spacing.dtype).mean(1, keepdim=True)
    return [
        near.gap[:, :1] / spacing,
        direction.mean(1).norm(dim=1, keepdim=True),
        middle / spacing,
        height.mean(1, keepdim=True) / spacing,
        *_extremes(height / spacing),
        close,
    ]


def _extremes(values: Tensor) -> list[Tensor]:
    """The least and the largest of each row (m, k), as columns (m, 1)."""
    return [values.amin(1, keepdim=True), values.amax(1, keepdim=True)]

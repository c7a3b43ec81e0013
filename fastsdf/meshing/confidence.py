# SPDX-License-Identifier: MIT
"""Predicts how likely a vertex lies on measured surface, from the scan's points near it and the field around it.

A small network returns the probability that three conditions hold: the true surface lies within 0.6 point spacings of
the vertex (or three standard deviations of the noise if that is more), its normal is within 60 degrees of the vertex
normal, and the scanner saw it. ``benchmarks/accuracy/confidence.py`` trains the network on scans of synthetic scenes
with known truth; docs/notebook/2026-11-27-confidence.md compares it with simpler rules.
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

# The network was trained with these values: changing one of them needs new weights. They were chosen, not swept.
WEIGHTS = "confidence.npz"
NEAREST_DISCS = 4  # discs described one by one
PROBE_SPACINGS = (2.0, 5.0)  # local spacings; distances in front of and behind the vertex at which the field is read
MAX_ALONG_SPACINGS = 4.0  # local spacings; farther discs all look alike
MAX_THICKNESSES = 20.0  # half thicknesses of a disc; larger offsets from its plane all look alike
MAX_NORMAL_WEIGHT = 1.5  # weights above it (points on fitted planes) all look alike
CLOSE_SPACINGS = 1.5  # local spacings; a neighbour within this distance counts as close
RADIUS_SPACINGS = 1.5  # local spacings; radius of the discs in training
FEATURES = 4 * NEAREST_DISCS + 2 * len(PROBE_SPACINGS) + 11  # inputs of the network
MAX_DEVIATIONS = (
    5.0  # standard deviations of the training data; inputs are clipped to it, so that outliers stay bounded
)


class ConfidenceNetwork(NamedTuple):
    """The trained network on a device.

    Attributes:
        mean, scale: (f,) mean and standard deviation of the features in training.
        layers: weights (out, in) and biases (out,) of each layer; ReLU between them, a logit at the end.
    """

    mean: Tensor
    scale: Tensor
    layers: tuple[tuple[Tensor, Tensor], ...]

    def __call__(self, features: Tensor) -> Tensor:
        """Probability (m,) that the vertices with these features (m, f) lie on real surface."""
        x = ((features - self.mean) / self.scale).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
        for number, (weight, bias) in enumerate(self.layers):
            x = functional.linear(functional.relu(x) if number else x, weight, bias)
        return x[:, 0].sigmoid()


def load_confidence_network(device: torch.device | str) -> ConfidenceNetwork:
    """Loads the network that comes with the package."""
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
    """Computes the inputs of the network, (m, f) float32 with f = `FEATURES`.

    - For each of the 4 nearest discs: its distance along its plane (in local spacings), the distance across it (in
      thicknesses), the cosine between its normal and that of the vertex, and the weight of its normal.
    - For the 8 nearest points together: the distance to the first, how one-sided they lie along the surface, their
      offsets along the vertex normal, and the offsets of the vertex from their discs.
    - The field 2 and 5 spacings in front of and behind the vertex: a surface invented in a narrow slot soon has a wall
      in front of it.
    - The local spacing and the noise, both relative to the median spacing.

    Spacings are derived from the radii of the discs, so larger discs act like larger spacings.

    Args:
        vertices: (m, 3) float64 positions.
        normals: (m, 3) unit normals towards the air.
        near: the 8 nearest discs of each vertex.
        discs: discs of the scan.
        sdf: world points (n, 3) -> (n,) signed distances.
    """
    local, facing = discs.radii[near.index] / RADIUS_SPACINGS, discs.normals[near.index]
    spacing, first = local[:, :1], slice(0, NEAREST_DISCS)
    median = discs.spacing * discs.spacings / RADIUS_SPACINGS
    along = (near.gap.square() - near.across.square()).clamp_min(0.0).sqrt()
    columns = [
        (along / local)[:, first].clamp_max(MAX_ALONG_SPACINGS),
        (near.across / discs.thickness[near.index])[:, first].clamp_max(MAX_THICKNESSES).log1p(),
        dot(facing[:, first], normals[:, None]),
        discs.normal_weight[near.index[:, first]].clamp_max(MAX_NORMAL_WEIGHT),
        *_layout(near, normals, spacing),
        *_extremes(-dot(near.toward, facing) / local),
    ]
    for side in (1.0, -1.0):
        for k in PROBE_SPACINGS:
            value = side * sdf(vertices + side * k * spacing * normals)
            columns += [value[:, None] / (k * spacing)]
    columns += [(spacing / median).log(), torch.full_like(spacing, discs.noise / median)]
    return torch.cat(columns, 1).float()


def _layout(near: Neighbours, normals: Tensor, spacing: Tensor) -> list[Tensor]:
    """Seven columns (m, 1) that describe how the nearest points lie around vertices, in local spacings (m, 1)."""
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
    """The smallest and the largest value of each row (m, k), as two columns (m, 1)."""
    return [values.amin(1, keepdim=True), values.amax(1, keepdim=True)]

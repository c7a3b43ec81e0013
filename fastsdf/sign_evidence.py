# SPDX-License-Identifier: MIT
"""What a scan says about the side of the air, best evidence first: sensor positions, its normals, free paths."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.errors import InputError
from fastsdf.local_geometry import LocalGeometry
from fastsdf.orientation import orient
from fastsdf.scan import PointCloud
from fastsdf.vectors import dot

MAX_DOUBTFUL_SHARE = 0.25
GRAZING_COSINE = 0.1


class Evidence(NamedTuple):
    """Normals of a scan and what is known of their sign.

    Attributes:
        normals: (n, 3) unit normals, into the air where known.
        confidence: (n,) 0 (arbitrary sign) to 1.
        facts: source and figures for the report.
    """

    normals: Tensor
    confidence: Tensor
    facts: dict[str, Any]


def orient_scan(cloud: PointCloud, points: Tensor, geometry: LocalGeometry, source: str, scene: str) -> Evidence:
    """Orients a scan by the evidence asked for, or for ``auto`` by the best it has.

    Free paths are tried in rooms only, and given up (confidence 0) where they leave more than a quarter of the points
    in doubt, as on partial views of a room.

    Args:
        cloud: the scan.
        points: (n, 3) float64 its points on the device to compute on.
        geometry: its local spacing and PCA normals.
        source: auto, sensors, normals, paths or none.
        scene: room or object.

    Raises:
        InputError: if the scan lacks the evidence asked for by name.
    """
    chosen = _best_source(cloud, scene) if source == "auto" else source
    if (chosen == "sensors" and cloud.sensors is None) or (chosen == "normals" and cloud.normals is None):
        raise InputError(f"prepare.orientation is '{chosen}', but the scan has no {chosen}; use auto")
    if chosen == "sensors":
        assert cloud.sensors is not None
        return _by_sensors(_beside(points, cloud.sensors), points, geometry)
    if chosen == "normals":
        assert cloud.normals is not None
        facts = {"sign_evidence": "normals of the file"}
        return Evidence(_beside(points, cloud.normals), points.new_ones(len(points)), facts)
    if chosen == "none":
        return Evidence(geometry.normals, points.new_zeros(len(points)), {"sign_evidence": "none"})
    return _by_paths(points, geometry)


def _beside(points: Tensor, values: np.ndarray) -> Tensor:
    """Values of a scan as float64 on the device of its points."""
    return torch.tensor(values, dtype=torch.float64, device=points.device)


def _best_source(cloud: PointCloud, scene: str) -> str:
    if cloud.sensors is not None:
        return "sensors"
    if cloud.normals is not None:
        return "normals"
    return "paths" if scene == "room" else "none"


def _by_sensors(sensors: Tensor, points: Tensor, geometry: LocalGeometry) -> Evidence:
    view = sensors - points
    cosine = dot(view, geometry.normals) / view.norm(dim=1).clamp_min(1e-12)
    normals = torch.where(cosine < 0, -1.0, 1.0).to(cosine)[:, None] * geometry.normals
    return Evidence(normals, (cosine.abs() / GRAZING_COSINE).clamp_max(1.0), {"sign_evidence": "sensor positions"})


def _by_paths(points: Tensor, geometry: LocalGeometry) -> Evidence:
    found = orient(points, geometry.normals, geometry.spacing)
    facts = {"sign_evidence": "free paths", "doubtful_share": round(found.doubtful_share, 4)}
    if found.doubtful_share > MAX_DOUBTFUL_SHARE:
        facts["sign_evidence"] = "none (free paths leave too many points in doubt)"
        return Evidence(geometry.normals, points.new_zeros(len(points)), facts)
    return Evidence(found.sign[:, None] * geometry.normals, found.confidence, facts)

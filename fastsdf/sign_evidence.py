# SPDX-License-Identifier: MIT
"""What a scan says about the side of the air, best evidence first: sensor positions, its normals, free paths."""

from typing import Any, NamedTuple

import numpy as np

from fastsdf.errors import InputError
from fastsdf.local_geometry import LocalGeometry
from fastsdf.orientation import orient
from fastsdf.scan import PointCloud

MAX_DOUBTFUL_SHARE = 0.25
GRAZING_COSINE = 0.1


class Evidence(NamedTuple):
    """Normals of a scan and what is known of their sign.

    Attributes:
        normals: (n, 3) unit normals, into the air where known.
        confidence: (n,) 0 (arbitrary sign) to 1.
        facts: source and figures for the report.
    """

    normals: np.ndarray
    confidence: np.ndarray
    facts: dict[str, Any]


def orient_scan(cloud: PointCloud, geometry: LocalGeometry, source: str, scene: str, device: str) -> Evidence:
    """Orients a scan by the evidence asked for, or for ``auto`` by the best it has.

    Free paths are tried in rooms only, and given up (confidence 0) where they leave more than a quarter of the points
    in doubt, as on partial views of a room.

    Args:
        cloud: the scan.
        geometry: its local spacing and PCA normals.
        source: auto, sensors, normals, paths or none.
        scene: room or object.
        device: where to compute.

    Raises:
        InputError: if the scan lacks the evidence asked for by name.
    """
    chosen = _best_source(cloud, scene) if source == "auto" else source
    if (chosen == "sensors" and cloud.sensors is None) or (chosen == "normals" and cloud.normals is None):
        raise InputError(f"prepare.orientation is '{chosen}', but the scan has no {chosen}; use auto")
    if chosen == "sensors":
        return _by_sensors(cloud, geometry)
    if chosen == "normals":
        assert cloud.normals is not None
        return Evidence(cloud.normals, np.ones(len(cloud)), {"sign_evidence": "normals of the file"})
    if chosen == "none":
        return Evidence(geometry.normals, np.zeros(len(cloud)), {"sign_evidence": "none"})
    return _by_paths(cloud, geometry, device)


def _best_source(cloud: PointCloud, scene: str) -> str:
    if cloud.sensors is not None:
        return "sensors"
    if cloud.normals is not None:
        return "normals"
    return "paths" if scene == "room" else "none"


def _by_sensors(cloud: PointCloud, geometry: LocalGeometry) -> Evidence:
    assert cloud.sensors is not None
    view = cloud.sensors - cloud.points
    view /= np.maximum(np.linalg.norm(view, axis=1, keepdims=True), 1e-12)
    cosine = (view * geometry.normals).sum(1)
    normals = np.where(cosine < 0, -1.0, 1.0)[:, None] * geometry.normals
    return Evidence(normals, np.minimum(np.abs(cosine) / GRAZING_COSINE, 1.0), {"sign_evidence": "sensor positions"})


def _by_paths(cloud: PointCloud, geometry: LocalGeometry, device: str) -> Evidence:
    found = orient(cloud.points, geometry.normals, geometry.spacing, device)
    facts = {"sign_evidence": "free paths", "doubtful_share": round(found.doubtful_share, 4)}
    if found.doubtful_share > MAX_DOUBTFUL_SHARE:
        facts["sign_evidence"] = "none (free paths leave too many points in doubt)"
        return Evidence(geometry.normals, np.zeros(len(cloud)), facts)
    return Evidence(found.sign[:, None] * geometry.normals, found.confidence, facts)

# SPDX-License-Identifier: MIT
"""What a scan says about the side of the air, best first: sensor positions, its normals, free paths, viewpoints."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fastsdf.errors import InputError
from fastsdf.geometry import PointCloud
from fastsdf.numerics.vectors import dot
from fastsdf.prepare.local_geometry import LocalGeometry
from fastsdf.prepare.orientation.propagate import Orientation, orient, orient_by_viewpoints

MAX_DOUBTFUL_SHARE = 0.25
VIEWS_FROM_SHARE = 0.1
GRAZING_COSINE = 0.1
AGREEMENT = 0.85
LOCAL_AGREEMENT = 0.9
NEIGHBOURS = 8


class Evidence(NamedTuple):
    """Normals of a scan and what is known of their sign.

    Attributes:
        normals: (n, 3) unit normals, into the air where known.
        confidence: (n,) 0 (arbitrary sign) to 1.
        facts: source and figures for the report.
        views: (n, 3) from each point to its sensor, if that is the evidence.
    """

    normals: Tensor
    confidence: Tensor
    facts: dict[str, Any]
    views: Tensor | None = None


def orient_scan(cloud: PointCloud, points: Tensor, geometry: LocalGeometry, source: str, scene: str) -> Evidence:
    """Orients a scan by the evidence asked for, or for ``auto`` by the best it has.

    Free paths are tried in rooms only, and viewpoints where those leave many points in doubt, as on partial views of a
    room; an object is seen from the air around it. Confidence is 0 if more than a quarter stays in doubt. Normals of a
    file are believed if asked for by name; ``auto`` checks them first, since many programs write normals of arbitrary
    sign.

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
        normals = _beside(points, cloud.normals)
        return _by_checked_normals(normals, points, geometry, scene) if source == "auto" else _believed(normals)
    if chosen == "none":
        return _unknown(geometry.normals, "none")
    if chosen == "outside":
        return _by_outside(geometry.normals, geometry)
    return _by_paths(geometry.normals, points, geometry)


def _beside(points: Tensor, values: np.ndarray) -> Tensor:
    """Values of a scan as float64 on the device of its points."""
    return torch.tensor(values, dtype=torch.float64, device=points.device)


def _best_source(cloud: PointCloud, scene: str) -> str:
    if cloud.sensors is not None:
        return "sensors"
    if cloud.normals is not None:
        return "normals"
    return "paths" if scene == "room" else "outside"


def _by_sensors(sensors: Tensor, points: Tensor, geometry: LocalGeometry) -> Evidence:
    view = sensors - points
    cosine = dot(view, geometry.normals) / view.norm(dim=1).clamp_min(1e-12)
    normals = torch.where(cosine < 0, -1.0, 1.0).to(cosine)[:, None] * geometry.normals
    confidence = (cosine.abs() / GRAZING_COSINE).clamp_max(1.0)
    return Evidence(normals, confidence, {"sign_evidence": "sensor positions"}, view)


def _believed(normals: Tensor) -> Evidence:
    return Evidence(normals, normals.new_ones(len(normals)), {"sign_evidence": "normals of the file"})


def _unknown(normals: Tensor, why: str, facts: Mapping[str, Any] | None = None) -> Evidence:
    return Evidence(normals, normals.new_zeros(len(normals)), {**(facts or {}), "sign_evidence": why})


def _by_checked_normals(normals: Tensor, points: Tensor, geometry: LocalGeometry, scene: str) -> Evidence:
    """Normals of a file, if neighbours face the same way and, in a room, free paths do not contradict them.

    Normals that nearly all point out of the air are turned; of normals that point both ways only the axes are used.
    """
    near = geometry.nearest[:, 1 : 1 + NEIGHBOURS]
    cosine = dot(normals[near], normals[:, None])
    aligned = cosine.abs() > 0.5
    together = float((aligned & (cosine > 0)).sum() / aligned.sum().clamp_min(1))
    if scene != "room":
        if together >= LOCAL_AGREEMENT:
            return _believed(normals)
        return _unknown(normals, f"none (neighbouring normals of the file agree in {together:.0%} of the cases only)")
    paths = _by_paths(normals, points, geometry)
    sure = paths.confidence.sum()
    facts = {**paths.facts, "neighbouring_normals_agree": round(together, 4)}
    if sure == 0:
        believed = together >= LOCAL_AGREEMENT
        facts["sign_evidence"] = "normals of the file" if believed else "none (normals of the file point both ways)"
        return Evidence(normals, normals.new_full((len(normals),), float(believed)), facts)
    agreement = float((paths.confidence * (dot(paths.normals, normals) > 0)).sum() / sure)
    facts["normals_agree"] = round(agreement, 4)
    if agreement >= AGREEMENT:
        return Evidence(normals, normals.new_ones(len(normals)), {**facts, "sign_evidence": "normals of the file"})
    if agreement <= 1 - AGREEMENT:
        facts["sign_evidence"] = "normals of the file, turned into the air"
        return Evidence(-normals, normals.new_ones(len(normals)), facts)
    facts["sign_evidence"] = "free paths (normals of the file point both ways)"
    return Evidence(paths.normals, paths.confidence, facts)


def _by_outside(normals: Tensor, geometry: LocalGeometry) -> Evidence:
    """Unit normals of any sign, turned towards the air around an object."""
    found, _ = orient_by_viewpoints(geometry.index, normals, geometry.spacing, "object")
    facts = {"sign_evidence": "air around the object", "doubtful_share": round(found.doubtful_share, 4)}
    return _unless_doubtful(
        normals, found, facts, "too much of the object is not seen from around it, or from all sides"
    )


def _by_paths(normals: Tensor, points: Tensor, geometry: LocalGeometry) -> Evidence:
    """Unit normals of any sign, turned by free paths or by viewpoints, whichever leave fewer points in doubt.

    Viewpoints are looked for only where free paths leave many.
    """
    found = orient(geometry.index, normals, geometry.spacing, geometry.noise)
    facts: dict[str, Any] = {"sign_evidence": "free paths", "doubtful_share": round(found.doubtful_share, 4)}
    if found.doubtful_share > VIEWS_FROM_SHARE:
        seen, places = orient_by_viewpoints(geometry.index, normals, geometry.spacing, "room")
        facts |= {"viewpoints": places, "unseen_share": round(seen.doubtful_share, 4)}
        if seen.doubtful_share < found.doubtful_share:
            found, facts["sign_evidence"] = seen, "viewpoints"
    return _unless_doubtful(normals, found, facts, "free paths and viewpoints leave too many points in doubt")


def _unless_doubtful(normals: Tensor, found: Orientation, facts: dict[str, Any], why: str) -> Evidence:
    """The normals turned as found; as they are, with confidence 0, if that leaves more than a quarter in doubt."""
    if found.doubtful_share > MAX_DOUBTFUL_SHARE:
        return _unknown(normals, f"none ({why})", facts)
    return Evidence(found.sign[:, None] * normals, found.confidence, facts)

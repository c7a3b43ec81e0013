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
        source: auto, sensors, normals, paths, viewpoints, outside or none.
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
        normals, known = _filled(_beside(points, cloud.normals), geometry)
        if source == "auto":
            return _by_checked_normals(normals, known, points, geometry, scene)
        return _believed(normals, known, "normals of the file")
    if chosen == "none":
        return _unknown(geometry.normals, "none")
    if chosen == "outside":
        return _by_outside(geometry.normals, geometry)
    if chosen == "viewpoints":
        return _by_viewpoints(geometry.normals, geometry)
    return _by_paths(geometry.normals, points, geometry)


def _beside(points: Tensor, values: np.ndarray) -> Tensor:
    """Values of a scan as float64 on the device of its points."""
    return torch.tensor(values, dtype=torch.float64, device=points.device)


def _filled(normals: Tensor, geometry: LocalGeometry) -> tuple[Tensor, Tensor]:
    """The file's normals (n, 3) with PCA normals where the file has none, and (n,) 1 where their side is known, else 0.

    A filled normal faces the way of the file's normals around it; without any around it, its side is unknown.
    """
    absent = ~normals.any(1)
    known = normals.new_ones(len(normals))
    if not bool(absent.any()):
        return normals, known
    own = geometry.normals[absent]
    vote = dot(normals[geometry.nearest[absent]], own[:, None]).sum(1)
    filled = normals.clone()
    filled[absent] = torch.where(vote < 0, -1.0, 1.0).to(own)[:, None] * own
    known[absent] = (vote != 0).to(known)
    return filled, known


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
    return Evidence(normals, confidence, {"inside_outside_evidence": "sensor positions"}, view)


def _believed(normals: Tensor, known: Tensor, text: str, facts: Mapping[str, Any] | None = None) -> Evidence:
    """Normals (n, 3) of the file with full confidence wherever their side is ``known`` (n,)."""
    return Evidence(normals, known, {**(facts or {}), "inside_outside_evidence": text})


def _unknown(normals: Tensor, why: str, facts: Mapping[str, Any] | None = None) -> Evidence:
    return Evidence(normals, normals.new_zeros(len(normals)), {**(facts or {}), "inside_outside_evidence": why})


def _by_checked_normals(
    normals: Tensor, known: Tensor, points: Tensor, geometry: LocalGeometry, scene: str
) -> Evidence:
    """Normals of a file, if neighbours face the same way and independent evidence of the air does not contradict them.

    The independent evidence are free paths and viewpoints in a room, and the air around an object. Normals that nearly
    all point out of the air are turned; of normals that point both ways only the axes are used.
    """
    near = geometry.nearest[:, 1 : 1 + NEIGHBOURS]
    cosine = dot(normals[near], normals[:, None])
    aligned = cosine.abs() > 0.5
    together = float((aligned & (cosine > 0)).sum() / aligned.sum().clamp_min(1))
    independent = _by_paths(normals, points, geometry) if scene == "room" else _by_outside(normals, geometry)
    sure = independent.confidence.sum()
    facts = {**independent.facts, "neighbouring_normals_agree": round(together, 4)}
    if sure == 0:
        if together >= LOCAL_AGREEMENT:
            return _believed(normals, known, "normals of the file", facts)
        return _unknown(normals, "none (normals of the file point both ways)", facts)
    agreement = float((independent.confidence * (dot(independent.normals, normals) > 0)).sum() / sure)
    facts["normals_agree"] = round(agreement, 4)
    if agreement >= AGREEMENT:
        return _believed(normals, known, "normals of the file", facts)
    if agreement <= 1 - AGREEMENT:
        return _believed(-normals, known, "normals of the file, turned into the air", facts)
    text = f"{independent.facts['inside_outside_evidence']} (normals of the file point both ways)"
    return independent._replace(facts={**facts, "inside_outside_evidence": text})


def _by_outside(normals: Tensor, geometry: LocalGeometry) -> Evidence:
    """Unit normals of any sign, turned towards the air around an object."""
    found, _ = orient_by_viewpoints(geometry.index, normals, geometry.spacing, "object")
    facts = {"inside_outside_evidence": "air around the object", "doubtful_share": round(found.doubtful_share, 4)}
    return _unless_doubtful(
        normals, found, facts, "too much of the object is not seen from around it, or from all sides"
    )


def _by_viewpoints(normals: Tensor, geometry: LocalGeometry) -> Evidence:
    """Unit normals of any sign, turned towards viewpoints in the air of a room."""
    found, count = orient_by_viewpoints(geometry.index, normals, geometry.spacing, "room")
    facts = {"viewpoints": count, "doubtful_share": round(found.doubtful_share, 4)}
    facts["inside_outside_evidence"] = "viewpoints"
    return _unless_doubtful(normals, found, facts, "viewpoints leave too many points in doubt")


def _by_paths(normals: Tensor, points: Tensor, geometry: LocalGeometry) -> Evidence:
    """Unit normals of any sign, turned by free paths or by viewpoints, whichever leave fewer points in doubt.

    Viewpoints are looked for only where free paths leave many points in doubt.
    """
    found = orient(geometry.index, normals, geometry.spacing, geometry.noise)
    facts: dict[str, Any] = {
        "inside_outside_evidence": "free paths",
        "doubtful_share": round(found.doubtful_share, 4),
    }
    if found.doubtful_share > VIEWS_FROM_SHARE:
        seen, count = orient_by_viewpoints(geometry.index, normals, geometry.spacing, "room")
        facts |= {"viewpoints": count, "unseen_share": round(seen.doubtful_share, 4)}
        if seen.doubtful_share < found.doubtful_share:
            found, facts["inside_outside_evidence"] = seen, "viewpoints"
    return _unless_doubtful(normals, found, facts, "free paths and viewpoints leave too many points in doubt")


def _unless_doubtful(normals: Tensor, found: Orientation, facts: dict[str, Any], why: str) -> Evidence:
    """The normals turned as found; as they are, with confidence 0, if that leaves more than a quarter in doubt."""
    if found.doubtful_share > MAX_DOUBTFUL_SHARE:
        return _unknown(normals, f"none ({why})", facts)
    return Evidence(found.sign[:, None] * normals, found.confidence, facts)

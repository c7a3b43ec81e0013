# SPDX-License-Identifier: MIT
"""Chooses the evidence for the air side of points: sensor positions, the file's normals, free paths, or viewpoints."""

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

MAX_DOUBTFUL_SHARE = 0.25  # of the points; the kitchen with 46% in doubt had 57% right (notebook, first settings)
VIEWS_FROM_SHARE = 0.1  # of the points in doubt by free paths; above it viewpoints are tried (notebook, viewpoints)
GRAZING_COSINE = 0.1  # 6 degrees from the surface; at flatter views the sign of a PCA normal is uncertain. Chosen
AGREEMENT = 0.85  # share of the file's normals that must agree with other evidence, which is 0.96 to 0.99 right. Chosen
LOCAL_AGREEMENT = 0.9  # share of neighbouring normals that must face the same way. Chosen
NEIGHBOURS = 8  # points whose normals are compared with each normal; chosen


class Evidence(NamedTuple):
    """Normals of a scan and what is known of their sign.

    Attributes:
        normals: (n, 3) unit normals, into the air where known.
        confidence: (n,) 0 (arbitrary sign) to 1.
        facts: source of the evidence and statistics for the report.
        views: (n, 3) vectors from each point to its sensor; None if sensors are not the evidence.
    """

    normals: Tensor
    confidence: Tensor
    facts: dict[str, Any]
    views: Tensor | None = None


def orient_scan(cloud: PointCloud, points: Tensor, geometry: LocalGeometry, source: str, scene: str) -> Evidence:
    """Orients a scan by the evidence named in ``source``, or for ``auto`` by the best that is available.

    Free paths are tried in rooms only, and viewpoints where free paths leave many points in doubt, as on partial views
    of a room. An object is seen from the air around it. The confidence is 0 everywhere if more than a quarter of the
    points remain in doubt. Normals of the file are used unchecked if ``source`` names them; ``auto`` checks them first,
    because many programs write normals of arbitrary sign.

    Args:
        cloud: the scan.
        points: (n, 3) float64, its points on the device where the computation runs.
        geometry: local spacing and PCA normals of the points.
        source: auto, sensors, normals, paths, viewpoints, outside or none.
        scene: room or object.

    Raises:
        InputError: if the scan lacks the evidence that ``source`` names.
    """
    chosen = _best_source(cloud, scene) if source == "auto" else source
    if (chosen == "sensors" and cloud.sensors is None) or (chosen == "normals" and cloud.normals is None):
        raise InputError(
            f"prepare.orientation is '{chosen}', but the scan has no {chosen}; use prepare.orientation=auto"
        )
    if chosen == "sensors":
        assert cloud.sensors is not None
        return _by_sensors(_on_device_of(points, cloud.sensors), points, geometry)
    if chosen == "normals":
        assert cloud.normals is not None
        normals, known = _filled(_on_device_of(points, cloud.normals), geometry)
        if source == "auto":
            return _by_checked_normals(normals, known, points, geometry, scene)
        return _file_normals(normals, known, "normals of the file")
    if chosen == "none":
        return _unknown(geometry.normals, "none")
    if chosen == "outside":
        return _by_outside(geometry.normals, geometry)
    if chosen == "viewpoints":
        return _by_viewpoints(geometry.normals, geometry)
    return _by_paths(geometry.normals, points, geometry)


def _on_device_of(points: Tensor, values: np.ndarray) -> Tensor:
    """Values of a scan as a float64 tensor on the device of its points."""
    return torch.tensor(values, dtype=torch.float64, device=points.device)


def _filled(normals: Tensor, geometry: LocalGeometry) -> tuple[Tensor, Tensor]:
    """The file's normals (n, 3), with PCA normals where it has none, and (n,) 1 where their side is known, else 0.

    An added normal faces the same way as the file's normals around it; if there are none, its side is unknown.
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


def _file_normals(normals: Tensor, known: Tensor, text: str, facts: Mapping[str, Any] | None = None) -> Evidence:
    """Normals (n, 3) of the file as evidence, with a confidence of ``known`` (n,): 1 where their side is known."""
    return Evidence(normals, known, {**(facts or {}), "inside_outside_evidence": text})


def _unknown(normals: Tensor, why: str, facts: Mapping[str, Any] | None = None) -> Evidence:
    """Normals (n, 3) whose side is unknown everywhere, with a confidence of 0."""
    return Evidence(normals, normals.new_zeros(len(normals)), {**(facts or {}), "inside_outside_evidence": why})


def _by_checked_normals(
    normals: Tensor, known: Tensor, points: Tensor, geometry: LocalGeometry, scene: str
) -> Evidence:
    """Checks the file's normals by their neighbours and by independent evidence, and uses what passes.

    The independent evidence is free paths and viewpoints in a room, and the air around an object. Normals that agree
    with it are used, and normals that nearly all disagree are turned around. If they point both ways, only their axes
    are used. Without independent evidence, neighbouring normals must face the same way.
    """
    near = geometry.nearest[:, 1 : 1 + NEIGHBOURS]
    cosine = dot(normals[near], normals[:, None])
    aligned = cosine.abs() > 0.5
    together = float((aligned & (cosine > 0)).sum() / aligned.sum().clamp_min(1))
    independent = _by_paths(normals, points, geometry) if scene == "room" else _by_outside(normals, geometry)
    total_confidence = independent.confidence.sum()
    facts = {**independent.facts, "neighbouring_normals_agree": round(together, 4)}
    if total_confidence == 0:
        if together >= LOCAL_AGREEMENT:
            return _file_normals(normals, known, "normals of the file", facts)
        return _unknown(normals, "none (normals of the file point both ways)", facts)
    agreeing = independent.confidence * (dot(independent.normals, normals) > 0)
    agreement = float(agreeing.sum() / total_confidence)
    facts["normals_agree"] = round(agreement, 4)
    if agreement >= AGREEMENT:
        return _file_normals(normals, known, "normals of the file", facts)
    if agreement <= 1 - AGREEMENT:
        return _file_normals(-normals, known, "normals of the file, turned into the air", facts)
    text = f"{independent.facts['inside_outside_evidence']} (normals of the file point both ways)"
    return independent._replace(facts={**facts, "inside_outside_evidence": text})


def _by_outside(normals: Tensor, geometry: LocalGeometry) -> Evidence:
    """Turns unit normals of arbitrary sign towards the air around an object."""
    found, _ = orient_by_viewpoints(geometry.index, normals, geometry.spacing, "object")
    facts = {"inside_outside_evidence": "air around the object", "doubtful_share": round(found.doubtful_share, 4)}
    return _unless_doubtful(
        normals, found, facts, "too much of the object is not seen from around it, or from all sides"
    )


def _by_viewpoints(normals: Tensor, geometry: LocalGeometry) -> Evidence:
    """Turns unit normals of arbitrary sign towards viewpoints in the air of a room."""
    found, count = orient_by_viewpoints(geometry.index, normals, geometry.spacing, "room")
    facts = {"viewpoints": count, "doubtful_share": round(found.doubtful_share, 4)}
    facts["inside_outside_evidence"] = "viewpoints"
    return _unless_doubtful(normals, found, facts, "viewpoints leave too many points in doubt")


def _by_paths(normals: Tensor, points: Tensor, geometry: LocalGeometry) -> Evidence:
    """Turns unit normals of arbitrary sign by free paths or by viewpoints, whichever leave fewer points in doubt.

    Viewpoints are searched for only if free paths leave many points in doubt.
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
    """The turned normals; the original ones with confidence 0 if more than a quarter of the points is in doubt."""
    if found.doubtful_share > MAX_DOUBTFUL_SHARE:
        return _unknown(normals, f"none ({why})", facts)
    return Evidence(found.sign[:, None] * normals, found.confidence, facts)

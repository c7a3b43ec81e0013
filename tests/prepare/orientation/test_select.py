# SPDX-License-Identifier: MIT
"""Which evidence decides: normals of a file that are wrong, missing in part, or contradicted; evidence by name."""

from functools import cache

import numpy as np
import pytest
import torch

from fastsdf.config.loading import load_config
from fastsdf.errors import ConfigError
from fastsdf.geometry import PointCloud
from fastsdf.prepare.local_geometry import LocalGeometry, measure_local_geometry
from fastsdf.prepare.orientation.select import Evidence, orient_scan
from tests.helpers.noisy_rooms import partial_view


@cache
def dumbbell() -> tuple[np.ndarray, np.ndarray, LocalGeometry]:
    """Two balls that touch: points, normals outwards and geometry. An object that is concave between the balls."""
    rng, points, normals = np.random.default_rng(0), [], []
    for center in ([-0.45, 0.0, 0.0], [0.45, 0.1, 0.0]):
        direction = rng.standard_normal((4000, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        points.append(center + 0.4 * direction)
        normals.append(direction)
    both = np.concatenate(points) + 0.001 * rng.standard_normal((8000, 3))
    return both, np.concatenate(normals), measure_local_geometry(torch.from_numpy(both))


def orient(normals: np.ndarray | None, source: str = "auto", scene: str = "object") -> Evidence:
    points, _, geometry = dumbbell()
    return orient_scan(PointCloud(points, normals), torch.from_numpy(points), geometry, source, scene)


def right(found: Evidence) -> float:
    """Share of the points whose normal points out of the object."""
    return float(((found.normals.numpy() * dumbbell()[1]).sum(1) > 0).mean())


def test_good_normals_of_an_object_are_kept() -> None:
    found = orient(dumbbell()[1])
    np.testing.assert_array_equal(found.normals, dumbbell()[1])
    assert found.facts["inside_outside_evidence"] == "normals of the file" and (found.confidence == 1).all()
    assert found.facts["normals_agree"] > 0.99


def test_normals_that_point_into_an_object_are_turned() -> None:
    found = orient(-dumbbell()[1])
    np.testing.assert_array_equal(found.normals, dumbbell()[1])
    assert found.facts["inside_outside_evidence"] == "normals of the file, turned into the air"
    assert (found.confidence == 1).all() and found.facts["normals_agree"] < 0.01


def test_normals_of_random_sign_of_an_object_are_turned_one_by_one() -> None:
    found = orient(np.random.default_rng(1).choice([-1.0, 1.0], (8000, 1)) * dumbbell()[1])
    assert right(found) > 0.99 and float(found.confidence.mean()) > 0.6
    assert found.facts["inside_outside_evidence"] == "air around the object (normals of the file point both ways)"


def test_one_of_two_parts_inside_out_is_turned() -> None:
    part = np.where(np.arange(8000)[:, None] < 4000, -1.0, 1.0)
    assert right(orient(part * dumbbell()[1])) > 0.99


def test_zero_normals_are_filled_from_the_points_around_them() -> None:
    some = dumbbell()[1].copy()
    some[::3] = 0
    for source in ("auto", "normals"):
        found = orient(some, source)
        assert right(found) > 0.999 and (found.confidence == 1).all()
        np.testing.assert_allclose(np.linalg.norm(found.normals, axis=1), 1, atol=1e-9)
    patch = dumbbell()[1].copy()
    patch[:4000] = 0  # a whole part without any normal: its side is unknown from the file alone
    found = orient(patch, "normals")
    assert float(found.confidence[:4000].mean()) < 0.1 and (found.confidence[4000:] == 1).all()


def test_evidence_can_be_named() -> None:
    assert right(orient(-dumbbell()[1], "outside")) > 0.99
    points, air = partial_view()
    geometry = measure_local_geometry(torch.from_numpy(points))
    found = orient_scan(PointCloud(points), torch.from_numpy(points), geometry, "viewpoints", "room")
    assert found.facts["inside_outside_evidence"] == "viewpoints" and found.facts["viewpoints"] > 0
    assert ((found.normals.numpy() * air).sum(1) > 0).mean() > 0.95


@pytest.mark.parametrize("source", ["auto", "sensors", "normals", "paths", "viewpoints", "outside", "none"])
def test_the_configuration_knows_every_evidence(source: str) -> None:
    assert load_config(prepare__orientation=source).prepare.orientation == source
    with pytest.raises(ConfigError, match=r"prepare\.orientation"):
        load_config(prepare__orientation="viewpoint")

# SPDX-License-Identifier: MIT
"""What the judge of vertices sees, against the plain definitions, and the network against numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from fastsdf.meshing import confidence
from fastsdf.meshing.discs import NEIGHBOURS, Discs, make_discs, nearest_discs
from fastsdf.prepare.prepared_scan import Support
from tests.helpers.noisy_sphere import RADIUS, query_points, sdf, sphere_support


def features(support: Support, at: Tensor, normals: Tensor, field=sdf) -> np.ndarray:
    discs = make_discs(support, 1.5, 3.0, "cpu")
    return confidence.features(at, normals, nearest_discs(at, normals, discs, NEIGHBOURS), discs, field).numpy()


def plain_features(support: Support, place: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The features of one place, written down one by one."""
    assert support.normal_weight is not None
    order = np.argsort(np.linalg.norm(support.points - place, axis=1))[:8]
    toward, own, normal_weight = support.points[order] - place, support.normals[order], support.normal_weight[order]
    local = np.minimum(support.spacing, 3 * support.median_spacing)[order]
    gap = np.linalg.norm(toward, axis=1)
    across = np.abs((toward * np.where(normal_weight[:, None] < 0.5, normal, own)).sum(1))
    thickness = np.maximum(3 * support.noise, 0.2 * support.spacing[order])
    height = toward @ normal
    beside = toward - height[:, None] * normal
    weight = np.exp(-0.5 * (gap / local[0]) ** 2)
    signed = -(toward * own).sum(1) / local
    direction = beside / np.linalg.norm(beside, axis=1, keepdims=True)
    probes = [side * (np.linalg.norm(place + side * k * local[0] * normal) - RADIUS) / (k * local[0])
              for side in (1, -1) for k in (2, 5)]  # fmt: skip
    return np.concatenate(
        [
            np.minimum(np.sqrt(np.maximum(gap**2 - across**2, 0)) / local, 4)[:4],
            np.log1p(np.minimum(across / thickness, 20))[:4],
            (own @ normal)[:4],
            np.minimum(normal_weight, 1.5)[:4],
            [gap[0] / local[0], np.linalg.norm(direction.mean(0))],
            [np.linalg.norm((weight[:, None] * beside).sum(0)) / weight.sum() / local[0]],
            np.array([height.mean(), height.min(), height.max()]) / local[0],
            [(gap < 1.5 * local[0]).mean(), signed.min(), signed.max()],
            probes,
            [np.log(local[0] / support.median_spacing), support.noise / support.median_spacing],
        ]
    )


def test_features_are_those_of_the_definitions() -> None:
    support, (at, normals) = sphere_support(), query_points()
    found = features(support, at, normals)
    assert found.shape == (37, confidence.FEATURES) and found.dtype == np.float32
    expected = [plain_features(support, *row) for row in zip(at.numpy(), normals.numpy(), strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_features_do_not_depend_on_frame_and_unit() -> None:
    support, (at, normals) = sphere_support(), query_points()
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    shift, factor = np.array([4e5, 5e6, 100.0]), 39.37
    there = Support(
        factor * support.points @ turn.T + shift,
        support.normals @ turn.T,
        factor * support.spacing,
        factor * support.noise,
        normal_weight=support.normal_weight,
    )
    moved = torch.from_numpy(factor * at.numpy() @ turn.T + shift)

    def field(x: Tensor) -> Tensor:
        return factor * sdf((x - torch.from_numpy(shift)) / factor)

    found = features(there, moved, torch.from_numpy(normals.numpy() @ turn.T), field)
    np.testing.assert_allclose(found, features(support, at, normals), rtol=1e-4, atol=1e-4)


def test_the_network_is_a_chain_of_layers() -> None:
    judge = confidence.load_confidence_network("cpu")
    assert judge.mean.shape == judge.scale.shape == (confidence.FEATURES,) and bool((judge.scale > 0).all())
    given = np.random.default_rng(0).standard_normal((53, confidence.FEATURES)).astype(np.float32) * 20
    x = np.clip((given - judge.mean.numpy()) / judge.scale.numpy(), -5, 5)
    for number, (weight, bias) in enumerate(judge.layers):
        x = (np.maximum(x, 0) if number else x) @ weight.numpy().T + bias.numpy()
    found = judge(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-x[:, 0].astype(np.float64))), rtol=1e-4, atol=1e-6)
    assert found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("off", [0.0, 0.05])
def test_a_sphere_is_measured_and_one_beside_it_is_not(off: float) -> None:
    support = sphere_support()
    normals = torch.nn.functional.normalize(torch.from_numpy(np.random.default_rng(5).standard_normal((200, 3))), dim=1)
    judge = confidence.load_confidence_network("cpu")
    sure = judge(torch.from_numpy(features(support, (RADIUS + off) * normals, normals, lambda x: sdf(x) - off))).numpy()
    assert np.median(sure) > 0.9 if off == 0 else sure.max() < 0.01


def test_discs_can_be_taken_apart() -> None:
    discs: Discs = make_discs(sphere_support(), 1.5, 3.0, "cpu")
    chosen = torch.arange(5, 3000, 7)
    some = discs.take(chosen)
    assert torch.equal(some.index.points, discs.index.points[chosen]) and torch.equal(
        some.normal_weight, discs.normal_weight[chosen]
    )
    assert torch.equal(some.radii, discs.radii[chosen]) and some.spacing == discs.spacing and some.noise == discs.noise

# SPDX-License-Identifier: MIT
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from fastsdf.prepare.registration import gauss_newton
from fastsdf.prepare.registration.gauss_newton import Motions, at_rest, improved, without_common_motion
from fastsdf.prepare.registration.pairs import Pairs

GROUP = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])


def some_motions(seed: int) -> tuple[torch.Tensor, Motions]:
    rng = np.random.default_rng(seed)
    points = torch.as_tensor(rng.standard_normal((11, 3)))
    rest = at_rest(points, GROUP, 3)
    turn = Rotation.from_rotvec(0.1 * rng.standard_normal((3, 3))).as_matrix()
    return points, rest._replace(rotation=turn, shift=0.1 * rng.standard_normal((3, 3)))


def test_the_gradient_is_that_of_autograd() -> None:
    """The weights are held fixed, and normals turn with their view."""
    points, motions = some_motions(0)
    moved = motions.moved(points, GROUP)
    rng = np.random.default_rng(1)
    normals = torch.nn.functional.normalize(torch.as_tensor(rng.standard_normal((11, 3))), dim=1)
    one, other = torch.tensor([0, 1, 5, 9, 2]), torch.tensor([4, 8, 10, 3, 6])
    offset = ((moved[one] - moved[other]) * normals[other]).sum(1)
    scale = 0.7
    _, gradient = gauss_newton._normal_equations(motions, Pairs(one, other, offset), moved, normals, GROUP, scale)

    step = torch.zeros(3, 6, dtype=torch.float64, requires_grad=True)
    center = torch.as_tensor(motions.center + motions.shift)
    radius = torch.as_tensor(motions.radius)

    def at(index: torch.Tensor) -> torch.Tensor:
        of = GROUP[index]
        arm = moved[index] - center[of]
        return moved[index] + torch.linalg.cross(step[of, :3] / radius[of, None], arm) + step[of, 3:]

    turning = step[GROUP[other], :3] / radius[GROUP[other], None]
    turned = normals[other] + torch.linalg.cross(turning, normals[other])
    e = ((at(one) - at(other)) * turned).sum(1)
    weight = (1 + (offset / scale).square()).pow(-2)
    (0.5 * (weight * e.square()).sum()).backward()
    np.testing.assert_allclose(gradient, step.grad.flatten().numpy(), rtol=1e-12, atol=1e-14)


def test_matrices_move_points_like_the_motions() -> None:
    points, motions = some_motions(2)
    matrices = torch.as_tensor(motions.matrices())[GROUP]
    expected = (matrices[:, :3, :3] @ points[..., None])[..., 0] + matrices[:, :3, 3]
    np.testing.assert_allclose(motions.moved(points, GROUP), expected, atol=1e-14)


def test_a_common_motion_is_removed() -> None:
    points, _ = some_motions(3)
    turn = Rotation.from_rotvec([0.2, -0.1, 0.3]).as_matrix()
    rest = at_rest(points, GROUP, 3)
    shift = rest.center @ turn.T + [1.0, 2.0, 3.0] - rest.center
    all_alike = rest._replace(rotation=np.tile(turn, (3, 1, 1)), shift=shift)
    back = without_common_motion(all_alike, points, GROUP)
    np.testing.assert_allclose(back.moved(points, GROUP), points, atol=1e-12)
    assert back.lengths().max() < 1e-7


def test_one_step_brings_two_boxes_together() -> None:
    """Points of a box and the same points moved a little: the offsets fall to second order of the motion."""
    rng = np.random.default_rng(4)
    x = rng.random((300, 3))
    axis = rng.choice(3, 300)
    x[np.arange(300), axis] = rng.integers(0, 2, 300)
    turn = Rotation.from_rotvec([1e-3, -2e-3, 1e-3]).as_matrix()
    points = torch.as_tensor(np.concatenate([x, x @ turn.T + [1e-3, 2e-3, -1e-3]]))
    normals = torch.as_tensor(np.eye(3)[np.tile(axis, 2)])
    group = torch.arange(2).repeat_interleave(300)
    pairs = Pairs(torch.arange(300), torch.arange(300, 600), ((points[:300] - points[300:]) * normals[300:]).sum(1))
    motions = improved(at_rest(points, group, 2), pairs, points, normals, group, scale=1.0)
    moved = motions.moved(points, group)
    after = ((moved[:300] - moved[300:]) * normals[300:]).sum(1).abs().max()
    assert pairs.offset.abs().max() > 1e-3
    assert after < 1e-5

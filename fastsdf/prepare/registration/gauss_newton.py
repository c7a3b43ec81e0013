# SPDX-License-Identifier: MIT
"""One Gauss-Newton step of the rigid motions of all views, by point-to-plane distances between them.

Chen and Medioni 1992 introduced the point-to-plane distance; several views are solved for at once, as in Pulli 1999.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from fastsdf.prepare.registration.pairs import Pairs

RIDGE = 1e-3  # of the mean diagonal: directions that the pairs determine a thousand times worse stay as they were given


class Motions(NamedTuple):
    """Rigid motions of g groups of views about fixed centers: ``x -> rotation (x - center) + center + shift``.

    Attributes:
        rotation: (g, 3, 3) float64.
        shift: (g, 3) float64.
        center: (g, 3) float64 mean of the points of each group as they were given.
        radius: (g,) float64 root mean square distance of these points from the center; scales rotations to lengths.
    """

    rotation: np.ndarray
    shift: np.ndarray
    center: np.ndarray
    radius: np.ndarray

    def moved(self, points: Tensor, group: Tensor) -> Tensor:
        """Moves points (n, 3) with their groups (n,)."""
        rotation, shift, center = (torch.as_tensor(a, device=points.device)[group] for a in self[:3])
        return (rotation @ (points - center)[..., None])[..., 0] + center + shift

    def turned(self, normals: Tensor, group: Tensor) -> Tensor:
        """Turns vectors (n, 3) with their groups (n,)."""
        return (torch.as_tensor(self.rotation, device=normals.device)[group] @ normals[..., None])[..., 0]

    def matrices(self) -> np.ndarray:
        """(g, 4, 4) the motions as matrices."""
        out = np.tile(np.eye(4), (len(self.shift), 1, 1))
        out[:, :3, :3] = self.rotation
        out[:, :3, 3] = self.center + self.shift - (self.rotation @ self.center[..., None])[..., 0]
        return out

    def lengths(self) -> np.ndarray:
        """(g,) root mean square distance by which a motion displaces the points of its group, about."""
        turn = Rotation.from_matrix(self.rotation).magnitude() * self.radius * np.sqrt(2 / 3)
        return np.hypot(np.linalg.norm(self.shift, axis=1), turn)


def at_rest(points: Tensor, group: Tensor, groups: int) -> Motions:
    """Motions that leave the points (n, 3) of the groups (n,) where they are."""
    count = group.bincount(minlength=groups).clamp_min(1)[:, None].double()
    center = torch.zeros(groups, 3, dtype=torch.float64, device=points.device).index_add_(0, group, points) / count
    square = (points - center[group]).square().sum(1, keepdim=True)
    spread = torch.zeros(groups, 1, dtype=torch.float64, device=points.device).index_add_(0, group, square) / count
    radius = spread.sqrt().clamp_min(torch.finfo(torch.float64).tiny)[:, 0].cpu().numpy()
    rotation = np.tile(np.eye(3), (groups, 1, 1))
    return Motions(rotation, np.zeros((groups, 3)), center.cpu().numpy(), radius)


def improved(motions: Motions, pairs: Pairs, points: Tensor, normals: Tensor, group: Tensor, scale: float) -> Motions:
    """The motions after one Gauss-Newton step.

    The step minimises the sum of w e^2 over the pairs, with e their offsets and the weights of Geman and McClure 1987,
    w = (1 + (e / scale)^2)^-2. A ridge holds every view at the pose it was given with.

    Args:
        motions: the present motions.
        pairs: pairs of points.
        points, normals: (n, 3) at their present positions.
        group: (n,) int64 group of each point.
        scale: offset at which the weight of a pair falls to a quarter, as long as the points' unit.
    """
    matrix, gradient = _normal_equations(motions, pairs, points, normals, group, scale)
    present = np.concatenate([Rotation.from_matrix(motions.rotation).as_rotvec(), motions.shift], axis=1)
    present[:, :3] *= motions.radius[:, None]
    ridge = RIDGE * max(float(np.trace(matrix)) / len(matrix), np.finfo(float).tiny)
    right = -gradient - ridge * present.ravel()
    # NumPy's threads wait by spinning: six fits at a time on 16 cores took minutes for what takes 0.02 s alone.
    step = torch.linalg.solve(torch.from_numpy(matrix + ridge * np.eye(len(matrix))), torch.from_numpy(right))
    step = step.numpy().reshape(-1, 6)
    turn = Rotation.from_rotvec(step[:, :3] / motions.radius[:, None]).as_matrix()
    return motions._replace(rotation=turn @ motions.rotation, shift=motions.shift + step[:, 3:])


def _normal_equations(
    motions: Motions, pairs: Pairs, points: Tensor, normals: Tensor, group: Tensor, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (6 g, 6 g) and gradient (6 g,) of the weighted squares; per group a rotation times radius, and a shift."""
    device, groups = points.device, len(motions.shift)
    center = torch.as_tensor(motions.center + motions.shift, device=device)
    radius = torch.as_tensor(motions.radius, device=device)
    normal, at = normals[pairs.other], points[pairs.one]
    weight = (1 + (pairs.offset / scale).square()).pow(-2)

    def slope(of: Tensor) -> Tensor:
        # The arm of the first point holds for both views, because the normal turns with the view of the second.
        arm = (at - center[of]) / radius[of][:, None]
        return torch.cat([torch.linalg.cross(arm, normal), normal], 1)

    one, other = group[pairs.one], group[pairs.other]
    slopes = ((one, slope(one)), (other, -slope(other)))
    matrix = torch.zeros(groups * groups, 36, dtype=torch.float64, device=device)
    gradient = torch.zeros(groups, 6, dtype=torch.float64, device=device)
    for first, left in slopes:
        gradient.index_add_(0, first, (weight * pairs.offset)[:, None] * left)
        for second, right in slopes:
            products = weight[:, None, None] * left[:, :, None] * right[:, None, :]
            matrix.index_add_(0, first * groups + second, products.flatten(1))
    matrix = matrix.view(groups, groups, 6, 6).permute(0, 2, 1, 3).reshape(6 * groups, 6 * groups)
    return matrix.cpu().numpy(), gradient.flatten().cpu().numpy()


def without_common_motion(motions: Motions, points: Tensor, group: Tensor) -> Motions:
    """The motions with the rigid motion removed that they have in common, so that the scan as a whole stays in place.

    Args:
        motions: of the groups.
        points: (n, 3) points as they were given, each counts alike.
        group: (n,) int64 group of each point.
    """
    given, moved = points.cpu().numpy(), motions.moved(points, group).cpu().numpy()
    middle, of_moved = given.mean(0), moved.mean(0)
    turn = Rotation.align_vectors(given - middle, moved - of_moved)[0].as_matrix()
    shift = (motions.center + motions.shift - of_moved) @ turn.T + middle - motions.center
    return motions._replace(rotation=turn @ motions.rotation, shift=shift)

# SPDX-License-Identifier: MIT
"""Poses by time stamp: interpolated on the great arc, held at the ends, and only near known poses."""

import numpy as np
from scipy.spatial.transform import Rotation

from fastsdf.io.poses.stamped_poses import Trajectory, poses_at


def turning(count: int, step_s: float = 0.03) -> Trajectory:
    """A camera that moves along x at 1 m/s and turns about z at 1 rad/s."""
    stamps = step_s * np.arange(count)
    positions = np.stack([stamps, 0 * stamps, 0 * stamps], axis=1)
    return Trajectory(stamps, positions, Rotation.from_euler("z", stamps[:, None]).as_quat())


def test_poses_between_two_are_on_the_arc() -> None:
    stamps = np.array([0.0, 0.011, 0.045, 0.06])
    matrices, known = poses_at(stamps, turning(4))
    np.testing.assert_allclose(matrices[:, :3, :3], Rotation.from_euler("z", stamps[:, None]).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(matrices[:, 0, 3], stamps, atol=1e-12)
    np.testing.assert_array_equal(matrices[:, 3], np.tile([0, 0, 0, 1], (4, 1)))
    assert known.all()


def test_beyond_the_ends_and_far_from_known_poses_none_is_known() -> None:
    matrices, known = poses_at(np.array([-0.1, -0.01, 0.5, 2.0]), turning(2, 1.0))
    assert known.tolist() == [False, True, False, False]
    np.testing.assert_allclose(matrices[0, :3, :3], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(matrices[3, :3, 3], [1, 0, 0], atol=1e-12)


def test_repeated_stamps_and_a_single_pose() -> None:
    twice = Trajectory(*(np.repeat(values, 2, axis=0) for values in turning(3)))
    np.testing.assert_allclose(poses_at(np.array([0.01]), twice)[0], poses_at(np.array([0.01]), turning(3))[0])
    matrices, known = poses_at(np.array([0.0, 5.0]), turning(1))
    np.testing.assert_allclose(matrices, np.tile(np.eye(4), (2, 1, 1)), atol=1e-12)
    assert known.tolist() == [True, False]

# SPDX-License-Identifier: MIT
"""Exact depth images of a box room, written in the folder layouts of several data sets."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

ROOM_M = np.array([4.0, 3.0, 2.5])  # metres
WIDTH, HEIGHT = 64, 48  # pixels; small, so that the tests are fast
FX, FY, CX, CY = 50.0, 52.0, 31.0, 24.5  # pixels; all different, so that a mix-up shows
IMAGES = 4  # chosen


def poses() -> np.ndarray:
    """Camera-to-world matrices (4, 4, 4) of cameras inside the room with different rotations."""
    matrices = np.tile(np.eye(4), (IMAGES, 1, 1))
    turns = Rotation.from_euler("yx", [[20, 5], [100, -10], [190, 15], [280, 30]], degrees=True)
    matrices[:, :3, :3] = turns.as_matrix()
    matrices[:, :3, 3] = np.linspace(0.3, 0.7, IMAGES)[:, None] * ROOM_M
    return matrices


def depth_of(pose: np.ndarray) -> np.ndarray:
    """Depth image (HEIGHT, WIDTH) of the inside of the room, metres along the optical axis."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(column - CX) / FX, (row - CY) / FY, np.ones(row.shape)], axis=-1) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        to_faces = (np.where(rays > 0, ROOM_M, 0.0) - pose[:3, 3]) / rays
    return to_faces.min(axis=-1)


def write_images(folder: Path, names: list[str], units: float, missing: int = 0) -> None:
    """Writes 16-bit PNG images; pixel (0, 0) has the value ``missing``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pose in zip(names, poses(), strict=True):
        values = np.rint(depth_of(pose) * units).astype(np.uint16)
        values[0, 0] = missing
        Image.fromarray(values).save(folder / name)


def write_intrinsics(folder: Path, units: float) -> None:
    """Writes intrinsics.txt."""
    (folder / "intrinsics.txt").write_text(f"# camera\n{FX} {FY} {CX} {CY} {WIDTH} {HEIGHT} {units}\n")


def write_plain(folder: Path, units: float = 10000.0) -> None:
    """Writes depth/*.png and a poses.txt that lists them in another order."""
    names = [f"{IMAGES - i:03d}.png" for i in range(IMAGES)]
    write_images(folder / "depth", names, units)
    write_intrinsics(folder, units)
    lines = [f"{name} {' '.join(map(repr, m.ravel().tolist()))}" for name, m in zip(names, poses(), strict=True)]
    (folder / "poses.txt").write_text("# file and matrix\n" + "\n".join(lines) + "\n")


def write_tum(folder: Path) -> None:
    """Writes time-stamped images; the true poses lie between those of groundtruth.txt, and one image has no pose."""
    matrices, stamps = poses(), 100.0 + np.arange(IMAGES)
    names = [f"{stamp:.6f}.png" for stamp in stamps]
    write_images(folder / "depth", names, 5000.0)
    write_intrinsics(folder, 5000.0)
    listed = [f"{stamp:.6f} depth/{name}" for stamp, name in zip(stamps, names, strict=True)]
    (folder / "depth.txt").write_text("# depth maps\n" + "\n".join([*listed, "200.0 depth/lost.png"]) + "\n")
    lines = ["# timestamp tx ty tz qx qy qz qw"]
    step = Rotation.from_rotvec([0.01, 0.02, -0.01])
    for stamp, matrix in zip(stamps, matrices, strict=True):
        turn = Rotation.from_matrix(matrix[:3, :3])
        for side in (-1, 1):
            position = matrix[:3, 3] + side * np.array([0.01, 0.0, 0.02])
            quaternion = side * ((step if side > 0 else step.inv()) * turn).as_quat()
            lines.append(" ".join(map(repr, [float(stamp) + 0.005 * side, *position.tolist(), *quaternion.tolist()])))
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")


def write_seven_scenes(folder: Path) -> None:
    """Writes frame-000000.depth.png etc., in which 65535 means no measurement, and frame-000000.pose.txt etc."""
    write_images(folder, [f"frame-{i:06d}.depth.png" for i in range(IMAGES)], 1000.0, missing=65535)
    write_intrinsics(folder, 1000.0)
    for index, matrix in enumerate(poses()):
        np.savetxt(folder / f"frame-{index:06d}.pose.txt", matrix, delimiter="\t")


def write_open3d(folder: Path) -> None:
    """Writes depth/, camera_intrinsic.json and trajectory.log."""
    write_images(folder / "depth", [f"{i:05d}.png" for i in range(IMAGES)], 1000.0)
    matrix = [FX, 0, 0, 0, FY, 0, CX, CY, 1]
    camera = {"width": WIDTH, "height": HEIGHT, "intrinsic_matrix": matrix}
    (folder / "camera_intrinsic.json").write_text(json.dumps(camera))
    with open(folder / "trajectory.log", "w") as stream:
        for index, pose in enumerate(poses()):
            stream.write(f"{index} {index} {index + 1}\n")
            np.savetxt(stream, pose)


WRITERS = {"depth": write_plain, "TUM": write_tum, "7-Scenes": write_seven_scenes, "Open3D": write_open3d}

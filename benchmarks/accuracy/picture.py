# SPDX-License-Identifier: MIT
"""Draws a mesh or a scan as a PNG image, from a camera inside a room or above it.

    python -m benchmarks.accuracy.picture runs/room/mesh.ply room.png --eye 3.6,3,1.7 --at 1,1,0.9
    python -m benchmarks.accuracy.picture scan.ply scan.png --eye 3.6,3,1.7 --at 1,1,0.9

Colours show the normals. The back of a surface, which is visible from inside a solid, is brick red.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from fastsdf.geometry import PointCloud, TriangleMesh
from fastsdf.io import is_mesh_file, read_mesh, read_point_cloud
from fastsdf.prepare.local_geometry import measure_local_geometry
from fastsdf.system.open3d_library import load_open3d

BACKGROUND = np.array([0.93, 0.95, 0.97])  # RGB, light grey
BACK = np.array([0.72, 0.36, 0.30])  # RGB of back faces, brick red
SUPERSAMPLING = 2  # rays per pixel and axis; against jagged edges
DOT = 4  # width of a scan point, supersampled pixels; chosen by eye


def camera_rays(eye: np.ndarray, at: np.ndarray, fov: float, width: int, height: int, up: np.ndarray) -> np.ndarray:
    """Unit directions (height, width, 3) of a pinhole camera; ``fov`` is the horizontal field of view in degrees."""
    forward = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    half = np.tan(np.radians(fov) / 2)
    x = (2 * (np.arange(width) + 0.5) / width - 1) * half
    y = (1 - 2 * (np.arange(height) + 0.5) / height) * half * height / width
    rays = forward + x[None, :, None] * right + y[:, None, None] * np.cross(right, forward)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def shade(normals: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Colours (..., 3) in [0, 1] of a surface with normals (..., 3), seen along rays (..., 3)."""
    facing = -(normals * rays).sum(-1)
    tint = 0.72 + 0.22 * normals
    light = 0.35 + 0.65 * np.abs(facing)[..., None]
    return np.where((facing < 0)[..., None], BACK * light, tint * light)


def draw_mesh(mesh: TriangleMesh, eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Image (height, width, 3) of a mesh by ray casting."""
    o3d = load_open3d()
    scene = o3d.t.geometry.RaycastingScene()
    vertices, faces = np.ascontiguousarray(mesh.vertices, np.float32), np.ascontiguousarray(mesh.faces, np.uint32)
    scene.add_triangles(o3d.core.Tensor(vertices), o3d.core.Tensor(faces))
    origins = np.broadcast_to(eye, rays.shape)
    hits = scene.cast_rays(o3d.core.Tensor(np.concatenate([origins, rays], -1).astype(np.float32)))
    found = np.isfinite(hits["t_hit"].numpy())[..., None]
    return np.where(found, shade(hits["primitive_normals"].numpy(), rays), BACKGROUND)


def draw_scan(cloud: PointCloud, eye: np.ndarray, at: np.ndarray, up: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Image (height, width, 3) of a scan with one dot per point; nearer points cover farther ones."""
    height, width, _ = rays.shape
    forward, corner = (at - eye) / np.linalg.norm(at - eye), rays[0, 0]
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    above = np.cross(right, forward)
    from_eye = cloud.points - eye
    depth = from_eye @ forward
    scale = corner @ forward
    column = (from_eye @ right / depth / (corner @ right / scale) * -0.5 + 0.5) * width
    row = (0.5 - from_eye @ above / depth / (corner @ above / scale) * 0.5) * height
    shown = (depth > 0.05) & (column >= 0) & (column < width - DOT) & (row >= 0) & (row < height - DOT)
    order = np.flatnonzero(shown)[np.argsort(-depth[shown])]
    normals = measure_local_geometry(torch.from_numpy(cloud.points)).normals.numpy()[order]
    view = from_eye[order] / np.linalg.norm(from_eye[order], axis=1, keepdims=True)
    colors = shade(normals * -np.sign((normals * view).sum(1, keepdims=True)), view)
    picture = np.tile(BACKGROUND, (height, width, 1))
    for i in range(DOT):
        for j in range(DOT):
            picture[row[order].astype(int) + i, column[order].astype(int) + j] = colors
    return picture


def triple(text: str) -> np.ndarray:
    """Three comma-separated numbers."""
    return np.array([float(part) for part in text.split(",")])


def main(
    source: Path,
    out: Path,
    eye: Annotated[str, typer.Option()],
    at: Annotated[str, typer.Option()],
    up: str = "0,0,1",
    fov: float = 80.0,
    size: str = "1280x800",
    clip: Annotated[
        float | None, typer.Option(help="Leave out everything higher than this along the up axis, metres.")
    ] = None,
) -> None:
    """Draws the mesh or scan SOURCE into the PNG file OUT."""
    width, height = (SUPERSAMPLING * int(part) for part in size.split("x"))
    eye_m, at_m, up_m = triple(eye), triple(at), triple(up)
    rays = camera_rays(eye_m, at_m, fov, width, height, up_m)
    if is_mesh_file(source):
        mesh = read_mesh(source)
        low = (mesh.vertices @ up_m)[mesh.faces].max(1) < (np.inf if clip is None else clip)
        picture = draw_mesh(TriangleMesh(mesh.vertices, mesh.faces[low]), eye_m, rays)
    else:
        cloud = read_point_cloud(source)
        if clip is not None:
            cloud = cloud.select(cloud.points @ up_m < clip)
        picture = draw_scan(cloud, eye_m, at_m, up_m, rays)
    height, width = height // SUPERSAMPLING, width // SUPERSAMPLING
    picture = picture.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, 3).mean((1, 3))
    image = (255 * np.clip(picture, 0, 1) ** (1 / 1.8)).astype(np.uint8)
    o3d = load_open3d()
    o3d.io.write_image(str(out), o3d.geometry.Image(np.ascontiguousarray(image)))


if __name__ == "__main__":
    typer.run(main)

# SPDX-License-Identifier: MIT
"""Renders a fitted run by sphere tracing; needs neither a mesh nor a display.

    python examples/sphere_tracing.py runs/room view.png --eye 3.6,3,1.7 --at 1,1,0.9
    python examples/sphere_tracing.py runs/room depth.png --show depth

Each ray advances by the distance to the nearest surface, which is the value of the field. The image also contains
surface that the scan did not measure, because the field is defined everywhere.
"""

import struct
import zlib
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import fastsdf

BACKGROUND = 235  # grey value, 0 to 255
SLOPE = 1.25  # upper bound on the slope of the field along a ray; an exact distance has slope 1; chosen


def camera_rays(eye: np.ndarray, at: np.ndarray, fov: float, width: int, height: int) -> np.ndarray:
    """Unit directions (height, width, 3) of a pinhole camera with z up; ``fov``: horizontal field of view, degrees."""
    forward = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0] if abs(forward[2]) < 0.99 else [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    half = np.tan(np.radians(fov) / 2)
    x = (2 * (np.arange(width) + 0.5) / width - 1) * half
    y = (1 - 2 * (np.arange(height) + 0.5) / height) * half * height / width
    rays = forward + x[None, :, None] * right + y[:, None, None] * np.cross(right, forward)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def trace(
    field: fastsdf.FittedField, origins: np.ndarray, rays: np.ndarray, reach: float, tolerance: float, steps: int = 200
) -> np.ndarray:
    """Distance along each ray to the first surface.

    Args:
        field: a fitted field.
        origins: (n, 3) world points in the air.
        rays: (n, 3) unit directions.
        reach: maximum distance, world units.
        tolerance: distance to the surface at which a ray ends, world units.
        steps: maximum number of steps per ray.

    Returns:
        (n,) distances; NaN if there is no surface within reach.
    """
    distance, gap = np.zeros(len(rays)), field.sdf(origins)
    moving = np.flatnonzero(gap > tolerance)
    for _ in range(steps):
        step, before = gap[moving] / SLOPE, gap[moving]
        after = field.sdf(origins[moving] + (distance[moving] + step)[:, None] * rays[moving])
        share = before / (before - np.minimum(after, 0.0))  # after a step too long: linear interpolation to 0
        distance[moving] += share * step
        gap[moving] = np.maximum(after, 0.0)
        moving = moving[(gap[moving] > tolerance) & (distance[moving] < reach)]
        if len(moving) == 0:
            break
    distance[moving] = np.nan
    return np.where(distance < reach, distance, np.nan)


def draw(field: fastsdf.FittedField, eye: np.ndarray, rays: np.ndarray, show: str) -> np.ndarray:
    """Image (height, width, 3) uint8 of the surface that rays hit.

    Args:
        field: the fitted field.
        eye: (3,) camera position, world units.
        rays: (height, width, 3) unit directions.
        show: ``normals`` or ``depth``.
    """
    flat = rays.reshape(-1, 3)
    reach = 4 * field.transform.half_extent_m + float(np.linalg.norm(eye - np.asarray(field.transform.center_m)))
    distance = trace(field, np.broadcast_to(eye, flat.shape), flat, reach, tolerance=0.02 * field.step_m)
    hit = np.isfinite(distance)
    picture = np.full((len(flat), 3), BACKGROUND, np.uint8)
    if show == "depth":
        far = np.nanmax(distance, initial=1e-9)
        picture[hit] = np.rint(255 * (1 - 0.9 * distance[hit, None] / far))
    else:
        normals = field.gradient(eye + distance[hit, None] * flat[hit])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        light = 0.4 + 0.6 * np.abs((normals * flat[hit]).sum(1, keepdims=True))
        picture[hit] = np.rint(255 * light * (0.7 + 0.3 * normals))
    return picture.reshape(rays.shape)


def png(picture: np.ndarray) -> bytes:
    """Encodes an image (height, width, 3) uint8 as the bytes of a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = picture.shape
    rows = np.pad(picture.reshape(height, -1), ((0, 0), (1, 0)))  # a 0 before each row means no filter
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def triple(text: str) -> np.ndarray:
    """Three comma-separated numbers."""
    return np.array([float(part) for part in text.split(",")])


def main(
    run: Path,
    out: Path,
    eye: Annotated[str | None, typer.Option(help="Camera position x,y,z; default: the centre of the scan.")] = None,
    at: Annotated[
        str | None, typer.Option(help="Point x,y,z to look at; default: the lowest corner of the scan.")
    ] = None,
    show: Annotated[str, typer.Option(help="normals or depth.")] = "normals",
    fov: float = 80.0,
    size: str = "640x400",
) -> None:
    """Renders the run folder RUN into the PNG file OUT."""
    field = fastsdf.load(run)
    width, height = (int(part) for part in size.split("x"))
    eye_m = triple(eye) if eye else np.asarray(field.transform.center_m)
    at_m = triple(at) if at else field.transform.to_world(np.asarray(field.transform.lower))
    out.write_bytes(png(draw(field, eye_m, camera_rays(eye_m, at_m, fov, width, height), show)))


if __name__ == "__main__":
    typer.run(main)

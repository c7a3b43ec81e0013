# SPDX-License-Identifier: MIT
"""Moves a sphere through a fitted run: its distance to the surface on the way, and where it first touches.

    python examples/collision_query.py runs/room --start 2,1.5,1 --end 5,1.5,1 --radius 0.25

The distance of a sphere to the surface is the field at its centre less its radius. No point on the way there can touch
before the sphere has moved that far, so the path is walked in such steps.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

import fastsdf

SLOPE = 1.25  # bound on how fast the field falls along the path; an exact distance has 1


class Contact(NamedTuple):
    """The sphere's centre (3,), the way it went, and the surface's unit normal (3,), into the air, where it touches."""

    center: np.ndarray
    travelled: float
    normal: np.ndarray


def clearance(field: fastsdf.FittedField, centers: np.ndarray, radius: float) -> np.ndarray:
    """Distance (...) between the surface and spheres at world points (..., 3); negative where they overlap."""
    return field.sdf(centers) - radius


def first_contact(
    field: fastsdf.FittedField, start: np.ndarray, end: np.ndarray, radius: float, tolerance: float = 1e-3
) -> Contact | None:
    """Where a sphere that moves straight from ``start`` to ``end`` first comes within ``tolerance`` of the surface.

    Returns:
        The contact, or None if the way is free.
    """
    length = float(np.linalg.norm(end - start))
    direction = (end - start) / max(length, 1e-12)

    def gap_after(travelled: float) -> float:
        return float(clearance(field, start + travelled * direction, radius))

    free, travelled = 0.0, 0.0
    while (gap := gap_after(travelled)) > tolerance:
        free, travelled = travelled, travelled + max(gap / SLOPE, tolerance)
        if travelled > length:
            return None
    while gap < -tolerance and travelled - free > 1e-6:  # a step too far, where the field is steeper than SLOPE
        middle = (free + travelled) / 2
        if (gap_there := gap_after(middle)) > tolerance:
            free = middle
        else:
            travelled, gap = middle, gap_there
    center = start + travelled * direction
    normal = field.gradient(center)
    return Contact(center, travelled, normal / max(float(np.linalg.norm(normal)), 1e-12))


def triple(text: str) -> np.ndarray:
    """Three comma-separated numbers."""
    return np.array([float(part) for part in text.split(",")])


def main(
    run: Path,
    start: Annotated[str, typer.Option(help="x,y,z of the sphere's centre.")],
    end: Annotated[str, typer.Option(help="x,y,z of where it goes.")],
    radius: float = 0.2,
    samples: int = 9,
) -> None:
    """Moves a sphere through the run folder RUN."""
    field, start_m, end_m = fastsdf.load(run), triple(start), triple(end)
    path = start_m + np.linspace(0, 1, samples)[:, None] * (end_m - start_m)
    for center, free in zip(path, clearance(field, path, radius), strict=True):
        typer.echo(f"at {np.round(center, 3).tolist()}: {free:+.3f} to the surface")
    contact = first_contact(field, start_m, end_m, radius)
    if contact is None:
        typer.echo("no contact")
        return
    where, normal = np.round(contact.center, 3).tolist(), np.round(contact.normal, 2).tolist()
    typer.echo(f"contact after {contact.travelled:.3f}, at {where}, against a surface that faces {normal}")


if __name__ == "__main__":
    typer.run(main)

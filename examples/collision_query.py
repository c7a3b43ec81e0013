# SPDX-License-Identifier: MIT
"""Moves a sphere along a line through a fitted run, and prints its distance to the surface and the first contact.

    python examples/collision_query.py runs/room --start 2,1.5,1 --end 5,1.5,1 --radius 0.25

The distance between a sphere and the surface is the field at the centre minus the radius. The sphere can move by this
distance without touching anything, so the search advances in steps of this length.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

import fastsdf

SLOPE = 1.25  # upper bound on the slope of the field along the path; an exact distance has slope 1; chosen


class Contact(NamedTuple):
    """The first contact of a moving sphere.

    Attributes:
        center: (3,) centre of the sphere.
        travelled: distance from the start.
        normal: (3,) unit normal of the surface, pointing into the air.
    """

    center: np.ndarray
    travelled: float
    normal: np.ndarray


def clearance(field: fastsdf.FittedField, centers: np.ndarray, radius: float) -> np.ndarray:
    """Distances (...) between the surface and spheres at world points (..., 3); negative if they overlap."""
    return field.sdf(centers) - radius


def first_contact(
    field: fastsdf.FittedField, start: np.ndarray, end: np.ndarray, radius: float, tolerance: float = 1e-3
) -> Contact | None:
    """The first contact of a sphere that moves in a straight line.

    Args:
        field: the fitted run.
        start, end: (3,) centre of the sphere at the start and at the end, world units.
        radius: radius of the sphere, world units.
        tolerance: distance to the surface that counts as contact, world units.

    Returns:
        The contact, or None if the path is free.
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
    while gap < -tolerance and travelled - free > 1e-6:  # the step was too long: the field is steeper than SLOPE
        middle = (free + travelled) / 2
        if (middle_gap := gap_after(middle)) > tolerance:
            free = middle
        else:
            travelled, gap = middle, middle_gap
    center = start + travelled * direction
    normal = field.gradient(center)
    return Contact(center, travelled, normal / max(float(np.linalg.norm(normal)), 1e-12))


def triple(text: str) -> np.ndarray:
    """Three comma-separated numbers."""
    return np.array([float(part) for part in text.split(",")])


def main(
    run: Path,
    start: Annotated[str, typer.Option(help="x,y,z of the centre at the start.")],
    end: Annotated[str, typer.Option(help="x,y,z of the centre at the end.")],
    radius: float = 0.2,
    samples: int = 9,
) -> None:
    """Moves a sphere through the field in the run folder RUN."""
    field, start_m, end_m = fastsdf.load(run), triple(start), triple(end)
    path = start_m + np.linspace(0, 1, samples)[:, None] * (end_m - start_m)
    for center, free in zip(path, clearance(field, path, radius), strict=True):
        typer.echo(f"at {np.round(center, 3).tolist()}: {free:+.3f} to the surface")
    contact = first_contact(field, start_m, end_m, radius)
    if contact is None:
        typer.echo("no contact")
        return
    center, normal = np.round(contact.center, 3).tolist(), np.round(contact.normal, 2).tolist()
    typer.echo(f"contact after {contact.travelled:.3f}, at {center}, against a surface that faces {normal}")


if __name__ == "__main__":
    typer.run(main)

# SPDX-License-Identifier: MIT
"""Small objects of a room, made of closed solids: lamps, plants, pictures, a radiator, a ball. Metres; back at +y."""

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic.furniture import Piece
from fastsdf.synthetic.solids import (
    box,
    cylinder,
    lathe,
    merged,
    moved,
    ribbon,
    rod,
    rotation,
    rounded_box,
    sphere,
    torus,
)


def floor_lamp(rng: np.random.Generator) -> Piece:
    """A lamp on a thin rod, with an open shade 4 mm thick."""
    h, r = float(rng.uniform(1.4, 1.65)), float(rng.uniform(0.16, 0.22))
    shade = [(r, h - 0.28), (0.65 * r, h), (0.65 * r - 0.004, h), (r - 0.004, h - 0.28)]
    solids = [cylinder(0.14, 0.025, 28), rod((0, 0, 0.02), (0, 0, h - 0.1), 0.011), lathe(shade, 36, loop=True)]
    solids += [sphere(0.045, (0, 0, h - 0.13), 20), rod((-0.72 * r, 0, h - 0.1), (0.72 * r, 0, h - 0.1), 0.005)]
    return Piece("floor lamp", 2 * r, 2 * r, merged(solids))


def plant(rng: np.random.Generator) -> Piece:
    """A pot with stems and bent leaves 5 mm thick."""
    r, h = float(rng.uniform(0.13, 0.18)), float(rng.uniform(0.24, 0.34))
    pot = [(0, 0), (0.75 * r, 0), (r, h), (r - 0.015, h), (0.93 * r - 0.015, 0.85 * h), (0, 0.85 * h)]
    solids = [lathe(pot, 32)]
    for azimuth in np.arange(11) * 137.5 + rng.uniform(0, 360):
        leaf = _leaf(float(rng.uniform(0.5, 0.95)), float(rng.uniform(0.16, 0.38)), float(rng.uniform(0.06, 0.1)))
        solids.append(moved(leaf, (0, 0, 0.8 * h), rotation((0, 0, 1), azimuth)))
    return Piece("plant", 0.6, 0.6, merged(solids))


def _leaf(height: float, reach: float, width: float) -> TriangleMesh:
    """A leaf on a stalk that rises from the origin and bends over along +x."""
    t = np.linspace(0.0, 1.0, 13)
    path = np.stack([0.02 + reach * t**1.7, np.zeros_like(t), height * (t - 0.35 * t**3.5)], axis=1)
    blade = np.clip((t - 0.35) / 0.65, 0.0, 1.0)
    widths = 0.008 + width * np.sqrt(np.sin(np.pi * np.minimum(blade, 0.98)))
    return ribbon(path, np.tile([0.0, 1.0, 0.0], (len(t), 1)), widths, 0.005)


def ball(rng: np.random.Generator) -> Piece:
    """A ball on the floor."""
    r = float(rng.uniform(0.1, 0.14))
    return Piece("ball", 2 * r, 2 * r, sphere(r, (0, 0, r), 48))


def bin_basket(rng: np.random.Generator) -> Piece:
    """An open waste bin with a wall 4 mm thick."""
    r, h = float(rng.uniform(0.12, 0.15)), float(rng.uniform(0.26, 0.34))
    profile = [(0, 0), (0.8 * r, 0), (r, h), (r - 0.004, h), (0.8 * r - 0.004, 0.006), (0, 0.006)]
    return Piece("bin", 2 * r, 2 * r, lathe(profile, 32))


def crate(rng: np.random.Generator) -> Piece:
    """A cardboard box with one flap open."""
    w, d, h, t = float(rng.uniform(0.35, 0.5)), 0.32, float(rng.uniform(0.22, 0.34)), 0.006
    x, y = w / 2, d / 2
    solids = [box((-x, -y, 0), (x, y, t)), box((-x, -y, t), (-x + t, y, h)), box((x - t, -y, t), (x, y, h))]
    solids += [box((-x + t, s * (y - t / 2) - t / 2, t), (x - t, s * (y - t / 2) + t / 2, h)) for s in (-1, 1)]
    flap = moved(box((0, -y, 0), (0.45 * w, y, t)), (x - t, 0, h - t), rotation((0, 1, 0), float(rng.uniform(20, 60))))
    return Piece("crate", w + 0.3, d, merged([*solids, flap]))


def rug(rng: np.random.Generator) -> Piece:
    """A rug 12 mm thick."""
    w, d = float(rng.uniform(1.2, 1.6)), float(rng.uniform(0.8, 1.1))
    return Piece("rug", w, d, rounded_box((-w / 2, -d / 2, 0), (w / 2, d / 2, 0.012), 0.005, 2))


def picture(rng: np.random.Generator) -> TriangleMesh:
    """A framed picture centred at the origin, with its back in the plane y = 0."""
    w, h, t = float(rng.uniform(0.25, 0.4)), float(rng.uniform(0.18, 0.3)), 0.025
    solids = [box((-w, -0.012, -h), (w, 0, h))]
    solids += [box((-w - t, -0.025, s * h - t), (w + t, 0, s * h + t)) for s in (-1, 1)]
    solids += [box((s * w - t, -0.025, -h + t), (s * w + t, 0, h - t)) for s in (-1, 1)]
    return merged(solids)


def round_mirror(rng: np.random.Generator) -> TriangleMesh:
    """A disc in a ring, with its back in the plane y = 0."""
    r = float(rng.uniform(0.2, 0.3))
    solids = [moved(torus(r, 0.018, 48), (0, 0, 0.018)), cylinder(r, 0.012, 48)]
    return moved(merged(solids), (0, 0, 0), rotation((1, 0, 0), 90))


def radiator(width: float) -> TriangleMesh:
    """A column radiator ``width`` metres wide, 4 cm in front of the wall y = 0 and 12 cm above z = 0."""
    count = round(width / 0.06)
    columns = (np.arange(count) - (count - 1) / 2) * 0.06
    solids = [rounded_box((x - 0.022, -0.14, 0.12), (x + 0.022, -0.04, 0.62), 0.02, 3) for x in columns]
    solids += [rod((columns[0], -0.09, z), (columns[-1], -0.09, z), 0.018) for z in (0.17, 0.57)]
    solids += [rod((s * columns[-1] * 0.8, -0.09, 0.17), (s * columns[-1] * 0.8, 0.02, 0.17), 0.01) for s in (-1, 1)]
    return merged(solids)


def pendant(rng: np.random.Generator) -> TriangleMesh:
    """A lamp that hangs from z = 0 on a cord 10 mm thick: a domed shade 4 mm thick and a bulb."""
    drop, r = float(rng.uniform(0.45, 0.6)), float(rng.uniform(0.15, 0.2))
    angles = np.radians(np.linspace(12, 85, 8))
    outer = np.stack([r * np.sin(angles), r * np.cos(angles)], axis=1)[::-1]
    inner = (1 - 0.004 / r) * outer[::-1]
    shade = moved(lathe(np.concatenate([outer, inner]), 36, loop=True), (0, 0, -drop))
    cord = rod((0, 0, -drop), (0, 0, 0), 0.005)
    socket = moved(cylinder(0.2 * r + 0.006, 0.05), (0, 0, r - drop - 0.03))
    return merged(
        [shade, cord, socket, sphere(0.04, (0, 0, 0.01 - drop), 20), moved(cylinder(0.05, 0.02), (0, 0, -0.02))]
    )

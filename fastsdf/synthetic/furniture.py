# SPDX-License-Identifier: MIT
"""Furniture made of closed solids, in metres. A piece is centred at the origin and stands on z = 0, its back at +y."""

from typing import NamedTuple

import numpy as np

from fastsdf.geometry import TriangleMesh
from fastsdf.synthetic.solids import box, cylinder, lathe, merged, moved, rod, rotation, rounded_box, torus

_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))  # signs of x and y at the corners of a table top


class Piece(NamedTuple):
    """A piece of furniture: its solids, and the width (x) and depth (y) of the floor that it occupies, metres."""

    name: str
    width: float
    depth: float
    mesh: TriangleMesh


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def table(rng: np.random.Generator) -> Piece:
    """A table on legs 3-5 cm thick, with a bowl, cups, a book and an open laptop on it."""
    w, d, h = _between(rng, 1.05, 1.4), _between(rng, 0.7, 0.8), _between(rng, 0.72, 0.76)
    leg = _between(rng, 0.015, 0.025)
    x, y = w / 2 - 0.06, d / 2 - 0.06
    solids = [rounded_box((-w / 2, -d / 2, h - 0.03), (w / 2, d / 2, h), 0.006, 2)]
    solids += [rod((sx * x, sy * y, h - 0.03), (sx * x, sy * y, 0), leg, 0.75 * leg) for sx, sy in _CORNERS]
    solids += [box((-x, sy * y - 0.01, h - 0.1), (x, sy * y + 0.01, h - 0.03)) for sy in (-1, 1)]
    solids += [box((sx * x - 0.01, -y, h - 0.1), (sx * x + 0.01, y, h - 0.03)) for sx in (-1, 1)]
    bowl = [(0, 0), (0.05, 0), (0.12, 0.07), (0.113, 0.07), (0.047, 0.008), (0, 0.008)]
    cup = [(0, 0), (0.035, 0), (0.04, 0.09), (0.036, 0.09), (0.032, 0.006), (0, 0.006)]
    solids += [moved(lathe(bowl), (0.3 * w, 0.12, h)), moved(lathe(cup), (-0.1, -0.2, h))]
    spin = rotation((0, 0, 1), _between(rng, -50, 50))
    solids.append(moved(box((-0.11, -0.08, 0), (0.11, 0.08, 0.03)), (0.22 * w, -0.2, h), spin))
    lid = moved(box((-0.17, 0, 0), (0.17, 0.012, 0.22)), (0, 0.11, 0.016), rotation((1, 0, 0), -18))
    laptop = merged([box((-0.17, -0.12, 0), (0.17, 0.12, 0.018)), lid])
    solids.append(moved(laptop, (-0.27 * w, 0.05, h), rotation((0, 0, 1), _between(rng, -25, 25))))
    return Piece("table", w, d, merged(solids))


def chair(rng: np.random.Generator) -> Piece:
    """A chair on round legs 2.5-4 cm thick, with a back of slats between two posts."""
    w, d, h, top = 0.42, 0.42, _between(rng, 0.43, 0.47), _between(rng, 0.8, 0.92)
    leg = _between(rng, 0.0125, 0.02)
    x, y, lean = w / 2 - 0.03, d / 2 - 0.03, 0.05
    solids = [rounded_box((-w / 2, -d / 2, h - 0.035), (w / 2, d / 2, h), 0.015, 3)]
    for sx in (-1, 1):
        solids.append(rod((sx * x, -y, h - 0.02), (sx * (x + 0.02), -y - 0.02, 0), leg, 0.8 * leg))
        solids.append(rod((sx * x, y, h - 0.02), (sx * (x + 0.02), y + 0.03, 0), leg, 0.8 * leg))
        solids.append(rod((sx * x, y, h - 0.02), (sx * x, y + lean, top), leg, 0.8 * leg))
        solids.append(rod((sx * (x + 0.01), -y, 0.2), (sx * (x + 0.01), y, 0.2), 0.01))
    tilt = rotation((1, 0, 0), -np.degrees(np.arctan2(lean, top - h)))
    for part in np.linspace(0.35, 0.95, 4):
        slat = moved(box((-x, -0.007, -0.025), (x, 0.007, 0.025)), (0, y + lean * part, h + (top - h) * part), tilt)
        solids.append(slat)
    return Piece("chair", w, d + 0.1, merged(solids))


def bookshelf(rng: np.random.Generator) -> Piece:
    """A bookshelf of boards 2 cm thick; the rows of books differ in length, and some books lean."""
    w, d, h, t = _between(rng, 0.75, 1.0), _between(rng, 0.26, 0.32), _between(rng, 1.75, 2.05), 0.02
    solids = [box((s * (w / 2 - t / 2) - t / 2, -d / 2, 0), (s * (w / 2 - t / 2) + t / 2, d / 2, h)) for s in (-1, 1)]
    solids.append(box((-w / 2 + t, d / 2 - 0.01, 0.06), (w / 2 - t, d / 2, h)))
    levels = np.linspace(0.06, h - t, 6)
    for z in levels:
        solids.append(box((-w / 2 + t, -d / 2, z), (w / 2 - t, d / 2 - 0.01, z + t)))
    for z in levels[:-1]:
        solids += _books(rng, -w / 2 + t + 0.005, w / 2 - t - 0.005, d, z + t)
    return Piece("bookshelf", w, d, merged(solids))


def _books(rng: np.random.Generator, start: float, end: float, depth: float, z: float) -> list[TriangleMesh]:
    """A row of books on the board at height ``z``; if there is room, a last book leans against the others."""
    solids, x = [], start
    stop = start + (end - start) * _between(rng, 0.35, 0.9)
    while x < stop:
        t, tall, deep = _between(rng, 0.018, 0.05), _between(rng, 0.18, 0.26), _between(rng, 0.14, 0.2)
        front = depth / 2 - 0.02 - deep
        solids.append(box((x, front, z), (x + t, front + deep, z + tall)))
        x += t + 0.001
    if end - x > 0.11:
        leaning = moved(
            box((0, depth / 2 - 0.19, 0), (0.025, depth / 2 - 0.03, 0.2)), (0, 0, 0), rotation((0, 1, 0), -15)
        )
        solids.append(moved(leaning, (x + 0.055, 0, z)))
    return solids


def bed(rng: np.random.Generator) -> Piece:
    """A bed along y with its headboard at the back: frame, mattress, blanket and pillows."""
    w, d = _between(rng, 0.95, 1.4), 2.0
    x, y = w / 2, d / 2
    solids = [box((-x, -y, 0.12), (x, y, 0.3)), box((-x, y - 0.04, 0), (x, y, _between(rng, 0.85, 1.05)))]
    solids += [box((sx * (x - 0.05) - 0.03, -y + 0.02, 0), (sx * (x - 0.05) + 0.03, -y + 0.08, 0.12)) for sx in (-1, 1)]
    solids.append(rounded_box((-x + 0.01, -y + 0.01, 0.3), (x - 0.01, y - 0.04, 0.48), 0.05))
    solids.append(rounded_box((-x - 0.02, -y - 0.02, 0.27), (x + 0.02, 0.2 * d, 0.53), 0.04))
    for centre in (-0.25 * w, 0.25 * w) if w > 1.2 else (0.0,):
        pillow = rounded_box((-0.27, -0.18, -0.06), (0.27, 0.18, 0.06), 0.0599, 6)
        matrix = rotation((0, 0, 1), _between(rng, -8, 8)) @ rotation((1, 0, 0), 15)
        solids.append(moved(pillow, (centre, y - 0.26, 0.55), matrix))
    return Piece("bed", w + 0.04, d + 0.04, merged(solids))


def sofa(rng: np.random.Generator) -> Piece:
    """A sofa of rounded cushions with two tilted loose cushions."""
    w, d = _between(rng, 1.5, 1.9), _between(rng, 0.8, 0.9)
    x, y = w / 2, d / 2
    solids = [rounded_box((-x, -y, 0.08), (x, y, 0.28), 0.03), rounded_box((-x, y - 0.2, 0.2), (x, y, 0.8), 0.07)]
    solids += [rounded_box((s * (x - 0.08) - 0.08, -y, 0.08), (s * (x - 0.08) + 0.08, y, 0.58), 0.06) for s in (-1, 1)]
    solids += [
        rod((sx * (x - 0.1), sy * (y - 0.1), 0), (sx * (x - 0.1), sy * (y - 0.1), 0.1), 0.02) for sx, sy in _CORNERS
    ]
    seat = (w - 0.32) / 2
    for start in (-seat, 0.0):
        solids.append(rounded_box((start + 0.003, -y - 0.01, 0.27), (start + seat - 0.003, y - 0.2, 0.44), 0.06))
        solids.append(rounded_box((start + 0.01, y - 0.33, 0.42), (start + seat - 0.01, y - 0.16, 0.78), 0.07))
    cushion = rounded_box((-0.2, -0.06, -0.2), (0.2, 0.06, 0.2), 0.0599, 6)
    for side in (-1, 1):
        matrix = rotation((0, 0, 1), -side * _between(rng, 15, 40)) @ rotation((1, 0, 0), -20)
        solids.append(moved(cushion, (side * (0.5 * w - 0.35), y - 0.42, 0.62), matrix))
    return Piece("sofa", w, d, merged(solids))


def wardrobe(rng: np.random.Generator) -> Piece:
    """A wardrobe: a body, two or three doors with gaps between them, and bar handles."""
    w, d, h = _between(rng, 0.9, 1.2), _between(rng, 0.54, 0.6), _between(rng, 1.9, 2.1)
    x, y = w / 2, d / 2
    solids = [box((-x, -y + 0.02, 0.08), (x, y, h)), box((-x + 0.01, -y + 0.06, 0), (x - 0.01, y, 0.08))]
    count = 2 if w < 1.05 else 3
    step = w / count
    for i in range(count):
        left = -x + i * step
        solids.append(box((left + 0.003, -y, 0.09), (left + step - 0.003, -y + 0.022, h - 0.005)))
        grip = left + (step - 0.05 if i % 2 == 0 else 0.05)
        solids.append(rod((grip, -y - 0.035, 0.95), (grip, -y - 0.035, 1.2), 0.008))
        solids += [rod((grip, -y + 0.01, z), (grip, -y - 0.035, z), 0.006) for z in (0.98, 1.17)]
    return Piece("wardrobe", w, d + 0.07, merged(solids))


def sideboard(rng: np.random.Generator) -> Piece:
    """A low cabinet on short legs with a screen and a vase on top."""
    w, d, h = _between(rng, 1.0, 1.3), 0.4, _between(rng, 0.5, 0.65)
    x, y = w / 2, d / 2
    solids = [box((-x, -y, 0.12), (x, y, h))]
    solids += [
        box((-x + 0.004 + i * w / 3, -y - 0.018, 0.125), (-x + (i + 1) * w / 3 - 0.004, -y, h - 0.02)) for i in range(3)
    ]
    solids += [
        rod((sx * (x - 0.08), sy * (y - 0.06), 0.13), (sx * (x - 0.06), sy * (y - 0.04), 0), 0.018, 0.012)
        for sx, sy in _CORNERS
    ]
    solids.append(box((-0.36, 0.02, h + 0.07), (0.36, 0.05, h + 0.5)))
    solids += [
        rounded_box((-0.14, -0.06, h), (0.14, 0.12, h + 0.012), 0.005, 2),
        rod((0, 0.04, h), (0, 0.04, h + 0.1), 0.018),
    ]
    vase = [(0, 0), (0.04, 0), (0.075, 0.08), (0.03, 0.2), (0.042, 0.25), (0.037, 0.25), (0.025, 0.2), (0, 0.19)]
    solids.append(moved(lathe(vase), (x - 0.11, -0.04, h)))
    return Piece("sideboard", w, d + 0.04, merged(solids))


def stool(rng: np.random.Generator) -> Piece:
    """A round stool with three legs and a ring between them."""
    r, h = _between(rng, 0.16, 0.2), _between(rng, 0.42, 0.5)
    seat = [(0, 0), (r - 0.012, 0), (r, 0.012), (r, 0.022), (r - 0.012, 0.034), (0, 0.034)]
    solids = [moved(lathe(seat, 32), (0, 0, h - 0.034)), moved(torus(0.8 * r + 0.012, 0.009), (0, 0, 0.17))]
    for angle in np.radians([90, 210, 330]):
        away = np.array([np.cos(angle), np.sin(angle), 0.0])
        solids.append(rod(away * 0.7 * r + [0, 0, h - 0.02], away * (r - 0.01), 0.015, 0.012))
    return Piece("stool", 2 * r, 2 * r, merged(solids))


def drawers(rng: np.random.Generator) -> Piece:
    """A bedside table with two drawers with knobs, and a tilted picture frame on top."""
    w, d, h = 0.42, 0.38, _between(rng, 0.45, 0.6)
    solids = [box((-w / 2, -d / 2, 0.03), (w / 2, d / 2, h)), cylinder(0.1, 0.03)]
    for low, high in ((0.04, h / 2), (h / 2 + 0.01, h - 0.03)):
        solids.append(box((-w / 2 + 0.01, -d / 2 - 0.015, low), (w / 2 - 0.01, -d / 2, high)))
        solids.append(rod((0, -d / 2, (low + high) / 2), (0, -d / 2 - 0.045, (low + high) / 2), 0.014))
    frame = moved(box((-0.07, 0, 0), (0.07, 0.014, 0.19)), (0.05, 0.02, h + 0.003), rotation((1, 0, 0), -14))
    return Piece("drawers", w, d + 0.06, merged([*solids, frame]))

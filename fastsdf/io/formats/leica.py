# SPDX-License-Identifier: MIT
"""Reads PTS and PTX files, the text formats of Leica scanners, in float64."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.attributes import colors_to_uint8
from fastsdf.io.files import require_file
from fastsdf.io.formats.tables import read_text_cloud
from fastsdf.io.merging import join_clouds

PTS_COLUMNS = {3: None, 4: None, 6: 3, 7: 4}  # number of columns -> index of the column of red
# The same for PTX files.
PTX_COLUMNS = {3: None, 4: None, 7: 4}
_PTX_HEADER = (1, 1, 3, 3, 3, 3, 4, 4, 4, 4)  # numbers per line of the header


def read_pts_cloud(path: str | Path) -> PointCloud:
    """Read a PTS file; the result is not cleaned.

    Each cloud in the file has a line with its number of points and then rows ``x y z [intensity] [r g b]``. Several
    clouds are joined into one. A file without a count line is read by `fastsdf.io.formats.tables.read_text_cloud`.

    Raises:
        ScanError: the file is missing, holds fewer rows than it declares, or has rows with other columns.
    """
    path = require_file(path)
    counts: list[int] = []
    with open(path, encoding="latin-1") as stream:
        first, second = stream.readline().split(), stream.readline()
        if len(first) != 1 or not first[0].isdigit() or "," in second or ";" in second:
            return read_text_cloud(path)
        stream.seek(0)
        table = _parse(_rows(stream, counts), path, "every row is x y z [intensity] [r g b]")
    if len(table) < sum(counts):
        raise ScanError(f"{path} is cut short: it declares {sum(counts)} points and holds {len(table)}: copy it again")
    extra = len(table) - sum(counts)
    notes = (f"the file holds {extra} rows more than the {sum(counts)} it declares: all are used",) if extra else ()
    colors, more = _colors(table, PTS_COLUMNS, path)
    return PointCloud(table[:, :3], colors=colors, notes=(*notes, *more))


def read_ptx_cloud(path: str | Path) -> PointCloud:
    """Read all scans of a PTX file, transformed by their matrices to one world frame; the result is not cleaned.

    Rows ``0 0 0`` (no return) are dropped with a note. The registered scanner position in the header of a scan is the
    sensor position of its points.

    Raises:
        ScanError: the file is missing or cut short, or a header or row violates the format.
    """
    path = require_file(path)
    scans: list[PointCloud] = []
    with open(path, encoding="latin-1") as stream:
        while (first := _next_line(stream)) is not None:
            scans.append(_read_ptx_scan(stream, first, path, len(scans)))
    return join_clouds(scans, [f"scan {index}" for index in range(len(scans))])


def _read_ptx_scan(stream: TextIO, first: str, path: Path, index: int) -> PointCloud:
    header = _ptx_header(stream, first, path, index)
    count = int(header[0][0]) * int(header[1][0])
    sensor, matrix = header[2], np.array(header[6:])
    table = _parse(iter(stream), path, f"scan {index}: every row is x y z intensity [r g b]", count)
    if len(table) < count:
        found = f"scan {index} declares {count} rows and holds {len(table)}"
        raise ScanError(f"{path} is cut short: {found}: copy it again")
    measured = table[:, :3].any(axis=1)
    kept = table[measured]
    colors, notes = _colors(kept, PTX_COLUMNS, path)
    points = kept[:, :3] @ matrix[:3, :3] + matrix[3, :3]  # In this format, row vectors multiply the matrix.
    dropped = count - len(kept)
    if dropped:
        notes = (*notes, f"dropped {dropped} of {count} rows without a return")
    return PointCloud(points, colors=colors, sensors=np.tile(np.array(sensor), (len(points), 1)), notes=notes)


def _ptx_header(stream: TextIO, first: str, path: Path, index: int) -> list[list[float]]:
    """Read the ten header lines: columns, rows, scanner position, its three axes, and a 4x4 matrix for row vectors."""
    header: list[list[float]] = []
    for number, expected in enumerate(_PTX_HEADER):
        line = first if number == 0 else stream.readline()
        try:
            header.append([float(word) for word in line.split()])
        except ValueError:
            header.append([])
        if len(header[-1]) != expected:
            raise ScanError(
                f"{path}: line {number + 1} of the header of scan {index} is '{line.strip()[:40]}', not {expected} "
                "number(s): a PTX scan begins with columns, rows, position, 3 axes and a 4x4 matrix; export it again"
            )
    return header


def _next_line(stream: TextIO) -> str | None:
    """The next line that is not blank; None at the end of the file."""
    while line := stream.readline():
        if line.strip():
            return line
    return None


def _rows(stream: TextIO, counts: list[int]) -> Iterator[str]:
    """Yield the lines with more than one word; lines with a single integer are appended to ``counts``."""
    for line in stream:
        words = line.split(None, 1)
        if len(words) > 1:
            yield line
        elif words and words[0].isdigit():
            counts.append(int(words[0]))


def _parse(lines: Iterator[str], path: Path, expected: str, count: int | None = None) -> np.ndarray:
    first = None if count == 0 else next(lines, None)
    if first is None:
        return np.empty((0, 3))
    try:
        return np.loadtxt(chain((first,), lines), ndmin=2, comments=None, max_rows=count)
    except ValueError as error:
        reason = str(error).split(";")[0]
        raise ScanError(f"{path} cannot be read ({reason}); {expected}: export or copy the file again") from error


def _colors(table: np.ndarray, layouts: dict[int, int | None], path: Path) -> tuple[np.ndarray | None, tuple[str, ...]]:
    columns = table.shape[1]
    if columns not in layouts:
        known = ", ".join(map(str, layouts))
        raise ScanError(f"{path} has {columns} columns, not {known} (x y z, intensity, r g b): export it again")
    red = layouts[columns]
    if red is None:
        return None, ()
    return colors_to_uint8(table[:, red : red + 3].astype(np.int64))

# SPDX-License-Identifier: MIT
"""Reads point clouds from plain tables: text files and numpy arrays."""

import itertools
import string
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastsdf.errors import ScanError
from fastsdf.geometry import PointCloud
from fastsdf.io.attributes import as_float64, cloud_from_columns, colors_to_uint8
from fastsdf.io.files import require_file

_COMMENTS = ("#", "//")
# A message, and the characters of a line of numbers.
_NO_ROWS = "has no rows of numbers: a text scan has one point 'x y z ...' a line; or name a PLY, E57 or LAS file"
_NUMBER_CHARACTERS = set(string.digits + string.whitespace + ".,;eE+-")
_SEARCHED_LINES = 1000  # searched for a line of numbers before the file is reported as having none; chosen
_NUMPY_ERRORS = (  # raised by numpy and zipfile for damaged headers and members and for encrypted archives
    *(ValueError, TypeError, KeyError, OSError, EOFError, RuntimeError, SyntaxError, MemoryError, OverflowError),
    *(struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


class _Layout(NamedTuple):
    skip: int  # lines before the first data row
    delimiter: str | None  # None: any white space
    names: tuple[str, ...]  # column names from a header or comment line, if there is one
    encoding: str


def read_text_cloud(path: str | Path) -> PointCloud:
    """Read columns separated by white space, commas or semicolons in float64; the result is not cleaned.

    A header line that contains x, y and z (and maybe nx ny nz, r g b, sx sy sz) names the columns. Without one, x y z
    come first, then an intensity if there are 7 or 10 columns, then groups of three columns. A group is taken as
    normals if nearly all have length 1, as colours if all values are integers from 0 to 255, and is ignored with a note
    otherwise. Comment lines (# or //), one header line and one count line are skipped.

    Raises:
        ScanError: there are no numbers, fewer than 3 columns, rows of different lengths, or text instead of a number.
    """
    path = require_file(path)
    layout = _find_layout(path)
    table = _parse_table(path, layout)
    columns = table.shape[1]
    if columns < 3:
        raise ScanError(f"{path} has {columns} column(s), at least 3 (x y z) are needed: check the separator")
    if len(layout.names) == columns:
        return cloud_from_columns(dict(zip(layout.names, table.T, strict=True)))
    return _guess_columns(table)


def _find_layout(path: Path) -> _Layout:
    with open(path, "rb") as stream:
        encoding = "utf-8-sig" if stream.read(3) == b"\xef\xbb\xbf" else "latin-1"
    names: tuple[str, ...] = ()
    heads = counts = 0
    with open(path, encoding=encoding, errors="replace") as lines:
        for index, line in enumerate(lines):
            text = line.strip()
            delimiter = next((mark for mark in ";," if mark in text), None)
            words = [word.strip() for word in text.lstrip("#/ ").split(delimiter)]
            is_comment = text.startswith(_COMMENTS)
            if not text or (is_comment and _are_numbers(words)):
                continue
            if is_comment or (heads == 0 and not _are_numbers(words)):
                heads += not is_comment
                names = _column_names(words) or names
            elif counts == 0 and len(words) == 1 and words[0].isdigit():
                counts += 1
            else:
                return _Layout(index, delimiter, names, encoding)
    raise ScanError(f"{path} {_NO_ROWS}")


def _are_numbers(words: list[str]) -> bool:
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def _column_names(words: list[str]) -> tuple[str, ...]:
    names = tuple(word.strip("\"'").lower() for word in words)
    return names if {"x", "y", "z"} <= set(names) else ()


def _parse_table(path: Path, layout: _Layout) -> np.ndarray:
    def parse(comments: str | tuple[str, ...]) -> np.ndarray:
        """Read the rows of numbers; the rest of a line after a comment mark is ignored."""
        return np.loadtxt(
            path,
            skiprows=layout.skip,
            delimiter=layout.delimiter,
            comments=comments,
            ndmin=2,
            encoding=layout.encoding,
        )

    try:
        try:
            return parse("#")
        except ValueError:
            return parse(_COMMENTS)  # Slower, because several comment marks are parsed line by line in Python.
    except ValueError as error:
        if not _has_numbers(path, layout):
            raise ScanError(f"{path} {_NO_ROWS}") from error
        reason = str(error).split(";")[0]
        raise ScanError(
            f"{path} is not a table of numbers: {reason} (rows counted from line {layout.skip + 1}): "
            f"every line needs the same number of columns, all numbers; {_advice(path, layout)}"
        ) from error


def _has_numbers(path: Path, layout: _Layout) -> bool:
    """Whether one of the first lines consists only of numbers, in any notation."""
    with open(path, encoding=layout.encoding, errors="replace") as lines:
        first = (set(line) for line in itertools.islice(lines, _SEARCHED_LINES))
        return any(found <= _NUMBER_CHARACTERS and found & set(string.digits) for found in first)


def _advice(path: Path, layout: _Layout) -> str:
    """Advice for the user, from the first line that should hold numbers."""
    with open(path, encoding=layout.encoding, errors="replace") as lines:
        line = next(itertools.islice(lines, layout.skip, None), "").strip()
    if layout.delimiter == ";" and "," in line and _are_numbers(line.replace(",", ".").split(";")):
        return "its numbers have decimal commas: export it with decimal points"
    if layout.skip and not _are_numbers(line.split(layout.delimiter)):
        return f"one header line is skipped, but '{line[:40]}' is a second one: remove the lines above the numbers"
    return "remove everything that is not a number"


def _guess_columns(table: np.ndarray) -> PointCloud:
    columns = table.shape[1]
    start = 4 if columns in (7, 10) else 3
    normals = colors = None
    used = set(range(3))
    for first in range(start, columns - 2, 3):
        group = table[:, first : first + 3]
        if normals is None and _are_unit(group):
            normals = group
        elif colors is None and _are_bytes(group):
            colors = group.astype(np.uint8)
        else:
            continue
        used |= set(range(first, first + 3))
    unused = [str(index + 1) for index in range(columns) if index not in used]
    notes = (f"text column(s) {', '.join(unused)} not used",) if unused else ()
    return PointCloud(table[:, :3], normals, colors, notes=notes)


def _are_unit(group: np.ndarray) -> bool:
    return float(np.mean(np.abs(np.linalg.norm(group, axis=1) - 1.0) < 0.02)) > 0.95


def _are_bytes(group: np.ndarray) -> bool:
    return bool(((group >= 0) & (group <= 255) & (group == np.rint(group))).all())


def read_npy_cloud(path: str | Path) -> PointCloud:
    """Read an array (n, 3) of points or (n, 6) of points and normals; the result is not cleaned.

    Raises:
        ScanError: the file is damaged, holds objects, or the array has another shape.
    """
    path = require_file(path)
    array = _load_numpy(path)
    if not isinstance(array, np.ndarray):
        array.close()
        raise ScanError(f"{path} is an NPZ archive with the suffix .npy: rename it to .npz")
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] not in (3, 6):
        raise ScanError(
            f"{path} holds {array.dtype} of shape {array.shape}: save real numbers of shape (n, 3), "
            "or (n, 6) with normals"
        )
    values = array.astype(np.float64)
    return PointCloud(values[:, :3], values[:, 3:] if values.shape[1] == 6 else None)


def read_npz_cloud(path: str | Path) -> PointCloud:
    """Read the arrays ``points`` (or ``xyz``, or the first (n, 3) array), ``normals``, ``colors`` and ``sensors``.

    All but the points are optional; the result is not cleaned.

    Raises:
        ScanError: the archive is damaged, has no (n, 3) array, or the shapes of its arrays differ.
    """
    path = require_file(path)
    archive = _load_numpy(path)
    if isinstance(archive, np.ndarray):
        raise ScanError(f"{path} is a single array with the suffix .npz: rename it to .npy")
    try:
        with archive:
            arrays = {name: archive[name] for name in archive.files}
    except _NUMPY_ERRORS as error:
        raise ScanError(f"{path}: the NPZ archive cannot be read ({error}): save plain numeric arrays") from error
    candidates = [name for name in ("points", "xyz", *arrays) if name in arrays and _is_rows(arrays[name])]
    if not candidates:
        raise ScanError(f"{path} has no (n, 3) array (arrays: {', '.join(arrays) or 'none'}): save one named 'points'")
    points = arrays[candidates[0]].astype(np.float64)
    parts = {name: _matching(path, arrays, name, points.shape) for name in ("normals", "colors", "sensors")}
    colors, notes = colors_to_uint8(parts["colors"])
    return PointCloud(points, as_float64(parts["normals"]), colors, as_float64(parts["sensors"]), notes)


def _load_numpy(path: Path) -> np.ndarray | np.lib.npyio.NpzFile:
    try:
        return np.load(path, allow_pickle=False)
    except _NUMPY_ERRORS as error:
        raise ScanError(f"{path} cannot be read as a numpy file ({error}): save it again with numpy.save") from error


def _is_rows(array: np.ndarray) -> bool:
    return array.dtype.kind in "fiu" and array.ndim == 2 and array.shape[1] == 3


def _matching(path: Path, arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    if name not in arrays:
        return None
    array = arrays[name]
    if not _is_rows(array) or array.shape != shape:
        raise ScanError(f"{path}: array '{name}' is {array.dtype} of shape {array.shape}, expected numbers of {shape}")
    return array

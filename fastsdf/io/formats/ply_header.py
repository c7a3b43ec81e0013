# SPDX-License-Identifier: MIT
"""Reads the header of a PLY file."""

from dataclasses import dataclass
from pathlib import Path

from fastsdf.errors import ScanError
from fastsdf.io.files import require_file

_MAX_HEADER_LINES = 10_000  # bounds the search in damaged files
_DTYPES = {  # PLY type -> numpy type
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}


@dataclass
class PlyElementHeader:
    """An element: number of rows, scalar properties (name -> numpy type) and names of the list properties."""

    count: int
    scalars: dict[str, str]
    lists: list[str]


@dataclass(frozen=True)
class PlyHeader:
    """A PLY header.

    Attributes:
        is_ascii: whether the data is text.
        lines: number of header lines, including "end_header".
        elements: elements by name, in file order.
    """

    is_ascii: bool
    lines: int
    elements: dict[str, PlyElementHeader]

    @property
    def face_count(self) -> int:
        """Number of faces that the file declares."""
        return self.elements["face"].count if "face" in self.elements else 0


def read_ply_header(path: str | Path) -> PlyHeader:
    """Read the header of a PLY file.

    Raises:
        ScanError: the file is missing or empty, is not a PLY, or its header is damaged.
    """
    path = require_file(path)
    lines = _header_lines(path)
    elements: dict[str, PlyElementHeader] = {}
    is_ascii = False
    try:
        for words in map(str.split, lines):
            match words:
                case ["format", kind, *_]:
                    is_ascii = kind == "ascii"
                case ["element", name, count]:
                    elements[name] = PlyElementHeader(int(count), {}, [])
                case ["property", "list", _, _, name]:
                    list(elements.values())[-1].lists.append(name)
                case ["property", kind, name]:
                    list(elements.values())[-1].scalars[name] = _DTYPES[kind]
    except (ValueError, IndexError, KeyError) as error:
        raise ScanError(f"{path}: the PLY header is damaged ({error}): export the file again") from error
    return PlyHeader(is_ascii, len(lines), elements)


def _header_lines(path: Path) -> list[str]:
    lines: list[str] = []
    with open(path, "rb") as stream:
        if stream.read(3) != b"ply":
            raise ScanError(f"{path} is not a PLY file (it does not start with 'ply'): check its format and suffix")
        while len(lines) < _MAX_HEADER_LINES:
            raw = stream.readline(65_536)
            if not raw:
                break
            lines.append(raw.decode("latin-1").strip())
            if lines[-1] == "end_header":
                return lines
    raise ScanError(f"{path}: the PLY header has no 'end_header' line (file cut short?): export or copy it again")

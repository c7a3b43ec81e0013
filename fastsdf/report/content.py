# SPDX-License-Identifier: MIT
"""The parts of a page: pictures, tables and chapters."""

import base64
from typing import NamedTuple

JPEG_START = b"\xff\xd8"  # first bytes of every JPEG file (marker SOI)


class Picture(NamedTuple):
    """An image file (PNG or JPEG) in memory with its caption."""

    caption: str
    data: bytes

    @property
    def uri(self) -> str:
        """The image as a data URI."""
        kind = "jpeg" if self.data.startswith(JPEG_START) else "png"
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


class Table(NamedTuple):
    """A table of rows (name, value, unit), all as text."""

    caption: str
    rows: list[tuple[str, str, str]]


class Chapter(NamedTuple):
    """A chapter of the page.

    Attributes:
        key: anchor in the HTML.
        title: heading.
        text: paragraph below the heading; may be empty.
        pictures, tables: content; the pictures come before the tables.
    """

    key: str
    title: str
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()

# SPDX-License-Identifier: MIT
"""What a page is made of: pictures, tables and chapters of them."""

import base64
from typing import NamedTuple

JPEG_START = b"\xff\xd8"


class Picture(NamedTuple):
    """An image file (PNG or JPEG) in memory and what it shows."""

    caption: str
    data: bytes

    @property
    def uri(self) -> str:
        """The image as a data URI."""
        kind = "jpeg" if self.data.startswith(JPEG_START) else "png"
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


class Table(NamedTuple):
    """Rows of name, value and unit, as text."""

    caption: str
    rows: list[tuple[str, str, str]]


class Chapter(NamedTuple):
    """A part of the page.

    Attributes:
        key: its anchor.
        title: its heading.
        text: a paragraph; may be empty.
        pictures, tables: shown in this order.
    """

    key: str
    title: str
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()

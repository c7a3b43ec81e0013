# SPDX-License-Identifier: MIT
"""Collects the parts of an HTML page: sections, images and addresses."""

import base64
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np

from fastsdf.report.figures import load_matplotlib


class Page(HTMLParser):
    """Parses a page and collects its sections, its images and all of its addresses."""

    def __init__(self, path: Path):
        super().__init__()
        self.keys: list[str] = []
        self.images: list[str] = []
        self.addresses: list[str] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects the data of a tag; scripts and other external content are not allowed."""
        values = dict(attrs)
        if tag == "section":
            self.keys.append(values["id"] or "")
        if tag == "img":
            self.images.append(values["src"] or "")
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        assert tag not in ("link", "script", "iframe", "object")


def decode(uri: str) -> np.ndarray:
    """The image (height, width, channels) in a data URI, in [0, 1]."""
    head, data = uri.split(";base64,")
    pixels = load_matplotlib().image.imread(BytesIO(base64.b64decode(data)), format=head.removeprefix("data:image/"))
    return pixels / 255 if pixels.dtype == np.uint8 else pixels

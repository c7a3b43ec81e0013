# SPDX-License-Identifier: MIT
"""Renders chapters as one HTML page. This is the only module that imports jinja2, which is optional."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastsdf.report.content import Chapter
from fastsdf.system.optional_import import needed_for

# Lies beside this module, so that the wheel contains it.
TEMPLATE = Path(__file__).with_name("report.html.j2")


def load_jinja2() -> Any:
    """Import ``jinja2``.

    Raises:
        InputError: jinja2 is not installed.
    """
    with needed_for("reports need jinja2", "pip install matplotlib jinja2"):
        import jinja2
    return jinja2


def render(title: str, headline: Sequence[tuple[str, str]], chapters: Sequence[Chapter]) -> str:
    """Render a self-contained page: it needs no other file and no network.

    Args:
        title: title of the page.
        headline: names and values shown at the top.
        chapters: the chapters in order.

    Returns:
        The HTML text.
    """
    jinja2 = load_jinja2()
    options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    environment = jinja2.Environment(**options)
    environment.filters["breakable"] = _breakable
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(title=title, headline=headline, chapters=chapters)


def _breakable(name: str) -> Any:
    """The escaped name as HTML that allows a line break after each underscore."""
    markup = load_jinja2().utils.markupsafe.Markup  # its join escapes the parts
    return markup("_<wbr>").join(name.split("_"))

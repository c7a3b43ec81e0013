# SPDX-License-Identifier: MIT
"""Chapters to one HTML file. The only place that imports jinja2, which is optional."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastsdf.report.content import Chapter
from fastsdf.system.optional_import import needed_for

TEMPLATE = Path(__file__).with_name("report.html.j2")


def load_jinja2() -> Any:
    """The module ``jinja2``, imported on the first call.

    Raises:
        InputError: if it is not installed.
    """
    with needed_for("reports need jinja2", "pip install matplotlib jinja2"):
        import jinja2
    return jinja2


def render(title: str, headline: Sequence[tuple[str, str]], chapters: Sequence[Chapter]) -> str:
    """The page as text, with everything it shows inside it.

    Args:
        title: of the page.
        headline: names and values that stand at the top.
        chapters: in order.
    """
    jinja2 = load_jinja2()
    options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    environment = jinja2.Environment(**options)
    environment.filters["breakable"] = _breakable
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(title=title, headline=headline, chapters=chapters)


def _breakable(name: str) -> Any:
    """A name, escaped, that may be broken after its underscores."""
    markup = load_jinja2().utils.markupsafe.Markup  # escapes what it joins
    return markup("_<wbr>").join(name.split("_"))

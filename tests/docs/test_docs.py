# SPDX-License-Identifier: MIT
"""Commands that README and docs name exist, and so do their options and settings; links lead to files."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from fastsdf.commands.app import app
from fastsdf.config.loading import load_config
from tests.helpers.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "data/README.md"])
PROMPTS = re.compile(r"(?:^|&& )(fastsdf [^#|`]*)")
INLINE = re.compile(r"`(fastsdf\s[^`]*)`")
SETTING = re.compile(r"--set ([a-z_.]+)=")
LINK = re.compile(r"\]\(([^)#]*)(?:#[^)]*)?\)")
OPTION = re.compile(r"^--?[a-zA-Z]")


def code_lines(text: str) -> Iterator[str]:
    """Lines of code blocks, fenced or indented, with continued lines joined."""
    fenced, waiting = False, ""
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if not (fenced or line.startswith("    ")):
            continue
        waiting += line.strip()
        if waiting.endswith("\\"):
            waiting = waiting[:-1]
            continue
        yield waiting
        waiting = ""


def commands(text: str) -> list[str]:
    """All ``fastsdf ...`` of a page: in code blocks, and in inline code."""
    found = [match.strip() for line in code_lines(text) for match in PROMPTS.findall(line)]
    return found + [match.replace("\n", " ").strip() for match in INLINE.findall(text)]


def problem(command: str) -> str:
    """What is wrong with a command's name or options; empty if nothing is. Values are not looked at."""
    words = shlex.split(re.sub(r"[\[\]]", " ", command))[1:]
    node: Any = typer.main.get_command(app)
    while words and hasattr(node, "commands") and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in node.commands:
            return f"no command '{name}'"
        node = node.commands[name]
    known = {"-h", "--help"} | {option for p in node.params for option in (*p.opts, *p.secondary_opts)}
    unknown = [word for word in words if OPTION.match(word) and word.split("=")[0] not in known]
    return f"no options {unknown}" if unknown else ""


def test_the_check_finds_what_is_wrong() -> None:
    assert problem("fastsdf fit scan.ply -o run --set a.b=1 --up=-z") == "no options ['--up=-z']"
    assert problem("fastsdf meshh run") == "no command 'meshh'"
    assert not problem("fastsdf config show --preset smoke") and not problem("fastsdf --version")
    code = "    pip install . && fastsdf fit a.ply \\\n        -o r  # note\n\n```bash\nfastsdf doctor\n```\n"
    text = f"a `fastsdf\ninfo X` b\n\n{code}"
    assert commands(text) == ["fastsdf fit a.ply -o r", "fastsdf doctor", "fastsdf info X"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_what_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wrong = {command: found for command in commands(text) if (found := problem(command))}
    assert not wrong
    settings = load_config().model_dump(mode="json")
    for key in SETTING.findall(text):
        value = settings
        for part in key.split(".") if key != "section.key" else ():
            assert part in value, f"no setting {key}"
            value = value[part]
    for target in LINK.findall(text):
        assert not target or target.startswith("http") or (page.parent / target).exists(), f"no file {target}"


def test_most_pages_name_commands() -> None:
    assert sum(len(commands(page.read_text(encoding="utf-8"))) for page in PAGES) > 100


def test_every_page_is_in_the_navigation_and_the_other_way_round() -> None:
    navigation = yaml.safe_load((ROOT / "docs/site/mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    named = [page for group in navigation for entry in group.values() for page in _pages(entry)]
    docs = ROOT / "docs"
    existing = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")} | {"changelog.md", "contributing.md"}
    assert sorted(named) == sorted(existing)


def _pages(entry: str | list[dict[str, str]]) -> list[str]:
    return [entry] if isinstance(entry, str) else [page for pair in entry for page in pair.values()]

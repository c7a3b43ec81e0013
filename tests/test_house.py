# SPDX-License-Identifier: MIT
"""The layout of the package: few modules at the top, packages that introduce themselves, constants with a reason."""

import ast
import re
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

PACKAGE = ROOT / "fastsdf"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_TOP_MODULES, MAX_LINES = 6, 250  # the house rules in CONTRIBUTING.md
NUMBERS = (ast.Constant, ast.Tuple, ast.List, ast.UnaryOp, ast.BinOp, ast.Load, ast.unaryop, ast.operator)


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_few_modules_lie_at_the_top() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_TOP_MODULES


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=lambda p: p.parent.name)
def test_every_package_says_what_it_is(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert text.split("\n", 1)[0].endswith(".")
    if path.parent.name != "triton" or path.parent.parent.name == "field":
        for word in ("In(put)?:", "Out(put)?:", "Start reading"):
            assert re.search(word, text), f"{path.relative_to(ROOT)} does not say '{word}'"


def test_files_are_short() -> None:
    long = [p for p in MODULES if len(p.read_text(encoding="utf-8").splitlines()) > MAX_LINES]
    assert names(long) == []


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_every_number_in_capitals_has_its_reason(path: Path) -> None:
    """A comment on the same line, or above the constant or the block of constants that it stands in."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    missing = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign) or not all(isinstance(part, NUMBERS) for part in ast.walk(node.value)):
            continue
        if not any(isinstance(c, ast.Constant) and isinstance(c.value, int | float) for c in ast.walk(node.value)):
            continue
        targets = [t.id for target in node.targets for t in ast.walk(target) if isinstance(t, ast.Name)]
        if not all(re.fullmatch(r"_?[A-Z][A-Z0-9_]*", name) for name in targets):
            continue
        above = node.lineno - 2
        while above >= 0 and re.match(r"_?[A-Z]", lines[above]):
            above -= 1
        commented = any("#" in line for line in lines[node.lineno - 1 : node.end_lineno])
        if not commented and not (above >= 0 and lines[above].startswith("# ") and "SPDX" not in lines[above]):
            missing += targets
    assert missing == []

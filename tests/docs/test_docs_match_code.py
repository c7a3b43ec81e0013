# SPDX-License-Identifier: MIT
"""What the docs say of the code is so: defaults, constants, presets, files, names, floors, and the page of commands."""

import importlib
import importlib.util
import math
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import fastsdf
from fastsdf.commands.app import app
from fastsdf.config.models import FitConfig
from tests.helpers.paths import ROOT

GUIDES, NOTEBOOK = ROOT / "docs/guides", ROOT / "docs/notebook"
PAGES = sorted(p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if NOTEBOOK not in p.parents)
CONVENTION = "write `section.key` (default VALUE), or (default chosen) where the code has None"
NUMBER = r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?(?!\w)"
SETTING = re.compile(rf"`([a-z_][a-z0-9_.]*)`,?\s+\(?default\s+({NUMBER}|[^\s(),;:|]+)")
TYPED = re.compile(r"`([a-z_][a-z0-9_.]*)`\s+\((-?[\d.]+)\)|`([a-z_][a-z0-9_.]*)`[^`.|]*?\(?(-?[\d.]+) by default")
CONSTANT = re.compile(r"(?:(-?[\d.,]*\d)(| million|%| GiB|°))?<!-- (?:([\d.]+) = )?(fastsdf[\w.]+)((?:\[\w+\])*) -->")
UNITS = {"": 1.0, "%": 0.01, " million": 1e6, " GiB": 2.0**30, "°": math.pi / 180}
FILE = re.compile(r"`((?:fastsdf|benchmarks|tests|configs|docs|examples|conda|\.ci)/[\w/.-]+)`")
DOTTED = re.compile(r"`((?:fastsdf|benchmarks)(?:\.\w+)+)(?:\([^`]*\))?`")
MODULE = re.compile(r"python -m ([\w.]+)")
HOP = re.compile(r"^\d\. `([\w/]+\.py)`: (.*?)(?=^\d\. |^$)", re.M | re.S)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def settings(model: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key with its default."""
    for key, value in FitConfig() if model is None else model:
        if hasattr(value, "model_dump"):
            yield from settings(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


DEFAULTS = dict(settings())


def said(value: Any) -> str:
    """A default as the docs write it."""
    return "chosen" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def same(text: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text == said(value)
    return float(text.replace(",", "")) == value


def named(path: str) -> Any:
    """The object behind a dotted name: the longest module, then attributes."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        missing = object()
        found = reduce(lambda owner, part: getattr(owner, part, missing), parts[count:], module)
        assert found is not missing, f"the code has no {path} any more: name in the docs what took its place"
        return found
    raise AssertionError(f"no module in {path}")


def test_the_conventions_are_understood() -> None:
    text = (
        "`mesh.gap_spacings` (default 6) and `loss.near` (default 6,000); `seed`, default 0, or `scene` (default room)."
    )
    assert SETTING.findall(text) == [
        ("mesh.gap_spacings", "6"),
        ("loss.near", "6,000"),
        ("seed", "0"),
        ("scene", "room"),
    ]
    assert same("6,000", 6000.0) and same("chosen", None) and not same("0.3", 0.25)
    assert TYPED.search("`mesh.min_confidence` (0.3) is") and TYPED.search("`mesh.gap_spacings` is 6 by default")
    assert CONSTANT.findall("3 million<!-- fastsdf.a.B --> a tenth<!-- 0.1 = fastsdf.c.D[x] -->") == [
        ("3", " million", "", "fastsdf.a.B", ""),
        ("", "", "0.1", "fastsdf.c.D", "[x]"),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_defaults_are_those_of_the_code(page: Path) -> None:
    text = read(page)
    for key, value in SETTING.findall(text):
        if key in DEFAULTS:
            assert same(value, DEFAULTS[key]), f"{key}: the docs say {value}, the code {said(DEFAULTS[key])}"
    typed = [next(filter(None, groups)) for groups in TYPED.findall(text)]
    assert not [key for key in typed if key in DEFAULTS], CONVENTION


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_constants_are_those_of_the_code(page: Path) -> None:
    for number, unit, inside, name, keys in CONSTANT.findall(read(page)):
        value = named(name)
        for key in re.findall(r"\w+", keys):
            value = value[int(key) if key.isdigit() else key]
        stated = float(number.replace(",", "")) * UNITS[unit] if number else float(inside)
        assert stated == pytest.approx(value), f"{name}{keys}: the docs say {number or inside}{unit}, the code {value}"


def test_guides_state_defaults_and_constants() -> None:
    text = "".join(map(read, PAGES))
    assert len([key for key, _ in SETTING.findall(text) if key in DEFAULTS]) >= 25
    assert len(CONSTANT.findall(text)) >= 25


def test_all_presets_are_listed_with_what_they_set() -> None:
    names = {path.stem for path in (ROOT / "configs").glob("*.yaml")}
    section = read(GUIDES / "settings.md").partition("\n## Presets\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", section, re.M)) == names
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*?) \|", read(GUIDES / "presets.md"), re.M))
    for name, row in rows.items():
        values = flat(yaml.safe_load(read(ROOT / f"configs/{name}.yaml")) or {})
        assert set(re.findall(r"`([^`]+)`", row)) == {f"{key}={said(value)}" for key, value in values}, name
    assert rows.keys() == names - {"smoke", "viscoreg_paper"}


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_names_exist(page: Path) -> None:
    text = read(page)
    if page.name != "CHANGELOG.md":
        assert not [path for path in FILE.findall(text) if not (ROOT / path).exists()]
        for name in DOTTED.findall(text):
            assert named(name) is not None
    for module in MODULE.findall(text):
        if module.startswith(("fastsdf", "benchmarks")):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_the_method_page_names_files_of_the_package() -> None:
    paths = re.findall(r"`([a-z_]+/[\w/]*(?:\.py)?)`", read(ROOT / "docs/theory/method.md"))
    assert len(paths) > 20 and not [
        path for path in paths if not (ROOT / "fastsdf" / path).exists() and path != "fastsdf/"
    ]


def test_the_walks_lead_somewhere() -> None:
    text = read(ROOT / "CONTRIBUTING.md")
    walks = text.partition("## Five walks")[2].partition("\n## ")[0].split("\n**")[1:]
    assert len(walks) == 5
    for walk in walks:
        hops = HOP.findall(walk + "\n\n")
        assert 1 <= len(hops) <= 3
        for path, sentence in hops:
            source = read(ROOT / path)
            for name in re.findall(r"`(\w+)`", sentence):
                assert re.search(rf"^\s*(?:def|class) {name}\b", source, re.M), f"{path} has no {name}"
    flow = text.partition("## Data flow")[2].partition("\n## ")[0]
    for path, name in re.findall(r"^ +([\w/]+\.py): (\w+)", flow, re.M):
        assert re.search(rf"^\s*def {name}\b", read(ROOT / "fastsdf" / path), re.M), f"{path} has no {name}"


def test_the_floors_are_those_of_the_contract() -> None:
    layers = re.search(r"^layers = \[(.*?)^\]", read(ROOT / "pyproject.toml"), re.M | re.S)
    assert layers
    floors = [re.findall(r"fastsdf\.(\w+)", line) for line in layers[1].splitlines() if "fastsdf." in line]
    table = read(ROOT / "CONTRIBUTING.md").partition("| floor |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`fastsdf/(\w+)(?:\.py)?`", row.split(" | ")[0]) for row in table.splitlines()[2:]]
    assert rows == [floor for floor in floors if floor != ["__main__"]]


def test_the_page_of_commands_has_every_command_and_option() -> None:
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs/site/hooks.py")
    assert spec is not None and spec.loader is not None
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = hooks.on_page_markdown(read(ROOT / "docs/reference/cli.md"))
    assert hooks.COMMANDS not in page

    def check(name: str, node: Any) -> None:
        if hasattr(node, "commands"):
            for key, child in node.commands.items():
                check(f"{name} {key}", child)
            return
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert section
        for option in (option for p in node.params for option in p.opts if option.startswith("-")):
            assert f"`{option}" in section, f"{name} {option}"

    check("fastsdf", typer.main.get_command(app))


def test_the_page_of_names_has_all_of_them() -> None:
    text = read(ROOT / "docs/reference/python.md")
    listed = set(re.findall(r"^::: fastsdf\.(\w+)$", text, re.M))
    assert listed == {name for name in fastsdf.__all__ if not name.startswith("__")}


def test_numbers_have_a_leading_zero() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        assert not re.findall(r"(?<![\w.\])/`])\.\d+", read(page)), page

# SPDX-License-Identifier: MIT
"""What the site takes from outside of docs/: the page of commands, changelog and contributing page, the examples."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
COMMANDS = "<!-- commands -->"  # in reference/cli.md


def on_files(files: Files, config: Any) -> Files:
    """Adds the files; the pages' links into docs/ become links between pages."""
    for page, source in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    for example in sorted((ROOT / "examples").glob("*.py")):
        files.append(File.generated(config, f"examples/{example.name}", abs_src_path=str(example)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fills in the commands; links that lead out of docs/ on GitHub lead to the site's own copies."""
    markdown = markdown.replace("](../../examples/", "](../examples/")
    return markdown.replace(COMMANDS, commands_markdown()) if COMMANDS in markdown else markdown


def commands_markdown() -> str:
    """Every command of ``fastsdf`` with its arguments and options, as Markdown."""
    import typer

    from fastsdf.commands.app import app

    return "\n\n".join(_command("fastsdf", typer.main.get_command(app)))


def _command(name: str, node: Any) -> Iterator[str]:
    """The section of a command; of a group, those of its commands."""
    if hasattr(node, "commands"):
        for key, child in node.commands.items():
            yield from _command(f"{name} {key}", child)
        return
    arguments = [p for p in node.params if p.param_type_name == "argument"]
    names = {p.name: (p.metavar or p.name.upper()) + ("..." if p.nargs < 0 else "") for p in arguments}
    usage = [names[p.name] if p.required else f"[{names[p.name]}]" for p in arguments]
    rows = [(f"`{names[p.name]}`", p) for p in arguments]
    rows += [(", ".join(f"`{o}`" for o in _options(p)), p) for p in node.params if p.name not in names]
    yield f"## {name}"
    yield _cell(" ".join((node.help or "").split()))
    yield f"    {' '.join([name, *usage, '[OPTIONS]' if rows else ''])}".rstrip()
    if node.epilog:
        yield "Example:\n\n    " + node.epilog.removeprefix("Example: ")
    if rows:
        lines = [f"| {shown} | {_cell(p.help or '')} | {_default(p)} |" for shown, p in rows]
        yield "\n".join(["| argument or option | what it does | default |", "|---|---|---|", *lines])


def _options(parameter: Any) -> list[str]:
    """Spellings of an option, with a placeholder where it takes a value."""
    value = "" if parameter.is_flag else f" {parameter.metavar or 'VALUE'}"
    return [f"{spelling}{value}" for spelling in (*parameter.opts, *parameter.secondary_opts)]


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    given = parameter.default
    return "" if given is None or given is False or callable(given) else f"`{given}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

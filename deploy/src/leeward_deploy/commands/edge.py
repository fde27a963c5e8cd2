"""``leeward edge``: static rules for a cloud's edge, and functions for it. Nothing is deployed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

import typer

from leeward.cli.arguments import json_argument, texts_argument
from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.errors import ConfigError, InvalidRequest, Unsupported
from leeward_deploy.commands.files import render_files, store
from leeward_deploy.commands.package import Exclude, FindLinks, NoIndex, Out, Python, Source

if TYPE_CHECKING:
    from leeward_deploy.edge.exports import Edge
    from leeward_deploy.edge.rules import Rule
    from leeward_deploy.recipe import Entry

Rules: TypeAlias = Annotated[Path, typer.Argument(metavar="RULES", help="A TOML file.")]
To: TypeAlias = Annotated[str, typer.Option(metavar="PROVIDER", help="As in CLOUD_PROVIDER.")]
Event: TypeAlias = Annotated[
    str, typer.Option(metavar="EVENT", help="When it is called, in the provider's words.")
]
Body: TypeAlias = Annotated[
    bool, typer.Option("--body", help="It gets the body of the request, too.")
]
Function: TypeAlias = Annotated[
    str, typer.Argument(metavar="FUNCTION", help="MODULE:NAME; called by the edge itself.")
]
Name: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Of the function there.")]
Given: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="For edge_settings; may be repeated."),
]
Table: TypeAlias = Annotated[
    str, typer.Option(metavar="TABLE", help="The table of limits. Default: the strict one.")
]
Seconds: TypeAlias = Annotated[int, typer.Option(help="How long it may take.")]
Memory: TypeAlias = Annotated[int, typer.Option(help="Megabytes.")]


def check(
    context: typer.Context,
    rules: Rules,
    *,
    path: Annotated[
        str | None, typer.Option(metavar="/PATH", help="Show what happens to this request.")
    ] = None,
    country: Annotated[
        str, typer.Option(metavar="XX", help="Of the client. Default: not known.")
    ] = "",
) -> None:
    """Check rules, and show which edges accept them; or what happens to one request."""
    from leeward_deploy.edge.reading import read_rules
    from leeward_deploy.edge.rules import Request, answer_of

    options = options_of(context)
    found = read_rules(rules)
    if path is None:
        edges = [_judged(name, found) for name in _names()]
        data = {"rules": [rule.name for rule in found], "edges": edges}
        options.output.show(data, _render_check)
        return
    if not path.startswith("/"):
        raise InvalidRequest("--path must begin with a slash", field="path")
    plain, _, query = path.partition("?")
    answer = answer_of(found, Request(plain, query, country))
    data = answer._asdict()
    for name in ("request", "response"):
        headers = getattr(answer, name)
        data[name] = {"set": dict(headers.set), "remove": [*headers.remove]}
    options.output.show(data, _render_answer)


def export(
    context: typer.Context,
    rules: Rules,
    *,
    to: To,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Default: the working directory.")
    ] = Path(),
) -> None:
    """Write rules for a cloud's edge, and the commands that deploy them."""
    from leeward_deploy.edge.reading import read_rules
    from leeward_deploy.edge.rules import note_on_spelling

    options = options_of(context)
    found = read_rules(rules)
    made = _edge(to).export(found)
    store(out, made.files)
    data = {
        "to": to,
        "files": [str(out / name) for name in made.files],
        "notes": [*made.notes, *note_on_spelling(found)],
        "commands": [each._asdict() for each in made.commands],
    }
    options.output.show(data, render_files)


def package(
    context: typer.Context,
    function: Function,
    *,
    to: To,
    event: Event,
    name: Name = "edge",
    body: Body = False,
    given: Given = None,
    limits: Table = "",
    seconds: Seconds = 5,
    memory: Memory = 128,
    python: Python = "3.13",
    source: Source = Path(),
    out: Out = Path("build"),
    find_links: FindLinks = None,
    no_index: NoIndex = False,
    exclude: Exclude = None,
) -> None:
    """Package a function for the edge: its zip, its template, and the commands that deploy them.

    Its code is read, and not run. Everybody who may read the package can read values of --set.
    """
    from leeward_deploy.commands.edge_package import EdgeRequest, made
    from leeward_deploy.edge.exports import FunctionWish
    from leeward_deploy.uv import Source as Packages

    options = options_of(context)
    recipe_of = _edge(to).recipe
    if recipe_of is None:
        raise _no_python(to)
    wish = FunctionWish(
        name,
        _entry(function),
        event,
        body,
        limits,
        _settings(given or ()),
        python=python,
        seconds=seconds,
        megabytes=memory,
    )
    links = tuple(str(each.resolve()) for each in find_links or ())
    packages = Packages(links, no_index)
    with redirect_stdout(sys.stderr):
        data = made(EdgeRequest(wish, source, out, tuple(exclude or ()), packages), recipe_of)
    options.output.show({"to": to, "event": event, **data}, render_files)


def _entry(function: str) -> Entry:
    """Read MODULE:NAME."""
    from leeward_deploy.recipe import Entry

    module, _, attribute = function.partition(":")
    if not module.isidentifier() or not attribute.isidentifier():
        raise InvalidRequest(
            "FUNCTION must be MODULE:NAME, such as visits:handler", field="function"
        )
    return Entry(module, attribute)


def associate(
    context: typer.Context,
    configuration: Annotated[
        Path, typer.Argument(metavar="FILE", help="The configuration, as it was read.")
    ],
    *,
    to: To,
    function: Annotated[
        str, typer.Option(metavar="ARN", help="Of a numbered version of the function.")
    ],
    event: Event,
    body: Body = False,
    path: Annotated[
        str, typer.Option(metavar="PATTERN", help="Of requests. Default: all others.")
    ] = "",
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Default: the working directory.")
    ] = Path(),
) -> None:
    """Put a function into a configuration file, and show the command that writes it back."""
    from leeward_deploy.edge.exports import Trigger

    options = options_of(context)
    change = _edge(to).associate
    if change is None:
        raise _no_python(to)
    document = json_argument(f"@{configuration}", "file")
    if not isinstance(document, dict):
        raise InvalidRequest("FILE must hold a JSON object", field="file")
    made = change(document, Trigger(function, event, body, path))
    files = {made.name: made.text} if made.text else {}
    store(out, files)
    data = {
        "to": to,
        "changed": bool(files),
        "files": [str(out / name) for name in files],
        "notes": [*made.notes],
        "commands": [each._asdict() for each in made.commands],
    }
    options.output.show(data, render_files)


def _edge(to: str) -> Edge:
    from leeward.app.runtimes import runtime_of
    from leeward_deploy.edge.exports import GROUP

    found: Any = runtime_of(to, GROUP)
    return cast("Edge", found)


def _names() -> list[str]:
    from leeward.entrypoints import all_entry_points
    from leeward_deploy.edge.exports import GROUP

    return sorted({each.name for each in all_entry_points(GROUP)})


def _judged(name: str, rules: Sequence[Rule]) -> JsonObject:
    """Return whether an edge can take rules, and if not, why."""
    try:
        made = _edge(name).export(rules)
    except ConfigError as error:
        return {"edge": name, "ok": False, "why": str(error), "notes": []}
    return {"edge": name, "ok": True, "why": None, "notes": [*made.notes]}


def _no_python(to: str) -> Unsupported:
    return Unsupported(
        f"the edge of {to} runs no Python: it has {_edge(to).runs}; export rules, or let the "
        "origin do it"
    )


def _settings(given: Sequence[str]) -> dict[str, str]:
    found = texts_argument(given, "set")
    if not all(name.isidentifier() and not iskeyword(name) for name in found):
        raise InvalidRequest("--set must be NAME=VALUE, with a name of Python", field="set")
    return found


def _render_check(data: JsonObject, printers: Printers) -> None:
    rows = [(each["edge"], "yes" if each["ok"] else each["why"]) for each in data["edges"]]
    printers.out.table(("edge", f"takes {len(data['rules'])} rules"), rows, ("cyan",))
    for each in data["edges"]:
        for note in each["notes"]:
            printers.err.text(f"{each['edge']}: {note}")


def _render_answer(data: JsonObject, printers: Printers) -> None:
    pairs = [("rule", data["rule"] or "-")]
    if data["status"]:
        pairs.append(("status", str(data["status"])))
    if data["location"]:
        pairs.append(("location", data["location"]))
    if data["path"]:
        pairs.append(("origin", data["path"]))
    for name in ("request", "response"):
        for header, value in data[name]["set"].items():
            pairs.append((name, f"{header}: {value}"))
        for header in data[name]["remove"]:
            pairs.append((name, f"without {header}"))
    printers.out.pairs(pairs)

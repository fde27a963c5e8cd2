"""``leeward edge``: static rules for a cloud's edge. Nothing is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from leeward.cli.arguments import json_argument
from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.errors import ConfigError, InvalidRequest, Unsupported
from leeward_deploy.commands.package import render_files, store
from leeward_deploy.edge.exports import Edge, Trigger
from leeward_deploy.edge.rules import EdgeRule, Request, answer_of, note_on_spelling, read_rules
from leeward_deploy.infrastructure import module_files
from leeward_deploy.recipe import EDGES, offer_of, providers_with

Rules: TypeAlias = Annotated[Path, typer.Argument(metavar="RULES", help="A TOML file.")]

To: TypeAlias = Annotated[str, typer.Option(metavar="PROVIDER", help="As in CLOUD_PROVIDER.")]

Event: TypeAlias = Annotated[
    str, typer.Option(metavar="EVENT", help="When it is called, in the provider's words.")
]


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
    options = options_of(context)
    found = read_rules(rules)
    if path is None:
        edges = [_judge(name, found) for name in providers_with(EDGES)]
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


def export_rules(
    context: typer.Context,
    rules: Rules,
    *,
    to: To,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Default: the working directory.")
    ] = Path(),
) -> None:
    """Write rules for a cloud's edge, and the commands that deploy them."""
    options = options_of(context)
    found = read_rules(rules)
    made = _edge(to).export(found)
    files, notes = dict(made.files), [*made.notes, *note_on_spelling(found)]
    if made.module:
        place = f"modules/{made.module}"
        texts, told = module_files(made.module, out / place)
        files |= {f"{place}/{name}": text for name, text in texts.items()}
        notes += told
    store(out, files)
    data = {
        "to": to,
        "files": [str(out / name) for name in files],
        "notes": notes,
        "commands": [command._asdict() for command in made.commands],
    }
    options.output.show(data, render_files)


def associate(
    context: typer.Context,
    configuration: Annotated[
        Path, typer.Argument(metavar="FILE", help="The configuration, as it was read.")
    ],
    *,
    to: To,
    function: Annotated[str, typer.Option(metavar="ARN", help="Of the function.")],
    event: Event,
    path: Annotated[
        str, typer.Option(metavar="PATTERN", help="Of requests. Default: all others.")
    ] = "",
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Default: the working directory.")
    ] = Path(),
) -> None:
    """Put a function into a configuration that was read, and show how it is written back."""
    options = options_of(context)
    change = _edge(to).associate
    if change is None:
        raise Unsupported(f"the edge of {to} calls no function of yours; export rules")
    document = json_argument(f"@{configuration}", "file")
    if not isinstance(document, dict):
        raise InvalidRequest("FILE must hold a JSON object", field="file")
    made = change(document, Trigger(function, event, path))
    files = {made.name: made.text} if made.text else {}
    store(out, files)
    data = {
        "to": to,
        "changed": bool(files),
        "files": [str(out / name) for name in files],
        "notes": [*made.notes],
        "commands": [command._asdict() for command in made.commands],
    }
    options.output.show(data, render_files)


def _edge(to: str) -> Edge:
    found: Edge = offer_of(EDGES, to)
    return found


def _judge(name: str, rules: Sequence[EdgeRule]) -> JsonObject:
    """Return whether an edge can take rules, and if not, why."""
    try:
        made = _edge(name).export(rules)
    except ConfigError as error:
        return {"edge": name, "ok": False, "why": str(error), "notes": []}
    return {"edge": name, "ok": True, "why": None, "notes": [*made.notes]}


def _render_check(data: JsonObject, printers: Printers) -> None:
    rows = [(edge["edge"], "yes" if edge["ok"] else edge["why"]) for edge in data["edges"]]
    printers.out.table(("edge", f"takes {len(data['rules'])} rules"), rows, ("cyan",))
    for edge in data["edges"]:
        for note in edge["notes"]:
            printers.err.text(f"{edge['edge']}: {note}")


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

"""``leeward edge``: static rules for a cloud's edge. Nothing is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

from leeward.cli.arguments import argument, option
from leeward.errors import ConfigError, InvalidRequest
from leeward.views import Column, Json, Report, Table
from leeward.views.answers import show_labels
from leeward_deploy.commands.package import show_files, store
from leeward_deploy.edge.exports import EdgeExport
from leeward_deploy.edge.rules import EdgeRule, Request, answer_of, read_rules
from leeward_deploy.infrastructure import module_files
from leeward_deploy.recipe import EDGES, offer_of, providers_with

Rules: TypeAlias = Annotated[Path, argument("A TOML file.", "RULES")]

To: TypeAlias = Annotated[str, option("As in CLOUD_PROVIDER.", "PROVIDER")]


def check(
    rules: Rules,
    *,
    path: Annotated[str | None, option("Show what happens to this request.", "/PATH")] = None,
    country: Annotated[str, option("Of the client. Default: not known.", "XX")] = "",
) -> Report:
    """Check rules, and show which edges accept them; or what happens to one request."""
    edge_rules = read_rules(rules)
    if path is None:
        edges = [_judge(name, edge_rules) for name in providers_with(EDGES)]
        data = {"rules": [rule.name for rule in edge_rules], "edges": edges}
        columns = (
            Column("Edge", "edge", is_name=True),
            Column(f"Takes {len(edge_rules)} rules", _takes),
        )
        notes = [f"{edge['edge']}: {note}" for edge in edges for note in edge["notes"]]
        return Report(data, 0.0, [Table(columns, edges)], notes)
    if not path.startswith("/"):
        raise InvalidRequest("--path must begin with a slash", field="path")
    plain, _, query = path.partition("?")
    answer = answer_of(edge_rules, Request(plain, query, country))
    data = answer._asdict()
    for name in ("request", "response"):
        headers = getattr(answer, name)
        data[name] = {"set": dict(headers.set), "remove": [*headers.remove]}
    return _show_answer(data)


def export_rules(
    rules: Rules,
    *,
    to: To,
    out: Annotated[Path, option("Default: the working directory.", "FOLDER")] = Path(),
) -> Report:
    """Write rules for a cloud's edge, and the commands that deploy them."""
    edge_rules = read_rules(rules)
    export: EdgeExport = offer_of(EDGES, to).export(edge_rules)
    files, notes = dict(export.files), [*export.notes]
    if export.module:
        place = f"modules/{export.module}"
        texts, more = module_files(export.module, out / place)
        files |= {f"{place}/{name}": text for name, text in texts.items()}
        notes += more
    store(out, files)
    data = {
        "to": to,
        "files": [str(out / name) for name in files],
        "notes": notes,
        "commands": [command._asdict() for command in export.commands],
    }
    return show_files(data)


def _judge(name: str, rules: Sequence[EdgeRule]) -> Json:
    """Return whether an edge can take rules, and if not, why."""
    try:
        export = offer_of(EDGES, name).export(rules)
    except ConfigError as error:
        return {"edge": name, "ok": False, "why": str(error), "notes": []}
    return {"edge": name, "ok": True, "why": None, "notes": [*export.notes]}


def _takes(row: Json) -> str:
    return "yes" if row["ok"] else str(row["why"])


def _show_answer(data: Json) -> Report:
    labels = {"rule": data["rule"] or "-"}
    rows = {"status": "status", "location": "location", "origin": "path"}
    labels |= {label: str(data[name]) for label, name in rows.items() if data[name]}
    headers = [
        line
        for name in ("request", "response")
        for line in (
            *(f"{name}  {header}: {value}" for header, value in data[name]["set"].items()),
            *(f"{name}  without {header}" for header in data[name]["remove"]),
        )
    ]
    return Report(data, 0.0, [show_labels(labels), *headers])

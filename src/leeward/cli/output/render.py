"""Results and errors as a person reads them."""

from __future__ import annotations

from typing import Any

from leeward.cli import exact_json
from leeward.cli.output.console import Printer, Printers
from leeward.cli.output.exit_codes import BROKEN
from leeward.cli.output.json_view import JsonObject

ATTEMPTS = ("target", "after", "took", "outcome", "code", "request id")
STYLES = ("cyan", "dim", "dim", "", "dim", "dim")
"""Of the columns of the attempts."""

APART = frozenset(
    {"type", "message", "outcome", "attempts", "exit_code", "may_have_run", "field", "trace"}
)
"""What the panel of an error does not list among its details."""


def render_value(data: JsonObject, printers: Printers) -> None:
    """Show a function's answer, its target and its attempts."""
    _render_main("value", data, printers)


def render_item(data: JsonObject, printers: Printers) -> None:
    """Show an item and its record."""
    _render_main("item", data, printers)


def render_absence(data: JsonObject, printers: Printers) -> None:
    """Show that there is no such item."""
    printers.err.text(f"{data['table']!r} has no item with this key.")


def render_object(data: JsonObject, printers: Printers) -> None:
    """Show what is known of an object."""
    told = {name: value for name, value in data.items() if name not in ("found", "metadata")}
    pairs = _details(told) + [(f"metadata {name}", text) for name, text in data["metadata"].items()]
    printers.out.pairs(pairs)
    _render_attempts(data["attempts"], printers.err, least=2)


def render_no_object(data: JsonObject, printers: Printers) -> None:
    """Show that there is no such object."""
    printers.err.text(f"{data['bucket']!r} has no object {data['name']!r}.")


def render_objects(data: JsonObject, printers: Printers) -> None:
    """Show the objects of a bucket."""
    if not data["objects"]:
        printers.err.text("No objects.")
        return
    rows = [(each["name"], f"{each['size']:,}", each["revision"]) for each in data["objects"]]
    printers.out.table(("name", "bytes", "revision"), rows, ("cyan",))
    if data["more"]:
        printers.err.text("There are more; say --limit NUMBER, or a longer prefix.")


def render_receipt(data: JsonObject, printers: Printers) -> None:
    """Show a receipt."""
    printers.out.pairs(_details(data))
    _render_attempts(data["attempts"], printers.err, least=2)


def render_failure(data: JsonObject, err: Printer) -> None:
    """Show an error: what happened, whether the call may have run, what to do, the attempts."""
    code = data["exit_code"]
    with err.panel(f"{data['type']} (exit code {code})", "red"):
        err.text(data["message"])
        err.text("")
        # Whoever finds something wrong tells in the message itself what was done.
        ran = [] if code == BROKEN.code else [("may have run", _ran(data["may_have_run"]))]
        err.pairs([*ran, *_details(data)])
        for line in data.get("trace", ()):
            err.text(line, "dim")
        _render_attempts(data.get("attempts", ()), err, least=1)


def spoken(value: Any) -> str:
    """Return a value in words."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _render_main(main: str, data: JsonObject, printers: Printers) -> None:
    printers.out.json(exact_json.write(data[main], indent=2))
    rest = {name: value for name, value in data.items() if name not in (main, "found")}
    printers.err.text(", ".join(f"{name} {value}" for name, value in _details(rest)), "dim")
    _render_attempts(data["attempts"], printers.err, least=2)


def _render_attempts(attempts: Any, err: Printer, *, least: int) -> None:
    """Show attempts if there are at least `least`; empty columns are left out."""
    if len(attempts) < least:
        return
    rows = [_attempt(each) for each in attempts]
    told = [column for column, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    err.text("")
    err.table(
        [ATTEMPTS[column] for column in told],
        [[row[column] for column in told] for row in rows],
        [STYLES[column] for column in told],
    )


def _attempt(data: JsonObject) -> tuple[str, ...]:
    kind = "read back: " if data["read_back"] else ""
    return (
        data["target"],
        f"{data['started']:.3f} s",
        f"{data['duration']:.3f} s",
        f"{kind}{data['outcome']}",
        data["code"] or "",
        data["request_id"] or "",
    )


def _details(data: JsonObject) -> list[tuple[str, str]]:
    """Return labels and values as a person reads them; None and False are left out."""
    return [
        (name.replace("_", " "), spoken(value))
        for name, value in data.items()
        if name not in APART and value is not None and value is not False
    ]


def _ran(ran: bool | None) -> str:
    return "perhaps" if ran is None else spoken(ran)

"""``leeward unknown``: the calls that clients have left in the table that ``unknowns`` names."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward._operations.unknowns import UnknownCall
from leeward.cli.arguments import json_argument, seconds
from leeward.cli.commands.verbs import JSON
from leeward.cli.global_options import GlobalOptions, options_of
from leeward.cli.output.console import Printers, verdict_in_words
from leeward.cli.output.exit_codes import UNKNOWN
from leeward.cli.output.json_view import JsonObject, span
from leeward.cli.output.output import JsonOutput
from leeward.cli.unknown_calls import SECONDS, facts_of, pick_unknown, settle_unknown, table_of
from leeward.config import Config
from leeward.errors import ConfigError, InvalidRequest
from leeward.json_text import encode

HEADER = ("id", "age", "verb", "subject", "key", "targets", "reason", "payload")

STEP = 25
"""After how many calls it says to a person how far it is."""

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="As `leeward unknown list` has them.")
]


def list_(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """List the calls whose outcome nobody knew when they ended, the oldest first.

    Clients leave them in the table that `unknowns` of leeward.toml names. It reads the whole table.
    """
    options = options_of(context)
    config = _config(options)
    with options.client_of_data() as cloud:
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
        rows = pick_unknown(cloud, config, None)
    calls = [_json(unknown, now) for unknown in rows[:limit]]
    options.output.show({"unknown": calls, "more": len(rows) > limit}, _render)


def settle(
    context: typer.Context,
    ids: Ids = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Settle all of them.")] = False,
    payload: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help=f"Of the one call with ID, if its function reads its key there: {JSON}",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", parser=seconds, metavar="SECONDS", help="For each.")
    ] = SECONDS,
) -> None:
    """Find out what became of unknown calls, and remove the settled ones from the table.

    It asks as `leeward settle` does: nothing is run, and a call without a record has not run and
    never will. Exit code 8: some are still unknown, and stay in the table.
    """
    options = options_of(context)
    config, chosen = _config(options), _chosen(ids, all_)
    if payload is not None and (chosen is None or len(chosen) != 1):
        raise InvalidRequest("--payload is for one call: name its ID", field="payload")
    given = None if payload is None else encode(json_argument(payload, "payload"))
    settled: list[JsonObject] = []
    left: list[JsonObject] = []
    with options.client(config) as cloud:
        rows = pick_unknown(cloud, config, chosen)
        try:
            for number, unknown in enumerate(rows, 1):
                end = settle_unknown(cloud, config, unknown, given, timeout)
                (settled if "removed" in end else left).append(end)
                _tell_progress(options, number, len(rows), len(left))
        finally:  # whoever interrupts it is told what is no longer in the table
            options.output.show({"settled": settled, "left": left}, _render_settled)
    if left:
        raise typer.Exit(UNKNOWN.code)


def forget(
    context: typer.Context,
    ids: Ids = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Remove all of them.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --all: do it.")] = False,
) -> None:
    """Remove unknown calls from the table without settling them.

    Whatever became of them: nobody finds it here any more.
    """
    options = options_of(context)
    config, chosen = _config(options), _chosen(ids, all_)
    if chosen is None and not force:
        raise InvalidRequest("--all forgets every unknown call: say --force, too", field="force")
    with options.client_of_data() as cloud:
        rows = pick_unknown(cloud, config, chosen)
        for unknown in rows:
            cloud.delete_data(table_of(config), unknown.id)
    options.output.show({"forgotten": len(rows)}, _render_forgotten)


def _config(options: GlobalOptions) -> Config:
    config = options.resolve()
    if config.unknowns is None:
        raise ConfigError(
            "no table is configured in which clients leave unknown calls; name one in "
            f'{config.file or "leeward.toml"}: unknowns = "TABLE"'
        )
    return config


def _chosen(ids: list[str] | None, all_: bool) -> frozenset[str] | None:
    """Return the ids that are named; None for all."""
    if bool(ids) == all_:
        raise InvalidRequest("name the calls by ID, or say --all", field="id")
    return frozenset(ids) if ids else None


def _tell_progress(options: GlobalOptions, number: int, total: int, left: int) -> None:
    if number % STEP == 0 and number < total and not isinstance(options.output, JsonOutput):
        typer.echo(f"{number} of {total}, {left} still unknown", err=True)


def _json(unknown: UnknownCall, now: float) -> JsonObject:
    return {
        **facts_of(unknown),
        "age": round(max(0.0, now - unknown.time), 3),
        "sent": unknown.sent,
        "time": unknown.time,
        "voids": unknown.voids,
        "reason": unknown.reason,
        "error": unknown.error,
        "has_payload": unknown.has_payload,
    }


def _render(data: JsonObject, printers: Printers) -> None:
    if not data["unknown"]:
        printers.err.text("No unknown calls.")
        return
    printers.out.table(HEADER, [_row(call) for call in data["unknown"]], ("cyan",))
    if data["more"]:
        printers.err.text("There are more; say --limit NUMBER.")


def _row(call: JsonObject) -> tuple[str, ...]:
    return (
        call["id"],
        span(call["age"]),
        call["verb"],
        call["subject"],
        " ".join(call["key"]),
        ", ".join(call["targets"]),
        call["reason"] or call["error"],
        "yes" if call["has_payload"] else "no",
    )


def _render_settled(data: JsonObject, printers: Printers) -> None:
    rows = [
        (
            call["id"],
            f"{call['verb']} {call['subject']}",
            " ".join(call["key"]),
            call["error"] if "error" in call else verdict_in_words(call, call["subject"]),
        )
        for call in (*data["settled"], *data["left"])
    ]
    if rows:
        printers.out.table(("id", "call", "key", "what became of it"), rows, ("cyan",))
    printers.err.text(f"{len(data['settled'])} settled, {len(data['left'])} still unknown.")


def _render_forgotten(data: JsonObject, printers: Printers) -> None:
    printers.out.text(f"{data['forgotten']} forgotten.")

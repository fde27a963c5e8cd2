"""``leeward unknown``: the calls that clients have left in the table that ``unknowns`` names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from leeward._operations.unknowns import UnknownCall, UnknownKeeper, scan_rows
from leeward.cli.arguments import json_argument, seconds
from leeward.cli.commands.verbs import JSON
from leeward.cli.global_options import GlobalOptions, options_of
from leeward.cli.output.console import Printers, verdict_in_words
from leeward.cli.output.exit_codes import UNKNOWN
from leeward.cli.output.json_view import JsonObject, json_of_verdict, span
from leeward.cli.output.output import JsonOutput
from leeward.cli.unknown_calls import error_of_unknown, unknown_in
from leeward.client import Client
from leeward.config import Config
from leeward.errors import CallError, ConfigError, InvalidRequest, LeewardError, NotFound
from leeward.json_text import encode
from leeward.records import NamedTuple
from leeward.values.settled import Verdict

HEADER = ("id", "age", "verb", "subject", "key", "targets", "reason", "payload")

STEP = 25
"""After how many calls it says to a person how far it is."""

SECONDS = 10.0
"""To settle one call."""

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="As `leeward unknown list` has them.")
]


class Row(NamedTuple):
    """What stands in the table: an unknown call, None where another program has made the item."""

    unknown: UnknownCall | None
    item: dict[str, Any]


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
        rows = [row.unknown for row in _rows(cloud, config) if row.unknown is not None]
    rows.sort(key=lambda unknown: unknown.time)
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
        float,
        typer.Option("--timeout", parser=seconds, metavar="SECONDS", help="For each."),
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
        rows = _pick(cloud, config, chosen)
        try:
            for number, unknown in enumerate(rows, 1):
                end = _settle(cloud, config, unknown, given, timeout)
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
        rows = _pick(cloud, config, chosen)
        for unknown in rows:
            cloud.delete_data(_table(config), unknown.id)
    options.output.show({"forgotten": len(rows)}, _render_forgotten)


def _config(options: GlobalOptions) -> Config:
    config = options.resolve()
    if config.unknowns is None:
        raise ConfigError(
            "no table is configured in which clients leave unknown calls; name one in "
            f'{config.file or "leeward.toml"}: unknowns = "TABLE"'
        )
    return config


def _table(config: Config) -> str:
    assert config.unknowns is not None, "it was checked"
    return config.unknowns


def _chosen(ids: list[str] | None, all_: bool) -> frozenset[str] | None:
    """Return the ids that are named; None for all."""
    if bool(ids) == all_:
        raise InvalidRequest("name the calls by ID, or say --all", field="id")
    return frozenset(ids) if ids else None


def _rows(cloud: Client, config: Config) -> Iterator[Row]:
    operations, table = cloud._operations, _table(config)  # noqa: SLF001 - no client has a scan
    keeper = operations.unknowns
    assert isinstance(keeper, UnknownKeeper), "the table is configured"
    for stored in scan_rows(operations, table):
        yield Row(unknown_in(stored.item, keeper.field), stored.item)


def _pick(cloud: Client, config: Config, chosen: frozenset[str] | None) -> list[UnknownCall]:
    """Return the calls that are chosen, all if None; the oldest first.

    Raises:
        NotFound: one of them is not there.
    """
    rows = [
        row.unknown
        for row in _rows(cloud, config)
        if row.unknown is not None and (chosen is None or row.unknown.id in chosen)
    ]
    missing = sorted((chosen or frozenset()) - {unknown.id for unknown in rows})
    if missing:
        raise NotFound(f"no unknown call has the id {', '.join(missing)}; leeward unknown list")
    return sorted(rows, key=lambda unknown: unknown.time)


def _settle(
    cloud: Client, config: Config, unknown: UnknownCall, body: bytes | None, timeout: float
) -> JsonObject:
    """Settle one call. What is settled goes from the table: what it returns has ``removed`` then.

    A call whose function says that it still runs, or that nobody can tell, stays.

    Args:
        cloud: settles it.
        config: names the table.
        unknown: the call.
        body: its payload, if the table does not have it.
        timeout: seconds.
    """
    facts = _facts(unknown)
    known = [target for target in unknown.targets if target in cloud._operations.drivers]  # noqa: SLF001
    if unknown.targets and not known:
        return {**facts, "error": "none of its targets is in the order"}
    error = error_of_unknown(unknown._replace(targets=tuple(known), body=body or unknown.body))
    if error is None:
        return {**facts, "error": "what was sent is not in the table"}
    try:
        settled = cloud.settle(error, timeout=timeout)
    except LeewardError as problem:
        is_keyless = isinstance(problem, CallError) and problem.reason == "key_missing"
        hint = f"; say leeward unknown settle {unknown.id} --payload JSON" if is_keyless else ""
        return {**facts, "error": f"{type(problem).__name__}: {problem}{hint}"}
    told = json_of_verdict(settled)
    del told["result"]  # may be secret; `leeward settle` shows it
    if settled.verdict in (Verdict.RUNNING, Verdict.UNKNOWN):
        return {**facts, **told}
    try:
        cloud.delete_data(_table(config), unknown.id)
    except LeewardError:
        return {**facts, **told, "removed": False}  # it is settled, and can be settled again
    return {**facts, **told, "removed": True}


def _tell_progress(options: GlobalOptions, number: int, total: int, left: int) -> None:
    if number % STEP == 0 and number < total and not isinstance(options.output, JsonOutput):
        typer.echo(f"{number} of {total}, {left} still unknown", err=True)


def _facts(unknown: UnknownCall) -> JsonObject:
    return {
        "id": unknown.id,
        "verb": unknown.verb,
        "subject": unknown.subject,
        "key": list(unknown.key),
        "targets": list(unknown.targets),
    }


def _json(unknown: UnknownCall, now: float) -> JsonObject:
    return {
        **_facts(unknown),
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

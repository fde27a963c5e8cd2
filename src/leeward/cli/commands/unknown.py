"""``leeward unknown``: the calls that clients have left in the table that ``unknowns`` names."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli.arguments import argument, flag, json_argument, option, seconds
from leeward.cli.commands.verbs import JSON
from leeward.cli.global_options import GlobalOptions, options_of
from leeward.cli.output.exit_codes import UNKNOWN
from leeward.cli.unknown_calls import SECONDS, pick_unknown, settle_unknown, table_of
from leeward.config import Config
from leeward.errors import ConfigError, InvalidRequest
from leeward.json_text import encode
from leeward.views import Json, Report
from leeward.views.calls import list_unknown, row_of_unknown, show_settlement

STEP = 25  # after how many calls it says to a person how far it is

Ids = Annotated[list[str] | None, argument("As `leeward unknown list` has them.", "ID")]


def list_(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> Report:
    """List the calls whose outcome nobody knew when they ended, the oldest first.

    Clients leave them in the table that `unknowns` of leeward.toml names. It reads the whole table.
    """
    options = options_of(context)
    config = _config(options)
    with options.client_of_data() as cloud:
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
        rows = pick_unknown(cloud, config, None)
    calls = [row_of_unknown(unknown, now) for unknown in rows[:limit]]
    return list_unknown(calls, now, is_more=len(rows) > limit)


def settle(
    context: typer.Context,
    ids: Ids = None,
    *,
    all_: Annotated[bool, flag("--all", "Settle all of them.")] = False,
    payload: Annotated[
        str | None,
        option(f"Of the one call with ID, if its function reads its key there: {JSON}", "JSON"),
    ] = None,
    timeout: Annotated[
        float, option("For each.", "SECONDS", "--timeout", parser=seconds)
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
    settled: list[Json] = []
    left: list[Json] = []
    with options.client(config) as cloud:
        rows = pick_unknown(cloud, config, chosen)
        try:
            for number, unknown in enumerate(rows, 1):
                end = settle_unknown(cloud, config, unknown, given, timeout)
                (settled if "removed" in end else left).append(end)
                _tell_progress(options, number, len(rows), len(left))
        finally:  # whoever interrupts it is told what is no longer in the table
            options.output.report(show_settlement(settled, left))
    if left:
        raise typer.Exit(UNKNOWN.code)


def forget(
    context: typer.Context,
    ids: Ids = None,
    *,
    all_: Annotated[bool, flag("--all", "Remove all of them.")] = False,
    force: Annotated[bool, flag("--force", "With --all: do it.")] = False,
) -> Report:
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
    return Report({"forgotten": len(rows)}, parts=[f"{len(rows)} forgotten."])


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
    if number % STEP == 0 and number < total and not options.output.is_for_programs:
        typer.echo(f"{number} of {total}, {left} still unknown", err=True)

"""``leeward isolate`` and ``restore``: one word to every process that shares a table."""

from __future__ import annotations

import os
import time
from math import inf
from typing import Annotated

import typer

from leeward._routing.fleet import write_copies
from leeward.cli.arguments import name_of_person
from leeward.cli.global_options import options_of, without_handlers
from leeward.cli.output.console import Printers
from leeward.cli.output.exit_codes import LATER
from leeward.cli.output.json_view import JsonObject, moment
from leeward.config import Config, TableConfig
from leeward.errors import ConfigError, InvalidRequest
from leeward.opening import open_order
from leeward.values import Isolation
from leeward.workflow.retry import seconds_of

Target = Annotated[str, typer.Argument(metavar="TARGET", help="Its name in the order.")]
Everywhere = Annotated[
    bool,
    typer.Option("--everywhere", help="Needed: this concerns every process with this snapshot."),
]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Default: who is logged in.")]


def isolate(
    context: typer.Context,
    target: Target,
    *,
    everywhere: Everywhere = False,
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason, for people who look later.")
    ],
    lasting: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Such as 30m or 4h; `ever` has no end.")
    ] = "4h",
    by: By = None,
) -> None:
    """Send no call of any process to a target, until the time is over or it is restored.

    Processes that have the same `snapshot` table see it within 15 seconds. leeward.toml names the
    table; each target keeps a copy, and one copy is enough.
    """
    length = inf if lasting == "ever" else float(seconds_of(lasting, "--for"))
    now = time.time()
    word = Isolation(target, name_of_person(by), why, now, now + length)
    _say(context, word, everywhere=everywhere)


def restore(
    context: typer.Context,
    target: Target,
    *,
    everywhere: Everywhere = False,
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason, for people who look later.")
    ] = "",
    by: By = None,
) -> None:
    """End an isolation: the target gets a share of the calls first, then all."""
    now = time.time()
    word = Isolation(target, name_of_person(by), why, now, now, over=True)
    _say(context, word, everywhere=everywhere)


def _say(context: typer.Context, word: Isolation, *, everywhere: bool) -> None:
    options = options_of(context)
    config = options.resolve()
    table, key = snapshot_table(config)
    if not everywhere:
        raise InvalidRequest(
            "this concerns every process, and not this one alone; say --everywhere. A program "
            "isolates a target for itself by client.isolate(target)",
            field="everywhere",
        )
    known = [str(each) for each in config.order]
    if word.target not in known:
        raise InvalidRequest(
            f"no target {word.target!r} in the order; it has {', '.join(known)}", field="target"
        )
    drivers = {each.target: each for each in open_order(without_handlers(config), os.environ)}
    try:
        flaws = write_copies(drivers, table, key, word)
    finally:
        for driver in drivers.values():
            driver.close()
    copies = {name: None if flaw is None else type(flaw).__name__ for name, flaw in flaws.items()}
    data: JsonObject = {
        "target": word.target,
        "isolated": not word.over,
        "by": word.by,
        "until": None if word.over or word.until == inf else word.until,
        "copies": copies,
    }
    options.output.show(data, _render)
    if all(copies.values()):
        raise typer.Exit(LATER.code)


def snapshot_table(config: Config) -> tuple[str, str]:
    """Return the table that processes share, and the field of its key.

    Raises:
        ConfigError: none is configured.
    """
    if config.snapshot is None:
        raise ConfigError(
            'processes share no table; name one in leeward.toml: snapshot = "leeward-health"'
        )
    known = config.tables.get(config.snapshot) or TableConfig()
    return config.snapshot, known.key[0]


def _render(data: JsonObject, printers: Printers) -> None:
    done = [name for name, flaw in data["copies"].items() if flaw is None]
    if not done:
        printers.err.text(f"Nothing was said: no copy could be written ({_flaws(data)}).", "red")
        return
    word = "is isolated" if data["isolated"] else "is restored"
    end = f" until {moment(data['until'])}" if data["until"] else ""
    printers.out.text(f"{data['target']} {word}{end}, everywhere within 15 seconds.")
    if len(done) < len(data["copies"]):
        printers.err.text(f"These copies could not be written: {_flaws(data)}.")


def _flaws(data: JsonObject) -> str:
    return ", ".join(f"{name}: {flaw}" for name, flaw in data["copies"].items() if flaw)

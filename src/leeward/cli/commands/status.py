"""``leeward status``: how everything is now, one sentence each, what is wrong first."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.adapter import Driver
from leeward.cli.arguments import seconds
from leeward.cli.global_options import (
    GlobalOptions,
    modules_beside,
    named_app,
    options_of,
    without_handlers,
)
from leeward.cli.output.console import Printers
from leeward.cli.output.exit_codes import BROKEN
from leeward.cli.output.json_view import JsonObject
from leeward.config import Config
from leeward.errors import ConfigError, LeewardError
from leeward.opening import open_order
from leeward.status import (
    SECONDS,
    Fact,
    Level,
    Sources,
    Subject,
    read_status,
    sort_facts,
    unknown_fact,
)

if TYPE_CHECKING:
    from leeward.app.app import App

_STYLES = {"wrong": "red", "unknown": "yellow", "note": "", "ok": "green"}


def status(
    context: typer.Context,
    *,
    timeout: Annotated[
        float,
        typer.Option("--timeout", parser=seconds, metavar="SECONDS", help="For each target."),
    ] = SECONDS,
) -> None:
    """Show how everything is: targets, queues, schedules, workflow runs and unknown calls.

    What is wrong comes first. All targets are asked at the same time, and nothing is changed. The
    app is imported, for its schedules; no handler runs. Circuits are each process's own: those of
    others are known as far as they share a `snapshot` table. Exit code 9: a person has to act.
    """
    options = options_of(context)
    config = options.resolve()
    found: list[Fact] = []
    drivers: dict[str, Driver] = {}
    try:
        for target in config.order:
            alone = without_handlers(config)._replace(order=(target,))
            try:
                drivers[str(target)] = open_order(alone, options.environment())[0]
            except LeewardError as error:
                about = Subject.TARGET, str(target), ""
                remedy = "correct it; nothing goes there until then"
                found.append(Fact(*about, Level.WRONG, f"cannot be opened: {error}", remedy))
        app = _app(options, config, found)
        found += read_status(Sources(config, drivers, app=app), time.time, timeout)
    finally:
        for driver in drivers.values():
            driver.close()
    facts = sort_facts(found)
    wrong = sum(fact.level is Level.WRONG for fact in facts)
    shown = [_json(fact) for fact in facts]
    options.output.show({"ok": not wrong, "wrong": wrong, "facts": shown}, _render)
    if wrong:
        raise typer.Exit(BROKEN.code)


def _app(options: GlobalOptions, config: Config, found: list[Fact]) -> App | None:
    """Return the app that leeward.toml names, if it names one; add a fact if it cannot be imported.

    A failure of the app hides nothing else.
    """
    try:
        named = named_app(None, config, options.environment(), "status")
    except ConfigError:  # there is none
        return None
    try:
        with redirect_stdout(sys.stderr), modules_beside(config):
            return named.load()
    except ConfigError as error:
        found.append(unknown_fact(Subject.SCHEDULE, "order", "", str(error)))
        return None


def _json(fact: Fact) -> JsonObject:
    return fact._asdict() | {
        "kind": fact.kind.value,
        "level": fact.level.value,
        "values": dict(fact.values),
    }


def _render(data: JsonObject, printers: Printers) -> None:
    for fact in data["facts"]:
        label = fact["level"].upper() if fact["level"] == "wrong" else fact["level"]
        remedy = f". To do: {fact['remedy']}" if fact["remedy"] else ""
        line = f"{label:8} {_subject(fact)}: {fact['sentence']}{remedy}"
        printers.out.text(line, _STYLES[fact["level"]])
    wrong = data["wrong"]
    printers.out.text("")
    if wrong:
        needs = "things need" if wrong > 1 else "thing needs"
        printers.out.text(f"{wrong} {needs} a person.", "red")
    else:
        printers.out.text("Nothing needs a person.", "green")


def _subject(fact: JsonObject) -> str:
    kind, name = fact["kind"], fact["name"]
    place = "" if fact["target"] == "order" else f"{fact['target']}"
    if kind == "target":
        return place or "targets"
    words = {
        "queue": "queue",
        "schedule": "schedule",
        "runs": "runs of",
        "unknown": "unknown calls",
    }
    what = f"{words[kind]} {name}".strip() if kind != "runs" or name else "runs"
    return f"{place}, {what}" if place else what

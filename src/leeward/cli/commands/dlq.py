"""``leeward dlq``: what was given up, and moving it back."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer

from leeward.adapter import Driver
from leeward.cli.dlq.letters import Found, letters_of
from leeward.cli.dlq.redrive import Moved, Wish, redrive
from leeward.cli.global_options import GlobalOptions, options_of, without_handlers
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward.cli.output.output import JsonOutput
from leeward.errors import InvalidRequest
from leeward.opening import open_order

HEADER = ("target", "id", "queue", "handler", "tries", "ran", "error")


LONGEST = 60
"""Characters of an error in the table; ``--json`` has all of it."""


class Action(StrEnum):
    """What is done."""

    LIST = "list"
    SHOW = "show"
    REDRIVE = "redrive"


def dlq(
    context: typer.Context,
    action: Annotated[Action, typer.Argument(help="list, show or redrive.")],
    queue: Annotated[
        str | None,
        typer.Argument(
            help="The dead-letter queue, by the cloud's own name; of a topic its subscription. "
            "None for embedded targets."
        ),
    ] = None,
    *,
    id: Annotated[
        list[str] | None, typer.Option(help="Only the letter with this id; may be repeated.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="Where they go back to. Default: the queue that each letter names."),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Letters a second, at most.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Move nothing; tell what would be moved.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Move also what may have run, without asking.")
    ] = False,
    keep: Annotated[
        float, typer.Option(help="Seconds for which the function remembers a key.")
    ] = 86_400.0,
) -> None:
    """List, show or move back what was given up.

    An embedded target keeps its dead letters itself; those of a cloud lie in a queue. What is
    proved not to have run is moved without a question.
    """
    options = options_of(context)
    if rate is not None and not 0 < rate < float("inf"):
        raise InvalidRequest("--rate must be a positive number of letters a second", field="rate")
    wish = Wish(frozenset(id or ()), force, dry_run, rate, keep)
    with _opened(options, queue) as drivers:
        if action is Action.REDRIVE:
            shown = _redriven(options, drivers, queue, to, wish)
            options.output.show(shown, _render_moved)
            return
        found = [
            _json(driver.target, each, body=action is Action.SHOW)
            for driver in drivers
            for each in letters_of(driver, queue, to).each()
            if not wish.ids or each.id in wish.ids
        ]
    render = _render_bodies if action is Action.SHOW else _render
    options.output.show({"dead_letters": found}, render)


@contextmanager
def _opened(options: GlobalOptions, queue: str | None) -> Iterator[list[Driver]]:
    """Open the targets with dead letters: the embedded ones, or the one with the queue.

    Names of functions are left as they are: a dead-letter queue is named by the cloud's own name.

    Raises:
        InvalidRequest: it is not clear which target is meant.
    """
    config = without_handlers(options.resolved())
    wanted = [each for each in config.order if (each.provider == "local") is (queue is None)]
    told = ", ".join(map(str, config.order))
    if not wanted:
        raise InvalidRequest(
            f"{told}: an embedded target keeps its dead letters itself; leave {queue!r} out"
            if queue
            else f"{told}: dead letters of a cloud are in a queue; name it: leeward dlq list QUEUE",
            field="queue",
        )
    if queue is not None and len(wanted) > 1:
        raise InvalidRequest(f"{told}: say whose queue it is with --targets", field="queue")
    alone = config._replace(order=tuple(wanted), functions={}, buses={}, tables={})
    drivers = open_order(alone, os.environ)
    try:
        yield drivers
    finally:
        for driver in drivers:
            driver.close()


def _redriven(
    options: GlobalOptions, drivers: list[Driver], queue: str | None, to: str | None, wish: Wish
) -> JsonObject:
    for_program = isinstance(options.output, JsonOutput)
    asks = not for_program and sys.stdin is not None and sys.stdin.isatty() and not wish.dry_run
    said = 0

    def agree(found: Found) -> bool:
        return asks and typer.confirm(f"{_sentence(found)} Move it?", err=True)

    def progress(done: Moved) -> None:
        nonlocal said
        if not for_program and done.moved >= said + 100:
            said = done.moved
            typer.echo(f"moved {done.moved}, left {len(done.left)}", err=True)

    total = Moved()
    for driver in drivers:
        said = 0
        letters = letters_of(driver, queue, to)
        done = redrive(letters, wish, time.time(), agree=agree, sleep=time.sleep, progress=progress)
        total = Moved(total.moved + done.moved, total.left + done.left, total.old + done.old)
    return {
        "moved": total.moved,
        "left": list(total.left),
        "old": list(total.old),
        "dry_run": wish.dry_run,
    }


def _sentence(found: Found) -> str:
    tries = f"{found.attempts} tries" if found.attempts else "tries not counted"
    ran = "it has run" if found.ran == "yes" else "it may have run"
    return f"{found.id} of {found.queue or '?'}: {found.error or 'no reason told'}, {tries}; {ran}."


def _json(target: str, found: Found, *, body: bool) -> JsonObject:
    told: dict[str, Any] = found._asdict() | {"target": target}
    del told["held"]
    text = told.pop("body").decode(errors="replace")
    return told | {"body": text} if body else told


def _render(data: JsonObject, printers: Printers) -> None:
    letters = data["dead_letters"]
    if not letters:
        printers.err.text("No dead letters.")
        return
    printers.out.table(HEADER, [_row(letter) for letter in letters], ("cyan",))


def _row(letter: JsonObject) -> tuple[str, ...]:
    about = letter["message"] or letter["reason"]
    told = ": ".join(filter(None, (letter["error"], about))).partition("\n")[0] or "-"
    return (
        letter["target"],
        letter["id"],
        letter["queue"] or "-",
        letter["handler"] or "-",
        "-" if letter["attempts"] is None else str(letter["attempts"]),
        letter["ran"],
        told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}...",
    )


def _render_bodies(data: JsonObject, printers: Printers) -> None:
    _render(data, printers)
    for letter in data["dead_letters"]:
        printers.out.text("")
        printers.out.text(letter["id"], "bold")
        printers.out.lines(letter["body"])


def _render_moved(data: JsonObject, printers: Printers) -> None:
    would = "would be " if data["dry_run"] else ""
    printers.out.text(f"{data['moved']} {would}moved, {len(data['left'])} left.")
    if data["left"]:
        printers.err.text("What is left may have run; --force moves it, too.")
    if data["old"]:
        printers.err.text(
            f"{len(data['old'])} are older than the function remembers keys: what has run of them "
            "runs twice. --keep says how long that is."
        )

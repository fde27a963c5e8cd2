"""``leeward dlq``: dead letters, and moving them back."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from operator import add
from typing import Annotated, Final, Literal, TypeAlias

import typer

from leeward.adapter import Driver
from leeward.cli.arguments import argument, flag, option
from leeward.cli.dead_letters import (
    Letters,
    MoveOptions,
    delete_letters,
    keeps_letters,
    letters_of,
    redrive,
)
from leeward.cli.global_options import GlobalOptions, open_all, options_of, without_handlers
from leeward.cli.output.console import escape_text
from leeward.config import Config
from leeward.errors import InvalidRequest, NotFound
from leeward.views import Json, Report
from leeward.views.letters import (
    FoundLetter,
    Moved,
    list_letters,
    question_of,
    report_moves,
    row_of,
    show_letters,
)

Verb: TypeAlias = Literal["list", "show", "redrive", "delete"]

LIMITS: Final = {"list": 1000, "show": 50}
"""Letters of a target that are shown, unless ``--limit`` says how many: a body may have 256 KB."""


def dlq(
    context: typer.Context,
    action: Annotated[Verb, argument("list, show, redrive or delete.")],
    queue: Annotated[
        str | None,
        argument(
            "The dead-letter queue, by the cloud's own name; a topic's subscription. "
            "None for embedded targets and databases."
        ),
    ] = None,
    *,
    id: Annotated[
        list[str] | None, option("Only the letter with this id; may be repeated.", "ID")
    ] = None,
    to: Annotated[
        str | None,
        option(
            "Where they go back to: a queue, or a handler at a target that keeps dead letters "
            "itself. Default: where a letter was, if [dead_letters] of leeward.toml has the queue, "
            "or a version of the app the handler.",
            "QUEUE",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="NUMBER",
            help="Show at most so many of each target. Default: 1000, and 50 with their bodies.",
            show_default=False,
        ),
    ] = None,
    after: Annotated[
        str | None, option("Go on behind this letter, where a target keeps them.", "ID")
    ] = None,
    rate: Annotated[float | None, option("Letters a second, at most.", "NUMBER")] = None,
    dry_run: Annotated[
        bool, flag("--dry-run", "Change nothing; show what would be moved or deleted.")
    ] = False,
    force: Annotated[bool, flag("--force", "Move, or delete, without asking.")] = False,
    keep: Annotated[float, option("For which the function remembers a key.", "SECONDS")] = 86_400.0,
) -> Report:
    """List, show, move back or delete dead letters.

    An embedded target and a database keep their dead letters themselves; on a cloud they are in a
    queue. A letter that is proved not to have run is moved without a question.
    """
    options = options_of(context)
    if rate is not None and not 0 < rate < float("inf"):
        raise InvalidRequest("--rate must be a positive number of letters a second", field="rate")
    wish = MoveOptions(frozenset(id or ()), force, dry_run, rate, keep)
    if action not in LIMITS and not (limit is None and after is None):
        raise InvalidRequest("--limit and --after are for list and show", field="limit")
    if action == "delete" and not wish.ids:
        raise InvalidRequest("say with --id which dead letters are deleted", field="id")
    config = options.resolve()
    sources = config.dead_letters.get(queue or "", ())
    with _open_targets(config, queue) as drivers:
        if action == "redrive" and queue is not None and to is None and not sources:
            raise InvalidRequest(
                "say with --to where the letters go back to, or name it in leeward.toml: "
                f'[dead_letters] {queue!r} = "QUEUE"; leeward does not believe what a letter says',
                field="to",
            )
        places = [(driver.target, letters_of(driver, queue, to, sources)) for driver in drivers]
        if action not in LIMITS:
            report = _change(options, places, wish, delete=action == "delete")
        else:
            if after is not None and len(places) > 1:
                raise InvalidRequest("say with --targets whose letter --after names", field="after")
            limit = limit or (max(LIMITS[action], len(wish.ids)))
            rows, more = _read(places, wish.ids, after, limit, bodies=action == "show")
            show = show_letters if action == "show" else list_letters
            report = show(rows, more, time.time(), queue)
    missing = sorted(wish.ids.difference(*(place.ids for _, place in places)))
    if missing:
        options.output.report(report)
        raise NotFound(f"no dead letter here has the id {', '.join(missing)}; leeward dlq list")
    return report


@contextmanager
def _open_targets(config: Config, queue: str | None) -> Iterator[list[Driver]]:
    """Open the targets that keep dead letters themselves, or the one with the queue.

    Names of functions are left as they are: a dead-letter queue is named by the cloud's own name.
    """
    config = without_handlers(config)
    targets = ", ".join(map(str, config.order))
    alone = config._replace(functions={}, buses={}, tables={})
    with open_all(alone, os.environ) as drivers:
        wanted = [driver for driver in drivers if keeps_letters(driver) is (queue is None)]
        if not wanted:
            raise InvalidRequest(
                f"{targets} keeps its dead letters itself, in no queue: leave {queue!r} out, and "
                "name a letter with --id"
                if queue
                else f"{targets}: dead letters of a cloud are in a queue; name it: "
                "leeward dlq list QUEUE",
                field="queue",
            )
        if queue is not None and len(wanted) > 1:
            raise InvalidRequest(f"{targets}: say whose queue it is with --targets", field="queue")
        yield wanted


def _read(
    places: Sequence[tuple[str, Letters]],
    ids: frozenset[str],
    after: str | None,
    limit: int,
    *,
    bodies: bool,
) -> tuple[list[Json], dict[str, str | None]]:
    """Return letters of each target, and the last one shown of those with more.

    A queue of a cloud has none to go on from.
    """
    letters: list[Json] = []
    more: dict[str, str | None] = {}
    for target, place in places:
        shown = 0
        with closing(place.each(after)) as walk:
            for letter in walk:
                if ids and letter.id not in ids:
                    continue
                if shown == limit:
                    more[target] = letters[-1]["id"] if place.is_in_order else None
                    break
                body = place.read(letter) if bodies else None
                if bodies and body is None:
                    continue  # somebody else has taken it meanwhile
                letters.append(row_of(target, letter, body))
                shown += 1
    return letters, more


def _change(
    options: GlobalOptions,
    places: Sequence[tuple[str, Letters]],
    wish: MoveOptions,
    *,
    delete: bool,
) -> Report:
    """Move letters back, or delete them, and return what was done."""
    for_program = options.output.is_for_programs
    asks = not for_program and sys.stdin is not None and sys.stdin.isatty() and not wish.dry_run
    said = 0
    verb = "deleted" if delete else "moved"

    def agree(letter: FoundLetter) -> bool:
        question = question_of(letter, "Delete" if delete else "Move")
        return asks and typer.confirm(escape_text(question), err=True)

    def progress(done: Moved) -> None:
        nonlocal said
        if not for_program and done.moved >= said + 100:
            said = done.moved
            typer.echo(f"{verb} {done.moved}, left {len(done.left)}", err=True)

    total = Moved()
    for _, letters in places:
        said = 0
        done = (
            delete_letters(letters, wish, agree=agree)
            if delete
            else redrive(
                letters, wish, time.time(), agree=agree, sleep=time.sleep, progress=progress
            )
        )
        total = Moved(*map(add, total, done))
    return report_moves(total, verb, is_dry=wish.dry_run)

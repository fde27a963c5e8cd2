"""Dead letters: what was given up, why, whether it ran; and what became of moving it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.views import (
    Action,
    Block,
    Column,
    Details,
    Format,
    Json,
    Link,
    Part,
    Report,
    Table,
    count,
    in_words,
)


@show_only("id queue handler error reason ran attempts time")
class FoundLetter(NamedTuple):
    """A dead letter, wherever it lies.

    Attributes:
        queue: the logical name of the queue, or the bus, that it was in; None for an unknown one.
            In a queue of a cloud this and what follows is the word of whoever may write there.
        handler: who has failed; None where nobody has told.
        ran: ``no``, ``maybe`` or ``yes``; ``maybe`` where nobody has told.
        time: Unix seconds at which it was given up, by the queue's own clock; None where that is
            not known.
        message: text of what was raised, which an embedded target keeps; else None.
    """

    id: str
    queue: str | None
    handler: str | None
    error: str | None
    reason: str | None
    ran: str
    attempts: int | None
    time: float | None
    message: str | None
    held: Any


class Moved(NamedTuple):
    """What was moved, or deleted, or would be.

    Attributes:
        left: ids of those that may have run, and that nobody has agreed to.
        old: ids of those that are older than the function's memory of keys: a repeat of what has
            run is not recognised.
    """

    moved: int = 0
    left: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    why: tuple[str, ...] = ()


def _why(row: Json) -> str:
    return ": ".join(filter(None, (row["error"], row["message"] or row["reason"])))


_COLUMNS: Final = (
    Column("Target", "target"),
    Column("Id", "id", is_name=True),
    Column("Given up", "time", Format.AGO),
    Column("Queue", "queue"),
    Column("Handler", "handler"),
    Column("Tries", "attempts", Format.COUNT),
    Column("Ran", "ran", Format.STATE),
    Column("Error", _why, Format.LINE),
)

_DETAILS: Final = (
    *_COLUMNS[:3],
    Column("At", "time", Format.MOMENT),
    *_COLUMNS[3:-1],
    Column("Error", "error"),
    Column("Text", "message", is_rare=True),
    Column("Reason", "reason", is_rare=True),
)


def row_of(target: str, letter: FoundLetter, body: bytes | None = None) -> Json:
    """Return a letter as a row; with its body if that was read."""
    row: Json = letter._asdict() | {"target": target}
    del row["held"]
    return row if body is None else row | {"body": body.decode(errors="replace")}


def list_letters(
    rows: list[Json], more: Mapping[str, str | None], now: float, queue: str | None = None
) -> Report:
    """Return letters; `more` has the last id at each target with more, None at a queue."""

    def page(row: Json) -> Link:
        return "letters", {"target": row["target"], "queue": queue, "id": row["id"]}

    notes = [
        f"{target} has more: "
        + ("--limit says how many are shown" if last is None else f"--after {last}")
        for target, last in more.items()
    ]
    listed = Table(
        *(_COLUMNS, rows, "The oldest first", "No dead letters.", page),
        lambda row: _actions(row, queue)[:1],
    )
    return Report({"dead_letters": rows, "next": {**more}}, now, [listed], notes)


def show_letters(
    rows: list[Json], more: Mapping[str, str | None], now: float, queue: str | None = None
) -> Report:
    """Return all that is known of letters, with their bodies; arguments as above."""
    parts: list[Part] = []
    for row in rows:
        parts.append(Details(_DETAILS, row))
        if "body" in row:
            parts.append(Block("Payload", row["body"]))
    listed = list_letters(rows, more, now, queue)
    actions = _actions(rows[0], queue) if len(rows) == 1 else ()
    return listed._replace(parts=parts or listed.parts, actions=actions)


def _actions(row: Json, queue: str | None) -> tuple[Action, ...]:
    id = row["id"]
    which = " ".join(filter(None, (queue, f"--id {id} --targets {row['target']}")))
    common = id, f"letter {id}"
    return (
        Action("Redrive", f"leeward dlq redrive {which}", "redrive", *common),
        Action("Delete", f"leeward dlq delete {which}", "delete", *common, is_danger=True),
    )


def report_moves(done: Moved, verb: str, *, is_dry: bool = False) -> Report:
    """Return what was ``moved`` or ``deleted``, or would be."""
    would = "would be " if is_dry else ""
    verb_ = {"moved": "moved back"}.get(verb, verb)
    data: Json = {verb: done.moved, "dry_run": is_dry}
    data |= {name: [*value] for name, value in done._asdict().items() if name != "moved"}
    notes = explain_rest(done)
    if done.left:
        hint = "deletes without asking" if verb == "deleted" else "moves what may have run"
        notes.insert(0, f"{count(len(done.left), 'letter')} left; --force {hint}.")
    return Report(data, 0.0, [f"{count(done.moved, 'letter')} {would}{verb_}."], notes)


def explain_rest(done: Moved) -> list[str]:
    """Return why letters were left where they are, and what to know of those that were moved."""
    sentences = [f"{count(n, 'letter')} {why}" for why, n in Counter(done.why).items()]
    old = f"{len(done.old)} are older than the function remembers keys (--keep): what has run"
    return [*sentences, f"{old} runs twice."] if done.old else sentences


def question_of(letter: FoundLetter, verb: str) -> str:
    """Return what is asked before a letter is moved or deleted."""
    tries = f"{letter.attempts} tries" if letter.attempts else "tries not counted"
    ran = "it has run" if letter.ran == "yes" else "it may have run"
    about = f"{letter.error or 'no reason told'}, {tries}; {ran}"
    return f"{letter.id} of {in_words(letter.queue, Format.TEXT, 0)}: {about}. {verb} it?"

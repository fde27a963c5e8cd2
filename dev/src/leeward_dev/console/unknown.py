"""Calls whose outcome nobody knew when they ended: settled by a click, which runs nothing."""

from __future__ import annotations

from typing import Final

from leeward._operations.unknowns import UnknownCall
from leeward.cli.output.console import verdict_in_words
from leeward.cli.unknown_calls import pick_unknown, settle_unknown, table_of
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import (
    ROWS,
    UNSURE,
    Notice,
    Page,
    Visit,
    address,
    ago,
    button,
    confirmation,
    form,
    table,
    word,
)

HEADER: Final = ("Call", "Key", "Ended", "Targets", "Why")


def show(visit: Visit) -> Page:
    """Return the calls in the table that `unknowns` of leeward.toml names, the oldest first."""
    named = table_of(visit.sources.config)
    known = pick_unknown(visit.sources.client, visit.sources.config, None)
    header = (*HEADER, "Action") if visit.sources.can_write else HEADER
    rows = [_row(visit, unknown) for unknown in known[:ROWS]]
    listed = table(f"Unknown calls in {named}", header, rows, empty="No unknown calls.")
    more = f"{len(known) - ROWS:,} more: leeward unknown list" if len(known) > ROWS else None
    hint = "Settle asks the function what became of a call, and runs nothing."
    return Page(
        "Unknown calls",
        [
            element("p", hint) if rows else None,
            form(visit, "unknown", listed) if rows else None,
            listed if not rows or not visit.sources.can_write else None,
            None if more is None else element("p", more),
        ],
    )


def _row(visit: Visit, unknown: UnknownCall) -> list[Content]:
    call = f"{unknown.verb} {unknown.subject}"
    cells: list[Content] = [
        call,
        " ".join(unknown.key),
        ago(unknown.time, visit.now),
        ", ".join(unknown.targets) or "-",
        word(unknown.reason or unknown.error, UNSURE),
    ]
    if not visit.sources.can_write:
        return cells
    label = f"{call} {' '.join(unknown.key)}"
    forget = button(
        "Forget", name="forget", value=unknown.id, label=f"Forget {label}", kind="danger"
    )
    settle = button("Settle", name="settle", value=unknown.id, label=f"Settle {label}")
    return [*cells, [settle, " ", forget]]


def act(visit: Visit) -> Notice | Page:
    """Settle a call; or take it from the table without that, after a question."""
    client, config = visit.sources.client, visit.sources.config
    id = visit.field("settle") or visit.field("forget")
    (unknown,) = pick_unknown(client, config, frozenset({id}))
    call = f"{unknown.verb} {unknown.subject}"
    if visit.field("settle"):
        end = settle_unknown(client, config, unknown)
        told = end["error"] if "error" in end else verdict_in_words(end, unknown.subject)
        return Notice(f"{call}: {told}", is_good="removed" in end)
    if not visit.is_sure:
        question = f"Nobody will find {call} here any more, whatever became of it."
        return confirmation(visit, question, "Forget", address("unknown"))
    client.delete_data(table_of(config), unknown.id)
    return Notice(f"{call} is forgotten.")

"""Calls whose outcome nobody knew when they ended: settled by a click, which runs nothing."""

from __future__ import annotations

from leeward.cli.unknown_calls import pick_unknown, settle_unknown, table_of
from leeward.views.calls import became, list_unknown, row_of_unknown
from leeward_dev.console.html import element
from leeward_dev.console.layout import (
    ROWS,
    Notice,
    Page,
    Visit,
    address,
    confirmation,
    form,
    show_parts,
)


def show(visit: Visit) -> Page:
    """Return the calls in the table that `unknowns` of leeward.toml names, the oldest first."""
    calls = pick_unknown(visit.sources.client, visit.sources.config, None)
    rows = [row_of_unknown(call, visit.now) for call in calls[:ROWS]]
    listed = show_parts(visit, list_unknown(rows, visit.now))
    more = f"{len(calls) - ROWS:,} more: leeward unknown list" if len(calls) > ROWS else None
    hint = "Settle asks the function what became of a call, and runs nothing."
    return Page(
        "Unknown calls",
        [
            element("p", hint) if rows else None,
            form(visit, "unknown", listed) or listed,
            None if more is None else element("p", more),
        ],
    )


def act(visit: Visit) -> Notice | Page:
    """Settle a call; or take it from the table without that, after a question."""
    client, config = visit.sources.client, visit.sources.config
    id = visit.field("settle") or visit.field("forget")
    (unknown,) = pick_unknown(client, config, frozenset({id}))
    call = f"{unknown.verb} {unknown.subject}"
    if visit.field("settle"):
        end = settle_unknown(client, config, unknown)
        return Notice(f"{call}: {became(end)}", is_good="removed" in end)
    if not visit.is_sure:
        question = f"Nobody will find {call} here any more, whatever became of it."
        return confirmation(visit, question, "Forget", address("unknown"))
    client.delete_data(table_of(config), unknown.id)
    return Notice(f"{call} is forgotten.")

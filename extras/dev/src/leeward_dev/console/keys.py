"""The records of idempotent functions, by state; settled by who has found out what happened."""

from __future__ import annotations

from typing import Final

from leeward.app.idempotency.digests import record_ref
from leeward.app.idempotency.record import KeyRecord, KeyState
from leeward.cli.key_records import (
    CHANGES,
    change_key,
    find_key,
    plan_change,
    possible_changes,
    scan_keys,
)
from leeward.views import Format
from leeward.views.calls import (
    APPROVED,
    DECISIONS,
    KeyRow,
    describe_key,
    list_keys,
    row_of_key,
    show_key,
    state_of,
    version_of,
)
from leeward_dev.console.html import element
from leeward_dev.console.layout import (
    ROWS,
    Notice,
    Page,
    Visit,
    address,
    check_known,
    choices,
    confirmation,
    field,
    form,
    link,
    pager,
    show_action,
    show_parts,
    show_value,
)

MOST_PAGES: Final = 20
"""Of a table that are read to fill one page of records in a state."""

STATES: Final = {"": "all"} | {state: state for state in (*(it.value for it in KeyState), APPROVED)}

DECIDER: Final = "console"
"""Who has approved or refused, as the record keeps it: the console does not know its reader."""


def show(visit: Visit) -> Page:
    """Return the records of a table; or one of them; or the tables."""
    tables = visit.sources.config.tables
    named = visit.query.get("table", next(iter(tables)) if len(tables) == 1 else "")
    if not named:
        choose = field(
            "Table with records of keys", "table", hint="Its logical name.", choices=tables
        )
        ask = element("form", choose, element("button", "Show", type="submit"), action="keys")
        links = element("ul", (element("li", link(table, "keys", table=table)) for table in tables))
        return Page("Keys", [links if tables else None, ask])
    if tables:
        check_known(named, tables, "table")
    if "record" in visit.query:
        return _show_record(visit, named, visit.query["record"])
    return _show_records(visit, named)


def _show_records(visit: Visit, named: str) -> Page:
    state = visit.query.get("state", "")
    rows, cursor = _read(visit, named, state)
    links = choices("keys", "state", STATES, state, table=named)
    report = list_keys([row_of_key(row, visit.now) for row in rows], visit.now, named)
    more = None if rows or cursor is None else element("p", "There is more to read.")
    where = {"table": named} | ({"state": state} if state else {})
    first = where if "cursor" in visit.query else None
    after = None if cursor is None else where | {"cursor": cursor}
    tables = element("p", link("Other tables", "keys", table=""))
    several = tables if len(visit.sources.config.tables) != 1 else None
    return Page(
        f"Keys in {named}",
        [
            links,
            show_parts(visit, report, id="keys"),
            more,
            pager(visit, first=first, after=after),
            several,
        ],
    )


def _read(visit: Visit, named: str, state: str) -> tuple[list[KeyRow], str | None]:
    """Return records in a state, and where to read on; a table is read page by page."""
    rows: list[KeyRow] = []
    cursor = visit.query.get("cursor")
    for _ in range(MOST_PAGES):
        page, cursor = scan_keys(visit.sources.client, named, cursor)
        rows += [row for row in page if not state or _state(row) == state]
        if cursor is None or len(rows) >= ROWS:
            break
    return rows, cursor


def _state(row: KeyRow) -> str | None:
    return None if row.record is None else state_of(row.record)


def _show_record(visit: Visit, named: str, record: str) -> Page:
    row, now = find_key(visit.sources.client, named, record), visit.now
    title = f"Record {record_ref(row.id)}"
    back = link(f"All records of {named}", "keys", table=named)
    if row.record is None:
        return Page(title, [element("p", "Another program has made this item."), back])
    with_result = bool(visit.query.get("result"))
    changes = possible_changes(row, now)
    report = show_key(row, now, named, changes, with_result=with_result)
    here = {"table": named, "record": record}
    result = row.record.kept and row.record.state is KeyState.COMPLETED and not with_result
    buttons = element("div", map(show_action, report.actions), class_="actions")
    fields = {"seen": version_of(row)}
    return Page(
        title,
        [
            show_parts(visit, report),
            link("Show the result", "keys", **here, result="yes") if result else None,
            show_parts(visit, report._replace(parts=report.notes)),
            form(visit, address("keys", **here), buttons, **fields) if changes else None,
            element("p", back),
        ],
    )


def act(visit: Visit) -> Notice | Page:
    """Settle a record by hand, after a question."""
    named, record, now = visit.need("table"), visit.need("record"), visit.now
    does = check_known(visit.field("do"), CHANGES, "settlement")
    back = {"table": named, "record": record}
    client, seen = visit.sources.client, visit.field("seen")

    def change(kept: KeyRecord, now: float) -> KeyRecord | None:
        return CHANGES[does](kept, now, DECIDER)

    if not visit.is_sure:
        _, done = plan_change(client, named, record, seen, change)
        question = f"The record will say: {describe_key(done, now)}"
        asks = done.approval.question if done.approval is not None else None
        about = [" The question is: ", show_value(asks, Format.WHOLE, now)] if asks else None
        yes = DECISIONS[does][0]
        return confirmation(visit, [question, about], yes, address("keys", **back))
    row = change_key(client, named, record, seen, change)
    assert row.record is not None, "it is a record"
    state = state_of(row.record)
    return Notice(f"The record is {state} now. {describe_key(row.record, now)}", back)

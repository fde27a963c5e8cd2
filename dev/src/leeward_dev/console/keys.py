"""The records of idempotent functions, by state; settled by who has found out what happened."""

from __future__ import annotations

from functools import partial
from typing import Final

from leeward.app.idempotency.digests import record_ref
from leeward.app.idempotency.record import (
    KeyRecord,
    KeyState,
)
from leeward.cli import item_json
from leeward.cli.key_records import (
    APPROVED,
    KeyRow,
    approve_by_hand,
    change_key,
    describe_key,
    find_key,
    is_open,
    plan_change,
    refuse_by_hand,
    scan_keys,
    settle_by_hand,
    squeeze,
    state_of,
    version_of,
    void_by_hand,
)
from leeward_dev.console.html import Content, element, text
from leeward_dev.console.layout import (
    GOOD,
    ROWS,
    UNSURE,
    WRONG,
    Notice,
    Page,
    Visit,
    address,
    ago,
    button,
    check_known,
    confirmation,
    field,
    form,
    link,
    moment,
    pager,
    pairs,
    payload_block,
    table,
    word,
)

HEADER: Final = ("Record", "Key", "State", "Changed", "Effects", "Error", "Until", "Question")

MOST_PAGES: Final = 20
"""Of a table that are read to fill one page of records in a state."""

LOOKS: Final = {
    KeyState.COMPLETED: GOOD,
    KeyState.UNKNOWN: WRONG,
    KeyState.FAILED: UNSURE,
    KeyState.IN_PROGRESS: "",
    KeyState.RELEASED: "",
    KeyState.VOID: "",
    KeyState.WAITING: UNSURE,
    KeyState.REFUSED: "",
}

DECIDER: Final = "console"
"""Who has approved or refused, as the record keeps it: the console does not know its reader."""

BUTTONS: Final = {
    "ran": "It has run",
    "release": "Release the key",
    "void": "Void the key",
    "approve": "Approve the call",
    "refuse": "Refuse the call",
}
"""What a person can say of an open record, or of one that waits."""


def show(visit: Visit) -> Page:
    """Return the records of a table; or one of them; or the tables."""
    known = visit.sources.config.tables
    named = visit.query.get("table", next(iter(known)) if len(known) == 1 else "")
    if not named:
        choose = field(
            "Table with records of keys", "table", hint="Its logical name.", choices=known
        )
        ask = element("form", choose, element("button", "Show", type="submit"), action="keys")
        links = element("ul", (element("li", link(each, "keys", table=each)) for each in known))
        return Page("Keys", [links if known else None, ask])
    if known:
        check_known(named, known, "table")
    if "record" in visit.query:
        return _show_record(visit, named, visit.query["record"])
    return _show_records(visit, named)


def _show_records(visit: Visit, named: str) -> Page:
    state = visit.query.get("state", "")
    rows, cursor = _read(visit, named, state)
    states = ["", *(each.value for each in KeyState), APPROVED]
    links = element(
        "ul",
        (
            element(
                "li",
                element(
                    "a",
                    each or "all",
                    href=address("keys", table=named, state=each or None),
                    aria_current="true" if each == state else None,
                ),
            )
            for each in states
        ),
        class_="choices",
    )
    listed = table(
        f"Records of {named}",
        HEADER,
        (_row(visit, named, row) for row in rows),
        id="keys",
        empty="No such records." if cursor is None else "None so far; there is more to read.",
    )
    where = {"table": named} | ({"state": state} if state else {})
    first = where if "cursor" in visit.query else None
    after = None if cursor is None else where | {"cursor": cursor}
    tables = element("p", link("Other tables", "keys", table=""))
    several = tables if len(visit.sources.config.tables) != 1 else None
    return Page(
        f"Keys in {named}", [links, listed, pager(visit, first=first, after=after), several]
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


def _name(row: KeyRow) -> str:
    """Return what finds a record again from an address."""
    return row.id if row.id.isprintable() else record_ref(row.id)


def _row(visit: Visit, named: str, row: KeyRow) -> list[Content]:
    record = row.record
    first = [link(record_ref(row.id), "keys", table=named, record=_name(row)), row.id]
    if record is None:
        return [*first, "not leeward's", ago(row.changed_at, visit.now), "-", "-", "-", "-"]
    return [
        *first,
        _look(record, visit.now),
        ago(row.changed_at, visit.now),
        "maybe" if record.effects else "no",
        "-" if record.failure is None else record.failure.type,
        moment(row.expires_at),
        _question_text(record),
    ]


def _look(record: KeyRecord, now: float) -> Content:
    is_lapsed = record.state is KeyState.IN_PROGRESS and is_open(record, now)
    name = f"{record.state.value}, lease over" if is_lapsed else state_of(record)
    return word(name, WRONG if is_lapsed and record.effects else LOOKS[record.state])


def _show_record(visit: Visit, named: str, record: str) -> Page:
    row = find_key(visit.sources.client, named, record)
    title = f"Record {record_ref(row.id)}"
    back = link(f"All records of {named}", "keys", table=named)
    kept = row.record
    if kept is None:
        return Page(title, [element("p", "Another program has made this item."), back])
    facts: list[tuple[str, Content]] = [
        ("Key", row.id),
        ("State", _look(kept, visit.now)),
        ("Means", describe_key(kept, visit.now)),
        ("Changed", ago(row.changed_at, visit.now)),
        ("Effects", "it may have had its effect" if kept.effects else "none has begun"),
        ("Error", "-" if kept.failure is None else kept.failure.type),
        ("Owner", kept.owner or "-"),
        ("Fence", kept.fence),
        ("Lease until", moment(kept.lease_until)),
        ("Voids", kept.voids),
        *(("Note", note) for note in kept.notes),
        *_question(kept),
        ("Expires", moment(row.expires_at)),
    ]
    result: Content = None
    if kept.state is KeyState.COMPLETED and kept.kept:
        if visit.query.get("result"):
            shown = item_json.write(item_json.tag_value(kept.result), indent=2)
            result = payload_block(shown, "Result")
        else:
            result = link("Show the result", "keys", table=named, record=_name(row), result="yes")
    return Page(title, [pairs(facts), result, _actions(visit, named, row), element("p", back)])


def _question(kept: KeyRecord) -> list[tuple[str, Content]]:
    """Return what a person is asked to approve, and who has decided."""
    if kept.approval is None:
        return []
    return [("Question", _question_text(kept)), ("Decided by", kept.approval.by or "-")]


def _question_text(kept: KeyRecord) -> Content:
    """Return the whole question: who decides on a part of it decides on something else."""
    if kept.approval is None or not kept.approval.question:
        return "-"
    question = squeeze(kept.approval.question)
    return text(question, len(question))


def _actions(visit: Visit, named: str, row: KeyRow) -> Content:
    """Return the buttons that can work: nobody settles what is settled, or still runs."""
    assert row.record is not None, "it is a record"
    now = visit.now
    here = address("keys", table=named, record=_name(row))
    buttons = [
        button(name, value=does)
        for does, name in BUTTONS.items()
        if _settle(does, row.record, now) is not None
    ]
    if not buttons:
        return None
    is_run = row.record.approval is None or is_open(row.record, now)
    words = "Find out first what its run has done. Then say so:" if is_run else "Decide:"
    question = element("p", words)
    actions = element("div", buttons, class_="actions")
    return form(visit, here, question, actions, seen=version_of(row))


def _settle(does: str, kept: KeyRecord, now: float) -> KeyRecord | None:
    """Return the record after somebody has pressed a button; None if that cannot be."""
    match does:
        case "void":
            return void_by_hand(kept, now)
        case "approve":
            return approve_by_hand(kept, DECIDER)
        case "refuse":
            return refuse_by_hand(kept, DECIDER)
        case _:
            return settle_by_hand(kept, now, ran=does == "ran", result=None, kept=False)


def act(visit: Visit) -> Notice | Page:
    """Settle a record by hand, after a question."""
    named, record = visit.need("table"), visit.need("record")
    does = check_known(visit.field("do"), BUTTONS, "settlement")
    back = {"table": named, "record": record}
    client, change, seen = visit.sources.client, partial(_settle, does), visit.field("seen")
    if not visit.is_sure:
        _, done = plan_change(client, named, record, seen, change)
        question: list[Content] = [f"The record will say: {describe_key(done, visit.now)}"]
        if done.approval is not None:
            question += [" The question is: ", _question_text(done)]
        return confirmation(visit, question, BUTTONS[does], address("keys", **back))
    row = change_key(client, named, record, seen, change)
    state = _state(row)
    assert row.record is not None, "it is a record"
    return Notice(f"The record is {state} now. {describe_key(row.record, visit.now)}", back)

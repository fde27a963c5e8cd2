"""The client's methods as commands: each opens a client, makes one call and shows the result."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from leeward._operations.lists import MOST as MOST_OF_PAGE
from leeward.cli.arguments import (
    argument,
    event_type,
    flag,
    item_argument,
    json_argument,
    key_argument,
    option,
    seconds,
    time_argument,
)
from leeward.cli.global_options import options_of
from leeward.cli.output.exit_codes import ABSENT, exit_code_of_verdict
from leeward.values import MISSING, EffectName, ItemPage
from leeward.views import Report
from leeward.views.answers import show_answer, show_item, show_items, show_receipt, show_verdict

JSON = "JSON, @file, or - for the standard input."

Function = Annotated[str, argument("Logical name of the function.", "FUNCTION")]
Payload = Annotated[str | None, argument(f"{JSON} Default: null.", "PAYLOAD")]
Bus = Annotated[str, argument("Logical name of the bus.", "BUS")]
Type = Annotated[str, argument("What happened, such as order.created.", "TYPE", parser=event_type)]
Data = Annotated[str | None, argument(f"{JSON} Default: null.", "DATA")]
Table = Annotated[str, argument("Logical name of the table.", "TABLE")]
ItemText = Annotated[str, argument(f"The item with its key: {JSON}", "ITEM")]
Key = Annotated[list[str], argument("One word, field=value words, or a JSON object.", "KEY")]

EffectOption = Annotated[
    str | None,
    option(
        "What repeating does: read_only, idempotent, keyed or unsafe. Default: as configured.",
        "EFFECT",
        "--effect",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    option(
        "Text by which the function recognises a repeated call. Default: a new one.",
        "TEXT",
        "--idempotency-key",
    ),
]
Timeout = Annotated[
    float | None,
    option("Deadline, retries and failover included.", "SECONDS", "--timeout", parser=seconds),
]
IfRevision = Annotated[
    str | None, option("Only if it still has this revision.", "TEXT", "--if-revision")
]


def invoke(
    context: typer.Context,
    function: Function,
    payload: Payload = None,
    *,
    effect: EffectOption = None,
    idempotency_key: IdempotencyKey = None,
    timeout: Timeout = None,
) -> None:
    """Call a function and print its answer."""
    options = options_of(context)
    sent = json_argument(payload, "payload")
    with options.client() as cloud:
        kind = cast("EffectName | None", effect)  # the client checks it, and names the known ones
        result = cloud.invoke(
            function, sent, effect=kind, idempotency_key=idempotency_key, timeout=timeout
        )
        options.output.report(show_answer(result))


def enqueue(
    context: typer.Context,
    function: Function,
    payload: Payload = None,
    *,
    effect: EffectOption = None,
    idempotency_key: IdempotencyKey = None,
    timeout: Timeout = None,
) -> None:
    """Queue a function call; there is no answer."""
    options = options_of(context)
    sent = json_argument(payload, "payload")
    with options.client() as cloud:
        kind = cast("EffectName | None", effect)
        receipt = cloud.enqueue(
            function, sent, effect=kind, idempotency_key=idempotency_key, timeout=timeout
        )
        options.output.report(show_receipt(receipt))


def settle(
    context: typer.Context,
    function: Function,
    key: Annotated[str, argument("The idempotency key of the call.", "KEY")],
    *,
    payload: Annotated[
        str | None,
        option(f"What it was called with, if the function reads its key there: {JSON}", "JSON"),
    ] = None,
    sent: Annotated[
        str | None,
        option(
            "When it was called, with time zone. A key that leeward has made says so itself.",
            "ISO8601",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        option(
            "Where the call may have been made; repeat it for each. Without it, a call that "
            "left no record stays unknown.",
            "TARGET",
        ),
    ] = None,
    timeout: Timeout = None,
) -> None:
    """Find out what became of a call whose outcome is unknown.

    The function answers from its record of the key, and runs nothing. If there is no record, the
    key becomes void: the call has not run, and never will. It waits for a call that still runs.
    Exit codes: 0 it ran, 6 it ran and failed, 7 it did not run, 8 nobody can tell, 10 it still
    runs.
    """
    options = options_of(context)
    given = MISSING if payload is None else json_argument(payload, "payload")
    called = time_argument(sent, "sent")
    with options.client() as cloud:
        settled = cloud.settle(
            key, function=function, payload=given, sent=called, timeout=timeout, targets=target
        )
        code = exit_code_of_verdict(settled).code
        options.output.report(show_verdict(settled, function)._replace(exit_code=code))


def publish(
    context: typer.Context,
    bus: Bus,
    type: Type,
    data: Data = None,
    *,
    subject: Annotated[
        str | None, option("What it happened to, such as an order's id.", "TEXT")
    ] = None,
    id: Annotated[str | None, option("Id of the event. Default: a new one.", "TEXT")] = None,
    time: Annotated[
        str | None, option("When it happened, with time zone. Default: now.", "ISO8601")
    ] = None,
    ordering_key: Annotated[
        str | None, option("Events of one key are delivered in order.", "TEXT")
    ] = None,
    timeout: Timeout = None,
) -> None:
    """Publish one CloudEvent."""
    options = options_of(context)
    sent = json_argument(data, "data")
    happened = time_argument(time)
    with options.client() as cloud:
        receipt = cloud.publish_event(
            bus,
            type,
            sent,
            subject=subject,
            id=id,
            time=happened,
            ordering_key=ordering_key,
            timeout=timeout,
        )
        options.output.report(show_receipt(receipt))


def store(
    context: typer.Context,
    table: Table,
    item: ItemText,
    *,
    if_absent: Annotated[bool, flag("--if-absent", "Only if no item has this key.")] = False,
    if_revision: IfRevision = None,
    expires_in: Annotated[
        float | None, option("Seconds after which the item expires.", "SECONDS", parser=seconds)
    ] = None,
    timeout: Timeout = None,
) -> Report:
    """Store a whole item in the table's home.

    Numbers stay exact: 9.90 becomes the Decimal 9.90, never a float.
    """
    stored = item_argument(item)
    with options_of(context).client_of_data() as cloud:
        receipt = cloud.store_data(
            table,
            stored,
            if_absent=if_absent,
            if_revision=if_revision,
            expires_in=expires_in,
            timeout=timeout,
        )
    return show_receipt(receipt)


def load(context: typer.Context, table: Table, key: Key, *, timeout: Timeout = None) -> Report:
    """Print an item; exit with 3 if there is none.

    It writes bytes and times as {"$bytes": "aGk="} and {"$datetime": "2026-01-31T12:00:00Z"};
    `leeward store` reads them back.
    """
    wanted = key_argument(key)
    with options_of(context).client_of_data() as cloud:
        record = cloud.load_data(table, wanted, timeout=timeout)
    if record is not None:
        return show_item(record)
    data = {"found": False, "table": table, "item": None}
    return Report(data, notes=[f"{table!r} has no item with this key."], exit_code=ABSENT.code)


def list_(
    context: typer.Context,
    table: Table,
    partition: Annotated[str, argument("Value of the table's partition field.", "PARTITION")],
    *,
    begins: Annotated[str | None, option("Only if the sort value begins so.", "TEXT")] = None,
    after: Annotated[str | None, option("Only if the sort value comes after this.", "TEXT")] = None,
    before: Annotated[
        str | None, option("Only if the sort value comes before this.", "TEXT")
    ] = None,
    descending: Annotated[bool, flag("--descending", "The last one first.")] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="At most so many.")] = 100,
    cursor: Annotated[str | None, option("Of a list before, to continue it.", "TEXT")] = None,
    timeout: Timeout = None,
) -> Report:
    """Print the items of one partition, one on each line, in the order of the sort field.

    If there are more than --limit, the last line of the standard error has the cursor that
    continues the list.
    """
    with options_of(context).client_of_data() as cloud:
        pages: list[ItemPage] = []
        left = limit
        while not pages or (left and cursor is not None):
            page = cloud.list_data(
                table,
                partition,
                begins=begins,
                after=after,
                before=before,
                descending=descending,
                limit=min(left, MOST_OF_PAGE),
                cursor=cursor,
                timeout=timeout,
            )
            pages.append(page)
            left -= len(page.items)
            cursor = page.cursor
    return show_items(pages)


def delete(
    context: typer.Context,
    table: Table,
    key: Key,
    *,
    if_revision: IfRevision = None,
    timeout: Timeout = None,
) -> Report:
    """Delete an item.

    A missing item is not an error, unless a revision is given.
    """
    unwanted = key_argument(key)
    with options_of(context).client_of_data() as cloud:
        receipt = cloud.delete_data(table, unwanted, if_revision=if_revision, timeout=timeout)
    return show_receipt(receipt)

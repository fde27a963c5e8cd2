"""``leeward keys``: the records of idempotent functions; settling one, or approving its call.

What a run has done is the operator's to find out. What the record says then is one conditional
write: if somebody else changes it meanwhile, it stays as it is.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Annotated, Literal

import typer

from leeward.cli.arguments import argument, flag, json_argument, name_of_person, option
from leeward.cli.global_options import options_of
from leeward.cli.key_records import (
    CHANGES,
    Change,
    change_key,
    find_key,
    list_keys,
    possible_changes,
    settle_by_hand,
)
from leeward.errors import InvalidRequest
from leeward.views import Report
from leeward.views import calls as views
from leeward.views.calls import row_of_key, state_of

StateName = Literal[
    "in_progress", "completed", "failed", "unknown", "released", "void", "waiting", "approved",
    "refused",
]  # fmt: skip

Table = Annotated[str, argument("The table of the records, by its logical name.")]
Ref = Annotated[str, argument("Its name in an error, a log or `leeward keys list`; or its id.")]

Version = Annotated[str, argument("Of the record as you have read it: `leeward keys show` has it.")]
By = Annotated[str | None, option("Who decides. Default: the user of this machine.", "NAME")]


def list_(
    context: typer.Context,
    table: Table,
    *,
    state: Annotated[StateName | None, option("Only records in this state.", "STATE")] = None,
    function: Annotated[str | None, option("Only records of this name.", "NAME")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> Report:
    """List the records of idempotent functions.

    It reads the whole table. A record's age is the time since its last change.
    """
    options = options_of(context)
    with options.client_of_data() as cloud:
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
        wanted = (
            row_of_key(key, now)
            for key in list_keys(cloud, table)
            if state is None or (key.record is not None and state_of(key.record) == state)
            if function is None or key.id.partition(":")[0] == function
        )
        rows = [*islice(wanted, limit + 1)]
    return views.list_keys(rows[:limit], now, table, is_more=len(rows) > limit)


def show(
    context: typer.Context,
    table: Table,
    record: Ref,
    *,
    result: Annotated[bool, flag("--result", "Show what its run has returned, too.")] = False,
) -> Report:
    """Show everything about one record: its state, owner, fence, notes and voids.

    The result of its run may be secret, so it is shown only with --result.
    """
    options = options_of(context)
    with options.client_of_data() as cloud:
        kept = find_key(cloud, table, record)
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
    changes = possible_changes(kept, now)
    return views.show_key(kept, now, table, changes, with_result=result)


def settle_record(
    context: typer.Context,
    table: Table,
    record: Ref,
    outcome: Annotated[Literal["ran", "did-not-run"], argument("What happened.")],
    version: Version,
    *,
    result: Annotated[
        str | None, option("What repeats get after ran. Default: nothing.", "JSON")
    ] = None,
) -> Report:
    """Settle a record whose run may have had its effect.

    Find out first what happened. After "ran" repeats get the result, or the reason not_kept.
    "did-not-run" frees the key, as `leeward keys release` does; `leeward keys void` does more.
    """
    ran = outcome == "ran"
    if result is not None and not ran:
        raise InvalidRequest("--result is for a run that ran", field="result")
    value = json_argument(result, "result")
    settle = partial(settle_by_hand, ran=ran, result=value, kept=result is not None)
    return _change(context, table, record, version, lambda kept, now, _: settle(kept, now))


def release(context: typer.Context, table: Table, record: Ref, version: Version) -> Report:
    """Free the key of a record whose run did not have its effect: the next call with it runs.

    Find out first what happened. A delivery that comes late runs, too, unless the key was void
    before: take this if the same message is to be delivered again. If only a new call may run,
    take `leeward keys void`.
    """
    return _change(context, table, record, version, CHANGES["release"])


def void(context: typer.Context, table: Table, record: Ref, version: Version) -> Report:
    """Void the key of a record: what was sent so far has not run, and never will.

    Find out first what happened. A delivery that comes late is refused, for 31 days. A new call
    of a leeward client with the same key runs. A message that is delivered again does not: for
    that take `leeward keys release`.
    """
    return _change(context, table, record, version, CHANGES["void"])


def approve(
    context: typer.Context, table: Table, record: Ref, version: Version, *, by: By = None
) -> Report:
    """Approve a call that waits for a person: the next call with its key and payload runs, once.

    What the call is about is in its question: `leeward keys show`. If another call waits there by
    now, its version is another, and nothing is approved. The record keeps who approved.
    """
    return _change(context, table, record, version, CHANGES["approve"], by=name_of_person(by))


def refuse(
    context: typer.Context, table: Table, record: Ref, version: Version, *, by: By = None
) -> Report:
    """Refuse a call that waits for a person: it has not run, and no call with its key will.

    A call that was approved can be refused as long as it has not begun.
    """
    return _change(context, table, record, version, CHANGES["refuse"], by=name_of_person(by))


def _change(
    context: typer.Context, table: str, named: str, version: str, change: Change, *, by: str = ""
) -> Report:
    """Write what `change` makes of a record that still has a version, and show it."""
    options = options_of(context)
    with options.client_of_data() as cloud:
        clock = cloud._operations.clock  # noqa: SLF001 - that of its own calls

        def wait(seconds: float) -> None:
            typer.echo(f"Its run may still act: waiting {seconds:.0f} s.", err=True)
            clock.sleep(seconds)

        row = change_key(
            *(cloud, table, named, version), lambda kept, now: change(kept, now, by), wait=wait
        )
    assert row.changed_at is not None, "it was changed a moment ago"
    return views.show_change(row, row.changed_at)

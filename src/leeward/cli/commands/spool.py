"""``leeward spool``: what waits until a target takes it, in the spool and in outboxes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Annotated, Final

import typer

from leeward._delivery.relay import OUTBOX, SPOOL, Relay, SpoolStatus, open_outboxes
from leeward._delivery.spool import Spool
from leeward.cli.arguments import flag, seconds
from leeward.cli.global_options import GlobalOptions, options_of
from leeward.cli.output.exit_codes import BROKEN, LATER
from leeward.errors import InvalidRequest, LeewardError
from leeward.leases.faults import DatabaseFault
from leeward.records import NamedTuple
from leeward.views import Column, Format, Json, Part, Report, Table

_WAITING: Final = (
    Column("From", "from", is_name=True),
    Column("For", lambda row: row["for"] or "any target"),
    Column("Waiting", "waiting", Format.COUNT),
    Column("Oldest", "oldest", Format.SPAN),
    Column("Bytes", "bytes", Format.COUNT),
    Column("Given up", "given_up", Format.COUNT),
    Column("Left to", "owner", is_rare=True),
)

PAUSE: Final = 0.2  # seconds between two looks at how many wait
SHOWN: Final = 2.0  # seconds between two lines that say how many wait

LONGEST_WAIT: Final = 366 * 86_400.0


class Source(NamedTuple):
    """A spool, or an outbox of a database, whose rows have this `bus`."""

    name: str
    bus: str
    relay: Relay


def status(context: typer.Context) -> Report:
    """Show how many events and calls wait, for which bus or target, and since when.

    It exits with 7 if the outbox of a database cannot be read.
    """
    options = options_of(context)
    with _sources(options) as (sources, unread):
        return _report(sources, unread)


def drain(
    context: typer.Context,
    *,
    wait: Annotated[
        float,
        typer.Option(
            parser=seconds,
            metavar="SECONDS",
            help="How long. Default: until none waits.",
            show_default=False,
        ),
    ] = LONGEST_WAIT,
    dead: Annotated[
        bool, flag("--dead", "Those, too, that were given up, however old they are.")
    ] = False,
) -> Report:
    """Publish what waits in the spool, and make the calls that wait in outboxes.

    It exits with 7 if some still wait or an outbox cannot be read, with 9 if some were given up.
    """
    if not 0 <= wait <= LONGEST_WAIT:
        raise InvalidRequest("--wait must be a number of seconds, at least 0", field="wait")
    options = options_of(context)
    with _sources(options) as (sources, unread):
        for source in sources if dead else ():
            source.relay.revive(source.bus)
        before = sum(status.dead for _, status in _list(sources))
        _wait(options, sources, monotonic() + wait)
        left, report = _list(sources), _report(sources, unread)
    if sum(status.dead for _, status in left) > before:
        return report._replace(exit_code=BROKEN.code)
    waits = any(status.waiting for _, status in left if status.owner is None)
    return report._replace(exit_code=LATER.code) if waits else report


def discard(
    context: typer.Context, *, force: Annotated[bool, flag("--force", "Do it.")] = False
) -> Report:
    """Delete the events and calls that were given up. They are lost then."""
    if not force:
        raise InvalidRequest(
            "discard deletes what was given up: say --force, too; leeward spool drain --dead "
            "publishes it",
            field="force",
        )
    options = options_of(context)
    with _sources(options) as (sources, unread):
        count = sum(source.relay.discard(source.bus) for source in sources)
    return _show({"discarded": count}, [f"{count} discarded."], unread)


@contextmanager
def _sources(options: GlobalOptions) -> Iterator[tuple[list[Source], list[str]]]:
    """Open the spool and the outboxes of the order; name why others cannot be read."""
    with options.client_of_data() as client:
        operations = client._operations  # noqa: SLF001 - no client has a spool to look at
        spool = operations.spool
        assert isinstance(spool, Spool)
        outboxes = open_outboxes(operations)
        sources = [Source("spool", SPOOL, spool.relay)] if spool.exists else []
        unread: list[str] = []
        for relay in outboxes:
            try:
                relay.status(OUTBOX)
            except DatabaseFault as fault:
                unread.append(str(fault))
            else:
                sources.append(Source("outbox", OUTBOX, relay))
        try:
            yield sources, unread
        except DatabaseFault as fault:
            raise LeewardError(f"what waits cannot be read: {fault}") from fault
        finally:
            for relay in outboxes:
                relay.close()


def _list(sources: list[Source]) -> list[tuple[str, SpoolStatus]]:
    return [(source.name, each) for source in sources for each in source.relay.status(source.bus)]


def _wait(options: GlobalOptions, sources: list[Source], deadline: float) -> None:
    """Wait until nothing waits any more, or until `deadline`; say meanwhile how many do."""
    for source in sources:
        source.relay.serve(status.recipient for status in source.relay.status(source.bus))
        source.relay.wake()
    shown = monotonic()
    while left := sum(status.waiting for _, status in _list(sources) if status.owner is None):
        now = monotonic()
        if now >= deadline:
            return
        if now - shown >= SHOWN and not options.output.is_for_programs:
            typer.echo(f"{left} wait", err=True)
            shown = now
        sleep(min(PAUSE, deadline - now))


def _report(sources: list[Source], unread: list[str]) -> Report:
    rows = [
        {
            "from": name,
            "for": status.name,
            "waiting": status.waiting,
            "oldest": None if status.oldest is None else round(status.oldest, 3),
            "bytes": status.bytes,
            "given_up": status.dead,
            "owner": None if status.owner is None else str(status.owner),
        }
        for name, status in _list(sources)
    ]
    waiting = sum(status.waiting for _, status in _list(sources))
    empty = "Nothing else waits." if unread else "Nothing waits."
    listed = Table(_WAITING, rows, "What waits", empty)
    return _show({"waiting": waiting, "queues": rows}, [listed], unread)


def _show(data: Json, parts: list[Part], unread: list[str]) -> Report:
    notes = [f"an outbox cannot be read: {why}" for why in unread]
    data = {**data, "unread": unread} if unread else data
    return Report(data, 0.0, parts, notes, exit_code=LATER.code if unread else 0)

"""What is asked of the server itself: whether it suits this client, and what it promises."""

from __future__ import annotations

from typing import Any, Final

from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import BUS, QUEUE
from leeward.errors import Outcome
from leeward_postgres.items import text_of
from leeward_postgres.outcomes import SCHEMA
from leeward_postgres.schema import NOT_DURABLE, VERSION, WRONG_VERSION, quote
from leeward_postgres.statements import Plan, Rows, Statement

_DURABLE: Final = (
    "current_setting('fsync'), current_setting('synchronous_commit'), "
    "current_setting('full_page_writes')"
)

_LOOK: Final = """SELECT extract(epoch FROM clock_timestamp())::double precision,
    (SELECT count(*) FROM pg_stat_replication),
    (SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'async'),
    current_setting('synchronous_standby_names')"""

_SECONDS: Final = "extract(epoch FROM clock_timestamp() - seen)::double precision"
ABSENT_SECONDS: Final = 180.0
"""Since a worker has looked for messages: it notes that once a minute."""


class Checks:
    """Plans that look at the server. Each is one statement.

    Args:
        schema: of leeward's tables.
    """

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._looks = {
            BUS: f"SELECT FROM {quote(schema)}.subscriptions WHERE bus = %s LIMIT 1",
            QUEUE: f"SELECT {_SECONDS} FROM {quote(schema)}.receivers "  # noqa: S608 - a checked name
            "WHERE bus = '' AND subscriber = %s",
        }
        self._suits = f"SELECT version, oldest, {_DURABLE} FROM {quote(schema)}.version"  # noqa: S608

    def suits(self, timeout: float) -> Plan:
        """Check the version of the schema, and that what is committed is kept.

        The result is OK, or UNUSABLE with the remedy.
        """
        del timeout
        rows = yield Statement(self._suits)
        return self._judge(rows)

    def probe(self, timeout: float) -> Plan:
        """Send a statement without effect: an answer shows that the database works."""
        del timeout
        yield Statement("SELECT 1")
        return Result.ok(None)

    def look(self, look: Look) -> Plan:
        """Return a `LookResult`, with the server's time and what its standbys promise.

        Of a bus it tells whether anybody subscribes; of a queue, when a worker last looked for
        messages. A queue for which none ever did is NOT_FOUND.
        """
        ((time, standbys, asynchronous, names),) = yield Statement(_LOOK)
        why = []
        if look.verb in (BUS, QUEUE):
            rows = yield Statement(self._looks[look.verb], (text_of(look.name),))
            if look.verb == BUS and not rows:
                why.append("nobody subscribes to it, so its events are dropped")
            if look.verb == QUEUE and not rows:
                return Result(Outcome.NOT_FOUND, message="no worker has looked for its messages")
            if look.verb == QUEUE and rows[0][0] > ABSENT_SECONDS:
                why.append(f"no worker has looked for its messages for {rows[0][0]:.0f} s")
        if asynchronous:
            why.append(
                f"{asynchronous} of {standbys} standbys are asynchronous, so a failover to one may "
                f"lose what was committed; synchronous_standby_names is {names or 'empty'}"
            )
        return Result.ok(LookResult(why="; ".join(why), time=time))

    def _judge(self, rows: Rows) -> Result[Any]:
        if len(rows) != 1:
            return _unusable(WRONG_VERSION, "the schema has no version; apply it", SCHEMA)
        version, oldest, *durable = rows[0]
        if version < VERSION:
            told = (
                f"the schema {self._schema} has version {version}, and this client needs {VERSION}:"
                " run `leeward postgres schema --apply`"
            )
            return _unusable(WRONG_VERSION, told, SCHEMA)
        if oldest > VERSION:
            told = (
                f"the schema {self._schema} serves clients of version {oldest} and later, and this "
                f"one has {VERSION}: upgrade leeward-postgres"
            )
            return _unusable(WRONG_VERSION, told, SCHEMA)
        names = ("fsync", "synchronous_commit", "full_page_writes")
        lossy = [name for name, value in zip(names, durable, strict=True) if value == "off"]
        if lossy:
            told = (
                f"the server has {' and '.join(f'{name} = off' for name in lossy)}, so it may lose "
                "what it has committed: switch on, for this database or its role"
            )
            return _unusable(NOT_DURABLE, told, "not_durable")
        return Result.ok(None)


def _unusable(code: str, told: str, reason: str) -> Result[Any]:
    return Result(Outcome.UNUSABLE, code=code, message=told, reason=reason)

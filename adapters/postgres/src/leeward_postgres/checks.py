"""What is asked of the server itself: whether it suits this client, and what it promises."""

from __future__ import annotations

from typing import Any, Final

from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import BUS, QUEUE
from leeward.errors import Outcome
from leeward_postgres.items import text_of
from leeward_postgres.outcomes import SCHEMA, Stage
from leeward_postgres.schema import NOT_DURABLE, PATH, VERSION, WRONG_STAGE, WRONG_VERSION
from leeward_postgres.statements import Plan, Statement

_DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")
"""Settings with which the server keeps what it has committed."""

_SETTINGS: Final = ", ".join(f"pg_catalog.current_setting('{name}')" for name in _DURABLE)
# As JSON: an older schema has no stage. Behind a pooler a setting would stay for others.
_SUITS: Final = f"""SELECT version, oldest,
    pg_catalog.to_jsonb(version.*) OPERATOR(pg_catalog.->>) 'stage'::text, {_SETTINGS},
    CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) %s::integer
        THEN pg_catalog.set_config('search_path', '{PATH}', false) END
    FROM @.version"""  # noqa: S608 - made of constants

_LOOK: Final = """SELECT extract(epoch FROM clock_timestamp())::double precision,
    (SELECT count(*) FROM pg_stat_replication),
    (SELECT count(*) FROM pg_stat_replication
     WHERE sync_state = 'async' OR current_setting('synchronous_commit') = 'local'),
    current_setting('synchronous_standby_names'), current_setting('synchronous_commit')"""

_LOOKS: Final = {
    BUS: "SELECT FROM (SELECT bus FROM @.takers UNION ALL SELECT bus FROM @.subscriptions) AS own "
    "WHERE bus = %s LIMIT 1",
    QUEUE: "SELECT extract(epoch FROM clock_timestamp() - seen)::double precision "
    "FROM @.receivers WHERE bus = '' AND subscriber = %s",
}
ABSENT_SECONDS: Final = 180.0  # since a worker has looked for messages: it notes that once a minute


def probe() -> Plan:
    """Send a statement without effect: an answer shows that the database works."""
    yield Statement("SELECT 1")
    return Result.ok(None)


def look(about: Look) -> Plan:
    """Return a `LookResult`, with the server's time and what its standbys promise.

    Of a bus it tells whether anybody subscribes; of a queue, when a worker last looked for
    messages. A queue for which none ever did is NOT_FOUND.
    """
    ((time, standbys, asynchronous, names, commit),) = yield Statement(_LOOK)
    why = []
    if about.verb in _LOOKS:
        rows = yield Statement(_LOOKS[about.verb], (text_of(about.name),))
        if about.verb == BUS and not rows:
            why.append("nobody subscribes to it, so its events are dropped")
        if about.verb == QUEUE and not rows:
            return Result(Outcome.NOT_FOUND, message="no worker has looked for its messages")
        if about.verb == QUEUE and rows[0][0] > ABSENT_SECONDS:
            why.append(f"no worker has looked for its messages for {rows[0][0]:.0f} s")
    if asynchronous:
        why.append(
            f"{asynchronous} of {standbys} standbys are asynchronous, so a failover to one may "
            f"lose what was committed: synchronous_standby_names is {names!r}, "
            f"synchronous_commit is {commit!r}"
        )
    return Result.ok(LookResult(why="; ".join(why), time=time))


def check_server(schema: str, stage: str | None, process: int) -> Plan:
    """Check the version of the schema and its stage, and that what is committed is kept.

    The result is OK, or UNUSABLE with the remedy. `process` is the server's that took the
    connection; if it serves it, too, nothing stands between, and the connection gets a search path.
    """
    rows = yield Statement(_SUITS, (process,), Stage.UNSENT)  # nothing of the call
    if len(rows) != 1:
        return _unusable(WRONG_VERSION, "the schema has no version; apply it", SCHEMA)
    version, oldest, own_stage, *durable, _ = rows[0]
    if version < VERSION:
        problem = (
            f"the schema {schema} has version {version}, and this client needs {VERSION}: "
            "run `leeward postgres schema --apply`"
        )
        return _unusable(WRONG_VERSION, problem, SCHEMA)
    if oldest > VERSION:
        problem = (
            f"the schema {schema} serves clients of version {oldest} and later, and this one has "
            f"{VERSION}: upgrade leeward-postgres"
        )
        return _unusable(WRONG_VERSION, problem, SCHEMA)
    if None not in (stage, own_stage) and stage != own_stage:
        return _unusable(WRONG_STAGE, stage_flaw(schema, own_stage, stage), SCHEMA)
    lossy = [name for name, value in zip(_DURABLE, durable, strict=True) if value == "off"]
    if lossy:
        problem = (
            f"the server has {' and '.join(f'{name} = off' for name in lossy)}, so it may lose "
            "what it has committed: switch on, for this database or its role"
        )
        return _unusable(NOT_DURABLE, problem, "not_durable")
    return Result.ok(None)


def stage_flaw(schema: str, owner: str, stage: str | None) -> str:
    """Return that a schema belongs to another stage, and the remedy."""
    here = f"{stage!r}" if stage else "none"
    return (
        f"the schema {schema} belongs to the stage {owner!r}, and the stage here is {here}: set "
        "`schema` of the target to one of its own, or choose the other stage (LEEWARD_STAGE, or "
        "stage in [deploy])"
    )


def _unusable(code: str, problem: str, reason: str) -> Result[Any]:
    return Result(Outcome.UNUSABLE, code=code, message=problem, reason=reason)

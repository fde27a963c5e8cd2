"""Backups from a schedule: handlers of an app, which its packages carry to every cloud.

A schedule runs at least once, so a run is named by the time for which it is: the same backup,
however often it is begun. A run that does not fit the time of its function stops behind a page or a
segment, and queues a call of the app's second handler, which goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast, get_args

from leeward.app.checks import check_text
from leeward.errors import ConfigError, InvalidRequest
from leeward.logs import log_event
from leeward.values import Json, Promise
from leeward_backup.backups import Backups
from leeward_backup.checkpoints import RESUME_FOR, USUAL_FOLDER
from leeward_backup.values import BackupError, OtherRun

if TYPE_CHECKING:
    from leeward.app import App, Context
    from leeward.client import Client

LOGGER = "leeward.backup"

LONGEST_NAME: Final = 40  # of a schedule's handler; the other one's is longer

RESERVE: Final = 60.0
"""Seconds at the end of a run in which nothing new is begun, at most; a third of short runs."""

RETRIES: Final = 2  # as many as every cloud makes of what nobody waits for

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: Final = get_args(Weekday)

_Step = Literal["create", "check", "drill"]


class _Plan(NamedTuple):
    """What a schedule backs up.

    Attributes:
        name: of the schedule's handler.
        table: its logical name.
        store: where the backups are.
        client: opens the client, or gives the one that is shared.
        drill: on which day of the week, by the nominal time.
        key_file: of encrypted backups.
        work: a folder on the machine that runs.
        rate: items a second to read, at most.
    """

    name: str
    table: str
    store: str
    client: Callable[[], Client]
    drill: Weekday | None
    key_file: Path | Sequence[Path] | None
    work: Path | None
    rate: float | None

    @property
    def rest(self) -> str:
        """The name of the handler that continues a run."""
        return f"{self.name}-rest"


def schedule_backup(
    app: App,
    schedule: str,
    table: str,
    store: str,
    *,
    client: Callable[[], Client],
    name: str | None = None,
    drill: Weekday | None = None,
    timeout: float | None = None,
    key_file: Path | Sequence[Path] | None = None,
    work: Path | None = None,
    rate: float | None = None,
) -> None:
    """Make an app back up a table at times, and check each backup.

    It registers two handlers: `name`, which the schedule runs, and ``NAME-rest``, a queued function
    that goes on where a run had no more time. A backup that is wrong fails the handler.

    Args:
        app: gets the handlers.
        schedule: as for `App.on_schedule`.
        table: its logical name.
        store: a bucket, and after a slash a prefix, as ``backups/shop``.
        client: returns the app's client; `App.client` does.
        name: by default ``back-up-TABLE``, with hyphens for underscores; the ids of the backups
            begin with it.
        drill: the day of the week, in UTC, on which the backup is restored and compared, too.
        timeout: seconds that a run of a handler may take; what does not fit is done in another one.
        key_file: as of `Backups`.
        work: as of `Backups`; by default ``.leeward/backup``, and in a cloud's function a temporary
            folder.
        rate: items a second to read, at most.

    Raises:
        ConfigError: an argument is wrong, or a name is taken.
    """
    check_text(table, "table")
    chosen = f"back-up-{table}".replace("_", "-") if name is None else name
    plan = _Plan(chosen, table, store, client, drill, key_file, work, rate)
    _check(plan)

    def begin(nominal: datetime, context: Context) -> None:
        _run(_Run(plan, nominal, context, context.clock.now()), "create")

    def resume(task: dict[str, Any], context: Context) -> None:
        nominal, step = _task_in(task)
        since = task.get("since")
        begun = since if isinstance(since, int | float) else context.clock.now()
        _run(_Run(plan, nominal, context, begun), step)

    app.on_schedule(schedule, name=plan.name, timeout=timeout, retries=RETRIES)(begin)
    app.function(
        name=plan.rest, effect="idempotent", timeout=timeout, retries=RETRIES, queued=True
    )(resume)
    bucket = store.partition("/")[0]
    rights = {"calls": plan.rest, "scans": table, "gets": bucket, "puts": bucket, "deletes": bucket}
    for method in (plan.name, plan.rest):
        app.handlers[method].uses = rights


def _check(plan: _Plan) -> None:
    """Refuse what would fail each run."""
    check_text(plan.store, "store")
    if plan.store.startswith("/"):
        raise ConfigError(f"store is {plan.store!r}; it must be BUCKET or BUCKET/PREFIX")
    if plan.rate is not None and not 0 < plan.rate < float("inf"):
        raise ConfigError("rate must be a positive number of items a second")
    if plan.drill is not None and plan.drill not in _WEEKDAYS:
        raise ConfigError(
            f"drill must be one of {', '.join(_WEEKDAYS)}, or None, not {plan.drill!r}"
        )
    if len(plan.name) > LONGEST_NAME:
        raise ConfigError(
            f"the name {plan.name!r} has more than {LONGEST_NAME} characters; shorten it"
        )


class _Run(NamedTuple):
    """One run of a handler.

    Attributes:
        plan: what is backed up.
        nominal: the time for which.
        context: of the handler.
        since: when the first run began that this one continues, in Unix seconds.
    """

    plan: _Plan
    nominal: datetime
    context: Context
    since: float

    @property
    def id(self) -> str:
        """The id of the backup."""
        return f"{self.plan.name}-{self.nominal:%Y%m%dT%H%MZ}"


def _task_in(task: dict[str, Any]) -> tuple[datetime, _Step]:
    try:
        nominal: datetime | None = datetime.fromisoformat(str(task.get("time")))
    except ValueError:
        nominal = None
    step = task.get("step")
    if nominal is None or nominal.tzinfo is None or step not in get_args(_Step):
        raise InvalidRequest("the rest of a run has its time in UTC, and its step", field="task")
    return nominal.astimezone(UTC), cast("_Step", step)


def _run(run: _Run, step: _Step) -> None:
    """Do a step, and those behind it while there is time.

    Raises:
        BackupError: the backup is wrong, or was not done within a day: it would begin anew, and
            never end.
    """
    plan, context, given = run.plan, run.context, run.context.remaining()
    if context.clock.now() - run.since >= RESUME_FOR:
        raise BackupError(f"the backup {run.id} was not done within a day; give its runs more time")
    client = plan.client()
    work = plan.work or (
        USUAL_FOLDER if context.provider == "local" else Path(gettempdir()) / "leeward-backup"
    )
    backups = Backups(client, plan.table, plan.store, key_file=plan.key_file, work=work)
    todo: _Step | None = step
    while todo is not None:
        begun, todo = todo, _do(run, backups, todo)
        if todo == begun or (todo is not None and context.remaining() < given / 2):
            log_event(LOGGER, "info", "backup_goes_on", id=run.id, step=todo)
            time = run.nominal.isoformat()
            task: dict[str, Json] = {"time": time, "step": todo, "since": run.since}
            client.enqueue(plan.rest, task, effect="idempotent")
            return


def _do(run: _Run, backups: Backups, step: _Step) -> _Step | None:
    """Do one step; return the next one, which is the same if there is more of it to do."""
    id, drill = run.id, run.plan.drill
    match step:
        case "create":
            left = run.context.remaining()
            seconds = left - min(RESERVE, left / 3)
            try:
                made = backups.create_within(seconds, id=run.id, rate=run.plan.rate)
            except OtherRun:
                log_event(LOGGER, "info", "backup_at_work", id=run.id)
                return None
            if made is None:
                return "create"
            log_event(
                LOGGER, "info", "backup_made", id=run.id, segments=made.segments, new=made.uploaded
            )
            return "check"
        case "check":
            checked = backups.check(id)
            if checked.findings:
                raise BackupError(f"the backup {id} is wrong", checked.findings)
            return "drill" if drill == _WEEKDAYS[run.nominal.weekday()] else None
        case "drill":
            restored = backups.drill(id)
            if restored.promise is not Promise.VERIFIED:
                raise BackupError(f"the backup {id} was not verified: {restored.why}")
            log_event(LOGGER, "info", "backup_verified", id=id, found=restored.found)
            return None

"""The protocol of a journal of runs; `leeward.workflow.embedded.sqlite_journal` is one.

It keeps runs, their steps, and their drivers. Each method is one transaction, durable when it
returns. Commands are found by run, path and attempt, never by a counter, so that a replayed
definition finds its own.

The driver of a run has a lease, by the rules of `leeward.leases.rules`. Leases of a run are
counted, and the count is a fence: only the last one may write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from leeward.clock import Clock, SystemClock
from leeward.errors import Conflict
from leeward.leases.holders import SteadyClock
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.stores import Owner
from leeward.values import Json
from leeward.values.runs import RunState
from leeward.workflow.commands import Answer, Command, StepFailure, StepVerdict
from leeward.workflow.model import Definition


class RunKey(NamedTuple):
    """The key of a run."""

    workflow: str
    id: str


@show_only("key digest started state ended fence")
class RunRow(NamedTuple):
    """A run as the journal has it."""

    key: RunKey
    digest: str
    input: str
    started: float
    deadline: float | None
    cancelled: float | None
    state: RunState
    answer: Answer | None
    ended: float | None
    fence: int


class RunHolder(NamedTuple):
    """A lease of a run, as other processes see it; `holder` is a fence and a process."""

    workflow: str
    id: str
    fence: int
    due: float
    holder: str | None


class RunCount(NamedTuple):
    """The number of runs of a workflow in a state.

    Attributes:
        workflow: its name.
        state: of the runs.
        runs: their number.
        overdue: for RUNNING: runs that were due by the given time and have no lease.
        unreversed: for FAILED and CANCELLED: runs with a step that could not be taken back.
    """

    workflow: str
    state: RunState
    runs: int
    overdue: int
    unreversed: int


class Unreadable(Exception):
    """This version cannot read a run in the journal."""


class StepRecord(NamedTuple):
    """A command that was begun; `answer` is None until it ends, or if the run ended first."""

    began: float
    due: float | None
    ended: float | None
    answer: Answer | StepVerdict | None


StepRecords = dict[tuple[str, int], StepRecord]
"""By path and attempt."""


@show_only("seq id name at")
class SentEvent(NamedTuple):
    """An event that was sent to a run.

    Attributes:
        seq: its number in the run, from 1 on.
        id: the sender's: it counts once.
        name: of the event.
        value: JSON.
        at: when it was stored, on the clock of the runs.
    """

    seq: int
    id: str
    name: str
    value: Json
    at: float


@show_only("key path due names")
class OpenWait(NamedTuple):
    """A wait for one of some events that has not ended; `due` is when it ends without one."""

    key: RunKey
    path: str
    due: float
    names: tuple[str, ...]
    question: Json


class SendResult(NamedTuple):
    """What became of an event that was sent to a run.

    Attributes:
        run: None if there is no such run.
        earlier: the event of this id that the run has had before; None if it is new.
    """

    run: RunRow | None
    earlier: SentEvent | None


class Finished(NamedTuple):
    """A command and how it ended."""

    command: Command
    began: float
    answer: Answer | StepVerdict
    ended: float


class ServerClock(SteadyClock):
    """The clock of a server, for machines that share its journal and have different clocks.

    Args:
        ask: asks the server for its Unix seconds, and calls `learn` with the answer.
        clock: of this machine, for the time in between.
    """

    def __init__(self, ask: Callable[[], None], clock: Clock | None = None) -> None:
        super().__init__(clock or SystemClock(), self._begin)
        self._ask = ask

    def learn(self, time: float, since: float) -> None:
        """Note the server's time.

        Args:
            time: of the server, in Unix seconds.
            since: when the server was asked, on the monotonic clock.
        """
        answered = self.monotonic()
        ahead = time - (since + answered) / 2
        if self._offset is None or (
            answered - since < LEAP and abs(ahead - self._offset) > LEAP
        ):  # smaller differences are the network's
            self._offset = ahead

    def as_wall(self, time: float) -> float:
        """Return a time of this clock as it is: the server's clock is a wall clock."""
        return time

    def _begin(self, ahead: float) -> float:
        del ahead
        self._ask()
        assert self._offset is not None
        return self._offset


LEAP: Final = 0.25
"""Seconds by which a server's clock has to differ from what it has told before."""


class Journal(Protocol):
    """The journal of runs. Every method may raise `DatabaseFault`.

    Attributes:
        clock: of the runs. It never jumps, and is the same for all who share the journal.
        owner: of the runs that are added here. `take`, `holders` and `next_due` ignore the runs of
            others.
    """

    clock: SteadyClock
    owner: Owner = Owner()

    def check_owner(self, key: RunKey, owner: Owner | None) -> None:
        """Raise `Conflict` if a run belongs to another owner."""
        if not self.owner.may_take(owner):
            raise Conflict(
                f"there is a run {key.id!r} of {key.workflow!r} that belongs to another program "
                f"({owner}); nothing was started: give this one another id, or keep its runs "
                "elsewhere"
            )

    def add(
        self,
        definition: Definition,
        id: str,
        value: Json,
        now: float,
        lease: float | None,
        *,
        holder: str | None = None,
        begun: Sequence[Command | Finished] = (),
    ) -> tuple[RunRow, bool]:
        """Add a run, unless there is one of this name and id; return it, and whether it is new.

        Args:
            definition: kept under its digest.
            id: of the run.
            value: its input.
            now: Unix seconds.
            lease: seconds for which the caller has it; None leaves it to any process.
            holder: the caller's process, if others can look for it.
            begun: the commands that begin together with the run, or have ended before.

        Raises:
            Conflict: there is one, and it is another app's, stage's or order's.
        """

    def take(
        self,
        flows: Iterable[str],
        now: float,
        lease: float,
        limit: int,
        *,
        left: Iterable[str] = (),
        over: Iterable[RunHolder] = (),
        grace: float = 0.0,
        holder: str | None = None,
    ) -> list[RunRow]:
        """Lease runs that are due, for `lease` seconds from `now`.

        A call that was under way in a lease that ended without a result is noted as lost, once.

        Args:
            flows: names of workflows: runs of others are left alone.
            now: Unix seconds.
            lease: seconds.
            limit: how many runs at most.
            left: digests of definitions whose runs are ignored.
            over: leases that have ended, whatever their time says.
            grace: extra seconds of every other lease.
            holder: the caller's process, if others can look for it.
        """

    def renew(self, leases: Iterable[tuple[RunKey, int]], due: float) -> list[bool]:
        """Renew leases until `due`; return for each whether it is still held."""

    def release(
        self,
        key: RunKey,
        fence: int,
        now: float,
        due: float,
        seen: int | None = None,
        *,
        is_cut: bool = False,
    ) -> None:
        """Return a lease; the run is due again at `due`.

        It is due now if it was cancelled, unless its holder knows that (`is_cut`); or if it has an
        event with a number beyond `seen`; None if it waits for no event.
        """

    def send(self, key: RunKey, arrival: SentEvent) -> SendResult:
        """Keep and number an event for a run that has not ended, once by its id; it is due now."""

    def arrivals(self, key: RunKey, seen: int) -> list[SentEvent]:
        """Return the events of a run with numbers beyond `seen`, in order."""

    def waits(self, limit: int, key: RunKey | None = None) -> list[OpenWait]:
        """Return the waits for events, of one run or of all that have not ended, in order."""

    def finish(
        self, key: RunKey, fence: int, now: float, finished: Iterable[Finished], answer: Answer
    ) -> bool:
        """Note the end of a run; return False if its lease is lost, and nothing was noted.

        Its end is also an event for the run that waits for it, if there is one.
        """

    def quiet(self) -> float:
        """Return the seconds for which no look for runs is needed; 0.0 if unknown."""
        return 0.0

    def next_due(self, flows: Iterable[str], now: float, left: Iterable[str] = ()) -> float | None:
        """Return the earliest time after `now` at which a run of a known workflow is due."""

    def holders(
        self, flows: Iterable[str], until: float, left: Iterable[str] = ()
    ) -> list[RunHolder]:
        """Return the holders of leases of known workflows that end up to a time."""

    def advance(
        self,
        key: RunKey,
        fence: int,
        now: float,
        finished: Iterable[Finished],
        begun: Iterable[Command],
    ) -> StepFailure | bool:
        """Note the commands that have ended, and the ones to begin.

        Returns:
            True if everything in `begun` may begin; False if the lease is lost, and nothing was
            noted; a `StepFailure`, noted as their answer, if guarded commands may not begin.
        """

    def lost(self, key: RunKey) -> dict[tuple[str, int], int]:
        """Return how often each call of a run was lost with the process that made it."""

    def make_again(self, key: RunKey, fence: int, path: str, attempt: int) -> bool:
        """Note that a lost call is made again; return False if the lease is lost."""

    def set_aside(self, key: RunKey) -> None:
        """Mark a run that this version cannot read; another version may continue it."""

    def cancel(self, key: RunKey, now: float) -> RunRow | None:
        """Ask for a run to be cancelled, if it is still running; None if there is no such run."""

    def abort(self, key: RunKey, now: float) -> RunRow | None:
        """End a run at once, if it is still running; None if there is no such run."""

    def find(self, key: RunKey) -> RunRow | None:
        """Return a run, if it is there."""

    def runs(self, workflow: str | None, limit: int) -> list[RunRow]:
        """Return the latest runs, of one workflow or of all, the last one first."""

    def count_runs(self, until: float) -> list[RunCount]:
        """Count the runs of each workflow by state; overdue are those due up to `until`."""

    def events(self, key: RunKey) -> StepRecords:
        """Return the commands of a run so far.

        Raises:
            Unreadable: one of them cannot be read.
        """

    def definition(self, digest: str) -> Definition:
        """Return the definition with a digest.

        Raises:
            Unreadable: there is none, or not one that this version knows.
        """

    def close(self) -> None:
        """Close it."""

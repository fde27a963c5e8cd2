"""What a client needs of what stands above it: an app, the runs of workflows.

A client knows them by these few names. `leeward.App` and the engines in `leeward.workflow` have
them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from leeward.calls import Call, Result
from leeward.errors import CallError
from leeward.values import Effect, Event, Json, PublishReport
from leeward.values.runs import Run

if TYPE_CHECKING:
    from leeward.workflow.model import Definition

C = TypeVar("C", bound=Call)
T = TypeVar("T")


class MountableHandler(Protocol):
    """A handler of an app: what it says of the function that it is."""

    @property
    def queue(self) -> str | None:
        """The queue whose messages it takes; None for another handler."""

    @property
    def is_call(self) -> bool:
        """Whether it can be called by its name."""

    @property
    def effect(self) -> Effect | None:
        """What repeating a call of it would do."""

    @property
    def is_shared(self) -> bool:
        """Whether all targets of an order recognise a key."""

    @property
    def keeps_records(self) -> bool:
        """Whether it is an idempotent function: it can say what became of a call."""

    @property
    def record_table(self) -> str | None:
        """The table with its records, if it keeps any."""

    @property
    def timeout(self) -> float | None:
        """Seconds that it may run."""


class AppClients(Protocol):
    """The clients that were opened with an app."""

    def add(self, operations: Any) -> None:
        """Note the operations of a client that was opened with the app."""


class MountableApp(Protocol):
    """An app: what a client takes of it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def handlers(self) -> Mapping[str, MountableHandler]:
        """The handlers, by name."""

    @property
    def workflows(self) -> Iterable[Definition]:
        """The definitions of its workflows."""

    @property
    def clients(self) -> AppClients:
        """The clients that were opened with it."""


class Runs(Protocol):
    """Where the runs of a client's workflows live: in this process, or at a target."""

    def start(self, workflow: str, value: Json, id: str) -> Run:
        """Start a run, unless there is one of this id."""

    def get(self, workflow: str, id: str) -> Run | None:
        """Return a run; None if there is no such run."""

    def list(self, workflow: str | None = None, limit: int = 100) -> list[Run]:
        """Return the latest runs."""

    def wait(self, workflow: str, id: str, timeout: float) -> Run:
        """Wait for the end of a run."""

    def send(self, workflow: str, id: str, event: str, value: Json, event_id: str) -> Run:
        """Send an event to a run."""

    def rerun(self, workflow: str, run: str, step: str, id: str) -> Run:
        """Run a run again from a step."""

    def cancel(self, workflow: str, id: str) -> Run:
        """Ask a run to end."""

    def abort(self, workflow: str, id: str) -> Run:
        """End a run at once."""

    def wake(self) -> None:
        """Resume runs whose process is gone."""

    def close(self, timeout: float | None = None) -> None:
        """Await the steps that are under way, for so many seconds."""


class EventSpool(Protocol):
    """What publishes, and keeps the events that no target takes: `leeward._delivery.spool`."""

    def perform(self, call: Call, timeout: float, only: tuple[str, ...] = ()) -> Result[Any]:
        """Publish as a router does; the result of an event that is kept is OK, as `SPOOLED`."""

    async def perform_async(
        self, call: Call, timeout: float, only: tuple[str, ...] = ()
    ) -> Result[Any]:
        """Do the same without blocking the event loop."""

    def count_waiting(self) -> int | None:
        """Return how many events wait, as they were last counted; None if they were not yet."""

    def close(self) -> None:
        """Publish what waits, for a moment; leave the rest to another process."""


class UnknownWatcher(Protocol):
    """What leaves calls in a table whose outcome is unknown: `leeward._operations.unknowns`."""

    def watch(self, conclude: Callable[[C, Result[Any]], T]) -> Callable[[C, Result[Any]], T]:
        """Return `conclude`, which then also leaves a call with unknown outcome in the table."""

    def note(self, call: Call, error: CallError) -> None:
        """Leave a call, if its outcome is unknown."""

    def note_events(self, bus: str, events: Sequence[Event], report: PublishReport) -> None:
        """Leave each event of which nobody knows whether it was published."""

    def open_count(self) -> int | None:
        """Return how many calls the table has, as it was last counted; None if it was not yet."""

    def close(self) -> None:
        """Wait a moment until what waits is written; accept nothing more."""

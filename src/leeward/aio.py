"""The asynchronous client: the methods of `Client`, to be awaited.

It shares all decisions with `leeward.Client`, and runs them on an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Self, TypeVar

from leeward.clock import Clock, SystemClock, running_loop
from leeward.operations.object_methods import AsyncObjectMethods
from leeward.operations.operating import Operating
from leeward.usual_names import WithUsualNames
from leeward.values import (
    Effect,
    EffectName,
    Event,
    InvokeResult,
    Item,
    Json,
    PublishReceipt,
    PublishReport,
    Receipt,
    Record,
    StoreReceipt,
)

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path
    from types import TracebackType

    from leeward.adapter import Driver
    from leeward.app import App
    from leeward.config import Config
    from leeward.workflow.model import Definition
    from leeward.workflow.runs import Run

T = TypeVar("T")


class AsyncClient(AsyncObjectMethods, Operating, WithUsualNames):
    """`leeward.Client` for asyncio: the same methods with the same arguments, to be awaited.

    One client serves any number of tasks, of one event loop or several. Use it as an asynchronous
    context manager, or close it. A target whose adapter cannot be awaited works in threads.

    Cancelling a call releases its connection and its place. A request that was sent may still run.

    Args:
        targets: as for `leeward.Client`.
        config: as for `leeward.Client`.
        workflows: as for `leeward.Client`.
        trust_env: as for `leeward.Client`.
        clock: for tests, `leeward.testing.FakeClock`.
        app: as for `leeward.Client`; its handlers run on threads.

    Raises:
        ConfigError: something configured is wrong; the message names the place and the remedy.
    """

    def __init__(
        self,
        targets: str | Driver | Sequence[Driver] | None = None,
        *,
        config: str | Path | Config | None = None,
        workflows: Iterable[Definition] = (),
        trust_env: bool = True,
        clock: Clock | None = None,
        app: App | None = None,
        otel: bool = False,
    ) -> None:
        # Loaded by the first client: a program that imports leeward for its types does not need it.
        from leeward.opening import resolve_targets
        from leeward.operations.operations import Operations

        resolved = resolve_targets(targets, config, app, trust_env=trust_env)
        definitions = (*workflows, *(app.workflows if app else ()))
        self._operations = Operations(*resolved, clock or SystemClock(), definitions, otel=otel)
        self._router = self._operations.router
        if app is not None:
            app.clients.add(self._operations)

    async def invoke(
        self,
        function: str,
        payload: Json = None,
        *,
        effect: Effect | EffectName | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
    ) -> InvokeResult:
        """Call a function and wait for its answer; see `leeward.Client.invoke`."""
        call, seconds, finish = self._operations.functions.invoke(
            function, payload, effect, idempotency_key, timeout
        )
        only = () if targets is None else self._operations.narrowed(call, targets)
        return finish(call, await self._router.perform_async(call, seconds, only))

    async def enqueue(
        self,
        function: str,
        payload: Json = None,
        *,
        effect: Effect | EffectName | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
    ) -> Receipt:
        """Queue a function call; see `leeward.Client.enqueue`."""
        call, seconds, finish = self._operations.functions.enqueue(
            function, payload, effect, idempotency_key, timeout
        )
        only = () if targets is None else self._operations.narrowed(call, targets)
        return finish(call, await self._router.perform_async(call, seconds, only))

    async def publish_event(
        self,
        bus: str,
        type: str,
        data: Json | bytes = None,
        *,
        subject: str | None = None,
        id: str | None = None,
        time: datetime | None = None,
        ordering_key: str | None = None,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
    ) -> PublishReceipt:
        """Publish one CloudEvent; see `leeward.Client.publish_event`."""
        event = Event(type, data, id=id, time=time, subject=subject, ordering_key=ordering_key)
        call, seconds, finish = self._operations.events.publish_event(bus, event, timeout)
        only = () if targets is None else self._operations.narrowed(call, targets)
        return finish(call, await self._router.perform_async(call, seconds, only))

    async def publish_events(
        self,
        bus: str,
        events: Sequence[Event],
        *,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
    ) -> PublishReport:
        """Publish many events; see `leeward.Client.publish_events`."""
        batch = self._operations.events.publish_events(bus, events, timeout)
        try:
            call, seconds = next(batch)
            while True:
                only = () if targets is None else self._operations.narrowed(call, targets)
                call, seconds = batch.send(await self._router.perform_async(call, seconds, only))
        except StopIteration as end:
            report: PublishReport = end.value
            return report

    async def store_data(
        self,
        table: str,
        item: Item,
        *,
        if_absent: bool = False,
        if_revision: str | None = None,
        expires_in: float | timedelta | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Store an item whole; see `leeward.Client.store_data`."""
        call, seconds, finish = self._operations.store_data(
            table,
            item,
            if_absent=if_absent,
            if_revision=if_revision,
            expires_in=expires_in,
            timeout=timeout,
        )
        return finish(call, await self._router.perform_async(call, seconds))

    async def load_data(
        self, table: str, key: str | Mapping[str, str], *, timeout: float | None = None
    ) -> Record | None:
        """Load an item; None if there is none; see `leeward.Client.load_data`."""
        call, seconds, finish = self._operations.load_data(table, key, timeout)
        return finish(call, await self._router.perform_async(call, seconds))

    async def delete_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        *,
        if_revision: str | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Delete an item; see `leeward.Client.delete_data`."""
        call, seconds, finish = self._operations.delete_data(table, key, if_revision, timeout)
        return finish(call, await self._router.perform_async(call, seconds))

    async def start_workflow(self, workflow: str, value: Json = None, *, id: str) -> Run:
        """Start a run of a workflow; see `leeward.Client.start_workflow`."""
        return await _in_thread(lambda: self._operations.workflows().start(workflow, value, id))

    async def get_run(self, workflow: str, id: str) -> Run | None:
        """Return a run, or None; see `leeward.Client.get_run`."""
        return await _in_thread(lambda: self._operations.workflows().runs.get(workflow, id))

    async def list_runs(self, workflow: str | None = None, *, limit: int = 100) -> list[Run]:
        """Return the latest runs; see `leeward.Client.list_runs`."""
        return await _in_thread(lambda: self._operations.workflows().runs.list(workflow, limit))

    async def wait_for_run(self, workflow: str, id: str, *, timeout: float | None = None) -> Run:
        """Wait for the end of a run; see `leeward.Client.wait_for_run`."""
        return await _in_thread(lambda: self._operations.workflows().wait(workflow, id, timeout))

    async def resume_runs(self) -> None:
        """Continue runs whose process is gone; see `leeward.Client.resume_runs`."""
        await _in_thread(self._operations.workflows().runs.wake)

    async def cancel_run(self, workflow: str, id: str) -> Run:
        """Ask a run to end; see `leeward.Client.cancel_run`."""
        return await _in_thread(lambda: self._operations.workflows().runs.cancel(workflow, id))

    async def abort_run(self, workflow: str, id: str) -> Run:
        """End a run at once; see `leeward.Client.abort_run`."""
        return await _in_thread(lambda: self._operations.workflows().runs.abort(workflow, id))

    async def close(self, timeout: float | None = None) -> None:
        """Close every connection, thread and file; see `leeward.Client.close`."""
        await _in_thread(lambda: self._operations.close(timeout))
        await self._router.close_async()

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` on a thread, because it waits for a disk; the event loop continues."""
    from asyncio import to_thread

    running_loop()
    return await to_thread(work)

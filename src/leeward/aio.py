"""The asynchronous client: the methods of `Client`, to be awaited.

It shares all decisions with `leeward.Client`, and runs them on an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from leeward.client import BaseClient, P, R, T
from leeward.clock import running_loop
from leeward.values import (
    MISSING,
    Effect,
    EffectName,
    Event,
    InvokeResult,
    Item,
    ItemPage,
    ItemT,
    Json,
    PublishReceipt,
    PublishReport,
    Receipt,
    Record,
    StoreReceipt,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime, timedelta
    from types import TracebackType
    from typing import Unpack

    from leeward._operations.downloads import AsyncObjectReader
    from leeward.client import EnqueueOptions, InvokeOptions
    from leeward.errors import CallError
    from leeward.values.objects import ObjectInfo, ObjectPage
    from leeward.values.runs import Run
    from leeward.values.settled import Settled


class AsyncClient(BaseClient):
    """`leeward.Client` for asyncio: the same methods with the same arguments, to be awaited.

    One client serves any number of tasks, of one event loop or several. Use it as an asynchronous
    context manager, or close it. A target whose adapter cannot be awaited works in threads.

    Cancelling a call releases its connection and its place. A request that was sent may still run.

    Arguments, and what is raised, are as of `leeward.Client`; handlers of an `app` run on threads.
    """

    @overload
    async def invoke(
        self,
        function: Callable[[P], Coroutine[Any, Any, R]]
        | Callable[[P, Any], Coroutine[Any, Any, R]],
        payload: P,
        **options: Unpack[InvokeOptions],
    ) -> InvokeResult[R]: ...

    @overload
    async def invoke(
        self,
        function: Callable[[P], R] | Callable[[P, Any], R],
        payload: P,
        **options: Unpack[InvokeOptions],
    ) -> InvokeResult[R]: ...

    @overload
    async def invoke(
        self, function: Callable[[], R], **options: Unpack[InvokeOptions]
    ) -> InvokeResult[R]: ...

    @overload
    async def invoke(
        self, function: str, payload: Json = None, **options: Unpack[InvokeOptions]
    ) -> InvokeResult: ...

    async def invoke(
        self,
        function: str | Callable[..., Any],
        payload: Json = None,
        *,
        effect: Effect | EffectName | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
        on_unknown: Literal["settle", "raise"] | None = None,
    ) -> InvokeResult:
        """Call a function and wait for its answer; see `leeward.Client.invoke`."""
        call, seconds, finish = self._operations.functions.invoke(
            function, payload, effect, idempotency_key, timeout, on_unknown=on_unknown
        )
        only = () if targets is None else self._operations.narrow(call, targets)
        return finish(call, await self._operations.send_async(call, seconds, only))

    async def settle(
        self,
        error_or_key: CallError | str,
        *,
        function: str | None = None,
        payload: Json = MISSING,
        sent: float | datetime | None = None,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
    ) -> Settled:
        """Find out what became of a call; see `leeward.Client.settle`."""
        steps = self._operations.settle(
            error_or_key,
            function=function,
            payload=payload,
            sent=sent,
            timeout=timeout,
            targets=targets,
        )
        try:
            step = next(steps)
            while True:
                if isinstance(step, float):
                    await self._operations.clock.sleep_async(step)
                    step = steps.send(None)
                else:
                    step = steps.send(await self._operations.send_async(*step))
        except StopIteration as end:
            settled: Settled = end.value
            return settled

    @overload
    async def enqueue(
        self,
        function: Callable[[P], Any] | Callable[[P, Any], Any],
        payload: P,
        **options: Unpack[EnqueueOptions],
    ) -> Receipt: ...

    @overload
    async def enqueue(
        self,
        function: str | Callable[[], Any],
        payload: Json = None,
        **options: Unpack[EnqueueOptions],
    ) -> Receipt: ...

    async def enqueue(
        self,
        function: str | Callable[..., Any],
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
        only = () if targets is None else self._operations.narrow(call, targets)
        return finish(call, await self._operations.send_async(call, seconds, only))

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
        on_all_down: Literal["spool", "raise"] | None = None,
    ) -> PublishReceipt:
        """Publish one CloudEvent; see `leeward.Client.publish_event`."""
        event = Event(type, data, id=id, time=time, subject=subject, ordering_key=ordering_key)
        call, seconds, finish = self._operations.events.publish_event(bus, event, timeout)
        only = () if targets is None else self._operations.narrow(call, targets)
        sender = self._operations.sender(bus, on_all_down)
        return finish(call, await self._operations.send_async(call, seconds, only, sender))

    async def publish_events(
        self,
        bus: str,
        events: Sequence[Event],
        *,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
        on_all_down: Literal["spool", "raise"] | None = None,
    ) -> PublishReport:
        """Publish many events; see `leeward.Client.publish_events`."""
        sender = self._operations.sender(bus, on_all_down)
        keeps_late = sender is not self._router
        batch = self._operations.events.publish_events(bus, events, timeout, keeps_late=keeps_late)
        try:
            call, seconds = next(batch)
            while True:
                only = () if targets is None else self._operations.narrow(call, targets)
                call, seconds = batch.send(
                    await self._operations.send_async(call, seconds, only, sender)
                )
        except StopIteration as end:
            report: PublishReport = end.value
            return report

    async def store_data(
        self,
        table: str,
        item: Mapping[str, object],
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
        return finish(call, await self._operations.send_async(call, seconds))

    @overload
    async def load_data(
        self, table: str, key: str | Mapping[str, str], *, timeout: float | None = None
    ) -> Record[Item] | None: ...

    @overload
    async def load_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        *,
        as_: type[T],
        timeout: float | None = None,
    ) -> Record[T] | None: ...

    async def load_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        *,
        as_: type[Any] | None = None,
        timeout: float | None = None,
    ) -> Record | None:
        """Load an item; None if there is none; see `leeward.Client.load_data`."""
        call, seconds, finish = self._operations.load_data(table, key, timeout, as_)
        return finish(call, await self._operations.send_async(call, seconds))

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
        return finish(call, await self._operations.send_async(call, seconds))

    async def list_data(
        self,
        table: str,
        partition: str,
        *,
        begins: str | None = None,
        after: str | None = None,
        before: str | None = None,
        descending: bool = False,
        limit: int = 100,
        cursor: str | None = None,
        as_: type[ItemT] | None = None,
        timeout: float | None = None,
    ) -> ItemPage[ItemT]:
        """List one page of a partition, in order; see `leeward.Client.list_data`."""
        call, seconds, finish = self._operations.list_data(
            table,
            partition,
            begins=begins,
            after=after,
            before=before,
            descending=descending,
            limit=limit,
            cursor=cursor,
            as_=as_,
            timeout=timeout,
        )
        return finish(call, await self._operations.send_async(call, seconds))

    async def put_object(
        self,
        bucket: str,
        name: str,
        data: bytes,
        *,
        if_absent: bool = False,
        if_revision: str | None = None,
        metadata: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Write an object whole; see `leeward.Client.put_object`."""
        call, seconds, finish = self._operations.objects.put_object(
            bucket,
            name,
            data,
            if_absent=if_absent,
            if_revision=if_revision,
            metadata=metadata,
            timeout=timeout,
        )
        return finish(call, await self._operations.send_async(call, seconds))

    async def get_object(
        self,
        bucket: str,
        name: str,
        *,
        start: int = 0,
        length: int | None = None,
        timeout: float | None = None,
    ) -> AsyncObjectReader | None:
        """Read an object while you iterate; see `leeward.Client.get_object`."""
        download = self._operations.objects.get_object(
            bucket, name, start=start, length=length, timeout=timeout
        )
        return await download.open_async(self._operations.send_async)

    async def head_object(
        self, bucket: str, name: str, *, timeout: float | None = None
    ) -> ObjectInfo | None:
        """Look at an object without reading it; None if there is none."""
        call, seconds, finish = self._operations.objects.head_object(bucket, name, timeout)
        return finish(call, await self._operations.send_async(call, seconds))

    async def list_objects(
        self,
        bucket: str,
        prefix: str = "",
        *,
        cursor: str | None = None,
        timeout: float | None = None,
    ) -> ObjectPage:
        """List one page of objects; see `leeward.Client.list_objects`."""
        call, seconds, finish = self._operations.objects.list_objects(
            bucket, prefix, cursor, timeout
        )
        return finish(call, await self._operations.send_async(call, seconds))

    async def delete_object(
        self, bucket: str, name: str, *, timeout: float | None = None
    ) -> StoreReceipt:
        """Delete an object. A missing object is not an error."""
        call, seconds, finish = self._operations.objects.delete_object(bucket, name, timeout)
        return finish(call, await self._operations.send_async(call, seconds))

    async def start_workflow(self, workflow: str, value: Json = None, *, id: str) -> Run:
        """Start a run of a workflow; see `leeward.Client.start_workflow`."""
        return await self._operations.act_async(self._operations.runs.start, workflow, value, id)

    async def get_run(self, workflow: str, id: str) -> Run | None:
        """Return a run, or None; see `leeward.Client.get_run`."""
        return await _in_thread(lambda: self._operations.runs.at_home.get(workflow, id))

    async def list_runs(self, workflow: str | None = None, *, limit: int = 100) -> list[Run]:
        """Return the latest runs; see `leeward.Client.list_runs`."""
        return await _in_thread(lambda: self._operations.runs.at_home.list(workflow, limit))

    async def send_event(
        self, workflow: str, run: str, event: str, value: Json = None, *, id: str
    ) -> Run:
        """Send an event to a run; see `leeward.Client.send_event`."""
        send = self._operations.runs.send
        return await self._operations.act_async(send, workflow, run, event, value, id)

    async def rerun(self, workflow: str, run: str, step: str, *, id: str) -> Run:
        """Run a run again from a step; see `leeward.Client.rerun`."""
        return await self._operations.act_async(
            lambda: self._operations.runs.at_home.rerun(workflow, run, step, id)
        )

    async def wait_for_run(self, workflow: str, id: str, *, timeout: float | None = None) -> Run:
        """Wait for the end of a run; see `leeward.Client.wait_for_run`."""
        return await _in_thread(lambda: self._operations.runs.wait(workflow, id, timeout))

    async def resume_runs(self) -> None:
        """Continue runs whose process is gone; see `leeward.Client.resume_runs`."""
        await _in_thread(self._operations.runs.at_home.wake)

    async def cancel_run(self, workflow: str, id: str) -> Run:
        """Ask a run to end; see `leeward.Client.cancel_run`."""
        return await self._operations.act_async(
            lambda: self._operations.runs.at_home.cancel(workflow, id)
        )

    async def abort_run(self, workflow: str, id: str) -> Run:
        """End a run at once; see `leeward.Client.abort_run`."""
        return await self._operations.act_async(
            lambda: self._operations.runs.at_home.abort(workflow, id)
        )

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

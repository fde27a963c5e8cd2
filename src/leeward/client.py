"""The client: one object, whichever cloud answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar, overload

from leeward.clock import Clock, SystemClock
from leeward.errors import CallError, InvalidRequest
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
    ProbeReport,
    PublishReceipt,
    PublishReport,
    Receipt,
    Record,
    RoutingEvent,
    StoreReceipt,
    TargetStatus,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime, timedelta
    from pathlib import Path
    from types import TracebackType
    from typing import TypedDict, Unpack

    from leeward._operations.downloads import ObjectReader
    from leeward._operations.protocols import MountableApp
    from leeward.adapter import Driver
    from leeward.config import Config
    from leeward.values.objects import ObjectInfo, ObjectPage
    from leeward.values.runs import Run
    from leeward.values.settled import Settled
    from leeward.workflow.model import Definition

    class EnqueueOptions(TypedDict, total=False):
        """The arguments of `Client.enqueue` besides the function and its payload."""

        effect: Effect | EffectName | None
        idempotency_key: str | None
        timeout: float | None
        targets: str | Sequence[str] | None

    class InvokeOptions(EnqueueOptions, total=False):
        """The arguments of `Client.invoke` besides the function and its payload."""

        on_unknown: Literal["settle", "raise"] | None


P = TypeVar("P")
"""What a function takes."""
R = TypeVar("R")
"""What it answers."""
T = TypeVar("T")


class BaseClient:
    """The common part of both clients, with the methods that do not wait."""

    def __init__(
        self,
        targets: str | Driver | Sequence[Driver] | None = None,
        *,
        config: str | Path | Config | None = None,
        workflows: Iterable[Definition] = (),
        trust_env: bool = True,
        clock: Clock | None = None,
        app: MountableApp | None = None,
        otel: bool = False,
    ) -> None:
        # Loaded by the first client: who imports leeward for its types does without.
        from leeward._operations.operations import Operations
        from leeward.opening import resolve_targets

        resolved = resolve_targets(targets, config, app, trust_env=trust_env)
        definitions = (*workflows, *(app.workflows if app else ()))
        name = app.name if app else None
        clock = clock or SystemClock()
        self._operations = Operations(*resolved, clock, definitions, app=name, otel=otel)
        self._router = self._operations.router
        if app is not None:
            app.clients.add(self._operations)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: connections and threads stay in their process."""
        raise TypeError(
            f"{type(self).__name__} cannot be pickled or copied: it holds connections and "
            "credentials; open a new one where it is needed"
        )

    def targets(self) -> list[TargetStatus]:
        """Describe the targets, in order: their capabilities, settings and evidence."""
        return self._operations.targets()

    def native(self, target: str, service: str) -> object:
        """Return the vendor's own client of a service, for what is not portable."""
        return self._operations.native(target, service)

    def probe(self, target: str) -> ProbeReport:
        """Check whether a target works, cheaply and without any effect, in 4 seconds at most.

        The result changes nothing: no call goes elsewhere because of it.
        """
        return self._operations.probe(target)

    def isolate(self, target: str) -> None:
        """Send nothing to a target until `restore`.

        Calls that have no other target raise `TargetUnavailable`, or `HomeUnavailable`. Only this
        client is concerned.
        """
        self._operations.router.isolate(self._operations.check_target(target))

    def restore(self, target: str) -> None:
        """Send calls to a target again: a share first, then all.

        It ends an isolation, and the pause after failures.
        """
        self._operations.router.restore(self._operations.check_target(target))

    def explain(self, call_id: int) -> str:
        """Return in words what was decided about a call, and why.

        Args:
            call_id: from any of the `attempts` of its result or exception. The client remembers the
                last 256 calls that did not succeed at once.
        """
        return self._operations.explain(call_id)

    def listen(self, listener: Callable[[RoutingEvent], object]) -> None:
        """Call `listener` with every decision about targets and calls from now on.

        It runs on the thread of the call that caused the event, without any lock. Its exceptions
        are ignored.
        """
        if not callable(listener):
            raise InvalidRequest("listener must be callable with one event", field="listener")
        self._operations.router.listen(listener)


class Client(BaseClient):
    """Calls functions, publishes events and stores items, on the targets of the failover order.

    One client may be shared by any number of threads. Use it as a context manager, or close it.

    Args:
        targets: the order, as in ``CLOUD_PROVIDER``; or one or several open drivers, which then
            belong to this client. By default ``CLOUD_PROVIDER``, else the configuration file,
            else ``local``, the embedded store.
        config: path of a ``leeward.toml``, or a `Config`. By default the file that
            ``LEEWARD_CONFIG`` names, else ``leeward.toml`` in the working directory.
        workflows: definitions that it can start, besides the workflows of the app and of the
            configuration.
        trust_env: False for the hardened mode, whatever the configuration says: leeward ignores
            environment variables, and a ``leeward.toml`` that `config` does not name. An open
            driver stays as it was opened.
        clock: for tests, `leeward.testing.FakeClock`.
        app: runs in this process if a target can run it, as ``local`` does; on other targets the
            client calls the deployed app.
        otel: make spans and metrics of calls and routing, through OpenTelemetry's API
            (``leeward[otel]``).

    Raises:
        ConfigError: something configured is wrong; the message names the place and the remedy.
    """

    @overload
    def invoke(
        self,
        function: Callable[[P], Coroutine[Any, Any, R]]
        | Callable[[P, Any], Coroutine[Any, Any, R]],
        payload: P,
        **options: Unpack[InvokeOptions],
    ) -> InvokeResult[R]: ...

    @overload
    def invoke(
        self,
        function: Callable[[P], R] | Callable[[P, Any], R],
        payload: P,
        **options: Unpack[InvokeOptions],
    ) -> InvokeResult[R]: ...

    @overload
    def invoke(
        self, function: Callable[[], R], **options: Unpack[InvokeOptions]
    ) -> InvokeResult[R]: ...

    @overload
    def invoke(
        self, function: str, payload: Json = None, **options: Unpack[InvokeOptions]
    ) -> InvokeResult: ...

    def invoke(
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
        """Call a function and wait for its answer.

        Args:
            function: its logical name; or a function of an app itself, with the types of its
                annotations.
            payload: JSON; or a value of the function's annotated type.
            effect: what repeating the call would do: ``read_only``, ``idempotent``, ``keyed`` or
                ``unsafe``. By default the function's configured ``effect``, else ``unsafe``.
            idempotency_key: the function recognises a repeated call by it; created if None.
            timeout: seconds for everything, retries and failover included. By default the
                function's configured ``timeout``, else 60.
            targets: ask only these targets of the order, in this order; all if None.
            on_unknown: ``settle``: before the call ends as unknown, ask the function what became
                of it, and go on from there; or ``raise``. By default as configured; of an
                idempotent function of the client's app, ``settle``.

        Raises:
            CallError: one class for each outcome; `OutcomeUnknown` if it may have run.
            ValidationError: a function that was given as itself has run, and its answer is not
                what it is annotated with.
        """
        call, seconds, finish = self._operations.functions.invoke(
            function, payload, effect, idempotency_key, timeout, on_unknown=on_unknown
        )
        only = () if targets is None else self._operations.narrow(call, targets)
        return finish(call, self._operations.send(call, seconds, only))

    def settle(
        self,
        error_or_key: CallError | str,
        *,
        function: str | None = None,
        payload: Json = MISSING,
        sent: float | datetime | None = None,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
    ) -> Settled:
        """Find out what became of a call whose outcome is unknown.

        The function answers from its record of the key, and runs nothing. If there is no record,
        the key becomes void: a late delivery is refused, so that the call never runs. While the
        call still runs, this waits.

        Args:
            error_or_key: the error of the call, or its key.
            function: with a key, the function that was called.
            payload: with a key, the payload of the call, if the function reads its key there.
            sent: with a key, when the call was first made, in Unix seconds or as a datetime. A key
                that leeward has made contains that time.
            timeout: seconds for everything, 30 by default.
            targets: with a key, all targets where the call may have been made. Without them, each
                target of the order is asked, and the verdict is never "did not run".

        Raises:
            CallError: the question was refused, for example because of another payload.
        """
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
                    self._operations.clock.sleep(step)
                    step = steps.send(None)
                else:
                    step = steps.send(self._operations.send(*step))
        except StopIteration as end:
            settled: Settled = end.value
            return settled

    @overload
    def enqueue(
        self,
        function: Callable[[P], Any] | Callable[[P, Any], Any],
        payload: P,
        **options: Unpack[EnqueueOptions],
    ) -> Receipt: ...

    @overload
    def enqueue(
        self,
        function: str | Callable[[], Any],
        payload: Json = None,
        **options: Unpack[EnqueueOptions],
    ) -> Receipt: ...

    def enqueue(
        self,
        function: str | Callable[..., Any],
        payload: Json = None,
        *,
        effect: Effect | EffectName | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
    ) -> Receipt:
        """Queue a function call; there will be no answer. Arguments as for `invoke`.

        The receipt says that a target accepted the call. Platforms run an accepted call at least
        once. `timeout` is for the queueing, 10 seconds by default.
        """
        call, seconds, finish = self._operations.functions.enqueue(
            function, payload, effect, idempotency_key, timeout
        )
        only = () if targets is None else self._operations.narrow(call, targets)
        return finish(call, self._operations.send(call, seconds, only))

    def publish_event(
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
        """Publish one CloudEvent.

        Args:
            bus: its logical name.
            type: what happened, such as ``order.created``.
            data: JSON, or bytes.
            subject: what it happened to.
            id: unique for the configured source; created if None. It stays the same through
                retries and failover, so that consumers can recognise a duplicate.
            time: aware; now if None.
            ordering_key: events of one key are delivered in order, if the target can.
            timeout: seconds; by default the bus's configured ``timeout``, else 10.
            targets: as for `invoke`.
            on_all_down: ``spool``: keep the event where no target takes it, and publish it when one
                does again; or ``raise``. By default the bus's configured ``on_all_down``.

        Raises:
            SpoolFull: the event cannot be kept.
            CallError: one class for each outcome.
        """
        event = Event(type, data, id=id, time=time, subject=subject, ordering_key=ordering_key)
        call, seconds, finish = self._operations.events.publish_event(bus, event, timeout)
        only = () if targets is None else self._operations.narrow(call, targets)
        sender = self._operations.sender(bus, on_all_down)
        return finish(call, self._operations.send(call, seconds, only, sender))

    def publish_events(
        self,
        bus: str,
        events: Sequence[Event],
        *,
        timeout: float | None = None,
        targets: str | Sequence[str] | None = None,
        on_all_down: Literal["spool", "raise"] | None = None,
    ) -> PublishReport:
        """Publish many events, in as few requests as the targets' limits allow.

        Only entries that failed are sent again. Look at the report's `failed`, or call
        `raise_if_failed`. `timeout` is for the whole batch, `on_all_down` as for `publish_event`.

        Raises:
            InvalidRequest: an event is wrong; none was sent.
        """
        sender = self._operations.sender(bus, on_all_down)
        keeps_late = sender is not self._router
        batch = self._operations.events.publish_events(bus, events, timeout, keeps_late=keeps_late)
        try:
            call, seconds = next(batch)
            while True:
                only = () if targets is None else self._operations.narrow(call, targets)
                call, seconds = batch.send(self._operations.send(call, seconds, only, sender))
        except StopIteration as end:
            report: PublishReport = end.value
            return report

    def store_data(
        self,
        table: str,
        item: Mapping[str, object],
        *,
        if_absent: bool = False,
        if_revision: str | None = None,
        expires_in: float | timedelta | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Store a whole item in the table's home. Its key is part of the item.

        Args:
            table: its logical name.
            item: string keys; values of None, bool, int, float, Decimal, str, bytes, aware
                datetime, list and dict, nested. `load_data` returns exactly these.
            if_absent: store only if no item has this key.
            if_revision: store only if the item still has this revision.
            expires_in: seconds, or a timedelta, until the item expires.
            timeout: seconds; by default the table's configured ``timeout``, else 15.

        Raises:
            Conflict: the condition did not hold.
            CallError: one class for each other outcome.
        """
        call, seconds, finish = self._operations.store_data(
            table,
            item,
            if_absent=if_absent,
            if_revision=if_revision,
            expires_in=expires_in,
            timeout=timeout,
        )
        return finish(call, self._operations.send(call, seconds))

    @overload
    def load_data(
        self, table: str, key: str | Mapping[str, str], *, timeout: float | None = None
    ) -> Record[Item] | None: ...

    @overload
    def load_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        *,
        as_: type[T],
        timeout: float | None = None,
    ) -> Record[T] | None: ...

    def load_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        *,
        as_: type[Any] | None = None,
        timeout: float | None = None,
    ) -> Record | None:
        """Load an item from the table's home; None if there is none, or if it has expired.

        Args:
            table: its logical name.
            key: the key's value; a mapping if the key has two fields.
            as_: a class to read the item as: a dataclass, `NamedTuple`, `TypedDict` or model.
            timeout: seconds; by default the table's configured ``timeout``, else 15.

        Raises:
            ValidationError: the item does not fit `as_`.
        """
        call, seconds, finish = self._operations.load_data(table, key, timeout, as_)
        return finish(call, self._operations.send(call, seconds))

    def delete_data(
        self,
        table: str,
        key: str | Mapping[str, str],
        *,
        if_revision: str | None = None,
        timeout: float | None = None,
    ) -> StoreReceipt:
        """Delete an item. A missing item is not an error, unless `if_revision` is given."""
        call, seconds, finish = self._operations.delete_data(table, key, if_revision, timeout)
        return finish(call, self._operations.send(call, seconds))

    def list_data(
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
        """List one page of a partition, in the order of the code points of the sort field.

        A page is as consistent as a load. It may have fewer items than `limit`, even none, and a
        `cursor`: go on until that is None.

        Args:
            table: its logical name; its key has two fields, a partition and a sort field.
            partition: the value of the partition field.
            begins: only items whose sort value begins so.
            after: only items whose sort value comes after this one.
            before: only items whose sort value comes before this one.
            descending: the last one first.
            limit: items of the page, at most; 1 to 1,000.
            cursor: of the page before, of a list with the same arguments but `limit`. It outlives
                the process.
            as_: a class to read each item as: a dataclass, `NamedTuple`, `TypedDict` or model.
            timeout: seconds; by default the table's configured ``timeout``, else 15.

        Raises:
            InvalidRequest: an argument is wrong, or the cursor belongs to another list.
            ValidationError: an item does not fit `as_`; its `result` is the whole page as it came.
            CallError: one class for each other outcome.
        """
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
        return finish(call, self._operations.send(call, seconds))

    def put_object(
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
        """Write an object whole, if its condition holds; the receipt has its new revision."""
        call, seconds, finish = self._operations.objects.put_object(
            bucket,
            name,
            data,
            if_absent=if_absent,
            if_revision=if_revision,
            metadata=metadata,
            timeout=timeout,
        )
        return finish(call, self._operations.send(call, seconds))

    def get_object(
        self,
        bucket: str,
        name: str,
        *,
        start: int = 0,
        length: int | None = None,
        timeout: float | None = None,
    ) -> ObjectReader | None:
        """Read an object, or `length` bytes from `start`, while you iterate; None if absent."""
        download = self._operations.objects.get_object(
            bucket, name, start=start, length=length, timeout=timeout
        )
        return download.open(self._operations.send)

    def head_object(
        self, bucket: str, name: str, *, timeout: float | None = None
    ) -> ObjectInfo | None:
        """Look at an object without reading it; None if there is none."""
        call, seconds, finish = self._operations.objects.head_object(bucket, name, timeout)
        return finish(call, self._operations.send(call, seconds))

    def list_objects(
        self,
        bucket: str,
        prefix: str = "",
        *,
        cursor: str | None = None,
        timeout: float | None = None,
    ) -> ObjectPage:
        """List one page of the objects whose names begin with `prefix`; the last has no cursor."""
        call, seconds, finish = self._operations.objects.list_objects(
            bucket, prefix, cursor, timeout
        )
        return finish(call, self._operations.send(call, seconds))

    def delete_object(
        self, bucket: str, name: str, *, timeout: float | None = None
    ) -> StoreReceipt:
        """Delete an object. A missing object is not an error."""
        call, seconds, finish = self._operations.objects.delete_object(bucket, name, timeout)
        return finish(call, self._operations.send(call, seconds))

    def start_workflow(self, workflow: str, value: Json = None, *, id: str) -> Run:
        """Start a run of a workflow; it continues in the background.

        Args:
            workflow: its name.
            value: the input, JSON of at most 32 KiB.
            id: of the run, 1 to 80 letters, digits, ``-`` and ``_``. An id has one run: with the
                same input this returns the existing run, whatever its state.

        Raises:
            Conflict: there is a run of this id with another input.
            NotFound: no such workflow is known to this client.
        """
        return self._operations.act(self._operations.runs.start, workflow, value, id)

    def get_run(self, workflow: str, id: str) -> Run | None:
        """Return a run with what it did so far; None if no run has this id."""
        return self._operations.runs.at_home.get(workflow, id)

    def list_runs(self, workflow: str | None = None, *, limit: int = 100) -> list[Run]:
        """Return the latest runs, of one workflow or of all, the last one first."""
        return self._operations.runs.at_home.list(workflow, limit)

    def send_event(
        self, workflow: str, run: str, event: str, value: Json = None, *, id: str
    ) -> Run:
        """Send an event to a run, which may wait for it with `Flow.event`.

        An event that comes before the run waits for it is kept. If the outcome of this call is
        unknown, repeat it with the same id.

        Args:
            workflow: its name.
            run: the id of the run.
            event: its name.
            value: JSON of at most 32 KiB.
            id: of the event: a run gets an event of an id once.

        Raises:
            NotFound: no run has this id.
            Conflict: the run is over, or has had another event of this id.
        """
        return self._operations.act(self._operations.runs.send, workflow, run, event, value, id)

    def rerun(self, workflow: str, run: str, step: str, *, id: str) -> Run:
        """Run a run again from a step, as a new run; what is before the step does not run again.

        The new run has the same input and the results of the steps before, under the definition
        that this client knows. A step that may have run keeps its key.

        Args:
            workflow: its name.
            run: the id of a run that is over.
            step: the path of the step, as `get_run` has it.
            id: of the new run: the same rerun with this id is the same run.

        Raises:
            NotFound: no run has this id.
            InvalidRequest: the run has not come to the step.
            Conflict: it is not over; or a step before was undone, or is another one by now.
        """
        return self._operations.act(self._operations.runs.at_home.rerun, workflow, run, step, id)

    def wait_for_run(self, workflow: str, id: str, *, timeout: float | None = None) -> Run:
        """Wait for the end of a run, for 60 seconds by default, and return it.

        Raises:
            TimeoutError: it still runs.
            NotFound: no run has this id.
        """
        return self._operations.runs.wait(workflow, id, timeout)

    def resume_runs(self) -> None:
        """Continue runs whose process is gone, in the background; `start_workflow` does so, too."""
        self._operations.runs.at_home.wake()

    def cancel_run(self, workflow: str, id: str) -> Run:
        """Ask a run to end: before its next step it fails with ``Flow.Cancelled``, and compensates.

        Raises:
            NotFound: no run has this id.
        """
        return self._operations.act(self._operations.runs.at_home.cancel, workflow, id)

    def abort_run(self, workflow: str, id: str) -> Run:
        """End a run at once, without compensation. A step under way continues to its end.

        Raises:
            NotFound: no run has this id.
        """
        return self._operations.act(self._operations.runs.at_home.abort, workflow, id)

    def close(self, timeout: float | None = None) -> None:
        """Close every connection, thread and file. Closing twice is harmless.

        Args:
            timeout: seconds to wait for steps of embedded workflows that are under way. By default
                it waits for unsafe steps, however long they take, and two seconds for others.
        """
        self._operations.close(timeout)
        self._router.close()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

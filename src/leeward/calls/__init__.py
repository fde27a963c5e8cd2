"""What goes to a driver and what comes back: every `Call`, and its `Result`.

What nearly every program needs is in this file: functions, events and tables. Objects, runs,
queues, backups and looks have a file each beside it; their names can be imported from here as well,
and a program loads those that it uses.

Calls and results are immutable. With a call goes its time, a number of seconds. Whoever makes an
`AttemptTime` fills it in, and nobody changes it after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

from leeward.errors import Attempt, Outcome
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.values import OBJECT_READS, Effect, Event, FunctionFault, Item

if TYPE_CHECKING:
    from leeward.calls.looks import LogLine, LogPage, Look, LookResult, ReadLogs
    from leeward.calls.objects import (
        DeleteObject,
        FoundObject,
        GetObject,
        HeadObject,
        Listing,
        ListObjects,
        Piece,
        PutObject,
    )
    from leeward.calls.queues import (
        Attribute,
        HideMessage,
        PutMessage,
        QueueMessage,
        RemoveMessage,
        TakeMessages,
    )
    from leeward.calls.runs import AbortRun, FoundRun, GetRun, StartRun, has_input

T = TypeVar("T")

OBJECT_WRITES: Final = frozenset({"put_object", "delete_object"})
OBJECT_VERBS: Final = OBJECT_WRITES | OBJECT_READS
"""The verbs of the calls of objects. Who has any call in hand goes by its verb, so that classes are
not loaded that the program does not use."""
RUN_VERBS: Final = frozenset({"start_run", "get_run", "abort_run"})
"""The verbs of the calls of runs."""

ISOLATED: Final = "isolated"
"""The `reason` of a LOCAL result because an operator isolated the target while the call waited."""

UNMARKED: Final = "unmarked"
"""The `Result.reason` of an AMBIGUOUS result whose answer has no mark of its call: the function may
have given it, or passed it on, or a gateway in front of it, before or after the function ran."""

UNMARKED_REFUSAL: Final = "unmarked_refusal"
"""The same of an APP_ERROR result, whose answer refuses this request alone, such as a 403 or a 404:
the next target would, too. It says nothing of the target's health, whoever gave it."""

TOO_LARGE: Final = "payload_too_large"
"""The `Result.reason` of a CALLER result by which a target says that a request is too large."""

NO_PLACE: Final = "no_place"
"""The `reason` of a LOCAL result because nothing on this side was free to make the attempt in time:
no place, no thread. The router waits elsewhere."""

NO_THREAD: Final = "no_thread"
"""The code of an attempt that was not begun, because too many others hold the threads."""

SHORTEST_WAIT: Final = 0.001
"""Seconds; a wait that is shorter is not reported."""


class AttemptTime(float):
    """The seconds of one attempt, from when nothing on this side holds it back any more.

    A plugin's `perform` gets a number of seconds, which it can hand to any library; what else this
    carries is optional, so it is a number, too, and no argument of its own. A driver that keeps a
    line for its places, or fetches credentials, lets an attempt wait there for `wait` seconds
    besides: a wait is not part of the attempt, and proves that nothing was sent.

    Attributes:
        wait: seconds that the attempt may wait on this side before it is made.
        total: seconds for both together; infinite for an attempt that may outlast its call.
        elsewhere: another target may have a place sooner, so it does not wait for long.
        gate: of the target: an attempt that has waited is not made once it `isolated` is true.
    """

    __slots__ = ("elsewhere", "gate", "total", "wait")

    wait: float
    total: float
    elsewhere: bool
    gate: Any

    @staticmethod
    def of(
        seconds: float, wait: float, total: float, *, elsewhere: bool = False, gate: Any = None
    ) -> AttemptTime:
        """Return a time of these `seconds`, with `wait` before them, and `total` for both."""
        timeout = AttemptTime(seconds)
        timeout.wait, timeout.total, timeout.elsewhere, timeout.gate = wait, total, elsewhere, gate
        return timeout

    def cut_to(self, seconds: float) -> AttemptTime:
        """Return the same for an attempt of at most so many `seconds`."""
        seconds = min(self, seconds)
        return AttemptTime.of(
            seconds, self.wait, self.total, elsewhere=self.elsewhere, gate=self.gate
        )


def is_barred(timeout: float | None) -> bool:
    """Return whether an attempt that has waited must not be made: its target was isolated."""
    return isinstance(timeout, AttemptTime) and timeout.gate is not None and timeout.gate.isolated


def time_after(waited: float, timeout: float) -> float:
    """Return what an attempt has of its `timeout` once it has `waited`, in seconds."""
    if not isinstance(timeout, AttemptTime):
        return timeout - waited
    total = timeout.total - waited
    wait = max(0.0, timeout.wait - waited)
    seconds, elsewhere = min(timeout, total), timeout.elsewhere
    return AttemptTime.of(seconds, wait, total, elsewhere=elsewhere, gate=timeout.gate)


@show_only("fields")
class Key(NamedTuple):
    """The key of an item: one field, or a partition and a sort field."""

    fields: tuple[str, ...]
    values: tuple[str, ...]


@show_only(
    "function idempotency_key effect shared_dedup time_limit marks voids settles fenced demand verb"
)
class Invoke(NamedTuple):
    """Call a function. The value of an OK result is its answer, decoded from JSON.

    Attributes:
        function: the provider's own name of it.
        payload: JSON in UTF-8.
        idempotency_key: the same on every attempt of one call.
        effect: what repeating the call would do. It is for the router; a driver may ignore it.
        shared_dedup: with KEYED, one store recognises keys for all targets of the order
            (``dedup_scope = "group"``), or for these targets and providers. The next target
            recognises the key, too, if it says so itself, or is named.
        time_limit: seconds that the function may run, if that is known, else 0.
        trace: the W3C ``traceparent`` of the handler that calls, or None.
        marks: the function is known to mark each of its answers: an answer over HTTP that has no
            mark is then not its own.
        voids: how often the key was settled as not run, as far as the caller knows. A function that
            keeps records refuses a call that knows of fewer voids than its record has.
        settles: an unknown outcome is settled before the call ends. It is for the router.
        sent: Unix seconds when the call was made; 0 if nobody knows.
        fenced: if its key is settled as not run meanwhile, the router does not make it again:
            whoever has settled it goes on without it.
        demand: how the function must recognise repeated keys, that it runs: as
            ``x-leeward-dedup`` says it. Empty for any way.
    """

    function: str
    payload: bytes
    idempotency_key: str
    effect: Effect = Effect.UNSAFE
    shared_dedup: bool | tuple[str, ...] = False
    time_limit: float = 0.0
    trace: str | None = None
    marks: bool = False
    voids: int = 0
    settles: bool = False
    sent: float = 0.0
    fenced: bool = False
    demand: str = ""
    verb: Literal["invoke"] = "invoke"


@show_only("function idempotency_key shared_dedup marks voids verb")
class Settle(NamedTuple):
    """Ask a function what became of its calls with a key; it runs nothing.

    The value of an OK result is the function's answer: see ``docs/settle.md``.

    Attributes:
        function: the provider's own name of it.
        payload: the question, as JSON in UTF-8. It is not the payload of the call.
        idempotency_key: of the calls.
        shared_dedup: any target of the order can answer.
        trace: as of `Invoke`.
        marks: as of `Invoke`.
        voids: of which the caller knows, as of `Invoke`.
    """

    function: str
    payload: bytes
    idempotency_key: str
    shared_dedup: bool | tuple[str, ...] = False
    trace: str | None = None
    marks: bool = False
    voids: int = 0
    verb: Literal["settle"] = "settle"


@show_only("function idempotency_key effect shared_dedup verb")
class Enqueue(NamedTuple):
    """Queue a function call: OK as soon as the target has accepted it.

    The other fields are as in `Invoke`.

    Attributes:
        to_queue: the name is a queue's, whose handler takes messages. A target that can call
            functions without a queue puts this call into the queue, too.
    """

    function: str
    payload: bytes
    idempotency_key: str
    effect: Effect = Effect.UNSAFE
    shared_dedup: bool | tuple[str, ...] = False
    trace: str | None = None
    to_queue: bool = False
    sent: float = 0.0
    verb: Literal["enqueue"] = "enqueue"


class Publish(NamedTuple):
    """Publish events in one request. Each has an id, a source and a time.

    The value of an OK result is one `Result` for each event, in order. A request that failed as a
    whole has its outcome and no value.
    """

    bus: str
    events: tuple[Event, ...]
    verb: Literal["publish"] = "publish"


@show_only("table key write_id now expires_at if_absent if_revision verb")
class Store(NamedTuple):
    """Replace the whole item at `key`. The value of an OK result is its new revision.

    Attributes:
        item: checked; its key fields are those of `key`.
        write_id: unique for this call and the same on every attempt. It is stored with the item, so
            that a read-back shows whether a write without an answer took place.
        now: Unix seconds; an item whose expiry is not later counts as absent.
        expires_at: Unix seconds, or None.
        if_absent: CONFLICT unless no item is there.
        if_revision: CONFLICT unless the item that is there has this revision.
    """

    table: str
    key: Key
    item: Item
    write_id: str
    now: float
    expires_at: float | None = None
    if_absent: bool = False
    if_revision: str | None = None
    verb: Literal["store"] = "store"


class Load(NamedTuple):
    """Read the item at `key`, strongly. The value is a `Stored`, or None if there is no item.

    Attributes:
        exact: as of `Scan`.
    """

    table: str
    key: Key
    exact: bool = False
    verb: Literal["load"] = "load"


class Delete(NamedTuple):
    """Delete the item at `key`. It is OK if there is no item, unless `if_revision` is given.

    Attributes:
        now: Unix seconds; an item whose expiry is not later counts as absent.
        if_revision: CONFLICT unless the item that is there has this revision.
        write_id: as of `Store`; nothing is stored that could show it, but a target that settles
            writes keeps it. Empty where it is not to be settled.
    """

    table: str
    key: Key
    now: float
    if_revision: str | None = None
    write_id: str = ""
    verb: Literal["delete"] = "delete"


@show_only("place verb")
class SettleWrite(NamedTuple):
    """Find out whether a write took place, and keep it from taking place later.

    Only of a target with `Capability.SETTLING`. The value of an OK result is a
    `leeward.values.settled.Settled`: RAN, with the revision that the write had; NOT_RUN; or UNKNOWN
    with the reason. From then on the target refuses the write under its id, with the outcome
    CONFLICT and the reason ``settled``.

    Attributes:
        place: the table or bucket of the write, by the target's own name.
        write: a `Store`, `Delete`, `PutObject` or `DeleteObject`.
    """

    place: str
    write: Any
    verb: Literal["settle_write"] = "settle_write"


@show_only("table most verb")
class Scan(NamedTuple):
    """Read one page of a table, in any order. The value is a `Page`.

    Attributes:
        cursor: the `cursor` of the page before; None for the first page.
        most: items of the page, at most, where the driver is not to choose; a page may have fewer.
        exact: for a backup: what another program has written keeps its native types
            (`leeward._items.encoding.NativeValue`), and what cannot be kept is told.
    """

    table: str
    cursor: str | None = None
    most: int | None = None
    exact: bool = False
    verb: Literal["scan"] = "scan"


@show_only("table fields descending limit verb")
class ListItems(NamedTuple):
    """Read one page of a partition, strongly. The value is a `Page`, which may have no items.

    They are ordered by the bytes of the sort value in UTF-8, and so by its code points, whatever
    the target's own order of texts is.

    Attributes:
        fields: of the table's key: the partition field and the sort field.
        partition: the value of the partition field.
        low: no sort value is less; empty for no bound.
        above: `low` itself does not belong to the list.
        high: every sort value is less; None for no bound. It is greater than `low`.
        descending: the greatest first.
        limit: items of the page, at most.
        cursor: the `cursor` of the page before, of the same call; None for the first page.
    """

    table: str
    fields: tuple[str, str]
    partition: str
    low: str = ""
    above: bool = False
    high: str | None = None
    descending: bool = False
    limit: int = 100
    cursor: str | None = None
    verb: Literal["list_items"] = "list_items"

    def following(self, position: str) -> ListItems:
        """Return the same call for what comes behind a sort value, and never for more.

        A position comes from a cursor, which its caller may have changed.
        """
        if self.descending:
            is_within = self.high is None or position < self.high
            return self._replace(high=position) if is_within else self
        return self._replace(low=position, above=True) if position >= self.low else self

    def holds(self, value: str) -> bool:
        """Return whether a sort value lies within the bounds."""
        if self.high is not None and value >= self.high:
            return False
        return value > self.low if self.above else value >= self.low


@show_only("table verb")
class StoreMany(NamedTuple):
    """Store many items of one table by one request. The value is a list with the result of each.

    It is what a target's own `Driver.store_many` may be made of; clients have no method for it.

    Attributes:
        table: of all of them.
        calls: of keys that differ, no more than `Limits.batch_stores`.
    """

    table: str
    calls: tuple[Store, ...]
    verb: Literal["store_many"] = "store_many"


DataCall: TypeAlias = Store | Load | Delete | Scan | ListItems
"""What concerns a table."""

ObjectCall: TypeAlias = "PutObject | GetObject | HeadObject | ListObjects | DeleteObject"
"""What concerns a bucket."""

RunCall: TypeAlias = "StartRun | GetRun | AbortRun"
"""What concerns a run of a workflow."""

QueueCall: TypeAlias = "PutMessage | TakeMessages | RemoveMessage | HideMessage"
"""What is asked of a queue itself, for dead letters. Clients have no method for it."""

Call: TypeAlias = (
    "Invoke | Settle | Enqueue | Publish | DataCall | SettleWrite | StoreMany | ObjectCall"
    " | RunCall | QueueCall | Look | ReadLogs"
)
"""Every call that a driver can be given. `verb` says which one it is."""


def subject_of(call: Call) -> str:
    """Return what a call concerns: the function, bus, table, bucket, queue, workflow or resource.

    The first field of every call names it.
    """
    return str(getattr(call, call._fields[0]))


@show_only("revision write_id expires_at foreign")
class Stored(NamedTuple):
    """An item as a driver finds it, expired or not.

    Attributes:
        item: equal to what was stored; `leeward._items` decodes it.
        revision: opaque; changes with every write.
        write_id: of the `Store` that wrote it; None if another program wrote it.
        expires_at: Unix seconds, or None.
        foreign: another program has changed it since.
        name: of the document of another program, where it is not made of its key: only of an exact
            read.
        lost: what no exact read keeps of it, as ``its ttl``; only of an exact read.
    """

    item: Item
    revision: str
    write_id: str | None = None
    expires_at: float | None = None
    foreign: bool = False
    name: str | None = None
    lost: tuple[str, ...] = ()


class UnreadableItem(ValueError):
    """An item cannot be read by leeward. The message repeats no value of it."""


@show_only("items")
class Page(NamedTuple):
    """A page of a scan, or of a list. `cursor` is None on the last page."""

    items: tuple[Stored, ...]
    cursor: str | None = None


@show_only(
    "outcome code message reason request_id retry_after executed fault dedup target attempts "
    "resolved"
)
class Result(NamedTuple, Generic[T]):
    """How one attempt ended. A driver sets the fields up to `waited`, the router the others.

    Attributes:
        outcome: one of the eleven. In doubt, AMBIGUOUS.
        value: the value of an OK result; each call says what it is.
        code: the provider's error code.
        message: what the provider answered, without secrets and payloads.
        reason: a stable word for a special case, such as ``misconfigured``.
        request_id: the provider's id of the request.
        retry_after: seconds that the provider asked to wait.
        executed: with AMBIGUOUS, True if the status was a success and only the rest is lost, or the
            function says that it has run.
        dedup: with an answer of leeward's own handler, what that says of a repeated key: it is
            recognised at the same ``target``, in the whole ``group``, or not (``none``).
        fault: with APP_ERROR, what the function raised.
        cause: the native exception.
        waited: seconds that the attempt waited on this side, for a place: they say nothing of the
            target.
        target: the target that this result is from.
        attempts: all attempts of the call.
        resolved: True if the answer was lost and a read-back proved the success.
    """

    outcome: Outcome
    value: T | None = None
    code: str | None = None
    message: str | None = None
    reason: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    executed: bool | None = None
    fault: FunctionFault | None = None
    cause: BaseException | None = None
    dedup: str | None = None
    waited: float = 0.0
    target: str | None = None
    attempts: tuple[Attempt, ...] = ()
    resolved: bool = False

    @staticmethod
    def ok(value: T, *, request_id: str | None = None, dedup: str | None = None) -> Result[T]:
        """Return the result of a call that worked."""
        return Result(Outcome.OK, value, request_id=request_id, dedup=dedup)


_NAMES: Final = {
    "looks": "LogLine LogPage Look LookResult ReadLogs",
    "objects": (
        "DeleteObject FoundObject GetObject HeadObject ListObjects Listing Piece PutObject"
    ),
    "queues": "Attribute HideMessage PutMessage RemoveMessage TakeMessages QueueMessage",
    "runs": "AbortRun FoundRun GetRun StartRun has_input",
}
"""What the files beside this one have; it is loaded when it is first asked for."""

_MODULES: Final = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


__all__ = [
    "ISOLATED",
    "NO_PLACE",
    "NO_THREAD",
    "OBJECT_READS",
    "OBJECT_VERBS",
    "OBJECT_WRITES",
    "RUN_VERBS",
    "SHORTEST_WAIT",
    "TOO_LARGE",
    "UNMARKED",
    "UNMARKED_REFUSAL",
    "AbortRun",
    "AttemptTime",
    "Attribute",
    "Call",
    "DataCall",
    "Delete",
    "DeleteObject",
    "Enqueue",
    "FoundObject",
    "FoundRun",
    "FunctionFault",
    "GetObject",
    "GetRun",
    "HeadObject",
    "HideMessage",
    "Invoke",
    "Key",
    "ListItems",
    "ListObjects",
    "Listing",
    "Load",
    "LogLine",
    "LogPage",
    "Look",
    "LookResult",
    "ObjectCall",
    "Page",
    "Piece",
    "Publish",
    "PutMessage",
    "PutObject",
    "QueueCall",
    "QueueMessage",
    "ReadLogs",
    "RemoveMessage",
    "Result",
    "RunCall",
    "Scan",
    "Settle",
    "SettleWrite",
    "StartRun",
    "Store",
    "StoreMany",
    "Stored",
    "TakeMessages",
    "UnreadableItem",
    "has_input",
    "is_barred",
    "subject_of",
    "time_after",
]

"""What an adapter author implements: `Driver`, and what it says of its target.

A driver is dumb on purpose. `leeward.Client` has validated every argument, minted every id and
checked every limit before a driver sees a call; the router owns retries, failover and the
deadline. A driver makes **one** attempt and says how it ended.

The calls stand in `leeward.calls`. The modules beside this file are the kit for drivers that are
made of plans, `leeward.adapter.plans`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import wraps
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from leeward import calls
from leeward.calls import (
    ISOLATED,
    NO_PLACE,
    NO_THREAD,
    SHORTEST_WAIT,
    Call,
    Result,
    Store,
    is_barred,
    time_after,
)
from leeward.clock import running_loop
from leeward.errors import ConfigError, Outcome
from leeward.masking import show_only
from leeward.records import NamedTuple
from leeward.text import did_you_mean
from leeward.values import NOTHING

if TYPE_CHECKING:
    from leeward.calls import Look
    from leeward.stores import Stores

M = TypeVar("M", bound=Callable[..., Any])

__all__ = ["Capability", "Driver", "Limits", "TargetConfig", "WrappingDriver"]


class Capability(Enum):
    """What a target can do. What is not declared is refused before any I/O."""

    __hash__ = object.__hash__  # as good as Enum's own, which is written in Python

    INVOKE = "invoke"
    """Call a function and wait for its answer."""
    ENQUEUE = "enqueue"
    """Queue a function call that has no answer."""
    PUBLISH = "publish"
    """Publish CloudEvents to a bus."""
    ORDERING = "ordering"
    """Deliver the events of one ordering key in the order of publishing."""
    TABLES = "tables"
    """Store, load and delete single items."""
    CONDITIONS = "conditions"
    """Store and delete under a condition (`if_absent`, `if_revision`)."""
    EXPIRY = "expiry"
    """Keep an expiry with an item; an expired item counts as absent in conditions."""
    COMPOSITE_KEYS = "composite_keys"
    """Tables whose key has two fields."""
    SCAN = "scan"
    """Walk through a table page by page, for leeward's own upkeep."""
    RANGES = "ranges"
    """List the items of one partition, in the order of the sort field, between bounds."""
    OBJECTS = "objects"
    """Put, get, list and delete objects, and put them under a condition."""
    WORKFLOWS = "workflows"
    """Start runs of the workflows that are deployed there, look at them, and abort them."""
    SINGLE_STARTS = "single_starts"
    """Start one run of an id, also if two ask for it at the same time. Without it the client keeps
    them apart."""
    SETTLING = "settling"
    """Settle whether a write took place, and refuse it when it comes later."""


class Limits(NamedTuple):
    """The largest that a target takes. The defaults are near what AWS, Azure and Google take.

    Not each of them holds everywhere: an adapter names what is narrower on its cloud, or wider.

    The client checks every call against the smallest limits of the whole order, so that a call
    cannot succeed on one target and be too large for the next.

    Sources: the quota pages of Lambda, EventBridge, DynamoDB, Azure Functions, Storage queues,
    Event Grid, Cosmos DB, Cloud Run functions, Pub/Sub and Firestore. Of objects, services take far
    more than these; a put is one request, and is held in memory.

    Attributes:
        payload_bytes: a function's JSON payload, in bytes.
        queued_bytes: the same, for `enqueue`.
        event_bytes: one event in CloudEvents JSON, in bytes.
        attribute_bytes: one CloudEvents attribute's value, UTF-8.
        batch_events: events in one publish request.
        batch_bytes: bytes in one publish request.
        item_bytes: one item, attribute names included.
        nesting: how deep lists and maps may stand in each other inside an item.
        key_bytes: one field of a key, UTF-8.
        object_bytes: one object that is put.
        object_name_bytes: the name of an object, UTF-8.
        batch_stores: items that one request can store; 1 where each is a request of its own.
        name_bytes: the name of an attribute of an item, UTF-8.
        model: the name of the data model whose own values (`leeward._items.natives`) it keeps, as
            an exact read has them; empty for none, ``*`` for those of every model.
    """

    payload_bytes: int = 6 * 1024 * 1024
    queued_bytes: int = 256 * 1024
    event_bytes: int = 256 * 1024
    attribute_bytes: int = 1024
    batch_events: int = 10
    batch_bytes: int = 256 * 1024
    item_bytes: int = 400 * 1000
    nesting: int = 20
    key_bytes: int = 1023
    object_bytes: int = 32 * 1024 * 1024
    object_name_bytes: int = 1000
    batch_stores: int = 1
    name_bytes: int = 1500
    model: str = ""

    @staticmethod
    def smallest(limits: list[Limits]) -> Limits:
        """Return the limits that hold on every one of `limits` (at least one)."""
        smallest = Limits(*(min(sizes) for sizes in zip(*limits, strict=True)))
        return smallest._replace(model="")  # what each keeps is for one target alone


class Driver(ABC):
    """One target. Every method may be called from many threads at once.

    Derive from it, and set the first three attributes: the methods with a body are defaults.

    Attributes:
        target: its name, such as ``aws:us-east-1``.
        capabilities: what it can do.
        limits: the largest that it takes.
        missing: what to set for a capability that it lacks because nothing is configured for it.
        probe_fidelity: what `probe` looks at: ``data_plane``, which also serves the calls, or
            ``control_plane``, which says less; None if there is no probe.
        has_stages: what ``leeward export`` makes there has names that begin with those of prefix
            and stage, and so have calls, where nothing gives the own name.
        functions_in_app: functions and queues are in an app, whose own name has prefix and stage:
            theirs have none.
    """

    target: str
    capabilities: frozenset[Capability]
    limits: Limits
    missing: Mapping[Capability, str] = MappingProxyType({})
    probe_fidelity: str | None = None
    has_stages: bool = False
    functions_in_app: bool = False

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: connections and credentials stay in their process."""
        raise TypeError(
            f"the driver of {self.target} cannot be pickled or copied: it holds connections and "
            "credentials; open a new one where it is needed"
        )

    @abstractmethod
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make exactly one attempt at `call`, and answer within `timeout` seconds.

        A driver that keeps a line for its places lets an attempt wait there for `timeout.wait`
        seconds besides, where `timeout` is an `AttemptTime`.

        One attempt is one effectful request on the wire: no retry, no redirect, no sleep. What can
        go wrong on the way is told by the `Result`; each call says what the value of an OK one is.

        Raises:
            Unsupported: the call needs a capability that the driver does not declare.
            LeewardError: the call is wrong; raised before anything is sent. Any other exception
                that escapes is taken for AMBIGUOUS.
        """

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Do the same without blocking the event loop; by default `perform`, on a thread.

        Cancelling it gives back what it holds; what was sent stays sent.
        """
        result: Result[Any] = await _on_thread(self._perform_after, call, timeout, monotonic())
        return result

    def probe(self, timeout: float) -> Result[Any]:
        """Look whether the target works, cheaply and without any effect, within `timeout` seconds.

        It is made when a target may have recovered and no call may serve to find out. What matters
        is whether the target answers: OK, or how that failed.
        """
        return Result(Outcome.LOCAL, code="no_probe", message=f"{self.target} has no probe")

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look whether a function, queue, bus or table is there, without any effect.

        It is for `leeward doctor`. The value of an OK result is a `leeward.calls.LookResult`.
        """
        return Result.ok(calls.LookResult(None, f"the adapter of {self.target} has no way to look"))

    def has_function(self, name: str) -> bool | None:
        """Return whether a function can be called here, as far as that is known without asking.

        None, by default, where only a call would tell.
        """
        del name
        return None

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]] | None:
        """Make one attempt at each of many stores, together within `timeout` seconds.

        The conditions of each hold for itself, as by `perform`. None, by default, where the target
        cannot do many at once: nothing was done then.
        """
        del calls, timeout
        return None

    def describe(self) -> Mapping[str, str]:
        """Return the settings in force, the environment's share included; never a secret."""
        return {}

    def places(self) -> tuple[int, int] | None:
        """Return how many requests are under way, and how many calls wait for a place.

        None if the driver does not count them.
        """
        return None

    def native(self, service: str) -> object:
        """Return the vendor's own client of `service`.

        Raises:
            ConfigError: there is no such service; the message names those that there are.
        """
        raise ConfigError(f"{self.target} has no client of {service!r}, nor of any other service")

    def mount(self, app: Any) -> None:  # noqa: B027 - most targets run nothing here
        """Run the handlers of a `leeward.App` in this process, if this target does such a thing.

        By default nothing happens: elsewhere an app is deployed.
        """

    def stores(self) -> Stores | None:
        """Return what workers run an app on here; None where the provider delivers by itself."""
        return None

    def close(self) -> None:  # noqa: B027 - a driver may have nothing to release
        """Release every connection, thread and file. Closing twice is harmless."""

    async def close_async(self) -> None:
        """Do the same without blocking the event loop; by default `close`, on a thread."""
        await _on_thread(self.close)

    def _perform_after(self, call: Call, timeout: float, since: float) -> Result[Any]:
        """Perform `call`, unless all threads were busy for too long since then."""
        waited = monotonic() - since
        if is_barred(timeout):
            return Result(Outcome.LOCAL, code=ISOLATED, reason=ISOLATED, waited=waited)
        if waited > getattr(timeout, "wait", timeout):
            return Result(Outcome.LOCAL, code=NO_THREAD, reason=NO_PLACE, waited=waited)
        result: Any = self.perform(call, time_after(waited, timeout))
        if waited > SHORTEST_WAIT and isinstance(result, Result):
            result = result._replace(waited=result.waited + waited)
        return result  # type: ignore[no-any-return]  # the router looks whether it is one


async def _on_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    from asyncio import to_thread

    running_loop()
    return await to_thread(work, *arguments)


def _pass_on(method: M) -> M:
    """Return a method that calls the one of this name at the driver inside."""

    @wraps(method)
    def call(self: WrappingDriver, *arguments: Any, **named: Any) -> Any:
        return getattr(self._driver, method.__name__)(*arguments, **named)

    return cast("M", call)


class WrappingDriver(Driver):
    """A driver around `driver` that passes everything on; override what is to differ.

    A subclass that overrides `perform` or `close`, and not its asynchronous counterpart, is run on
    a thread when it is awaited, so that nothing goes around it.
    """

    def __init_subclass__(cls) -> None:
        """Leave no way around what the subclass, or a class mixed in, has of its own."""
        super().__init_subclass__()
        for name in ("perform", "close"):
            if _distance(cls, name) < _distance(cls, f"{name}_async"):
                setattr(cls, f"{name}_async", getattr(Driver, f"{name}_async"))

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.target = driver.target
        self.capabilities = driver.capabilities
        self.limits = driver.limits
        self.missing = driver.missing
        self.probe_fidelity = driver.probe_fidelity
        self.has_stages = driver.has_stages
        self.functions_in_app = driver.functions_in_app

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        return self._driver.perform(call, timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt at any call."""
        return await self._driver.perform_async(call, timeout)

    probe = _pass_on(Driver.probe)
    look = _pass_on(Driver.look)
    has_function = _pass_on(Driver.has_function)
    describe = _pass_on(Driver.describe)
    places = _pass_on(Driver.places)
    native = _pass_on(Driver.native)
    mount = _pass_on(Driver.mount)
    stores = _pass_on(Driver.stores)
    close = _pass_on(Driver.close)

    async def close_async(self) -> None:
        """Close the target without blocking the event loop."""
        await self._driver.close_async()


def _distance(cls: type, name: str) -> int:
    """Return how far up its ancestors `cls` has `name` from."""
    return next(index for index, kind in enumerate(cls.__mro__) if name in vars(kind))


@show_only("name provider qualifier trust_env shared file")
class TargetConfig(NamedTuple):
    """What an adapter's factory is given to open one target.

    Attributes:
        name: as written in the order, ``aws:us-east-1``.
        provider: the part before the colon.
        qualifier: the part after it, or None.
        options: the keys of its section in ``leeward.toml``.
        env: the environment that may be honoured; empty with ``trust_env = false``.
        trust_env: False in the hardened mode: the environment, credential executables and files
            that point elsewhere are refused.
        shared: the section is the provider's, because the whole name has none.
        file: the path of the ``leeward.toml`` that has the section; None without a file.
        functions: function to the target's own name of it, where that is another.
        stage: that is chosen, or None. What keeps rows belongs to one.
    """

    name: str
    provider: str
    qualifier: str | None
    options: Mapping[str, Any]
    env: Mapping[str, str]
    trust_env: bool = True
    shared: bool = False
    file: str | None = None
    functions: Mapping[str, str] = NOTHING
    stage: str | None = None

    @property
    def section(self) -> str:
        """The section of the options, such as ``[targets."nimbus:north"] of leeward.toml``."""
        section = f'[targets."{self.provider if self.shared else self.name}"]'
        return section if self.file is None else f"{section} of {self.file}"

    def check_options(self, types: Mapping[str, type]) -> None:
        """Raise `ConfigError` for an option that `types` lacks, or that has another type."""
        for option, value in self.options.items():
            where = f"{option!r} in {self.section}"
            if option not in types:
                near = did_you_mean(option, types) or ";"
                raise ConfigError(f"unknown key {where}{near} known: {', '.join(sorted(types))}")
            if type(value) is not types[option]:
                raise ConfigError(
                    f"{where} must be a {types[option].__name__}, not {type(value).__name__}"
                )

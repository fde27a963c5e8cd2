"""What an adapter author implements: the Driver protocol, with the calls that cross it.

A driver is dumb on purpose. `leeward.Client` has validated every argument, minted every id and
checked every limit before a driver sees a call; the router owns retries, failover and the
deadline. A driver makes **one** attempt and says how it ended.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeGuard

from leeward.calls import (
    Call,
    Delete,
    Enqueue,
    FunctionFault,
    Invoke,
    Key,
    Load,
    Page,
    Publish,
    Result,
    Scan,
    Store,
    Stored,
)
from leeward.errors import ConfigError, Outcome
from leeward.masking import masked
from leeward.values import Json

__all__ = [
    "TOO_LARGE",
    "AsyncDriver",
    "Call",
    "Capability",
    "Delete",
    "Driver",
    "Enqueue",
    "FunctionFault",
    "Invoke",
    "Key",
    "Limits",
    "Load",
    "Opener",
    "Page",
    "Publish",
    "Result",
    "Scan",
    "Store",
    "Stored",
    "TargetConfig",
    "UniformDriver",
    "WrappingDriver",
    "close_async",
    "is_async",
    "perform",
    "perform_async",
]


TOO_LARGE = "payload_too_large"
"""The `Result.reason` of a CALLER result by which a target says that a request is too large."""


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
    """Store and delete under a condition: `if_absent`, `if_revision`."""
    EXPIRY = "expiry"
    """Keep an expiry with an item; an expired item counts as absent in conditions."""
    COMPOSITE_KEYS = "composite_keys"
    """Tables whose key has two fields."""
    SCAN = "scan"
    """Walk through a table page by page, for leeward's own upkeep."""


NONE_MISSING: Mapping[Capability, str] = MappingProxyType({})
"""What a driver's `missing` is, where it has none."""


class Limits(NamedTuple):
    """The largest that a target takes. The defaults are near what AWS, Azure and Google take.

    Not each of them holds everywhere: an adapter names what is narrower on its cloud, or wider.

    The client checks every call against the smallest limits of the whole order, so that a call
    cannot succeed on one target and be too large for the next.

    Sources: the quota pages of Lambda, EventBridge, DynamoDB, Azure Functions, Storage queues,
    Event Grid, Cosmos DB, Cloud Run functions, Pub/Sub and Firestore.

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

    @staticmethod
    def smallest(limits: list[Limits]) -> Limits:
        """Give the limits that hold on every one of `limits` (at least one)."""
        return Limits(*(min(sizes) for sizes in zip(*limits, strict=True)))


class Driver(Protocol):
    """One target. Every method may be called from many threads at once.

    Each verb makes exactly one attempt: one effectful request on the wire, no retry, no redirect,
    no sleep, and an answer within `timeout` seconds. It returns a `Result` for everything that
    can go wrong out there. An exception that escapes is taken for AMBIGUOUS; only a
    `leeward.LeewardError` raised before anything is sent keeps its meaning. A verb whose
    capability the driver does not declare raises `leeward.Unsupported`.
    """

    @property
    def target(self) -> str:
        """The target's name, such as ``aws:us-east-1``."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this target can do."""

    @property
    def limits(self) -> Limits:
        """The largest that this target takes."""

    def invoke(self, call: Invoke, timeout: float) -> Result[Json]:
        """Call a function and wait for its answer."""

    def enqueue(self, call: Enqueue, timeout: float) -> Result[None]:
        """Queue a function call."""

    def publish(self, call: Publish, timeout: float) -> Result[tuple[Result[None], ...]]:
        """Publish events in one request."""

    def store(self, call: Store, timeout: float) -> Result[str]:
        """Replace an item; give its revision."""

    def load(self, call: Load, timeout: float) -> Result[Stored | None]:
        """Read an item."""

    def delete(self, call: Delete, timeout: float) -> Result[None]:
        """Delete an item."""

    def scan(self, call: Scan, timeout: float) -> Result[Page]:
        """Read one page of a table."""

    def describe(self) -> Mapping[str, str]:
        """Give the settings in force, the environment's share included; never a secret."""

    def native(self, service: str) -> object:
        """Give the vendor's own client of `service`; `ConfigError` names the known services."""

    def close(self) -> None:
        """Give back every connection, thread and file. Closing twice is harmless."""


def perform(driver: Driver, call: Call, timeout: float) -> Result[Any]:
    """Put `call` to the method of `driver` that serves its verb."""
    result: Result[Any] = getattr(driver, call.verb)(call, timeout)
    return result


class AsyncDriver(Driver, Protocol):
    """A driver that `leeward.AsyncClient` can await. Any other driver works there in threads.

    Both ways lead to the same target; one driver may serve threads and event loops at once.
    """

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, as the verb's own method does, without blocking the event loop.

        Cancelling it gives back what it holds; what was sent stays sent.
        """

    async def close_async(self) -> None:
        """Give back what belongs to the running event loop, then everything as `close` does."""


def is_async(driver: Driver) -> TypeGuard[AsyncDriver]:
    """Say whether `driver` can be awaited."""
    return hasattr(driver, "perform_async")


async def perform_async(driver: Driver, call: Call, timeout: float) -> Result[Any]:
    """Await `call` on `driver`; on a thread, if the driver knows no other way."""
    if is_async(driver):
        return await driver.perform_async(call, timeout)
    result: Result[Any] = await _on_a_thread(_perform_by, driver, call, monotonic() + timeout)
    return result


async def close_async(driver: Driver) -> None:
    """Close `driver` without blocking the event loop."""
    if is_async(driver):
        await driver.close_async()
    else:
        await _on_a_thread(driver.close)


def _perform_by(driver: Driver, call: Call, deadline: float) -> Result[Any]:
    """Put `call` to `driver`, unless all threads were busy until the deadline."""
    left = deadline - monotonic()
    if left <= 0:
        return Result(Outcome.LOCAL, code="deadline", reason="no_thread")
    return perform(driver, call, left)


async def _on_a_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    from asyncio import to_thread

    return await to_thread(work, *arguments)


class UniformDriver(ABC):
    """The seven verbs through one method, for drivers that treat every call alike."""

    @abstractmethod
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""

    def invoke(self, call: Invoke, timeout: float) -> Result[Json]:
        """Call a function and wait for its answer."""
        return self.perform(call, timeout)

    def enqueue(self, call: Enqueue, timeout: float) -> Result[None]:
        """Queue a function call."""
        return self.perform(call, timeout)

    def publish(self, call: Publish, timeout: float) -> Result[tuple[Result[None], ...]]:
        """Publish events in one request."""
        return self.perform(call, timeout)

    def store(self, call: Store, timeout: float) -> Result[str]:
        """Replace an item; give its revision."""
        return self.perform(call, timeout)

    def load(self, call: Load, timeout: float) -> Result[Stored | None]:
        """Read an item."""
        return self.perform(call, timeout)

    def delete(self, call: Delete, timeout: float) -> Result[None]:
        """Delete an item."""
        return self.perform(call, timeout)

    def scan(self, call: Scan, timeout: float) -> Result[Page]:
        """Read one page of a table."""
        return self.perform(call, timeout)


_VERBS = ("invoke", "enqueue", "publish", "store", "load", "delete", "scan")


def _distance(cls: type, name: str) -> int:
    """Say how far up its ancestors `cls` has `name` from."""
    return next(index for index, each in enumerate(cls.__mro__) if name in vars(each))


class WrappingDriver(UniformDriver):
    """A driver around `driver` that passes everything on; override what is to differ.

    To change calls on their way, override `passed_on`. A subclass that overrides `perform`, a verb
    or `close`, and not its asynchronous counterpart, is run in threads when it is awaited, so that
    nothing goes around it.
    """

    def __init_subclass__(cls) -> None:
        """Leave no way around what the subclass, or a class mixed in, has of its own."""
        super().__init_subclass__()
        own = min(_distance(cls, name) for name in ("perform", *_VERBS))
        if own < _distance(cls, "perform_async"):
            cls.perform_async = WrappingDriver._perform_on_a_thread  # type: ignore[method-assign]
        if _distance(cls, "close") < _distance(cls, "close_async"):
            cls.close_async = WrappingDriver._close_on_a_thread  # type: ignore[method-assign]

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def target(self) -> str:
        """The target's name."""
        return self._driver.target

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the target can do."""
        return self._driver.capabilities

    @property
    def limits(self) -> Limits:
        """The largest that the target takes."""
        return self._driver.limits

    @property
    def missing(self) -> Mapping[Capability, str]:
        """What to set for capabilities that nothing is configured for, if the target says so."""
        found: Mapping[Capability, str] = getattr(self._driver, "missing", NONE_MISSING)
        return found

    def passed_on(self, call: Call) -> Call:
        """Give the call that the wrapped driver gets: the same, unless overridden."""
        return call

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        return perform(self._driver, self.passed_on(call), timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt at any call."""
        return await perform_async(self._driver, self.passed_on(call), timeout)

    async def _perform_on_a_thread(self, call: Call, timeout: float) -> Result[Any]:
        result: Result[Any] = await _on_a_thread(_perform_by, self, call, monotonic() + timeout)
        return result

    async def _close_on_a_thread(self) -> None:
        await _on_a_thread(self.close)

    def describe(self) -> Mapping[str, str]:
        """Give the target's settings."""
        return self._driver.describe()

    def native(self, service: str) -> object:
        """Give the vendor's own client."""
        return self._driver.native(service)

    def close(self) -> None:
        """Close the target."""
        self._driver.close()

    async def close_async(self) -> None:
        """Close the target without blocking the event loop."""
        await close_async(self._driver)


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
        shared: the section is the provider's, for want of one of the whole name.
    """

    name: str
    provider: str
    qualifier: str | None
    options: Mapping[str, Any]
    env: Mapping[str, str]
    trust_env: bool = True
    shared: bool = False

    def __repr__(self) -> str:
        return masked(self, "name provider qualifier trust_env shared")

    @property
    def section(self) -> str:
        """The section that the options stand in, such as ``[targets."aws:us-east-1"]``."""
        return f'[targets."{self.provider if self.shared else self.name}"]'

    def check_options(self, known: Mapping[str, type]) -> None:
        """Raise `ConfigError` for an option that `known` lacks, or that has another type."""
        for option, value in self.options.items():
            where = f"{option!r} in {self.section}"
            if option not in known:
                raise ConfigError(f"unknown key {where}{_nearest(option, known)}")
            if type(value) is not known[option]:
                raise ConfigError(
                    f"{where} must be a {known[option].__name__}, not {type(value).__name__}"
                )


def _nearest(option: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    options = sorted(known)
    near = get_close_matches(option, options, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{meant} known: {', '.join(options)}"


Opener: TypeAlias = Callable[[TargetConfig], Driver]
"""What an entry point of the group ``leeward.adapters`` names."""

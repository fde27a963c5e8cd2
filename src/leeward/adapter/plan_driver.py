"""PlanDriver: a driver made of plans, for threads and for event loops.

It carries out what a `course` asks for: requests by a transport, credentials by the cache. It
decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from leeward.adapter import NONE_MISSING, Call, Capability, Limits, Result, UniformDriver
from leeward.adapter.plan_runner import Carry, Course, Ended, Fetch, Supplied, course
from leeward.adapter.plans import Drop
from leeward.adapter.resolver import CredentialCache, NoCredential, Source
from leeward.clock import Clock, SystemClock
from leeward.entropy import random_unit
from leeward.errors import Unsupported
from leeward.http.wire import Wire

if TYPE_CHECKING:
    from leeward.adapter.plans import Planner


class Facts(NamedTuple):
    """What a target says of itself.

    Attributes:
        target: its name, such as ``aws:us-east-1``.
        capabilities: what it can do.
        limits: the largest that it takes.
        settings: those in force, for `describe`; never a secret.
        missing: what to set for a capability that it lacks because nothing is configured for it.
    """

    target: str
    capabilities: frozenset[Capability]
    limits: Limits
    settings: Mapping[str, str]
    missing: Mapping[Capability, str] = NONE_MISSING


class PlanDriver(UniformDriver):
    """One target whose verbs are plans. It fulfils `leeward.adapter.AsyncDriver`.

    Args:
        facts: what the target says of itself.
        plans: a planner for each verb.
        source: fetches credentials.
        wire: carries requests.
        native: gives the vendor's own client of a service; it is handed a function that gives the
            secret of a scope, or raises `NoCredential`.
        clock: for tests.
    """

    def __init__(
        self,
        facts: Facts,
        plans: Mapping[str, Planner],
        source: Source,
        wire: Wire,
        *,
        native: Callable[[str, Callable[[str], Any]], object],
        clock: Clock | None = None,
    ) -> None:
        self._facts = facts
        self._plans = plans
        self._wire = wire
        self._native = native
        self._clock: Clock = clock or SystemClock()
        self._credentials = CredentialCache(source, self._clock.now, random_unit)
        self._learnt: dict[str, Any] = {}

    @property
    def target(self) -> str:
        """The target's name."""
        return self._facts.target

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the target can do."""
        return self._facts.capabilities

    @property
    def limits(self) -> Limits:
        """The largest that the target takes."""
        return self._facts.limits

    @property
    def missing(self) -> Mapping[Capability, str]:
        """What to set for capabilities that nothing is configured for."""
        return self._facts.missing

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        deadline = self._clock.monotonic() + timeout
        going = self._course(call, timeout)
        try:
            step = next(going)
            while True:
                match step:
                    case Carry():
                        answer: Any = self._wire.transport().send(step.request, step.timeout)
                    case Fetch():
                        answer = _held(self._credentials.get(*step))
                    case Drop():
                        self._wire.drop(step.origin)
                        answer = None
                step = going.send(self._supplied(deadline, answer))
        except StopIteration as end:
            return _result(end)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt at any call."""
        deadline = self._clock.monotonic() + timeout
        going = self._course(call, timeout)
        try:
            step = next(going)
            while True:
                match step:
                    case Carry():
                        answer: Any = await self._wire.async_transport().send(
                            step.request, step.timeout
                        )
                    case Fetch():
                        answer = _held(await self._credentials.get_async(*step))
                    case Drop():
                        self._wire.drop(step.origin)
                        answer = None
                step = going.send(self._supplied(deadline, answer))
        except StopIteration as end:
            return _result(end)

    def describe(self) -> Mapping[str, str]:
        """Return the settings in force."""
        return self._facts.settings

    def native(self, service: str) -> object:
        """Return the vendor's own client of `service`."""
        return self._native(service, self._secret)

    def close(self) -> None:
        """Return back every connection, those of event loops as soon as their loop can."""
        self._wire.close()

    async def close_async(self) -> None:
        """Return back every connection."""
        self._wire.close()

    def _course(self, call: Call, timeout: float) -> Course:
        if call.verb not in self._plans:
            raise Unsupported(f"{self.target} has no {call.verb}", target=self.target)
        return course(self._plans[call.verb], call, self._clock.now(), timeout, self._learnt)

    def _supplied(self, deadline: float, answer: Any) -> Supplied:
        return Supplied(self._clock.now(), deadline - self._clock.monotonic(), answer)

    def _secret(self, scope: str) -> Any:
        found = self._credentials.get(scope, NATIVE_SECONDS)
        if isinstance(found, NoCredential):
            # One flight's error is for all who waited: raised itself, it would gather their frames.
            raise NoCredential(found.outcome, found.code, found.message) from found
        return found


NATIVE_SECONDS = 60.0
"""How long a vendor's own client waits for a credential; it knows no deadline of ours."""


def _held(found: Any) -> Any:
    if not isinstance(found, NoCredential):
        return found
    return Ended(Result(found.outcome, code=found.code, message=found.message, cause=found))


def _result(end: StopIteration) -> Result[Any]:
    result: Result[Any] = end.value
    return result

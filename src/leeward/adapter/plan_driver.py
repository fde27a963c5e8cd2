"""PlanDriver: a driver made of plans, for threads and for event loops.

It carries out what a `PlanRun` asks for: requests by a transport, what plans need by the resolver.
It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leeward._http.wire import Wire
from leeward.adapter import NONE_MISSING, Capability, Driver, Limits
from leeward.adapter._plan_run import Learnt, PlanRun
from leeward.adapter.plans import Drop, Need, Send
from leeward.adapter.resolver import Resolver, Source
from leeward.calls import Call, Key, Load, Result, Store, StoreMany
from leeward.clock import Clock, SystemClock
from leeward.entropy import random_unit
from leeward.errors import Outcome, Unsupported
from leeward.records import NamedTuple

if TYPE_CHECKING:
    from leeward.adapter.plans import Planner
    from leeward.calls import Look


class Probe(NamedTuple):
    """How to look, cheaply and without any effect, whether a target works.

    Attributes:
        call: what is put to it. That what it names is not there is an answer, too.
        fidelity: ``data_plane`` if the same service answers that serves the calls, else
            ``control_plane``.
    """

    call: Call
    fidelity: str


LOAD_PROBE = Probe(Load("leeward-probe", Key(("id",), ("probe",))), "data_plane")
"""Load an item that need not exist, from a table that need not exist."""

_ANSWERED = frozenset(
    {Outcome.OK, Outcome.NOT_FOUND, Outcome.AUTH, Outcome.CALLER, Outcome.CONFLICT}
)
"""Outcomes of a probe that show a target at work."""


class TargetInfo(NamedTuple):
    """What a target says of itself.

    Attributes:
        target: its name, such as ``aws:us-east-1``.
        capabilities: what it can do.
        limits: the largest that it takes.
        settings: those in force, for `describe`; never a secret.
        missing: what to set for a capability that it lacks because nothing is configured for it.
        probe: a call without any effect by which the target can be looked at; None if there is
            not one.
    """

    target: str
    capabilities: frozenset[Capability]
    limits: Limits
    settings: Mapping[str, str]
    missing: Mapping[Capability, str] = NONE_MISSING
    probe: Probe | None = None


class PlanDriver(Driver):
    """One target whose verbs are plans.

    Args:
        info: what the target says of itself.
        plans: a planner for each verb.
        source: fetches what plans need.
        wire: carries requests.
        native: gives the vendor's own client of a service; it is handed a function that gives what
            a plan would need, or raises `Unresolved`. None where the vendor has no client.
        clock: for tests.
    """

    def __init__(
        self,
        info: TargetInfo,
        plans: Mapping[str, Planner],
        source: Source,
        wire: Wire,
        *,
        native: Callable[[str, Callable[[Hashable], Any]], object] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.target, self.capabilities, self.limits, self._settings, self.missing, probe = info
        self._probe = probe
        self.probe_fidelity = None if probe is None else probe.fidelity
        self._plans = plans
        self._planners: dict[str, Planner] = {}
        self._wire = wire
        self._native = native
        self._clock: Clock = clock or SystemClock()
        self._resolver = Resolver(source, self._clock.now, random_unit)
        self._learnt = Learnt()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at any call."""
        clock = self._clock
        deadline = clock.monotonic() + timeout
        run = self._begin(call, timeout)
        step = run.start()
        while True:
            if isinstance(step, Send):
                transport = self._wire.threads or self._wire.transport()
                answer: Any = transport.send(run.request, run.seconds)
            elif isinstance(step, Need):
                answer = self._resolver.get(step.what, run.seconds, run.refused)
            elif isinstance(step, Drop):
                self._wire.drop(step.origin)
                answer = None
            else:
                return step
            step = run.advance(answer, clock.now(), deadline - clock.monotonic())

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Do the same without blocking the event loop."""
        clock = self._clock
        deadline = clock.monotonic() + timeout
        run = self._begin(call, timeout)
        step = run.start()
        while True:
            if isinstance(step, Send):
                answer: Any = await self._wire.async_transport().send(run.request, run.seconds)
            elif isinstance(step, Need):
                answer = await self._resolver.get_async(step.what, run.seconds, run.refused)
            elif isinstance(step, Drop):
                self._wire.drop(step.origin)
                answer = None
            else:
                return step
            step = run.advance(answer, clock.now(), deadline - clock.monotonic())

    def probe(self, timeout: float) -> Result[Any]:
        """Look whether the target works: whether it answers at all is what counts."""
        if self._probe is None:
            return super().probe(timeout)
        result = self.perform(self._probe.call, timeout)
        return Result.ok(None) if result.outcome in _ANSWERED else result

    def look(self, look: Look, timeout: float) -> Result[Any]:
        """Look whether something is there, by a plan that only reads; not where there is none."""
        if look.verb not in self._plans:
            return super().look(look, timeout)
        return self.perform(look, timeout)

    def store_many(self, calls: Sequence[Store], timeout: float) -> list[Result[Any]] | None:
        """Make attempts at many stores, as many by one request as the target takes.

        None where it has no such request, or not with the conditions of these.
        """
        if self.limits.batch_stores == 1:
            return None
        deadline = self._clock.monotonic() + timeout
        results: list[Result[Any]] = []
        for at in range(0, len(calls), self.limits.batch_stores):
            part = StoreMany(calls[0].table, (*calls[at : at + self.limits.batch_stores],))
            try:
                result = self.perform(part, deadline - self._clock.monotonic())
            except Unsupported:
                return None  # by the first part: the others are of its kind
            told: Any = result.value
            results += told if result.outcome is Outcome.OK else [result] * len(part.calls)
        return results

    def places(self) -> tuple[int, int]:
        """Return how many requests are under way, and how many calls wait for a place."""
        return self._wire.places()

    def describe(self) -> Mapping[str, str]:
        """Return the settings in force."""
        return self._settings

    def native(self, service: str) -> object:
        """Return the vendor's own client of `service`."""
        if self._native is None:
            return super().native(service)
        return self._native(service, lambda what: self._resolver.require(what, NATIVE_SECONDS))

    def close(self) -> None:
        """Close every connection, those of event loops as soon as their loop can."""
        self._wire.close()

    async def close_async(self) -> None:
        """Close every connection."""
        self._wire.close()

    def _begin(self, call: Call, timeout: float) -> PlanRun:
        planner = self._planners.get(call.verb)
        if planner is None:
            if call.verb not in self._plans:
                raise Unsupported(f"{self.target} has no {call.verb}", target=self.target)
            planner = self._planners[call.verb] = self._plans[call.verb]
        return PlanRun(planner, call, self._learnt, self._clock.now(), timeout)


NATIVE_SECONDS = 60.0
"""How long a vendor's own client waits for a credential; it knows no deadline of ours."""

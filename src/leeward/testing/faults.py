"""A driver that fails on demand, and records its calls."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from leeward.adapter import Driver, WrappingDriver
from leeward.calls import OBJECT_VERBS, RUN_VERBS, Call, Publish, Result
from leeward.errors import ConfigError, Outcome, Ran
from leeward.records import NamedTuple
from leeward.text import did_you_mean
from leeward.values import Event

E = TypeVar("E", bound=BaseException)


def prove(error: E, ran: Ran = "no") -> E:
    """Return an exception of which `leeward.ran` says so, for mocks to raise.

    A client's own is proved by its frames, which a mock has not. What has called again is asked.
    """
    error.leeward_proved = ran  # type: ignore[attr-defined]  # as leeward_ran reads it
    return error


class Fault(Enum):
    """A way for one attempt to fail."""

    REFUSE = "refuse"
    """The target cannot be reached. Nothing runs; NOT_SENT."""
    THROTTLE = "throttle"
    """The target refuses before it runs anything; REJECTED."""
    SUSPEND = "suspend"
    """The account is suspended. Nothing runs; UNUSABLE."""
    LOSE_REQUEST = "lose_request"
    """The request is lost on its way. Nothing runs, and nobody can know; AMBIGUOUS."""
    LOSE_ANSWER = "lose_answer"
    """It runs, and the answer is lost; AMBIGUOUS."""
    DENY = "deny"
    """The identity is refused. Nothing runs; AUTH."""


_ANSWERS: Mapping[Fault, Result[Any]] = {
    Fault.REFUSE: Result(Outcome.NOT_SENT, code="fault.refuse"),
    Fault.THROTTLE: Result(Outcome.REJECTED, code="fault.throttle"),
    Fault.SUSPEND: Result(Outcome.UNUSABLE, code="fault.suspend"),
    Fault.LOSE_REQUEST: Result(Outcome.AMBIGUOUS, code="fault.lose_request"),
    Fault.LOSE_ANSWER: Result(Outcome.AMBIGUOUS, code="fault.lose_answer"),
    Fault.DENY: Result(Outcome.AUTH, code="fault.deny"),
}

_OF_DRIVERS = "invoke settle enqueue publish store load delete scan list_items settle_write".split()

_VERBS: Mapping[str, str] = {
    **{verb: verb for verb in (*_OF_DRIVERS, *OBJECT_VERBS, *RUN_VERBS)},
    **dict.fromkeys(("publish_event", "publish_events"), "publish"),
    **{f"{verb}_data": verb for verb in ("store", "load", "delete")},
    "list_data": "list_items",
    "start_workflow": "start_run",
}
"""The verb of a call, by the client's method and by the call of a driver (`leeward.calls`)."""


class _PlannedFault(NamedTuple):
    """A fault for attempts of `verb`, or of every verb if that is None."""

    fault: Fault
    verb: str | None
    retry_after: float | None


class FaultyDriver(WrappingDriver):
    """A driver around `driver` that fails when told to, and records its calls.

    Attributes:
        calls: every call that was put to it, in order, failed ones included.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self._next: list[_PlannedFault] = []
        self._always: dict[str | None, _PlannedFault] = {}
        self._lock = threading.Lock()
        self.calls: list[Call] = []

    def fail(
        self,
        fault: Fault,
        *,
        times: int | None = None,
        verb: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Make the next attempts fail.

        Args:
            fault: how.
            times: how many attempts, 1 or more; None for all until `heal`.
            verb: fail only attempts of this method of the client, such as ``store_data``.
            retry_after: seconds that the target asks to wait.

        Raises:
            ConfigError: an argument is wrong, so that nothing would ever fail.
        """
        if not isinstance(fault, Fault):
            raise ConfigError(f"fault must be a leeward.testing.Fault, not {fault!r}")
        if times is not None and (type(times) is not int or times < 1):
            raise ConfigError(
                f"times must be 1 or more, or None for every attempt until heal(), not {times!r}"
            )
        planned = _PlannedFault(fault, _check_verb(verb), _check_wait(retry_after))
        with self._lock:
            if times is None:
                self._always[planned.verb] = planned
            else:
                self._next.extend([planned] * times)

    @property
    def published(self) -> list[Event]:
        """The events of all calls so far, in order, those of failed ones included."""
        with self._lock:
            calls = list(self.calls)
        return [event for call in calls if isinstance(call, Publish) for event in call.events]

    def heal(self) -> None:
        """End the faults: every attempt succeeds from now on."""
        with self._lock:
            self._always.clear()
            self._next.clear()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, or fail as planned."""
        planned = self._take_planned(call)
        result = super().perform(call, timeout) if _reaches_driver(planned) else None
        return _answer(planned, result)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Await one attempt, or fail as planned."""
        planned = self._take_planned(call)
        result = await super().perform_async(call, timeout) if _reaches_driver(planned) else None
        return _answer(planned, result)

    def _take_planned(self, call: Call) -> _PlannedFault | None:
        with self._lock:
            self.calls.append(call)
            for planned in self._next:
                if planned.verb in (None, call.verb):
                    self._next.remove(planned)
                    return planned
            return self._always.get(call.verb) or self._always.get(None)


def _reaches_driver(planned: _PlannedFault | None) -> bool:
    return planned is None or planned.fault is Fault.LOSE_ANSWER


def _answer(planned: _PlannedFault | None, result: Result[Any] | None) -> Result[Any]:
    if planned is None:
        assert result is not None, "without a planned fault the driver was asked"
        return result
    return _ANSWERS[planned.fault]._replace(retry_after=planned.retry_after)


def _check_verb(verb: object) -> str | None:
    if verb is None:
        return None
    if not isinstance(verb, str) or verb not in _VERBS:
        hint = did_you_mean(str(verb), _VERBS) or ";"
        raise ConfigError(f"unknown verb {verb!r}{hint} known: {', '.join(_VERBS)}")
    return _VERBS[verb]


def _check_wait(seconds: object) -> float | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise ConfigError(f"retry_after must be a number of seconds, 0 or more, not {seconds!r}")
    return float(seconds)

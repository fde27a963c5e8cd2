"""A case on the embedded engine's journal, in virtual time; its worker may die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from leeward.clock import Clock
from leeward.envelope import VOIDED
from leeward.errors import (
    ConfigError,
    FunctionError,
    NotFound,
    OutcomeUnknown,
    TargetUnavailable,
    Throttled,
)
from leeward.values import InvokeResult
from leeward.workflow.commands import StepCall, StepFailure, StepQuestion, StepVerdict
from leeward.workflow.embedded.driving import Drive, RunServices
from leeward.workflow.embedded.journal import Journal, RunKey, RunRow, SentEvent
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward.workflow.embedded.workers import LEASE
from leeward.workflow.model import NOT_SENT, REFUSED, THROTTLED, TIMEOUT, UNKNOWN
from leeward_contract_tests.workflows.cases import RUN, Case, RunEnd

MOST_LEASES: Final = 1000
"""That a run of a case may take: each pause takes one."""


class Died(BaseException):
    """The worker is gone."""


class Embedded:
    """Runs one case on the embedded engine's journal, in virtual time.

    Args:
        case: to be run.
        open_journal: opens another journal, by a clock.
    """

    def __init__(self, case: Case, open_journal: Callable[[Clock], Journal] | None = None) -> None:
        self._case = case
        self._clock = clock = _VirtualClock()
        opened = open_journal(clock) if open_journal is not None else SqliteJournal(None, clock)
        self._journal: Journal = opened
        self._key = RunKey(case.definition.name, RUN)
        self._calls: Counter[tuple[str, str]] = Counter()
        self._questions: Counter[tuple[str, str]] = Counter()
        self._voids: dict[str, int] = {}
        self._happened = False

    def run(self) -> RunEnd:
        """Run it to its end."""
        definition, journal, clock = self._case.definition, self._journal, self._clock
        began, events = clock.now(), sorted(self._case.events, key=lambda event: event[0])
        names = [definition.name, *(flow.name for flow in self._case.flows)]
        row: RunRow | None = journal.add(definition, RUN, self._case.value, clock.now(), LEASE)[0]
        for _ in range(MOST_LEASES):
            if row is not None:
                self._work(row)
            state = journal.find(self._key)
            assert state is not None
            if state.answer is not None:
                journal.close()
                return RunEnd(state.answer, self._calls, questions=self._questions)
            due = journal.next_due(names, 0.0)
            assert due is not None
            if events and began + events[0][0] <= due:
                at, name, value = events.pop(0)
                clock.sleep(max(0.0, began + at - clock.now()))
                arrival = SentEvent(0, f"{name}-{len(events)}", name, value, clock.now())
                journal.send(self._key, arrival)
            else:
                clock.sleep(max(0.0, due - clock.now()) + 0.001)
            taken = journal.take(names, clock.now(), LEASE, 1)
            row = taken[0] if taken else None
        raise ConfigError(f"{self._case.name!r} does not end")

    def _work(self, row: RunRow) -> None:
        """Be a worker, until it dies or has nothing to do."""
        flows = {flow.name: flow for flow in (self._case.definition, *self._case.flows)}
        services = RunServices(self._journal, self, self._clock, definitions=flows)
        try:
            Drive(services, row, flows[row.key.workflow]).run()
        except Died:
            return

    def invoke(self, call: StepCall) -> InvokeResult:
        """Call a function of the case."""
        function, idempotency_key = call.function, call.key
        if call.voids < self._voids.get(idempotency_key, 0):
            raise Throttled("", reason=VOIDED)
        self._calls[function, idempotency_key] += 1
        answer = self._case.answer(function, self._calls[function, idempotency_key])
        self._clock.sleep(self._case.takes.get(function, 0.0))
        if function in self._case.happens.values() and not self._happened:
            self._happened = True
            if "crash" in self._case.happens:
                raise Died
            self._journal.cancel(self._key, self._clock.now())
        if isinstance(answer, StepFailure):
            raise error_of(answer.name)
        return InvokeResult(answer.value, "embedded", idempotency_key)

    def settle(self, question: StepQuestion, sent: float | None) -> StepVerdict:
        """Ask a function of the case what became of a step."""
        del sent
        self._questions[question.function, question.key] += 1
        verdict = self._case.verdict(
            question.function, self._questions[question.function, question.key]
        )
        self._voids[question.key] = max(self._voids.get(question.key, 0), verdict.voids)
        return verdict


class _VirtualClock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self._now = 1_750_000_000.0

    def now(self) -> float:
        return self._now

    monotonic = now

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self._now += seconds


def error_of(name: str) -> Exception:
    """Return what a client raises where a flow sees this error."""
    if name == THROTTLED:
        return Throttled("")
    if name == NOT_SENT:
        return TargetUnavailable("")
    if name == REFUSED:
        return NotFound("")
    if name == TIMEOUT:
        return OutcomeUnknown("", reason="timeout")
    return OutcomeUnknown("") if name == UNKNOWN else FunctionError("", error_type=name)


def run_in_journal(case: Case) -> RunEnd:
    """Run a case on the embedded engine."""
    return Embedded(case).run()

"""A call from its first attempt to its result, as one generator.

It yields the commands of the state machine (`leeward._routing.call`), receives their replies, and
returns the call's one result. Runners carry the commands out: for threads and event loops in
`leeward._routing.failover`, in virtual time in the simulator.

A value that is not a driver's answer proves nothing. A publish of many events has a result for
each, and only open events are sent again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward import calls
from leeward._routing.attempts import CallState, Core, Ending
from leeward._routing.call import begin, step
from leeward._routing.commands import (
    AttemptEnded,
    CallRecord,
    Command,
    Commands,
    Dispatch,
    Event,
    Pause,
    PauseEnded,
    ReadBack,
    ReadBackDone,
    TimedAttempt,
    make_record,
)
from leeward._routing.outcomes import KNOWN_KEY, TABLE, May, is_unkeyed
from leeward._routing.readback import ReadBackVerdict, judge, judge_answer
from leeward._routing.targets import resource_of
from leeward.calls import (
    OBJECT_VERBS,
    RUN_VERBS,
    Call,
    FunctionFault,
    Invoke,
    ListItems,
    Load,
    Page,
    Publish,
    Result,
    Scan,
    Settle,
    Store,
    Stored,
)
from leeward.envelope import NOT_KEPT, NOT_RECOGNISED, OTHER_RECORDS, VOIDED, scope_of
from leeward.errors import Attempt, LeewardError, Outcome

if TYPE_CHECKING:
    from leeward.values.settled import Settled

Reply: TypeAlias = tuple[Command, float, float, object]
"""The reply to a command: the command, the monotonic seconds when it began and ended, and what the
driver returned or raised. After a pause: the target of the attempt whose end ended the pause, if
any."""

Entries: TypeAlias = tuple[Result[None], ...]  # one result for each event of a batch

Execution: TypeAlias = Generator[Commands, Reply, Result[Any]]


def execute(
    core: Core, call: Call, started: float, timeout: float, only: tuple[str, ...] = ()
) -> Execution:
    """Return the result of `call`, within `timeout` seconds from `started` (monotonic).

    `only` narrows the targets, for this call. Raise `ConfigError` if none may serve it, and
    `InvalidRequest` if none of `only` may.
    """
    health, declared = core.health, call
    if health.keys:
        call = health.keys.real_call(call, health.targets.order)
    state, commands = begin(core, call, started, timeout, only)
    if not commands:
        return refusal_of(state.why, state.able, state.retry_after)
    try:
        command, began, now, answer = reply = yield commands
    except GeneratorExit:
        running = [(command, started) for command in commands]
        _History(core, declared, started, state).cancel(running, health.seen_at)
        raise
    target, result = command.target, result_of(call, answer)
    well = _whole_of(call, result, target) if isinstance(call, Publish) else result
    if well is not None and well.outcome is Outcome.OK and isinstance(command, Dispatch):
        # Almost every call ends here: `step` would say the same, and a history would be of one. The
        # pause before a hedge, which may be under way, holds nothing.
        health.succeed(command, began + result.waited, now)
        if well.dedup is not None:
            health.note_key(target, declared, well.dedup)
        attempt = make_record(
            Attempt,
            (
                target,
                began - started,
                now - began,
                Outcome.OK,
                result.code,
                result.request_id,
                False,
                command.reason,
                state.number,
            ),
        )
        return make_record(Result, (*well[:_TARGET], target, (attempt,), well.resolved))
    return (yield from _go_on(_History(core, declared, started, state), state, commands, reply))


def _go_on(history: _History, state: CallState, commands: Commands, reply: Reply) -> Execution:
    """Return the result of a call whose first attempt failed; `commands` are in flight."""
    running = [(command, history.started) for command in commands if type(command) is not Pause]
    random = state.health.random
    command, began, now, answer = reply
    try:
        while True:
            running = [(other, since) for other, since in running if other is not command]
            event = history.event_of(state, command, began, now, answer)
            state, commands = step(state._replace(call=history.open_call()), event, now, random)
            if state.ending is not None:
                history.cancel(running, now)
                return history.conclude(state)
            running += [(command, now) for command in commands if type(command) is not Pause]
            command, began, now, answer = yield commands
    except GeneratorExit:
        history.cancel(running, state.health.seen_at)
        raise


def _whole_of(call: Publish, result: Result[Entries], target: str) -> Result[Entries] | None:
    """Return `result` with its entries placed at `target` if every event was taken, else None."""
    entries = result.value
    if result.outcome is not Outcome.OK or entries is None or len(entries) != len(call.events):
        return None
    for entry in entries:
        if entry.outcome is not Outcome.OK:
            return None
    return result._replace(value=tuple(_place(entries, target)))


class _History:
    """The attempts of a call, and the results that it may end with."""

    def __init__(self, core: Core, declared: Call, started: float, state: CallState) -> None:
        """Begin with the call as declared; its state has the effect that it has in truth."""
        self._health = core.health
        self._declared = declared
        self._call = call = state.call
        self.started = started
        self._number = state.number
        self._batch = Batch(call) if isinstance(call, Publish) else None
        self._attempts: list[Attempt] = []
        self._last = self._unknown = self._read_back = _NOTHING
        self._doubted: set[str] = set()  # targets where an attempt may have run

    def open_call(self) -> Call:
        """Return the call, or the part of it, that is still to be sent."""
        return self._batch.open_call() if self._batch else self._call

    def event_of(
        self, state: CallState, command: Command, began: float, now: float, answer: object
    ) -> Event:
        """Return the state machine's event for the reply to `command`."""
        if isinstance(command, Pause):
            if isinstance(answer, str):
                return PauseEnded(answer, woken=True)
            return PauseEnded(command.target, command.hedge, command.settle)
        result = result_of(command.call, answer)
        outcome, reason = result.outcome, result.reason
        attempt = TimedAttempt(command, began, now, result.waited)
        if isinstance(command, ReadBack):
            self._read_back = result._replace(target=command.target)
            event: Event = self._read(command, result)
        else:
            event = self._take(state, command, result, cut_off=attempt.is_used_up)
            outcome = event.outcome
        if outcome is Outcome.OK:
            self._health.succeed(command, attempt.request_at, now)
        else:
            is_well = reason in KNOWN_KEY or reason in (VOIDED, OTHER_RECORDS)  # it has answered
            self._health.fail(attempt, Outcome.APP_ERROR if is_well else outcome, reason)
        self._attempts.append(
            Attempt(
                command.target,
                began - self.started,
                now - began,
                outcome,
                result.code,
                result.request_id,
                isinstance(command, ReadBack),
                command.reason,
                self._number,
            )
        )
        return event

    def _take(
        self, state: CallState, command: Dispatch, result: Result[Any], *, cut_off: bool
    ) -> AttemptEnded:
        """Note the result of an attempt."""
        outcome, retry_after, target = result.outcome, result.retry_after, command.target
        if self._batch:
            outcome, retry_after = self._batch.record(command.call, result, target)
        if result.dedup is not None:
            self._health.note_key(target, self._declared, result.dedup)
        is_void = outcome is Outcome.REJECTED and result.reason == VOIDED
        if is_void and self._may_have_run_elsewhere(target, result):
            outcome = Outcome.AMBIGUOUS  # still: this is of the target's own record
        elif is_void:
            self._learn_voids(0 if result.fault is None else result.fault.voids)
        early, ran = cut_off and command.early, _ran_of(result)
        refused = self._batch is not None and self._batch.has_refused
        event = AttemptEnded(
            command.attempt, outcome, retry_after, cut_off, early, result.reason, ran, refused
        )
        result = result._replace(target=target)
        if state.final is None or not state.final.outlives(event):
            self._last = result
        if ran == "maybe" or outcome is Outcome.AMBIGUOUS:
            self._doubted.add(target)
        if outcome is Outcome.AMBIGUOUS and not self._unknown.executed:
            self._unknown = result._replace(outcome=outcome)
        return event

    def _may_have_run_elsewhere(self, target: str, answer: Result[Any]) -> bool:
        """Return whether another target with other records may have run the call.

        The answer says whether this target keeps the same records as the other one.
        """
        elsewhere, call = self._doubted - {target}, self._call
        if not elsewhere or not isinstance(call, Invoke):
            return bool(elsewhere)
        word = self._health.keys.word_of(call, elsewhere)
        return not word or word not in (answer.dedup, scope_of(answer.dedup))

    def _learn_voids(self, voids: int) -> None:
        """Learn the number of voids of the key: no attempt so far has run, and none will."""
        assert isinstance(self._call, Invoke), "only calls of functions are settled"
        self._call, self._unknown = self._call._replace(voids=voids), _NOTHING
        self._doubted.clear()

    def _read(self, question: ReadBack, result: Result[Any]) -> ReadBackDone:
        """Read the result of a look at a write, or the answer of a function about its call."""
        if not isinstance(question.call, Settle):
            return ReadBackDone(question.attempt, question.after, judge(self._call, result))
        from leeward.settling import OTHER_TARGET, read_answer

        call, last = self._call, self._last
        assert isinstance(call, Invoke), "only calls of functions are settled"
        settled = read_answer(call.idempotency_key, result)
        verdict = judge_answer(settled)
        is_elsewhere = self._may_have_run_elsewhere(question.target, result)
        if settled is not None and verdict is ReadBackVerdict.NOT_RUN and is_elsewhere:
            settled = settled._replace(reason=OTHER_TARGET)  # it knows of its own attempts alone
            verdict = ReadBackVerdict.LOST
        if settled is None:
            return ReadBackDone(question.attempt, question.after, verdict, result.retry_after)
        if verdict is ReadBackVerdict.OURS:
            has_answer = settled.failure is not None and question.after is Outcome.APP_ERROR
            answer = last if has_answer else _outcome_of(settled)  # an answer is never replaced
            if has_answer and last.fault is not None:
                answer = last._replace(fault=last.fault._replace(ran="yes"))
            self._read_back = answer._replace(target=question.target)
        elif verdict is ReadBackVerdict.NOT_RUN:
            self._learn_voids(settled.voids)
            if question.after is not Outcome.APP_ERROR:
                self._last = Result(Outcome.NOT_SENT, reason=VOIDED, target=question.target)
            elif last.fault is not None:
                self._last = last._replace(fault=last.fault._replace(ran="no"))
        elif verdict is ReadBackVerdict.LOST and self._unknown.reason is None:
            fault = self._unknown.fault or FunctionFault(message=settled.record)
            self._unknown = self._unknown._replace(reason=settled.reason, fault=fault)
        return ReadBackDone(question.attempt, question.after, verdict, settled.retry_after)

    def cancel(self, running: Iterable[tuple[Command, float]], now: float) -> None:
        """Release the leases of attempts that nobody waits for.

        Each has the time when it began. If it took long and another attempt was faster, that is
        evidence.
        """
        for command, began in running:
            if not isinstance(command, Pause):
                attempt = TimedAttempt(command, began, now)
                self._health.cancel(attempt, overtaken=bool(self._attempts))

    def conclude(self, state: CallState) -> Result[Any]:
        """Return the result of the call, and remember its attempts."""
        attempts = tuple(self._attempts)
        call, why = self._call, state.why
        self._health.remember(CallRecord(state.number, call.verb, resource_of(call), attempts, why))
        if state.ending is Ending.RESOLVED and state.rules.settle:
            return self._read_back._replace(attempts=attempts)
        if state.ending is Ending.RESOLVED:
            value, target = self._read_back.value, self._read_back.target
            if call.verb != "start_run":
                value = value.revision if value else None
            return Result(Outcome.OK, value, target=target, attempts=attempts, resolved=True)
        last = self._unknown if state.ending is Ending.UNKNOWN else self._last
        if self._batch:
            last = self._batch.conclude(last)
        if call is not self._declared and is_unkeyed(call):
            last = last._replace(dedup=NOT_RECOGNISED)
        return last._replace(attempts=attempts)


def result_of(call: Call, answer: object) -> Result[Any]:
    """Return the result of an attempt at `call` whose driver returned or raised `answer`.

    An exception leaves the outcome unknown, unless leeward itself raised it.
    """
    if isinstance(answer, Result) and isinstance(answer.outcome, Outcome):
        if answer.outcome is not Outcome.OK:
            return answer
        value = answer.value
        kind = _VALUES.get(type(call))
        if kind is None and call.verb in OBJECT_VERBS:
            return answer if _is_of_object(call, value) else _UNSOUND
        if kind is None and call.verb in RUN_VERBS:
            return answer if _is_run(call.verb, value) else _UNSOUND
        if kind is not None and not isinstance(value, kind):
            return _UNSOUND
        return answer if type(call) is not Publish or _has_entries(value) else _UNSOUND
    if isinstance(answer, LeewardError):
        return Result(Outcome.CALLER, message=str(answer), cause=answer)
    if isinstance(answer, Exception):
        return Result(Outcome.AMBIGUOUS, code=type(answer).__name__, cause=answer)
    return _UNSOUND


def refusal_of(why: str, able: tuple[str, ...], retry_after: float | None) -> Result[Any]:
    """Return the result of a call for which no target could be asked; nothing was sent."""
    target = able[0] if len(able) == 1 else None
    return Result(Outcome.NOT_SENT, code=why, reason=why, retry_after=retry_after, target=target)


def _is_run(verb: str, value: Any) -> bool:
    if verb == "abort_run":
        return value is None or value is True
    return isinstance(value, calls.FoundRun) or (verb == "get_run" and value is None)


def _has_entries(value: Any) -> bool:
    for entry in value:
        if not isinstance(entry, Result) or not isinstance(entry.outcome, Outcome):
            return False
    return True


def _is_of_object(call: Call, value: Any) -> bool:
    """Return whether `value` has the type of an object call's result."""
    kinds: dict[type, type | tuple[type, ...]] = {
        calls.PutObject: str,
        calls.GetObject: (calls.Piece, type(None)),
        calls.HeadObject: (calls.FoundObject, type(None)),
        calls.ListObjects: calls.Listing,
    }
    return isinstance(value, kinds.get(type(call), object))


def _ran_of(result: Result[Any]) -> str:
    """Return whether a function that failed has had an effect, by its own word."""
    if result.outcome is not Outcome.APP_ERROR:
        return "no"
    return "yes" if result.fault is None or result.fault.ran is None else result.fault.ran


def _outcome_of(settled: Settled) -> Result[Any]:
    """Return the result of a call that its function has settled as run."""
    if settled.failure is not None:
        return Result(Outcome.APP_ERROR, reason=settled.failure.reason, fault=settled.failure)
    if not settled.kept:
        fault = FunctionFault(message=settled.record)
        return Result(Outcome.AMBIGUOUS, reason=NOT_KEPT, executed=True, fault=fault)
    return Result(Outcome.OK, settled.result, resolved=True)


class Batch:
    """The events of one publish that did not go well at once, and the result of each."""

    def __init__(self, call: Publish) -> None:
        self._call = call
        self._results: list[Result[None] | None] = [None] * len(call.events)
        self._open = tuple(range(len(call.events)))
        self._sent = [(call, self._open)]

    def open_call(self) -> Publish:
        """Return the call that is still to be sent: the open events, in order."""
        call, places = self._sent[-1]
        if places != self._open:
            events = tuple(self._call.events[place] for place in self._open)
            call = self._call._replace(events=events)
            self._sent.append((call, self._open))
        return call

    def record(
        self, call: Call, result: Result[Entries], target: str
    ) -> tuple[Outcome, float | None]:
        """Note the results of `target` for the events of `call`, which `open_call` has returned.

        Other attempts may have settled some of them meanwhile. Return the outcome that decides, and
        the seconds that the target asked to wait. The outcome is OK when no event is left to send,
        and AMBIGUOUS when an open event is.
        """
        places = next(places for sent, places in self._sent if sent is call)
        entries = _place(_entries_of(result, len(places)), target)
        left: dict[int, Result[None]] = {}
        still_open = dict.fromkeys(self._open)
        for place, entry in zip(places, entries, strict=True):
            self._results[place] = _merge(self._results[place], entry)
            if place in still_open and _is_open(entry):
                left[place] = entry
            else:
                still_open.pop(place, None)
        self._open = tuple(still_open)
        if not left:
            return result.outcome, result.retry_after
        unknown = any(entry.outcome is Outcome.AMBIGUOUS for entry in left.values())
        waits = [entry.retry_after for entry in left.values() if entry.retry_after is not None]
        first = next(iter(left.values()))
        return Outcome.AMBIGUOUS if unknown else first.outcome, max(waits, default=None)

    @property
    def has_refused(self) -> bool:
        """Whether an event was not taken, and is not sent again."""
        return any(
            entry is not None and entry.outcome is not Outcome.OK and not _is_open(entry)
            for entry in self._results
        )

    def conclude(self, last: Result[Entries]) -> Result[Entries]:
        """Return the result of the batch: one failure if all events share it, else one for each."""
        entries = tuple(entry for entry in self._results if entry is not None)
        shared: Result[Any] = entries[0]
        if shared.outcome is not Outcome.OK and all(entry == shared for entry in entries):
            return shared
        return last._replace(outcome=Outcome.OK, value=entries)


def _entries_of(result: Result[Entries], count: int) -> Entries:
    """Return one entry for each of so many events."""
    if result.outcome is not Outcome.OK:
        entry: Result[Any] = result._replace(value=None)
        return (entry,) * count
    if result.value is None or len(result.value) != count:
        return (_UNCOUNTED,) * count
    return result.value


def _is_open(entry: Result[None]) -> bool:
    """Return whether the event may be sent again. Most are OK, which needs no table."""
    return entry.outcome is not Outcome.OK and TABLE[entry.outcome].move is not May.NEVER


def _place(entries: Entries, target: str) -> Iterable[Result[None]]:
    """Return each entry with its target. Neighbours that share one result still do."""
    placed: list[Result[None]] = []
    before: Result[None] | None = None
    for entry in entries:
        placed.append(placed[-1] if entry is before else entry._replace(target=target))
        before = entry
    return placed


def _merge(before: Result[None] | None, now: Result[None]) -> Result[None]:
    """End an event that may have been taken, as a success or as unknown.

    A result of an attempt beside this one stays, unless this attempt may have taken the event.
    """
    if before is None or (now.outcome is Outcome.OK and before.outcome is not Outcome.OK):
        return now
    if before.outcome in (Outcome.OK, Outcome.AMBIGUOUS):
        return before
    return now if now.outcome is Outcome.AMBIGUOUS or _is_open(before) else before


_VALUES: Final[dict[type[Call], type | tuple[type, ...]]] = {
    Invoke: object,
    Store: str,
    Load: (Stored, type(None)),
    Scan: Page,
    ListItems: Page,
    Publish: tuple,
}
"""The type of an OK result's value, by call; other calls have any."""

_UNSOUND: Result[Any] = Result(
    Outcome.AMBIGUOUS,
    code="bad_result",
    message="the adapter's answer is not of the kind that the call gives",
)

_TARGET = Result._fields.index("target")
"""Where the last fields begin: target, attempts, resolved. Used instead of `_replace`, which takes
twice as long."""

_UNCOUNTED: Result[None] = Result(
    Outcome.AMBIGUOUS, code="entry_count", message="the answer has not one entry per event"
)

_NOTHING: Result[Any] = Result(Outcome.LOCAL, message="no attempt was made", target="")

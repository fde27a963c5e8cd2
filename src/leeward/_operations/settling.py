"""Settling of a call whose outcome is unknown, as a generator without I/O.

It yields a question for a target, or seconds to wait, receives the result, and returns the
`Settled`. A client carries it out: see `leeward.Client.settle`. Writes, events and runs are in
`leeward._operations.settling_data`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from leeward._operations import arguments
from leeward._operations.errors import error_of
from leeward._operations.settling_data import (
    FINAL,
    LONGEST_PAUSE,
    PAUSE,
    SENT_AGAIN,
    UNREACHABLE,
    WRITES,
    Ask,
    Questions,
    Settling,
    settle_publish,
    settle_start,
    settle_write,
)
from leeward._routing.outcomes import KNOWN_KEY
from leeward.calls import Call, Enqueue, Invoke, Publish, Result, Settle
from leeward.config import FunctionConfig
from leeward.entropy import time_of_id
from leeward.envelope import BY_GROUP, BY_TARGET, scope_of, settle_question
from leeward.errors import Attempt, CallError, FunctionError, InvalidRequest, NotFound, Outcome
from leeward.json_text import encode
from leeward.records import NamedTuple
from leeward.settling import DEADLINE, OTHER_TARGET, read_answer
from leeward.values import MISSING, Effect
from leeward.values.settled import Settled, Verdict

if TYPE_CHECKING:
    from leeward.adapter import Driver
    from leeward.clock import Clock

SETTLE_TIMEOUT: Final = 30.0
"""Seconds, by default, to settle a call."""

Candidates: TypeAlias = Callable[[Call], tuple[str, ...]]
"""Returns the targets that may serve a call, in order."""

CLOCKS: Final = 3600.0
"""Seconds by which the clock of a call's maker may be ahead of this one."""

_MAYBE: Final = frozenset({Outcome.AMBIGUOUS, Outcome.APP_ERROR})
"""Outcomes of an attempt that may have run."""


class FunctionSettling(NamedTuple):
    """A call of a function to settle.

    Attributes:
        voids: that the call knew.
        payload: of the call, JSON in UTF-8; None if the asker lacks it.
        sent: Unix seconds when the call was made; None if unknown.
        only: the targets to ask; all if empty.
        places: the targets where it may have run; None for any target.
        keeps_records: the function is known to answer for its keys.
        own: this client has made the call, at one target.
    """

    function: str
    idempotency_key: str
    voids: int
    payload: bytes | None
    sent: float | None
    only: tuple[str, ...]
    places: tuple[str, ...] | None
    keeps_records: bool
    own: bool = False


def settling_of(
    error: CallError, config: FunctionConfig, *, is_own: bool = False
) -> FunctionSettling:
    """Return the call to settle after an error of `invoke` or `enqueue`; `is_own`: made here."""
    call = error.call
    assert isinstance(call, Invoke | Enqueue), "other calls have no key"
    unknown = [attempt.target for attempt in error.attempts if attempt.outcome in _MAYBE]
    places = tuple(dict.fromkeys(unknown))
    only = () if call.shared_dedup else places
    keeps_records = call.effect is Effect.KEYED or _answers(config) or error.reason in KNOWN_KEY
    voids = call.voids if isinstance(call, Invoke) else 0
    return FunctionSettling(
        call.function,
        call.idempotency_key,
        voids,
        call.payload or None,  # of a call that is known by its facts alone
        call.sent,
        only,
        places,
        keeps_records,
        is_own and len(places) == 1,
    )


def settling_by_key(
    function: str,
    key: str,
    config: FunctionConfig,
    *,
    payload: object,
    sent: float | datetime | None,
    only: tuple[str, ...],
    candidates: Candidates,
    now: float,
) -> FunctionSettling:
    """Return the call to settle by its key alone: at each target that may know."""
    keeps_records = config.effect is Effect.KEYED or _answers(config)
    body = None if payload is MISSING else encode(payload)
    made_at = time_of_id(key)
    moment: Any = made_at if made_at is not None and made_at <= now + CLOCKS else None
    if sent is not None:
        moment = sent.timestamp() if isinstance(sent, datetime) else sent
        is_number = isinstance(moment, int | float) and not isinstance(moment, bool)
        # A call from the future would be younger than any record, and be settled as not run.
        if not (is_number and 0 <= moment <= now + CLOCKS):
            problem = "sent must be Unix seconds or a datetime, and not in the future"
            raise InvalidRequest(problem, field="sent")
    # Only the caller knows where the call was made: another order, or another client, may have had
    # other targets. So each of today's targets is asked, and "not run" of all is not enough.
    is_known = config.shared_dedup or config.probe is not None
    to_ask = () if is_known else only or candidates(Invoke(function, b"null", key))
    return FunctionSettling(
        function, key, 0, body, moment, to_ask, None if is_known else only or None, keeps_records
    )


def _answers(config: FunctionConfig) -> bool:
    """Return whether a function is declared to answer questions, whatever its effect."""
    return bool(config.marks) or config.on_unknown == "settle"


_WEIGHT: Final = (Verdict.NOT_RUN, Verdict.UNKNOWN, Verdict.RUNNING, Verdict.RAN)
"""For several targets, the last of these counts: a call has run if it has run anywhere."""


def settle_call(
    about: FunctionSettling, config: FunctionConfig, clock: Clock, seconds: float
) -> Settling:
    """Settle a call of a function, at each target where it may have run: each has its own record.

    A target without the function may have had it, or may get it before the call arrives, so it
    settles nothing.

    Raises:
        NotFound: none of them has the function.
    """
    if len(about.only) < 2 or config.probe is not None:
        return (yield from _settle_at(about, config, clock, seconds))
    deadline, voids = clock.monotonic() + seconds, 0
    verdict: Settled | None = None
    missing: NotFound | None = None
    for target in about.only:
        left = deadline - clock.monotonic()
        try:
            one = about._replace(only=(target,), places=about.places and (target,))
            answer = yield from _settle_at(one, config, clock, left)
        except NotFound as error:
            missing = error
            continue
        voids = max(voids, answer.voids)
        if verdict is None or _WEIGHT.index(answer.verdict) >= _WEIGHT.index(verdict.verdict):
            verdict = answer
        if verdict.verdict is Verdict.RAN:
            return verdict
    if verdict is None:
        assert missing is not None, "each target has answered, or lacks the function"
        raise missing
    if missing is not None and verdict.verdict is Verdict.NOT_RUN:
        verdict = _ELSEWHERE
    return verdict._replace(voids=voids)


def _settle_at(
    about: FunctionSettling, config: FunctionConfig, clock: Clock, seconds: float
) -> Settling:
    """Settle a call of a function: ask it again while it still runs or cannot be reached."""
    deadline = clock.monotonic() + seconds
    if config.probe is None and not about.keeps_records:
        return Settled(Verdict.UNKNOWN, reason="not_asked")
    ask, pause = _probe_call if config.probe else _settle_call, PAUSE
    while True:
        left = deadline - clock.monotonic()
        result = yield Ask(ask(about, config, clock.now()), left, about.only)
        assert result is not None, "what was asked has a result"
        if result.outcome in FINAL:
            raise error_of(ask(about, config, clock.now()), result)
        refusal = _refuse(result)
        if refusal is not None:
            raise refusal
        settled = read_answer(about.idempotency_key, result)
        if settled is not None and settled.verdict is Verdict.NOT_RUN:
            knows = _knows(about, config, result)
            return settled if knows else _ELSEWHERE._replace(voids=settled.voids)
        if settled is not None and settled.verdict is not Verdict.RUNNING:
            return settled
        hint = settled.retry_after if settled else result.retry_after
        wait = pause if hint is None else min(pause, hint)
        left = deadline - clock.monotonic()
        if left <= wait:
            return settled or UNREACHABLE._replace(target=result.target)
        yield wait
        pause = min(2 * pause, LONGEST_PAUSE)


_ELSEWHERE: Final = Settled(Verdict.UNKNOWN, reason=OTHER_TARGET)


def _knows(about: FunctionSettling, config: FunctionConfig, result: Result[Any]) -> bool:
    """Return whether the target that has answered knows every attempt of the call.

    It may have a table of its own in spite of the declaration: its answer says so.
    """
    if config.probe is not None or about.places == ():
        return True
    dedup = result.dedup or (BY_GROUP if config.shared_dedup else BY_TARGET)
    return scope_of(dedup) == BY_GROUP or about.places == (result.target,)


def _settle_call(about: FunctionSettling, config: FunctionConfig, now: float) -> Call:
    age = None if about.sent is None else max(0.0, now - about.sent)
    return Settle(
        about.function,
        settle_question(about.idempotency_key, age, about.payload, alone=about.own),
        about.idempotency_key,
        config.shared_dedup or False,
        marks=bool(config.marks),
        voids=about.voids,
    )


def _probe_call(about: FunctionSettling, config: FunctionConfig, now: float) -> Call:
    """Ask the probe of a function that keeps no records."""
    del now
    key = encode(about.idempotency_key)
    payload = b"" if about.payload is None else b',"payload":' + about.payload
    return Invoke(
        str(config.probe),
        b'{"key":' + key + payload + b"}",
        about.idempotency_key,
        Effect.READ_ONLY,
    )


def _refuse(result: Result[Any]) -> FunctionError | None:
    """Return the error for a function that refuses the question; None if it does not."""
    fault = result.fault
    if result.outcome is not Outcome.APP_ERROR or fault is None or fault.reason == DEADLINE:
        return None
    if fault.ran != "no" or fault.retryable:
        return None
    return FunctionError(
        f"the function refuses to settle the key ({fault.type}: {fault.reason}). Nothing was "
        "settled",
        error_type=fault.type,
        error_message=fault.message,
        ran="no",
        retryable=False,
        target=result.target,
        attempts=result.attempts,
        reason=fault.reason,
    )


def settle(
    error_or_key: CallError | str,
    function: str | None,
    *,
    payload: object,
    sent: float | datetime | None,
    only: tuple[str, ...],
    timeout: float | None,
    functions: Mapping[str, FunctionConfig],
    candidates: Candidates,
    drivers: Mapping[str, Driver],
    clock: Clock,
    is_own: Callable[[tuple[Attempt, ...]], bool],
) -> Settling:
    """Settle a call, by its error or by its key; see `leeward.Client.settle`."""
    seconds = SETTLE_TIMEOUT if timeout is None else arguments.check_timeout(timeout)
    if isinstance(error_or_key, CallError):
        call = error_or_key.call
        if not isinstance(call, Invoke):
            return (yield from _settle_other(error_or_key, functions, drivers, clock, seconds))
        config = functions.get(call.function, FunctionConfig())
        about = settling_of(error_or_key, config, is_own=is_own(error_or_key.attempts))
        _check_places(about.only, drivers)
        return (yield from settle_call(about, config, clock, seconds))
    key = arguments.check_idempotency_key(error_or_key)
    if key is None or function is None:
        raise InvalidRequest(
            "give the exception that a call has raised, or its key and function=",
            field="error_or_key" if key is None else "function",
        )
    config = functions.get(arguments.check_name(function, "function"), FunctionConfig())
    about = settling_by_key(
        function,
        key,
        config,
        payload=payload,
        sent=sent,
        only=only,
        candidates=candidates,
        now=clock.now(),
    )
    return (yield from settle_call(about, config, clock, seconds))


def _check_places(only: tuple[str, ...], drivers: Mapping[str, Driver]) -> None:
    """Check that each target where a call may have run can be asked."""
    if missing := [target for target in only if target not in drivers]:
        raise InvalidRequest(
            f"the call was made at {', '.join(missing)}, where this client makes none; settle it "
            "with a client that has this target",
            field="error_or_key",
        )


def _settle_other(
    error: CallError,
    functions: Mapping[str, FunctionConfig],
    drivers: Mapping[str, Driver],
    clock: Clock,
    seconds: float,
) -> Settling:
    """Settle any other call than `invoke`, by its error.

    Raises:
        InvalidRequest: the call has no effect, or was made at a target that is not in `drivers`.
    """
    call = error.call
    verb = getattr(call, "verb", "")
    if verb not in WRITES and verb not in ("enqueue", "publish", "start_run"):
        raise InvalidRequest("this error has no call that can be settled", field="error_or_key")
    attempts = [attempt for attempt in error.attempts if attempt.outcome is Outcome.AMBIGUOUS]
    only = tuple(dict.fromkeys(attempt.target for attempt in attempts if not attempt.read_back))
    if error.outcome is not Outcome.AMBIGUOUS:
        return Settled(Verdict.NOT_RUN, reason="refused", target=error.target)
    if not only and (verb != "publish" or call.events[0].ordering_key is not None):
        # Only a spool may have an event that no target got. It publishes the events of a key in
        # order, so none is published beside it.
        return Settled(Verdict.UNKNOWN, reason=error.reason)
    _check_places(only, drivers)
    if isinstance(call, Enqueue):
        config = functions.get(call.function, FunctionConfig())
        return (yield from _settle_enqueue(error, config, only, clock, seconds))
    questions = Questions(only, clock, seconds)
    if isinstance(call, Publish):
        return (yield from settle_publish(call, questions))
    if verb == "start_run":
        return (yield from settle_start(call, questions))
    capabilities = drivers[only[0]].capabilities  # a write has one home
    return (yield from settle_write(call, questions, capabilities, clock))


def _settle_enqueue(
    error: CallError, config: FunctionConfig, only: tuple[str, ...], clock: Clock, seconds: float
) -> Settling:
    """Settle a queued call: queue it again, if its function recognises the key; else ask that.

    A message does not carry voids. So a key that the function recognises is not made void: a new
    message with it would be refused.
    """
    call: Enqueue = error.call
    if call.effect is Effect.UNSAFE:
        return (yield from settle_call(settling_of(error, config), config, clock, seconds))
    result = yield from Questions(only, clock, seconds).ask(call)
    if result is None:
        return UNREACHABLE
    return Settled(Verdict.RAN, reason=SENT_AGAIN, target=result.target)


def observe(steps: Settling, count: Callable[[Settled, str], object]) -> Settling:
    """Run the same steps, and count how they end, with the verb of the last question."""
    reply, verb = None, ""
    try:
        while True:
            step = steps.send(reply)
            verb = str(step.call.verb) if isinstance(step, Ask) else verb
            reply = yield step
    except StopIteration as end:
        settled: Settled = end.value
    count(settled, verb)
    return settled

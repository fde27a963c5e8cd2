"""What the doctor says, and what it makes of what a target has answered. Nothing here asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

from leeward.calls import Look, LookResult, Result
from leeward.calls.looks import BUCKET, BUS, FUNCTION, QUEUE, RESOURCE, TABLE, LookVerb
from leeward.errors import Outcome

FURTHEST: Final = 30.0
"""Seconds that two clocks may be apart: signatures hold for some minutes, and a clock that is off
by more than this is going on to be."""

ORDER: Final = "order"
"""Where a finding is not about one target."""


class State(Enum):
    """How a check has ended."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, or not to be found out without an effect. It fails nothing."""
    FAULT = "fault"


class Finding(NamedTuple):
    """One line of the doctor's.

    Attributes:
        target: its name, or `ORDER`.
        check: what was looked at, such as ``credentials`` or ``function send-receipt``.
        state: how that ended.
        message: what was found.
        remedy: what to do; empty where nothing is to be done.
        concerns: the functions, buses and tables that a fault stands in the way of.
    """

    target: str
    check: str
    state: State
    message: str
    remedy: str = ""
    concerns: tuple[str, ...] = ()


class Answered(NamedTuple):
    """A look, and what came of it.

    Attributes:
        look: with the logical name.
        result: of it.
        offset: seconds that the target's clock is ahead of this machine's; None if it did not say.
    """

    look: Look
    result: Result[Any]
    offset: float | None = None


KINDS: Final[dict[LookVerb, str]] = {
    FUNCTION: "function",
    QUEUE: "queue",
    BUS: "bus",
    TABLE: "table",
    BUCKET: "bucket",
    RESOURCE: "resource",
}

_PASSED_ON: Final = frozenset({Outcome.OK, Outcome.NOT_FOUND, Outcome.CALLER, Outcome.CONFLICT})
"""Outcomes that only somebody gives who was reached and knows the caller."""


def named(look: Look) -> str:
    """Return how a look is called in a finding."""
    return f"{look.type or KINDS[look.verb]} {look.name}"


def judged(target: str, answers: Sequence[Answered]) -> list[Finding]:
    """Return what the answers of one target say of it, and of each thing that was looked for."""
    findings = [
        _credentials(target, answers),
        _endpoint(target, answers),
        *_clock(target, answers),
    ]
    return findings + [_thing(target, each) for each in answers]


def _credentials(target: str, answers: Sequence[Answered]) -> Finding:
    refused = [each for each in answers if each.result.outcome is Outcome.AUTH]
    if refused:
        return Finding(
            target,
            "credentials",
            State.FAULT,
            f"refused, or not there, for {_listed(refused)}: {told_of(refused[0].result)}",
            "give this target credentials that may call it; `leeward targets` shows where they "
            "come from",
            _names(refused),
        )
    taken = [each for each in answers if each.result.outcome in _PASSED_ON]
    if taken:
        return Finding(target, "credentials", State.OK, f"found, for {_listed(taken)}")
    return Finding(target, "credentials", State.NOTE, "nobody was reached who could say")


def _endpoint(target: str, answers: Sequence[Answered]) -> Finding:
    silent = [each for each in answers if _is_silent(each.result)]
    if silent:
        return Finding(
            target,
            "endpoint",
            State.FAULT,
            f"no good answer to {_listed(silent)}: {told_of(silent[0].result)}",
            "look at the endpoints in `leeward targets`, the network and a proxy, and at whether "
            "the service is up",
            _names(silent),
        )
    reached = [each for each in answers if _was_reached(each.result)]
    if reached:
        return Finding(target, "endpoint", State.OK, f"reached, for {_listed(reached)}")
    return Finding(target, "endpoint", State.NOTE, "nothing there could be asked")


def _clock(target: str, answers: Sequence[Answered]) -> Iterable[Finding]:
    offsets = [each.offset for each in answers if each.offset is not None]
    if not offsets:
        yield Finding(target, "clock", State.NOTE, "the target did not say its time")
        return
    furthest = max(offsets, key=abs)
    if abs(furthest) <= FURTHEST:
        yield Finding(target, "clock", State.OK, f"within {FURTHEST:g} s of this machine's")
        return
    way = "behind" if furthest > 0 else "ahead of"
    yield Finding(
        target,
        "clock",
        State.FAULT,
        f"this machine's clock is {abs(furthest):.0f} s {way} the target's",
        "set this machine's clock, by NTP: signatures are refused when it is off by minutes",
    )


def _thing(target: str, answered: Answered) -> Finding:
    look, result, _ = answered
    check = named(look)
    if result.outcome is Outcome.NOT_FOUND:
        return _absent(target, look, result)
    if result.outcome is Outcome.AUTH or _is_silent(result):
        return Finding(target, check, State.NOTE, "not looked at: see above")
    if result.outcome is not Outcome.OK:
        remedy = "let the configured key have the fields of the table's"
        told = told_of(result)
        if look.verb != TABLE:
            remedy = f"configure the {KINDS[look.verb]} by a name that this target takes"
        told = f"refused as it is configured: {told}"
        return Finding(target, check, State.FAULT, told, remedy, (check,))
    seen = (
        result.value
        if isinstance(result.value, LookResult)
        else LookResult(None, "it was not told")
    )
    if seen.there is None:
        return Finding(target, check, State.NOTE, f"not known: {seen.why}")
    return Finding(target, check, State.OK, "is there")


def _absent(target: str, look: Look, result: Result[Any]) -> Finding:
    kind, check = KINDS[look.verb], named(look)
    if look.verb == QUEUE and not look.is_queue:
        told = "there is no queue for it, so it can be called there, and not queued"
        return Finding(target, check, State.NOTE, told, "make one, if you use enqueue")
    plurals = {BUS: "buses", QUEUE: "functions"}
    section = f"[{plurals.get(look.verb, f'{kind}s')}.{look.name}]"
    return Finding(
        target,
        check,
        State.FAULT,
        f"is not there: {told_of(result)}",
        f"deploy it there, or name the target's own in names of {section}",
        (check,),
    )


def _is_silent(result: Result[Any]) -> bool:
    return result.outcome not in _PASSED_ON and result.outcome is not Outcome.AUTH


def _was_reached(result: Result[Any]) -> bool:
    seen = result.value
    return not _is_silent(result) and (not isinstance(seen, LookResult) or seen.reached)


def told_of(result: Result[Any]) -> str:
    """Return what a target has said: the message of ours, else the code, never its own text."""
    found = result.message or result.code or result.outcome.value
    return f"{found} ({result.code})" if result.message and result.code else found


def _listed(answers: Iterable[Answered]) -> str:
    return ", ".join(_names(answers))


def _names(answers: Iterable[Answered]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(named(each.look) for each in answers))

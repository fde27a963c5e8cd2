"""What has happened in a drill, as values: attempts, calls and decisions. Times begin with it."""

from __future__ import annotations

from typing import NamedTuple

from leeward.errors import Outcome
from leeward.values import Effect, RoutingEvent
from leeward_drill.faults import DrillFault


class Attempted(NamedTuple):
    """One attempt, as it was at the wire.

    Attributes:
        target: where.
        key: the idempotency key of its call.
        began: seconds from the start of the drill.
        ended: in the same seconds.
        outcome: None if it was cancelled, as the slower one of two.
        ran: whether the target has run it; None if that is not known.
        fault: what the drill did to it, if anything.
    """

    target: str
    key: str
    began: float
    ended: float
    outcome: Outcome | None
    ran: bool | None
    fault: str = ""


class Called(NamedTuple):
    """One call, as its caller saw it.

    Attributes:
        key: its idempotency key.
        began: seconds from the start of the drill.
        ended: in the same seconds.
        target: which has answered; None if the call has failed.
        error: the class of the exception; empty if there was an answer.
        told: its message, which holds no payload.
    """

    key: str
    began: float
    ended: float
    target: str | None
    error: str = ""
    told: str = ""


class Decided(NamedTuple):
    """A decision of the router, and when it told of it."""

    at: float
    event: RoutingEvent


class Plan(NamedTuple):
    """What a drill is to do.

    Attributes:
        order: the targets.
        function: that is called.
        effect: of it.
        rate: calls a second.
        seconds: that calls are made for.
        faults: when and where.
        able: the targets that may serve a call; of a keyed one whose key only its first target
            would know again, that one.
        shared_dedup: all targets know a key again that one of them has seen.
        simulated: on targets of its own, in virtual time.
    """

    order: tuple[str, ...]
    function: str
    effect: Effect
    rate: float
    seconds: float
    faults: tuple[DrillFault, ...]
    able: tuple[str, ...]
    shared_dedup: bool = False
    simulated: bool = False


class DrillRecord:
    """Everything that has happened so far.

    Attributes:
        attempts: in the order in which they ended.
        calls: the same, of calls.
        decisions: in the order in which they were told.
        begun: calls that were begun.
    """

    def __init__(self) -> None:
        self.attempts: list[Attempted] = []
        self.calls: list[Called] = []
        self.decisions: list[Decided] = []
        self.begun = 0

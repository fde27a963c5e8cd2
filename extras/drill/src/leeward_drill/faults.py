"""The faults of a drill: when, at which target, and what becomes of an attempt there meanwhile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from leeward.errors import ConfigError


class FaultKind(Enum):
    """What a fault does to an attempt. Only ``slow`` and ``lose_answer`` let it run."""

    BLACKOUT = "blackout"
    """No answer comes until the time of the attempt is over."""
    REFUSE = "refuse"
    """The target cannot be reached, which is known at once."""
    THROTTLE = "throttle"
    """The target refuses it before it runs."""
    ERROR = "error"
    """The target answers that something went wrong; nobody can know that it did not run."""
    LOSE_ANSWER = "lose_answer"
    """It runs, and the answer is lost."""
    SLOW = "slow"
    """The answer takes some times as long."""


class DrillFault(NamedTuple):
    """One fault.

    Attributes:
        target: a target's name, or a provider for all of its targets.
        kind: what it does.
        begin: seconds from the start of the drill.
        end: in the same seconds.
        factor: times that an answer takes longer, of ``slow``.
        share: of the attempts that it concerns, in (0, 1].
    """

    target: str
    kind: FaultKind
    begin: float
    end: float
    factor: float = 1.0
    share: float = 1.0

    def is_at(self, target: str) -> bool:
        """Return whether it concerns `target`."""
        return self.target in (target, target.partition(":")[0])

    def holds(self, time: float) -> bool:
        """Return whether it is in force `time` seconds after the start."""
        return self.begin <= time < self.end

    def __str__(self) -> str:
        """Write it as on the command line."""
        factor = f" x{self.factor:g}" if self.kind is FaultKind.SLOW else ""
        share = f" {100 * self.share:g}%" if self.share < 1 else ""
        return f"{self.target}:{self.kind.value}{factor}{share}@{self.begin:g}s-{self.end:g}s"


_NUMBER: Final = r"[0-9]{1,6}(?:\.[0-9]{1,3})?"

_FAULT: Final = re.compile(
    rf"(?P<target>[A-Za-z][\w.:-]*):(?P<kind>[a-z_]+)(?: +x(?P<factor>{_NUMBER}))?"
    rf"(?: +(?P<percent>{_NUMBER})%)?@(?P<begin>{_NUMBER})s?-(?P<end>{_NUMBER})s?"
)

EXAMPLE: Final = "write it like 'local:a:blackout@10s-40s', 'local:a:slow x4@20s-30s'"


def parse_fault(text: str, order: Sequence[str]) -> DrillFault:
    """Read a fault at a target of `order`.

    Raises:
        ConfigError: it is something else; the message names what, and the remedy.
    """
    found = _FAULT.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"--fault {text!r} cannot be read; {EXAMPLE}")
    kind = _kind(found["kind"], text)
    factor, percent = float(found["factor"] or 1), float(found["percent"] or 100)
    begin, end = float(found["begin"]), float(found["end"])
    fault = DrillFault(found["target"], kind, begin, end, factor, percent / 100)
    if not any(fault.is_at(target) for target in order):
        raise ConfigError(
            f"--fault {text!r} is at no target of the order; it has {', '.join(order)}"
        )
    if end <= begin:
        raise ConfigError(f"--fault {text!r} ends before it begins; {EXAMPLE}")
    if not 0 < percent <= 100:
        raise ConfigError(f"--fault {text!r} must concern more than 0 % and at most 100 %")
    if (kind is FaultKind.SLOW) != (factor > 1):
        raise ConfigError(f"--fault {text!r}: slow, and only slow, needs a factor above 1: x4")
    return fault


def _kind(name: str, text: str) -> FaultKind:
    try:
        return FaultKind(name)
    except ValueError:
        known = ", ".join(each.value for each in FaultKind)
        raise ConfigError(f"--fault {text!r}: {name!r} is not known; known: {known}") from None

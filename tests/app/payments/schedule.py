"""What befalls each payment, the same under every library. Only the standard library is imported.

A payment is delivered until its caller knows, at most `MOST` times. Packets may come late: after
the next attempt, or when the caller has given up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

MOST = 2
"""How often a caller calls with one key."""

WIRE = (*["answer lost"] * 5, *[""] * 5, "request lost", "late")
"""What befalls one attempt on its way; of the first one something always does."""

INSIDE = (*[""] * 12, "bank loses the answer", "killed before", "killed after", "breaks before")
"""What befalls the function that takes the money."""


class Killed(BaseException):
    """The process ends: no library sees an exception that it could judge."""


class Attempt(NamedTuple):
    """One attempt of a caller."""

    wire: str
    inside: str


def schedule(seed: int, number: int) -> Iterator[Attempt]:
    """Yield what befalls the attempts of one payment."""
    random = Random(f"{seed}/{number}")
    for attempt in range(MOST):
        wire = random.choice(WIRE)
        if attempt == 0 and not wire:
            wire = "answer lost"
        yield Attempt(wire, random.choice(INSIDE))


class Bank:
    """Moves money, and has it planned what befalls the next run."""

    def __init__(self) -> None:
        self.charges: Counter[str] = Counter()
        self.next = ""

    def pay(self, order: str) -> str:
        """Take the money for an order, as a function does that a library guards."""
        inside, self.next = self.next, ""
        if inside == "killed before":
            raise Killed
        if inside == "breaks before":
            raise ValueError("no such account")
        self.announce()
        self.charges[order] += 1
        if inside == "killed after":
            raise Killed
        if inside == "bank loses the answer":
            raise ConnectionError("no answer")
        return f"paid {order}"

    @staticmethod
    def announce() -> None:
        """Announce the effect, where the library has a way to."""


class Library(NamedTuple):
    """How a library guards the payment.

    Attributes:
        deliver: calls the guarded function with an order; raises what the library raises.
        find: what became of an order, without paying: ``result``, ``proved not run``, ``unknown``.
        wait: lets so much time pass that a process which has died is known to be dead.
    """

    deliver: Callable[[str], Any]
    find: Callable[[str], str]
    wait: Callable[[], object]


def play(bank: Bank, library: Library, payments: int, seed: int) -> dict[str, int]:
    """Make all payments; return counts of what callers know, and of the money that has moved.

    Every second caller who knows nothing in the end calls once more; the others give up, and want
    to know. By then nothing is lost any more, but packets that are late arrive afterwards.
    """
    counts: Counter[str] = Counter()
    for number in range(payments):
        order, known, late = f"order-{number}", "unknown", 0
        for wire, inside in schedule(seed, number):
            if late:
                _deliver(bank, library, order, "")
                late -= 1
            if wire == "late":
                late += 1
            elif wire != "request lost" and _deliver(bank, library, order, inside) and not wire:
                known = "result"
                break
        insists = number % 2 == 0
        if known == "unknown":
            library.wait()
            if insists:
                known = "result" if _deliver(bank, library, order, "") else "unknown"
            else:
                known = library.find(order)
        for _ in range(late):
            _deliver(bank, library, order, "")
        charged = bank.charges[order]
        who = "insists" if insists else "gives up"
        counts[f"{who}: {known}"] += 1
        counts["charged twice"] += charged > 1
        counts["charged, and told that it has not run"] += known == "proved not run" and charged > 0
        counts["told a result, and not charged"] += known == "result" and not charged
        counts["left in doubt"] += known == "unknown"
        counts["left in doubt, and charged"] += known == "unknown" and charged > 0
    return dict(sorted(counts.items()))


def _deliver(bank: Bank, library: Library, order: str, inside: str) -> bool:
    """Deliver a call; return whether there was a result."""
    bank.next = inside
    try:
        library.deliver(order)
    except (Exception, Killed):  # noqa: BLE001 - whatever a library raises
        return False
    return True

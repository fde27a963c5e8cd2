"""What a run of a test sent, which answers it loses, and what it sent more than without a loss."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from leeward_lose_answers import stacks
from leeward_lose_answers.effects import Effect
from leeward_lose_answers.stacks import Line, Stack

MODES: Final = ("timeout", "reset")

PATIENCE: Final = 2.0
"""Seconds for which an open connection without an answer keeps the clock of a loop from jumping."""

Site = tuple[str, tuple[tuple[str, int], ...]]
"""A route, and the user's lines that lead to it."""


@dataclass(slots=True, eq=False)
class Send:
    """One effect on its way.

    Attributes:
        status: of the answer, as HTTP has it; None while there is none.
        mode: how its answer is to be lost; empty if it is not.
        is_lost: whether an answer came, and was lost.
        thread: where it was sent.
        loop: of asyncio, in which it was sent, or None.
    """

    effect: Effect
    stack: Stack
    mode: str = ""
    is_lost: bool = False
    status: int | None = None
    thread: int = field(default_factory=threading.get_ident)
    loop: asyncio.AbstractEventLoop | None = field(default_factory=stacks.running_loop)

    @property
    def site(self) -> Site:
        """Return the route and the user's lines that lead to it."""
        return self.effect.route, stacks.users_path(self.stack)

    @property
    def is_refused(self) -> bool:
        """Whether the server answered that it did nothing."""
        return self.status is not None and 400 <= self.status < 500


class Target(NamedTuple):
    """An answer to lose: of the `number`-th send of an effect from one site."""

    site: Site
    fingerprint: bytes
    number: int


class Repeat(NamedTuple):
    """An effect that was sent more often than without a loss.

    Attributes:
        kind: ``double``; or why it is not one: ``key``, ``refused`` or ``idempotent``.
        lost: the send whose answer was lost.
        first: the first send of the effect.
        again: the one too many.
        times: how often it was sent, with and without the loss.
        by: the innermost line that both have in common.
    """

    kind: str
    mode: str
    lost: Send
    first: Send
    again: Send
    times: tuple[int, int]
    by: Line | None


class Run:
    """What one run of a test sends, and which answers it loses.

    Attributes:
        sends: the effects, in order.
        untried: targets whose answer was not lost yet.
        is_hurried: whether an answer was lost: from now on, waiting is cut short.
    """

    def __init__(self, mode: str = "", targets: Iterable[Target] = (), run: Run | None = None):
        self.sends: list[Send] = []
        self.untried = list(targets)
        self.threads: set[int] = set()
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self._mode = mode
        self._known = {send.effect.fingerprint for send in run.sends} if run else set()
        self._counts: Counter[tuple[Site, bytes]] = Counter()
        self._waiting: dict[int, float] = {}
        self._lock = threading.Lock()

    @property
    def loses_answers(self) -> bool:
        """Whether it does: then frames are compared, and else it is as if nobody watched."""
        return bool(self._mode)

    def add(self, send: Send, *, may_lose: bool = True) -> Send:
        """Note what is sent, and decide whether its answer is lost."""
        with self._lock:
            place = send.site, send.effect.fingerprint
            self._counts[place] += 1
            target = self._target_of(*place)
            if target and may_lose:
                self.untried.remove(target)
                send.mode = self._mode
            self.sends.append(send)
        return send

    def _target_of(self, site: Site, fingerprint: bytes) -> Target | None:
        exact = Target(site, fingerprint, self._counts[site, fingerprint])
        if exact in self.untried:
            return exact
        if fingerprint in self._known or self._counts[site, fingerprint] > 1:
            return None
        # Its body is another in each run, in a way that `effects.VOLATILE` does not know.
        return next((target for target in self.untried if target.site == site), None)

    def lose(self, send: Send) -> None:
        """Note that an answer came and was lost; who sent waits no longer than it must."""
        send.is_lost = True
        self.threads.add(send.thread)
        if send.loop is not None:
            self.loops.add(send.loop)

    def wait_for(self, connection: object) -> None:
        """Note that `connection` is being opened, or waits for an answer that will come."""
        self._waiting[id(connection)] = time.monotonic()

    def stop_waiting(self, connection: object) -> None:
        """Note that `connection` waits no longer."""
        self._waiting.pop(id(connection), None)

    @property
    def is_waiting(self) -> bool:
        """Whether an answer may come without a jump of the clock."""
        now = time.monotonic()
        return any(now - since < PATIENCE for since in list(self._waiting.values()))


def targets_of(run: Run) -> list[Target]:
    """Return the answers to lose: of each effect from each site, the last that was accepted."""
    counts: Counter[tuple[Site, bytes]] = Counter()
    last: dict[tuple[Site, bytes], Target] = {}
    for send in run.sends:
        place = send.site, send.effect.fingerprint
        counts[place] += 1
        if not send.effect.is_idempotent and (send.status is None or send.status < 400):
            last[place] = Target(*place, counts[place])
    return list(last.values())


def compare(plain: Run, run: Run) -> Iterator[Repeat]:
    """Yield each effect that `run` sent more often than `plain`, which lost no answer."""
    before = _sends_by_effect(plain)
    for fingerprint, sends in _sends_by_effect(run).items():
        usual = before.get(fingerprint, [])
        lost = next((send for send in sends if send.is_lost), None)
        if not usual and lost is None:
            continue  # nothing to compare with
        cause = lost or next((send for send in run.sends if send.is_lost), None)
        repeat = _repeat_in(sends, usual, lost)
        if cause is None or repeat is None:
            continue
        kind, again = repeat
        first = cause if cause in sends else sends[0]
        yield Repeat(
            kind,
            cause.mode,
            cause,
            first,
            again,
            (len(sends), len(usual) or 1),
            stacks.common_line(cause.stack, again.stack),
        )


def _repeat_in(
    sends: Sequence[Send], usual: Sequence[Send], lost: Send | None
) -> tuple[str, Send] | None:
    """Return the kind of repeat and the send that is one too many, or None."""
    later = sends[sends.index(lost) + 1 :] if lost else sends[len(usual) :]
    effective = _without_repeats(sends)
    if lost and not sends[0].effect.is_idempotent:
        own_sends = [send for send in effective if send.site == lost.site]
        same_site = [send for send in _without_repeats(usual) if send.site == lost.site]
        if usual and len(own_sends) > len(same_site) and (again := _first_in(later, effective)):
            return "double", again
    if len(effective) > max(1, len(_without_repeats(usual))) and (
        again := _first_in(later, effective)
    ):
        return ("idempotent" if again.effect.is_idempotent else "double"), again
    if len(sends) > max(1, len(usual)) and later:
        return ("refused" if any(send.is_refused for send in later) else "key"), later[0]
    return None


def _first_in(later: Sequence[Send], effective: Sequence[Send]) -> Send | None:
    return next((send for send in later if send in effective), None)


def _without_repeats(sends: Sequence[Send]) -> list[Send]:
    """Return the sends without those that the server refused, or knew by a key."""
    keys: set[str] = set()
    effective = []
    for send in sends:
        if not send.is_refused and not (send.effect.key and send.effect.key in keys):
            effective.append(send)
        keys.add(send.effect.key)
    return effective


def _sends_by_effect(run: Run) -> dict[bytes, list[Send]]:
    groups: defaultdict[bytes, list[Send]] = defaultdict(list)
    for send in run.sends:
        groups[send.effect.fingerprint].append(send)
    return dict(groups)

"""One lease of one run: replay what the journal has, then call, note and wait until the end.

What is about to begin is noted before it begins, together with what has just ended, in one
transaction; so a step costs one.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, NamedTuple

from leeward.clock import Clock
from leeward.json_text import decode, encode
from leeward.logs import log_event
from leeward.values import Effect
from leeward.workflow.commands import (
    Answer,
    Call,
    Command,
    Failure,
    Returned,
    Sleep,
    refusal_at,
)
from leeward.workflow.journal import Journal
from leeward.workflow.limits import most
from leeward.workflow.machine import Machine
from leeward.workflow.model import TOO_LARGE, UNKNOWN, Definition
from leeward.workflow.rows import Events, Finished, Row
from leeward.workflow.steps import Invoke, made

LOGGER = "leeward.workflow"
SHORT: Final = 0.05
"""Seconds that are waited here; for a longer pause the lease is given back."""

Numbered = tuple[str, int]


class Means(NamedTuple):
    """What runs go on with.

    Attributes:
        journal: of the runs.
        invoke: calls a function.
        clock: gives the time.
        is_closing: whether nothing new is to begin.
    """

    journal: Journal
    invoke: Invoke
    clock: Clock
    is_closing: Callable[[], bool] = lambda: False


class Drive:
    """Goes on with one run for as long as it holds the lease.

    Args:
        means: what it goes on with.
        row: of the run, as it was leased.
        definition: of the run.
    """

    def __init__(self, means: Means, row: Row, definition: Definition) -> None:
        self._journal, self._invoke, self._clock, self._is_closing = means
        # Who has cancelled it may have a clock that is ahead: it is cancelled all the same.
        asked = row.cancelled and min(row.cancelled, self._clock.now())
        self._row = row._replace(cancelled=asked)
        self._machine = Machine(definition, row.key.id, decode(row.input))
        self._began: dict[Numbered, float] = {}
        self._finished: list[Finished] = []
        self._under_way: set[Numbered] = set()
        self._repeated: set[Numbered] = set()
        """Calls that an earlier lease may have made."""
        self._ended: SimpleQueue[tuple[Call, Answer]] = SimpleQueue()
        self._bytes = 0

    def run(self) -> None:
        """Go on until the run has ended, waits for long, or belongs to somebody else.

        Raises:
            DatabaseFault: the journal cannot be used; what was not noted will be done again.
        """
        if self._row.fence > 1:  # a run that was just started has done nothing
            self._replay(self._journal.events(self._row.key))
        while self._machine.end is None:
            if not self._note():
                return
            if self._is_closing() and not self._is_busy():
                self._pause(self._clock.now())
                return
            if not self._go_on():
                return
        row, now = self._row, self._clock.now()
        self._journal.end(row.key, row.fence, now, self._finished, self._machine.end)

    def _replay(self, events: Events) -> None:
        """Answer what the journal knows the end of, and judge what was under way."""
        is_new = True
        while is_new:
            is_new = False
            for place, command in list(self._machine.open.items()):
                noted = events.get(place)
                if noted is None or place in self._began:
                    continue
                is_new = True
                if noted.answer is not None:
                    self._holds(noted.answer)
                    self._machine.resolve(command, noted.answer)
                    continue
                self._began[place] = noted.began
                if isinstance(command, Call) and command.effect is Effect.UNSAFE:
                    log_event(LOGGER, "warning", "step_lost", key=command.key)
                    self._end(command, Failure(UNKNOWN, ambiguous=True))
                elif isinstance(command, Call):
                    self._repeated.add(place)

    def _note(self) -> bool:
        """Note what has ended and what begins now; return False if the lease is lost."""
        new = [] if self._is_closing() else self._new()
        if not self._finished and not new:
            return True
        now = self._clock.now()
        verdict = self._journal.advance(self._row.key, self._row.fence, now, self._finished, new)
        if verdict is False:
            return False
        self._finished.clear()
        for command in new:
            self._began[command.path, command.attempt] = now
            if isinstance(verdict, Failure) and command.guarded:
                self._machine.resolve(command, verdict)
        return True

    def _new(self) -> list[Command]:
        return [each for place, each in self._machine.open.items() if place not in self._began]

    def _is_busy(self) -> bool:
        """Return whether a call is under way, or was noted by this lease and is to be made."""
        noted = self._began.keys() - self._repeated
        calls = (
            place in noted and isinstance(each, Call) for place, each in self._machine.open.items()
        )
        return bool(self._under_way) or any(calls)

    def _go_on(self) -> bool:
        """Carry out what has begun, until something ends; return False if the lease went back."""
        if self._machine.end is not None or (self._new() and not self._is_closing()):
            return True
        open_ = [each for place, each in self._machine.open.items() if place in self._began]
        if not open_:
            return True
        if len(open_) == 1 and isinstance(open_[0], Call) and not self._under_way:
            self._end(open_[0], made(self._invoke, open_[0]))
            return True
        for command in open_:
            if isinstance(command, Call) and (command.path, command.attempt) not in self._under_way:
                self._begin(command)
        wakes = [self._wakes(each) for each in open_ if isinstance(each, Sleep)]
        left = min(wakes, default=float("inf")) - self._clock.now()
        if self._under_way:
            self._collect(left)
        elif left > SHORT:
            self._pause(min(wakes))
            return False
        elif left > 0:
            self._clock.sleep(left)
        self._awake(open_)
        return True

    def _begin(self, call: Call) -> None:
        """Make one of several calls, on a thread of its own."""

        def work() -> None:
            self._ended.put((call, made(self._invoke, call)))

        self._under_way.add((call.path, call.attempt))
        Thread(target=work, name="leeward-workflow-step", daemon=True).start()

    def _collect(self, seconds: float) -> None:
        """Wait for the end of a call, and take all that have ended."""
        try:
            ended = self._ended.get(timeout=None if seconds == float("inf") else max(0.0, seconds))
            while True:
                call, answer = ended
                self._under_way.discard((call.path, call.attempt))
                self._end(call, answer)
                ended = self._ended.get_nowait()
        except Empty:
            return

    def _wakes(self, sleep: Sleep) -> float:
        """Return when a pause ends: by itself, or by what ends the run."""
        due = self._began[sleep.path, sleep.attempt] + sleep.seconds
        return min(due, self._limit()) if sleep.guarded else due

    def _limit(self) -> float:
        limits = (self._row.deadline, self._row.cancelled)
        return min((each for each in limits if each is not None), default=float("inf"))

    def _awake(self, open_: list[Command]) -> None:
        now = self._clock.now()
        for each in open_:
            if not isinstance(each, Sleep) or self._wakes(each) > now:
                continue
            due = self._began[each.path, each.attempt] + each.seconds
            cut = each.guarded and self._limit() <= due
            refusal = refusal_at(now, self._row.deadline, self._row.cancelled) if cut else None
            self._end(each, refusal or Returned())

    def _end(self, command: Command, answer: Answer) -> None:
        place = (command.path, command.attempt)
        began = self._began[place]
        if isinstance(answer, Failure) and place in self._repeated:
            answer = answer._replace(ambiguous=True)
        if not self._holds(answer):
            answer = Failure(TOO_LARGE, ambiguous=True)
        self._finished.append(Finished(command, began, answer, self._clock.now()))
        self._machine.resolve(command, answer)

    def _holds(self, answer: Answer) -> bool:
        """Return whether a result is not too large for the run; its bytes count from then on."""
        if isinstance(answer, Failure) or answer.value is None:
            return True
        size = self._bytes + len(encode(answer.value))
        if size > most("results"):
            return False
        self._bytes = size
        return True

    def _pause(self, due: float) -> None:
        if self._finished:
            self._journal.advance(
                self._row.key, self._row.fence, self._clock.now(), self._finished, []
            )
        self._journal.pause(self._row.key, self._row.fence, self._clock.now(), due)

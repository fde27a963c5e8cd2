"""One lease of one run: replay the journal, then call, note and wait until the end.

A step is noted before it begins, together with the end of the step before, in one transaction; so a
step costs one. Nothing is called in the last third of a lease: a process that was stopped for long
may have lost it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from types import MappingProxyType
from typing import Final, TypeVar

from leeward.clock import Clock
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode
from leeward.leases.faults import DatabaseFault
from leeward.leases.rules import may_begin
from leeward.logs import log_event
from leeward.records import NamedTuple
from leeward.values import Effect
from leeward.values.runs import parent_in
from leeward.workflow.commands import (
    Answer,
    Command,
    Returned,
    Sleep,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
    answer_of,
    end_of_child,
    event_of,
    refusal_at,
)
from leeward.workflow.embedded.journal import (
    Finished,
    Journal,
    RunKey,
    RunRow,
    SentEvent,
    StepRecords,
    Unreadable,
)
from leeward.workflow.embedded.rows import answer_in
from leeward.workflow.kernel import Machine
from leeward.workflow.model import NO_EVENT, REFUSED, UNKNOWN, Definition
from leeward.workflow.steps import RunResults, StepFunctions, ask_about, make_call

LOGGER = "leeward.workflow"
SHORT: Final = 0.05
"""Seconds of a pause, at most, for which a run keeps its lease."""

LOOK_AGAIN: Final = 1.0
"""Seconds between two checks whether a run that waits beside a call was cancelled; and between two
tries of a write that the journal could not take."""
PERSISTENCE: Final = 300.0
"""Seconds for which a write is tried again: the fence shows whether the run is still ours."""

RERUN: Final = ("/rerun", 1)
"""The record of a run that runs another one again: the run, the step, and whose keys steps have."""

T = TypeVar("T")
Numbered = tuple[str, int]


class RunLease:
    """A lease of this process on a run.

    Attributes:
        is_unsafe: an unsafe step is under way, or its end is not written yet.
    """

    __slots__ = ("fence", "is_unsafe", "seconds", "since")

    def __init__(self, fence: int, since: float, seconds: float) -> None:
        self.fence = fence
        self.since = since
        self.seconds = seconds
        self.is_unsafe = False


class Turns:
    """Who may call now, in this process.

    A step that was running when its process died may have killed it. It runs alone, so that a
    second death can be blamed on it.
    """

    def __init__(self) -> None:
        self._condition = Condition()
        self._unsafe = 0
        self._suspects = 0
        self._is_alone = False

    def enter(self, steps: int) -> bool:
        """Allow unsafe steps, before they are noted; return False if they must wait."""
        with self._condition:
            if steps and self._suspects:
                return False
            self._unsafe += steps
            return True

    def leave(self, steps: int) -> None:
        """Note that unsafe steps have ended, and that their ends are written."""
        with self._condition:
            self._unsafe -= steps
            self._condition.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until unsafe steps may begin, but not for longer; return whether they may."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._suspects, seconds)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no unsafe step is under way, and let none begin."""
        with self._condition:
            self._suspects += 1
            self._condition.wait_for(lambda: not self._is_alone and not self._unsafe)
            self._is_alone = True
        try:
            yield
        finally:
            with self._condition:
                self._suspects -= 1
                self._is_alone = False
                self._condition.notify_all()


class RunServices(NamedTuple):
    """The services that runs use.

    Attributes:
        is_closing: whether nothing new is to begin.
        definitions: of the flows that a flow may run, by name.
        wake: called when a run was added, or one has ended for which another one waits.
        turns: of the calls in this process; None for a run that is driven alone.
    """

    journal: Journal
    functions: StepFunctions
    clock: Clock
    is_closing: Callable[[], bool] = lambda: False
    definitions: Mapping[str, Definition] = MappingProxyType({})
    wake: Callable[[], None] = lambda: None
    turns: Turns | None = None


class FirstSteps(NamedTuple):
    """The first commands of a run, which are noted together with its start.

    Attributes:
        machine: of the run.
        commands: that are noted; unsafe steps wait for their turn first.
        at: when, on the journal's clock.
    """

    machine: Machine
    commands: list[Command]
    at: float


def first_steps(definition: Definition, id: str, text: str, at: float) -> FirstSteps:
    """Return the first commands of a run that starts at `at`, on the journal's clock.

    Its input is `text`, JSON.
    """
    machine = Machine(definition, id, decode(text))
    return FirstSteps(machine, [step for step in machine.open.values() if not _is_unsafe(step)], at)


class Inbox:
    """The events of a run, and which of them its waits have had.

    The waits of a name get its events in the order in which these came. So how many waits have
    ended with one says which those are, in every lease.

    Attributes:
        seen: the number of the last event that was read.
        children: of each wait for another run, whether that was asked to end in this lease.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.children: dict[Numbered, bool] = {}
        self._events: list[SentEvent] = []
        self._consumed: dict[str, int] = {}

    def add(self, events: Iterable[SentEvent]) -> None:
        """Add events, in order."""
        for event in events:
            self.seen = event.seq
            self._events.append(event)

    def answer(self, wait: Sleep, due: float) -> Answer | None:
        """Return the answer of a wait that ends at `due`; None if no event has come by then."""
        skip = dict(self._consumed)
        for event in self._events:
            if event.name not in wait.names:
                continue
            if not skip.get(event.name):
                # Those behind it are not looked at: they may be of a clock that is behind.
                if wait.child is not None:
                    return answer_in(event.value)
                return answer_of(wait, event.name, event.value) if event.at <= due else None
            skip[event.name] -= 1
        return None

    def note_end(self, command: Command, answer: Answer | StepVerdict) -> None:
        """Note how a wait has ended; other commands count for nothing."""
        name = event_of(command, answer) if isinstance(command, Sleep) else None
        if name is not None:
            self._consumed[name] = self._consumed.get(name, 0) + 1


def replay(
    machine: Machine, events: StepRecords, is_used: Callable[[str], bool]
) -> dict[Numbered, Command]:
    """Advance a run by records with an end whose path is used; return their commands, in order."""
    used: dict[Numbered, Command] = {}
    while ready := [
        (place, command, record.answer)
        for place, command in machine.open.items()
        if (record := events.get(place)) and record.answer is not None and is_used(command.path)
    ]:
        for place, command, answer in ready:
            used[place] = command
            machine.resolve(command, answer)
    return used


class Drive:
    """Continues one run for as long as it holds the lease.

    Raises:
        Unreadable: the run's input is not JSON.
    """

    def __init__(
        self,
        services: RunServices,
        row: RunRow,
        definition: Definition,
        lease: RunLease | None = None,
        first: FirstSteps | None = None,
    ) -> None:
        self._services, self._journal = services, services.journal
        self._clock, self._is_closing = services.clock, services.is_closing
        self._turns = services.turns or Turns()
        self._lease = lease or RunLease(row.fence, self._clock.monotonic(), float("inf"))
        # It was cancelled, even by a process with a clock that is ahead.
        cancelled = row.cancelled and min(row.cancelled, self._clock.now())
        self._row = row._replace(cancelled=cancelled)
        if first is None:
            try:
                first = first_steps(definition, row.key.id, row.input, 0.0)._replace(commands=[])
            except Undecodable as flaw:
                raise Unreadable("its input cannot be read") from flaw
        self._definition, self._machine = definition, first.machine
        self._began: dict[Numbered, float] = {}
        self._due: dict[Numbered, float] = {}
        """When each pause ends."""
        self._inbox = Inbox()
        self._sent: dict[str, float] = {}
        """When the first call of each step was made, on the wall clock."""
        self._finished: list[Finished] = []
        self._under_way: set[Numbered] = set()
        self._repeated: set[Numbered] = set()
        """Calls that an earlier lease may have made."""
        self._suspects: set[Numbered] = set()
        """The steps that were running when their process died."""
        self._turned: set[Numbered] = set()
        """Unsafe steps that have their turn."""
        self._ended: SimpleQueue[tuple[StepCall | StepQuestion, Answer | StepVerdict | None]] = (
            SimpleQueue()
        )
        self._is_lost = False
        self._results = RunResults()
        self._begin_all(first.commands, first.at)

    def run(self) -> None:
        """Drive the run until it has ended, waits for long, or belongs to another process.

        Raises:
            DatabaseFault: the journal failed; steps whose end was not noted will be done again.
            Unreadable: the run in the journal cannot be read.
        """
        try:
            self._run()
        finally:
            self._leave(self._turned)

    def _run(self) -> None:
        if self._row.fence > 1:  # a run that was just started has done nothing
            key = self._row.key
            events = self._journal.events(key)
            if origin := events.pop(RERUN, None):
                assert isinstance(origin.answer, Returned)
                kept, value = origin.answer.value["keys"], decode(self._row.input)
                self._machine = Machine(self._definition, key.id, value, kept)
            self._replay(events, self._journal.lost(key))
        while self._machine.end is None:
            if not self._note():
                return
            if self._is_closing() and not self._is_busy():
                self._pause(self._clock.now())
                return
            if not self._proceed():
                return
        row, now, end = self._row, self._clock.now(), self._machine.end
        self._write(lambda: self._journal.finish(row.key, row.fence, now, self._finished, end))
        if parent_in(row.key.id):
            self._services.wake()

    def _replay(self, events: StepRecords, lost: Mapping[Numbered, int]) -> None:
        """Answer the commands that have an end in the journal, and judge the others."""
        self._sent.update({path: noted.began for (path, at), noted in events.items() if at == 1})
        is_new = True
        while is_new:
            is_new = False
            for place, command in list(self._machine.open.items()):
                noted = events.get(place)
                if noted is None or place in self._began:
                    continue
                is_new = True
                if noted.answer is not None:
                    self._inbox.note_end(command, noted.answer)
                    self._results.fit(noted.answer)
                    self._machine.resolve(command, noted.answer)
                    continue
                if isinstance(command, StepQuestion):
                    self._began[place] = noted.began
                    continue
                self._began[place] = noted.began
                if isinstance(command, Sleep):
                    self._due[place] = noted.began if noted.due is None else noted.due
                    continue
                deaths = sum(times for (path, _), times in lost.items() if path == command.path)
                if command.effect is Effect.UNSAFE or deaths >= command.attempts:
                    log_event(LOGGER, "warning", "step_lost", key=command.key, deaths=deaths)
                    is_spent = deaths >= command.attempts
                    self._end(command, StepFailure(UNKNOWN, ambiguous=True, spent=is_spent))
                    continue
                self._repeated.add(place)
                if place in lost:
                    self._suspects.add(place)

    def _note(self) -> bool:
        """Note the commands that have ended or begin now; return False if the lease is lost."""
        new = [] if self._is_closing() else self._new()
        unsafe = {_path_and_attempt(command) for command in new if _is_unsafe(command)}
        if self._turns.enter(len(unsafe)):
            self._turned |= unsafe
        else:  # they are not noted either, so that they do not look as if they may have run
            new = [command for command in new if _path_and_attempt(command) not in unsafe]
        if not self._finished and not new:
            return True
        now, (key, fence) = self._clock.now(), (self._row.key, self._row.fence)
        self._lease.is_unsafe = self._lease.is_unsafe or bool(self._turned)
        verdict = self._write(lambda: self._journal.advance(key, fence, now, self._finished, new))
        if verdict is False:
            return False
        self._leave({_path_and_attempt(end.command) for end in self._finished})
        self._finished.clear()
        self._begin_all(new, now)
        for command in new:
            if isinstance(verdict, StepFailure) and command.guarded:
                self._leave({_path_and_attempt(command)})
                self._machine.resolve(command, verdict)
        self._lease.is_unsafe = bool(self._turned)
        return True

    def _begin_all(self, commands: list[Command], now: float) -> None:
        """Begin commands that were noted at this time of the journal's clock."""
        for command in commands:
            self._began[_path_and_attempt(command)] = now
            if isinstance(command, Sleep):
                wall = self._journal.clock.as_wall(now)
                self._due[_path_and_attempt(command)] = command.due(now, wall)
            if isinstance(command, StepCall) and command.path not in self._sent:
                self._sent[command.path] = self._journal.clock.as_wall(now)

    def _leave(self, places: set[Numbered]) -> None:
        """End the turn of the unsafe steps among these."""
        left = places & self._turned
        self._turned -= left
        self._turns.leave(len(left))

    def _new(self) -> list[Command]:
        return [step for place, step in self._machine.open.items() if place not in self._began]

    def _is_busy(self) -> bool:
        """Return whether a call is under way, or was noted by this lease and must be made."""
        noted = self._began.keys() - self._repeated
        calls = (
            place in noted and not isinstance(command, Sleep)
            for place, command in self._machine.open.items()
        )
        return bool(self._under_way) or any(calls)

    def _proceed(self) -> bool:
        """Run the commands that have begun, until one ends; False if the lease was returned."""
        new = [] if self._is_closing() else self._new()
        has_turn = any(not _is_unsafe(step) for step in new) or (new and self._turns.wait(0.0))
        if self._machine.end is not None or has_turn:
            return True
        open_ = [command for place, command in self._machine.open.items() if place in self._began]
        if not open_:
            self._turns.wait(LOOK_AGAIN)
            return True
        if self._take_events(open_) or self._begin_children(open_):
            return True
        first = open_[0]
        if len(open_) == 1 and not isinstance(first, Sleep) and not self._under_way:
            answer = self._call(first)
            if answer is None:
                return False
            self._end(first, answer)
            return True
        for command in open_:
            place = command.path, command.attempt
            if not isinstance(command, Sleep) and place not in self._under_way:
                self._begin(command)
        return self._wait(open_, is_blocked=bool(new))

    def _take_events(self, open_: list[Command]) -> bool:
        """End the waits for which an event is there, in order; return whether there is one."""
        waits = [step for step in open_ if isinstance(step, Sleep) and step.names]
        if not waits:
            return False
        key, inbox = self._row.key, self._inbox
        inbox.add(self._write(lambda: self._journal.arrivals(key, inbox.seen)))
        count = len(self._finished)
        for wait in waits:
            answer = inbox.answer(wait, self._wake_time(wait))
            if answer is not None and wait.child:
                answer = end_of_child(answer, self._refusal(wait))
            if answer is not None:
                self._end(wait, answer)
                inbox.note_end(wait, self._finished[-1].answer)
        return len(self._finished) > count

    def _begin_children(self, open_: list[Command]) -> bool:
        """Start the runs that this one waits for, each once; return whether a wait has ended.

        A lease before may have started them: the journal adds no run twice. When this run may
        begin nothing more, they are asked to end, and it goes on to wait for their ends.
        """
        count = len(self._finished)
        for wait in open_:
            child = wait.child if isinstance(wait, Sleep) else None
            if child is None or not isinstance(wait, Sleep):
                continue
            key, place = RunKey(*child), _path_and_attempt(wait)
            refusal, now = self._refusal(wait), self._clock.now()
            if refusal is not None and not self._inbox.children.get(place):
                self._inbox.children[place] = True
                if self._write(partial(self._journal.cancel, key, now)) is None:
                    self._end(wait, refusal)
                self._services.wake()
            elif refusal is None and place not in self._inbox.children:
                self._inbox.children[place] = False
                definition = self._services.definitions.get(key.workflow)
                if definition is None:
                    self._end(wait, StepFailure(REFUSED))
                    continue
                add = partial(self._journal.add, definition, key.id, wait.input, now, None)
                self._write(add)
                self._services.wake()
        return len(self._finished) > count

    def _refusal(self, wait: Sleep) -> StepFailure | None:
        """Return why a wait that is guarded may not go on now; None if it may."""
        row = self._row
        return refusal_at(self._clock.now(), row.deadline, row.cancelled) if wait.guarded else None

    def _wait(self, open_: list[Command], *, is_blocked: bool) -> bool:
        """Wait for the first end; return False if the lease was returned or lost."""
        wakes = [self._wake_time(command) for command in open_ if isinstance(command, Sleep)]
        left = min(wakes, default=float("inf")) - self._clock.now()
        if self._under_way:
            self._collect(min(left, LOOK_AGAIN) if wakes or is_blocked else left)
            if wakes:
                self._see_cancel()
        elif is_blocked:
            self._turns.wait(LOOK_AGAIN)
        elif left > SHORT:
            self._pause(min(wakes))
            return False
        elif left > 0:
            self._clock.sleep(left)
        self._end_pauses(open_)
        return not self._is_lost

    def _call(self, call: StepCall | StepQuestion) -> Answer | StepVerdict | None:
        """Make a call, or ask about one, if the run is still ours; None if it is not."""
        place = _path_and_attempt(call)
        if isinstance(call, StepQuestion):
            sent = self._sent.get(call.path.removesuffix("/settle"))
            return ask_about(self._services.functions, call, sent) if self._is_held() else None
        if place not in self._suspects:
            return make_call(self._services.functions, call) if self._is_held() else None
        key, fence = self._row.key, self._row.fence
        with self._turns.alone():
            if not self._is_held():
                return None
            if not self._write(lambda: self._journal.make_again(key, fence, *place)):
                return None
            return make_call(self._services.functions, call)

    def _is_held(self) -> bool:
        """Return whether the lease holds for a while; renew it if it is nearly over."""
        lease, now = self._lease, self._clock.monotonic()
        if may_begin(lease.since, now, lease.seconds):
            return True
        log_event(LOGGER, "warning", "lease_late", run=self._row.key.id)
        held = [(self._row.key, self._row.fence)]
        until = self._clock.now() + lease.seconds
        if self._write(lambda: self._journal.renew(held, until)) != [True]:
            return False
        lease.since = now
        # The write may have waited; then it is asked again.
        return may_begin(now, self._clock.monotonic(), lease.seconds) or self._is_held()

    def _write(self, write: Callable[[], T]) -> T:
        """Write to the journal, again and again while it cannot be done.

        Only this process knows how the calls have ended. If another process owns the run now, the
        fence refuses the write. To write the same twice is harmless.
        """
        until = self._clock.monotonic() + PERSISTENCE
        while True:
            try:
                return write()
            except DatabaseFault as fault:
                if fault.outcome is Outcome.LOCAL or self._clock.monotonic() >= until:
                    raise
                log_event(LOGGER, "warning", "journal_unusable", error=fault.reason)
                self._clock.sleep(LOOK_AGAIN)

    def _see_cancel(self) -> None:
        """Check whether somebody has cancelled the run since it was leased."""
        if self._row.cancelled is None:
            row = self._write(lambda: self._journal.find(self._row.key))
            cancelled = row and row.cancelled
            if cancelled:
                self._row = self._row._replace(cancelled=min(cancelled, self._clock.now()))

    def _begin(self, call: StepCall | StepQuestion) -> None:
        """Make one of several calls, on a thread of its own."""

        def work() -> None:
            answer = None
            try:
                answer = self._call(call)
            except DatabaseFault as fault:
                log_event(LOGGER, "error", "step_left", key=call.key, error=fault.reason)
            finally:
                self._ended.put((call, answer))

        self._under_way.add((call.path, call.attempt))
        Thread(target=work, name="leeward-workflow-step", daemon=True).start()

    def _collect(self, seconds: float) -> None:
        """Wait for the end of a call, and return all that have ended."""
        try:
            ended = self._ended.get(timeout=None if seconds == float("inf") else max(0.0, seconds))
            while True:
                call, answer = ended
                self._under_way.discard((call.path, call.attempt))
                if answer is None:
                    self._is_lost = True
                else:
                    self._end(call, answer)
                ended = self._ended.get_nowait()
        except Empty:
            return

    def _wake_time(self, sleep: Sleep) -> float:
        """Return when a pause ends: by itself, or by the end of the run's time."""
        due = self._due[sleep.path, sleep.attempt]
        is_cut = self._inbox.children.get(_path_and_attempt(sleep))
        return min(due, self._limit()) if sleep.guarded and not is_cut else due

    def _limit(self) -> float:
        limits = (self._row.deadline, self._row.cancelled)
        return min((limit for limit in limits if limit is not None), default=float("inf"))

    def _end_pauses(self, open_: list[Command]) -> None:
        now = self._clock.now()
        for command in open_:
            if not isinstance(command, Sleep) or self._wake_time(command) > now or command.child:
                continue
            cut = command.guarded and self._limit() <= self._due[command.path, command.attempt]
            refusal = refusal_at(now, self._row.deadline, self._row.cancelled) if cut else None
            self._end(command, refusal or (StepFailure(NO_EVENT) if command.names else Returned()))

    def _end(self, command: Command, answer: Answer | StepVerdict) -> None:
        place = (command.path, command.attempt)
        began = self._began[place]
        if isinstance(answer, StepFailure) and place in self._repeated:
            answer = answer._replace(ambiguous=True)
        answer = self._results.fit(answer)
        self._finished.append(Finished(command, began, answer, self._clock.now()))
        self._machine.resolve(command, answer)

    def _pause(self, due: float) -> None:
        key, fence, now = self._row.key, self._row.fence, self._clock.now()
        if self._finished:
            self._write(lambda: self._journal.advance(key, fence, now, self._finished, []))
        waits = any(isinstance(step, Sleep) and step.names for step in self._machine.open.values())
        seen = self._inbox.seen if waits else None
        is_cut = any(self._inbox.children.values())
        self._write(lambda: self._journal.release(key, fence, now, due, seen, is_cut=is_cut))


def _path_and_attempt(command: Command) -> Numbered:
    return command.path, command.attempt


def _is_unsafe(command: Command) -> bool:
    return isinstance(command, StepCall) and command.effect is Effect.UNSAFE

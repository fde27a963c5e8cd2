"""One run as a machine: what it wants done, and what it goes on with once something has ended."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from leeward.values import Json
from leeward.workflow.commands import Answer, Command
from leeward.workflow.kernel import Running, Together, execution
from leeward.workflow.model import Definition


class Machine:
    """A run under way.

    Attributes:
        open: the commands that are to be carried out, or are under way, in the order of asking.
        end: how the run ended; None before.
    """

    def __init__(self, definition: Definition, run: str, value: Json) -> None:
        self.open: dict[tuple[str, int], Command] = {}
        self.end: Answer | None = None
        self._tasks: dict[tuple[str, int], _Task] = {}
        self._advance(_Task(execution(definition, run, value), None, 0), None)

    def resolve(self, command: Command, answer: Answer) -> None:
        """Record a command's result and advance: new commands are in `open`, the end in `end`."""
        place = (command.path, command.attempt)
        del self.open[place]
        self._advance(self._tasks.pop(place), answer)

    def _advance(self, task: _Task, answer: Any) -> None:
        """Go on with a task, and with those that wait for its end."""
        ready = deque([(task, answer)])
        while ready:
            task, answer = ready.popleft()
            try:
                wanted = task.running.send(answer)
            except StopIteration as ended:
                ready.extend(self._ended(task, ended.value))
                continue
            if not isinstance(wanted, Together):
                place = (wanted.path, wanted.attempt)
                self.open[place] = wanted
                self._tasks[place] = task
                continue
            group = _Group(task, wanted.blocks, wanted.at_once)
            ready.extend(group.begun() or [(task, [])])

    def _ended(self, task: _Task, value: Any) -> list[tuple[_Task, Any]]:
        if task.group is None:
            self.end = value
            return []
        return task.group.ended(task.place, value)


class _Task(NamedTuple):
    running: Running
    group: _Group | None
    place: int


class _Group:
    """Tasks beside each other, for which another one waits."""

    def __init__(self, waiting: _Task, blocks: tuple[Running, ...], at_once: int) -> None:
        self._waiting = waiting
        self._values: list[Any] = [None] * len(blocks)
        self._left = len(blocks)
        self._at_once = at_once
        self._pending = deque(_Task(each, self, index) for index, each in enumerate(blocks))

    def begun(self) -> list[tuple[_Task, Any]]:
        """Return the tasks that begin at once."""
        return [(self._pending.popleft(), None) for _ in range(min(self._at_once, self._left))]

    def ended(self, index: int, value: Any) -> list[tuple[_Task, Any]]:
        """Note the end of a task; return what goes on now."""
        self._values[index] = value
        self._left -= 1
        if not self._left:
            return [(self._waiting, self._values)]
        return [(self._pending.popleft(), None)] if self._pending else []

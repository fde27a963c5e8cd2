"""One lease of a run, where something odd happens: a size, a death, a clock, an end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leeward.testing import FakeClock
from leeward.values import InvokeResult, Json
from leeward.workflow import ANY, Definition, Flow, Ref, workflow
from leeward.workflow.commands import Failure
from leeward.workflow.driving import Drive, Means
from leeward.workflow.journal import Journal
from leeward.workflow.limits import most
from leeward.workflow.rows import Row

NOW = 1_750_000_000.0


class World:
    """A journal, a clock and functions, by their names.

    Attributes:
        calls: that were made, in order.
    """

    def __init__(self, functions: Mapping[str, Callable[[Json], Json]] | None = None) -> None:
        self.journal = Journal(None)
        self.clock = FakeClock(NOW)
        self.calls: list[str] = []
        self.closing = False
        self._functions = functions or {}

    def invoke(self, function: str, payload: Json = None, **_: Any) -> InvokeResult:
        self.calls.append(function)
        value = self._functions.get(function, lambda _: None)(payload)
        return InvokeResult(value, "local", "key")

    def drive(self, definition: Definition, row: Row) -> Row:
        means = Means(self.journal, self.invoke, self.clock, lambda: self.closing)
        Drive(means, row, definition).run()
        found = self.journal.find(row.key)
        assert found is not None
        return found

    def start(self, definition: Definition) -> Row:
        return self.journal.add(definition, "r", None, self.clock.now(), 30.0)[0]


@workflow("growing")
def growing(w: Flow, _: Ref) -> None:
    with w.attempt("a") as a, w.saga("s"):
        w.step("book", undo="unbook")
        w.step("grow")
    with a.on(ANY):
        w.step("tell")
        w.fail("Grown")


def test_what_comes_behind_a_result_that_is_too_large_ends_as_it_ends() -> None:
    """The undo and the handler are called once, and succeed: the result is not kept anywhere."""
    world = World({"grow": lambda _: "x" * most("results")})
    found = world.drive(growing, world.start(growing))
    assert found.answer == Failure("Grown")
    assert world.calls == ["book", "grow", "unbook", "tell"]
    events = world.journal.events(found.key)
    assert [place[0] for place, noted in events.items() if isinstance(noted.answer, Failure)] == [
        "grow"
    ]

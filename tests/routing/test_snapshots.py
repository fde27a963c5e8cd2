"""What processes tell each other of their targets: the copies, and who writes them when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward._routing import FailoverDriver
from leeward._routing.snapshot import ITEM, Snapshot
from leeward.adapter import Call, Capability, Load, Result, Store, Stored
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward.values import RoutingEvent
from tests.routing.beside_kit import CALL, UNSAFE, wait_until
from tests.routing.health_kit import fail
from tests.scripted import NOT_SENT, Scripted

# Shared snapshots.


class Keeping(Scripted):
    """A driver that keeps one item."""

    def __init__(self, target: str, *script: Result[Any] | Exception) -> None:
        super().__init__(target, *script)
        self.item: dict[str, Any] | None = None
        self.broken = False

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if self.broken and isinstance(call, Store | Load):
            raise OSError("away")
        if isinstance(call, Store):
            self.item = dict(call.item)
            return Result.ok("r")
        if isinstance(call, Load):
            return Result.ok(None if self.item is None else Stored(self.item, "r"))
        return super().perform(call, timeout)


def test_what_one_process_saw_another_is_careful_with() -> None:
    """Through a table on every target; one that cannot be written does not matter."""
    clock = FakeClock()
    a, b = Keeping("a", *[NOT_SENT] * 5), Keeping("b")
    a.broken = True
    one = FailoverDriver([a, b], clock=clock)
    one.share_health("health", "id")
    for _ in range(5):
        one.perform(UNSAFE, 10.0)
    wait_until(lambda: b.item)
    assert b.item is not None
    assert (b.item["id"], list(b.item["open_until"])) == (ITEM, ["a"])
    two = FailoverDriver([a, b], clock=clock)
    two.share_health("health", "id")
    record = two._shared.core.health.records["a"]
    wait_until(lambda: record.prepared)
    assert two.perform(CALL, 10.0).target == "a"
    one.close()
    two.close()


def test_one_write_at_a_time() -> None:
    """Another change while one is under way is written by the next."""
    b = Keeping("b")
    tableless = Scripted("c", capabilities=frozenset({Capability.INVOKE}))
    router = FailoverDriver([b, tableless], clock=FakeClock())
    snapshot = Snapshot(router._shared, "health", "id")
    with snapshot._writing:
        snapshot.write()
    written = [b.item]
    snapshot.write()
    written.append(b.item)
    assert [each is None for each in written] == [True, False]
    assert tableless.calls == []
    snapshot._note(RoutingEvent("retry"))
    router.close()


class Changing(Keeping):
    """One that keeps an item while something else changes."""

    def __init__(self, target: str, change: Callable[[], object]) -> None:
        super().__init__(target)
        self.change = change
        self.written: list[list[str]] = []

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        answer = super().perform(call, timeout)
        if isinstance(call, Store):
            self.written.append(list(call.item["open_until"]))
            if len(self.written) == 1:
                self.change()
        return answer


def test_what_changes_while_copies_are_written_is_written_too() -> None:
    """By whoever writes; and a child writes though a thread of its parent was writing."""

    def change() -> None:
        for _ in range(5):
            fail(shared.core.health, "b", Outcome.NOT_SENT, 100.0)
        snapshot.write()

    b = Changing("b", change)
    router = FailoverDriver([b, Scripted("c")], clock=FakeClock())
    shared = router._shared
    snapshot = Snapshot(shared, "health", "id")
    snapshot.write()
    assert b.written == [[], ["b"]]
    shared.companions.append(snapshot)
    assert snapshot._writing.acquire(blocking=False)
    shared.renew(held=False)
    snapshot.write()
    assert len(b.written) == 3
    router.close()


def test_the_newest_copy_suggests() -> None:
    """An older one may be left of a time when its target could not be written to."""
    clock = FakeClock()
    a, b = Keeping("a"), Keeping("b")
    a.item = {"written_at": clock.now() - 60.0, "open_until": {"a": clock.now()}}
    b.item = {"written_at": clock.now() - 1.0, "open_until": {}}
    router = FailoverDriver([a, b], clock=clock)
    shared = router._shared
    Snapshot(shared, "health", "id").read()
    assert shared.core.health.records["a"].prepared == 0.0
    b.item, a.item = a.item, {"written_at": "today"}
    Snapshot(shared, "health", "id").read()
    assert shared.core.health.records["a"].prepared > 0.0
    router.close()

"""The switch for every process: copies, the newest word, what a process follows and when."""

from __future__ import annotations

import threading
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._routing import FailoverDriver
from leeward._routing.fleet import (
    ITEM,
    Fleet,
    in_force,
    newest,
    read_copies,
    write_copies,
)
from leeward.adapter import Capability
from leeward.calls import Call, Load, Result, Store, Stored
from leeward.errors import Outcome
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.values import Isolation, RoutingEvent
from tests.routing.beside_kit import CALL, wait_until
from tests.scripted import Scripted

FIELDS = {"by": "ann", "why": "ill", "since": 1.0, "until": None, "over": False}


class Keeping(Scripted):
    """A driver that keeps one item, under its condition."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.item: Any = None
        self.revision = 0
        self.broken = False
        self.racing = 0

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if not isinstance(call, Store | Load):
            return super().perform(call, timeout)
        if self.broken:
            return Result(Outcome.NOT_SENT, message="away")
        if isinstance(call, Load):
            found = None if self.item is None else Stored(self.item, str(self.revision))
            return Result.ok(found)
        if self.racing:
            self.racing -= 1
            self.revision += 1
        asked = None if call.if_absent else call.if_revision
        if asked != (None if self.item is None else str(self.revision)):
            return Result(Outcome.CONFLICT)
        self.item, self.revision = dict(call.item), self.revision + 1
        return Result.ok(str(self.revision))


def word(target: str, since: float = 1.0, until: float = inf, *, over: bool = False) -> Isolation:
    """Return what somebody says of a target."""
    return Isolation(target, "ann", "ill", since, until, over=over)


def test_a_word_reaches_every_process_through_any_copy() -> None:
    """One copy cannot be written, another process reads the other, and nobody calls the target."""
    clock = FakeClock()
    a, b = Keeping("a"), Keeping("b")
    a.broken = True
    flaws = write_copies({"a": a, "b": b}, "health", "id", word("a", clock.now()))
    assert isinstance(flaws["a"], OSError)
    assert flaws["b"] is None
    assert b.item["id"] == ITEM
    router = FailoverDriver([a, b], clock=clock)
    events: list[RoutingEvent] = []
    router.listen(events.append)
    router.share_health("health", "id")
    wait_until(lambda: events)
    assert (events[0].name, events[0].target, events[0].reason) == ("isolated", "a", "everywhere")
    assert router.perform(CALL, 10.0).target == "b"
    evidence = router.evidence("a")
    assert (evidence.state, evidence.isolation) == ("isolated", word("a", clock.now()))
    router.close()


@pytest.fixture
def fleet() -> Any:
    """Return a process that looks when it is told to, its router and two copies."""
    a, b = Keeping("a"), Keeping("b")
    router = FailoverDriver([a, b], clock=FakeClock())
    fleet = Fleet(router._shared, "health", "id")
    fleet.stop()
    yield fleet, router, a, b
    router.close()


def say(copies: list[Keeping], *words: Isolation) -> None:
    """Say something, in the copies alone."""
    for each in words:
        write_copies({copy.target: copy for copy in copies}, "health", "id", each)


def test_an_isolation_ends_when_it_is_over(fleet: Any) -> None:
    """By a word, or by its time; also if no copy can be read any more."""
    fleet, router, a, b = fleet
    clock = router._shared.clock
    say([a, b], word("a", clock.now(), clock.now() + 60))
    fleet.look()
    assert router.evidence("a").state == "isolated"
    a.broken = b.broken = True
    clock.advance(59)
    fleet.look()
    assert router.evidence("a").state == "isolated"
    clock.advance(2)
    fleet.look()
    assert router.evidence("a").state != "isolated"
    a.broken = b.broken = False
    say([a], word("b", clock.now()))
    fleet.look()
    assert router.evidence("b").state == "isolated"
    say([b], word("b", clock.now() + 1, over=True))
    fleet.look()
    assert router.evidence("b").state != "isolated"


def test_what_was_isolated_here_stays_so(fleet: Any) -> None:
    """The word to everybody and the word to this process are two, and either isolates."""
    fleet, router, a, b = fleet
    now = router._shared.clock.now()
    router.isolate("a")
    say([a, b], word("a", now))
    fleet.look()
    router.restore("a")
    assert router.evidence("a").state == "isolated"
    router.isolate("a")
    say([a, b], word("a", now + 1, over=True))
    fleet.look()
    assert router.evidence("a").state == "isolated"
    router.restore("a")
    assert router.evidence("a").state != "isolated"


def test_two_who_speak_at_once_are_both_heard(fleet: Any) -> None:
    """A copy that changes meanwhile is read again; one that always changes is given up."""
    _, _, a, b = fleet
    a.item, a.racing = {"id": ITEM, "targets": {}}, 2
    say([a, b], word("a"), word("b"))
    assert set(a.item["targets"]) == {"a", "b"}
    a.racing = 100
    flaws = write_copies({"a": a}, "health", "id", word("a", 2.0))
    assert "at the same time" in str(flaws["a"])


@pytest.mark.threat("S10")
@pytest.mark.parametrize(
    "item",
    [
        {},
        {"targets": 7},
        {"targets": {"a": 7}},
        {"targets": {"a": {"since": 1}, "c": {"until": 3}}},
        {"targets": {"a": {**FIELDS, "since": "x"}}},
        {"targets": {"a": {**FIELDS, "until": "x"}}},
    ],
)
def test_what_makes_no_sense_is_left_out(fleet: Any, item: Any) -> None:
    """Another program's writing isolates nothing, and hides no copy that is good."""
    fleet, router, a, b = fleet
    a.item = {"id": ITEM, **item}
    say([b], word("b", router._shared.clock.now()))
    fleet.look()
    assert router.evidence("b").state == "isolated"
    assert router.evidence("a").state == "closed"


@pytest.mark.parametrize("since", [5000.0, 1e300, "2026"], ids=str)
def test_a_word_counts_though_the_clock_of_an_earlier_one_was_fast(since: Any) -> None:
    """It is newer than what any copy says, so that nobody waits for a clock."""
    a, b = Keeping("a"), Keeping("b")
    b.item = {"id": ITEM, "targets": {"a": {**FIELDS, "since": since}}}
    write_copies({"a": a, "b": b}, "health", "id", word("a", 100.0, 100.0, over=True))
    copies = read_copies({"a": a, "b": b}, "health", "id")
    assert [copy["a"].over for copy in copies.values()] == [True, True]
    assert in_force(newest(copies.values()), 200.0) == {}


@pytest.mark.parametrize("number", [10**400, inf, nan], ids=["huge", "inf", "nan"])
def test_a_number_that_is_no_time_keeps_no_word_out(number: Any) -> None:
    """Whoever has put it there."""
    copy = Keeping("a")
    copy.item = {"id": ITEM, "targets": {"a": {**FIELDS, "since": number}}}
    assert write_copies({"a": copy}, "health", "id", word("a", 100.0)) == {"a": None}
    assert read_copies({"a": copy}, "health", "id")["a"]["a"].since == 100.0


def test_copies_are_read_at_once() -> None:
    """So that a word is seen in time though several targets do not answer."""
    meeting = threading.Barrier(2)

    class Meeting(Keeping):
        def perform(self, call: Call, timeout: float) -> Result[Any]:
            meeting.wait(10)
            return super().perform(call, timeout)

    assert read_copies({"a": Meeting("a"), "b": Meeting("b")}, "health", "id") == {"a": {}, "b": {}}


def test_targets_without_tables_keep_no_copy() -> None:
    """They are asked nothing."""
    tableless = Scripted("c", capabilities=frozenset({Capability.INVOKE}))
    assert read_copies({"c": tableless}, "health", "id") == {}
    assert write_copies({"c": tableless}, "health", "id", word("a")) == {}
    assert tableless.calls == []


def test_a_real_table_keeps_the_words() -> None:
    """With its own conditions and revisions."""
    local = Local()
    drivers = {"local": local}
    for each in (word("a", 1.0, 5.0), word("b", 2.0), word("a", 3.0, over=True)):
        assert write_copies(drivers, "health", "id", each) == {"local": None}
    words = newest(read_copies(drivers, "health", "id").values())
    assert words == {"a": word("a", 3.0, over=True), "b": word("b", 2.0)}
    assert in_force(words, 4.0) == {"b": word("b", 2.0)}
    local.close()


WORDS = st.lists(
    st.builds(
        lambda target, since, over: word(target, float(since), over=over),
        st.sampled_from("ab"),
        st.integers(0, 9),
        st.booleans(),
    ),
    unique_by=lambda each: (each.target, each.since),
)


@given(WORDS, st.randoms())
def test_the_newest_word_counts_whichever_copy_has_it(words: list[Isolation], random: Any) -> None:
    """In whatever order, and in however many copies."""
    copies = [{each.target: each} for each in words for _ in range(random.randint(1, 2))]
    random.shuffle(copies)
    wanted: dict[str, Isolation] = {}
    for each in sorted(words, key=lambda each: each.since):
        wanted[each.target] = each
    assert newest(copies) == wanted

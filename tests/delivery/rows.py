"""What every store of deliveries promises of its rows, whatever keeps them."""

from __future__ import annotations

import tracemalloc
from abc import ABC, abstractmethod

from leeward.leases.rules import DeliveryPolicy, Room
from leeward.stores import (
    APPROVAL,
    LEASE_EXPIRED,
    AttemptFailure,
    Backlog,
    Depth,
    LeasedRow,
    LeaseEnd,
    NewRow,
    Recipient,
    SpoolRows,
    TakenRows,
    walk_dead_rows,
)

HERE, THERE = Recipient("b", "here"), Recipient("b", "there")
POLICY = DeliveryPolicy(max_attempts=2, first_retry=4.0, lease=10.0)
HALF = 5.0
"""Seconds: less than a lease, and more than a pause."""


class Rows(ABC):
    """A store, and the time as it sees it.

    Attributes:
        store: with `POLICY`.
    """

    store: SpoolRows

    @abstractmethod
    def now(self) -> float:
        """Return the time."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Let so much time pass."""

    def add(self, *keys: str, lane: str | None = None, to: Recipient = HERE) -> None:
        """Keep rows with these keys."""
        self.store.add([NewRow(to, lane, key, f'"{key}"') for key in keys], 5)

    def take(self, room: Room) -> TakenRows:
        """Lease what is due here."""
        return self.store.take([HERE], self.now, room)

    def keys(self, limit: int = 9) -> list[str]:
        """Lease what is due here, and return the keys."""
        return [row.idempotency_key for row in self.take(Room(limit, limit, limit)).rows]

    def lease(self) -> LeasedRow:
        """Lease the one row that is due here."""
        (row,) = self.take(Room(1, 1)).rows
        return row

    def finish(self, *ends: LeaseEnd, begun: tuple[LeasedRow, ...] = ()) -> list[LeaseEnd]:
        """Write down how leases have ended."""
        return self.store.finish(ends, self.now(), begun)


class RowsContract:
    """The tests; a subclass has the fixture `rows`."""

    def test_a_lease_that_ends_frees_the_row_until_its_last_attempt(self, rows: Rows) -> None:
        """Then it is given up; others' rows are not touched."""
        rows.add("k")
        rows.add("t", to=THERE)
        keys = [rows.keys()]
        for seconds in (HALF, HALF + 1, HALF):
            rows.wait(seconds)
            keys.append(rows.keys())
        assert keys == [["k"], [], ["k"], []]
        due = rows.store.next_due([HERE], rows.now())
        assert due is not None
        assert 0 < due - rows.now() <= POLICY.lease - HALF
        assert rows.store.next_due([THERE], rows.now()) is None
        rows.wait(HALF + 1)
        (dead,) = rows.take(Room(9, 9)).dead
        expired = AttemptFailure(LEASE_EXPIRED)
        assert (dead.recipient, dead.attempt, dead.failure) == (HERE, 2, expired)
        (kept,) = rows.store.dead_rows()
        assert (kept.id, kept.recipient, kept.failure, kept.document) == (
            *(dead.id, HERE, expired),
            None,
        )
        assert rows.store.dead_row(kept.id) == kept._replace(document='"k"')
        assert [rows.store.count_waiting([each]) for each in (HERE, THERE)] == [0, 1]

    def test_a_recipient_says_itself_how_often_a_lease_may_end(self, rows: Rows) -> None:
        """One that wants more attempts than the policy has gets them; the others do not."""
        rows.add("k")
        rows.add("k", to=THERE)
        names: list[tuple[str, list[str]]] = []
        for _ in range(4):
            room, most = Room(9, 9, 9), {HERE: 3, THERE: 1}
            taken = rows.store.take([HERE, THERE], rows.now, room, most)
            delivered = sorted(each.recipient.subscriber for each in taken.rows)
            names.append((" ".join(delivered), [each.recipient.subscriber for each in taken.dead]))
            rows.wait(POLICY.lease + 1)
        assert names == [
            ("here there", []),
            ("here there", []),
            ("here", ["there"]),
            ("", ["here"]),
        ]

    def test_what_waits_is_no_failed_attempt(self, rows: Rows) -> None:
        """It is due when its guard says, however often; what waits for a person is counted."""
        rows.add("k")
        pending = AttemptFailure(APPROVAL, "ask a person")
        for _ in range(4):
            row = rows.lease()
            assert (row.attempt, row.is_tried) == (1, False)
            rows.finish(LeaseEnd(row, pending, is_begun=False, after=HALF))
            assert rows.keys() == []
            assert [each.approvals for each in rows.store.measure(None)] == [1]
            assert [each.approvals for each in rows.store.measure("b")] == [1]
            rows.wait(HALF + 1)
        row = rows.lease()
        assert [each.approvals for each in rows.store.measure(None)] == [0]
        rows.finish(LeaseEnd(row, AttemptFailure("E")))
        rows.wait(HALF)
        row = rows.lease()
        assert row.attempt == 2
        rows.finish(LeaseEnd(row, is_begun=False, after=10 * POLICY.longest_retry))
        due = rows.store.next_due([HERE], rows.now())
        assert due is not None
        assert due - rows.now() <= POLICY.longest_retry, "no longer than another process believes"
        rows.wait(POLICY.longest_retry + 1)
        (dead,) = rows.finish(LeaseEnd(rows.lease(), AttemptFailure("E")))
        assert dead.row.attempt == 2
        assert rows.store.dead_rows()[0].failure.error == "E"

    def test_a_clock_that_is_set_back_keeps_no_retry_waiting(self, rows: Rows) -> None:
        """For longer than a right clock ever would; what may be under way is left alone."""
        rows.add("failed", "leased")
        first, _ = rows.take(Room(9, 9)).rows
        rows.finish(LeaseEnd(first, AttemptFailure("ValueError")))
        rows.wait(HALF - POLICY.longest_retry)
        assert rows.keys() == []
        rows.wait(-HALF)
        assert rows.keys() == ["failed"]

    def test_a_lease_that_has_gone_changes_nothing(self, rows: Rows) -> None:
        """Neither the late end of an attempt nor its late failure."""
        rows.add("k")
        late = rows.lease()
        rows.wait(POLICY.lease + 1)
        now = rows.lease()
        spent = late._replace(attempt=2)
        for end in (
            LeaseEnd(late),
            LeaseEnd(spent, AttemptFailure("E")),
            LeaseEnd(late, is_begun=False),
        ):
            assert rows.finish(end) == []
        assert rows.store.count_waiting([HERE]) == 1
        given_up = LeaseEnd(now, AttemptFailure("E", "why: so"))
        assert rows.finish(given_up) == [given_up]
        (dead,) = rows.store.dead_rows()
        assert dead.failure == AttemptFailure("E", "why: so")

    def test_a_late_success_of_a_row_that_was_rolled_back_ends_no_other(self, rows: Rows) -> None:
        """In a copy of an earlier time, its number is given to another row."""
        rows.add("new")
        new = rows.lease()._replace(lease="")
        rows.finish(LeaseEnd(new._replace(idempotency_key="old"), is_late=True))
        assert rows.store.count_waiting([HERE]) == 1
        rows.finish(LeaseEnd(new, is_late=True))
        assert rows.store.count_waiting([HERE]) == 0

    def test_a_late_success_counts_unless_somebody_has_ended_the_row(self, rows: Rows) -> None:
        """Whoever tries the row now, or gave it up unheard; of a lane the order counts more."""
        rows.add("k")
        late = rows.lease()
        rows.wait(POLICY.lease + 1)
        now = rows.lease()
        assert rows.finish(LeaseEnd(late, AttemptFailure("E"), is_late=True)) == []
        assert rows.store.count_waiting([HERE]) == 1
        rows.finish(LeaseEnd(late, is_late=True))
        assert rows.store.count_waiting([HERE]) == 0
        assert rows.finish(LeaseEnd(now, AttemptFailure("E"))) == []
        rows.add("spent", "redriven")
        for _ in range(2):
            rows.wait(POLICY.lease + 1)
            spent, redriven = rows.take(Room(9, 9, 9)).rows
        rows.wait(POLICY.lease + 1)
        assert len(rows.take(Room(9, 9, 9)).dead) == 2
        rows.store.redrive(redriven.id)
        rows.finish(LeaseEnd(spent, is_late=True), LeaseEnd(redriven, is_late=True))
        assert rows.store.dead_rows() == []
        again = rows.lease()
        assert again.idempotency_key == "redriven"
        rows.finish(LeaseEnd(again))
        rows.add("a1", "a2", lane="a")
        head = rows.lease()
        rows.wait(POLICY.lease + 1)
        assert rows.keys() == ["a1"]
        rows.finish(LeaseEnd(head, is_late=True))
        assert (rows.keys(), rows.store.count_waiting([HERE])) == ([], 2)

    def test_an_attempt_that_goes_on_keeps_its_lease(self, rows: Rows) -> None:
        """From when that is written down, for a whole lease, and as often as it is."""
        rows.add("k")
        row = rows.lease()
        for _ in range(3):
            rows.wait(POLICY.lease - 1)
            assert rows.finish(begun=(row,)) == []
            assert rows.keys() == []
        rows.wait(POLICY.lease + 1)
        again = rows.lease()
        assert (again.attempt, again.is_unheard) == (2, True)
        rows.finish(begun=(row,))
        rows.wait(POLICY.lease + 1)
        assert len(rows.take(Room(9, 9, 9)).dead) == 1, "a lease that has gone is not renewed"

    def test_a_failure_says_when_its_row_is_due(self, rows: Rows) -> None:
        """Within what other processes believe."""
        rows.add("k")
        rows.finish(LeaseEnd(rows.lease(), AttemptFailure("E", after=300.0)))
        rows.wait(290.0)
        assert rows.keys() == []
        rows.wait(20.0)
        assert rows.lease().attempt == 2

    def test_a_row_that_is_handed_back_has_had_no_attempt(self, rows: Rows) -> None:
        """It is due at once, and its attempts are what they were."""
        rows.add("k")
        for _ in range(2):
            row = rows.lease()
            assert row.attempt == 1
            rows.finish(LeaseEnd(row, is_begun=False))
        rows.finish(LeaseEnd(rows.lease(), AttemptFailure("E")))
        rows.wait(HALF)
        rows.finish(LeaseEnd(rows.lease(), is_begun=False))
        assert rows.lease().attempt == 2

    def test_a_lease_that_ended_without_a_word_is_remembered(self, rows: Rows) -> None:
        """Where its attempt was not counted, and the row is handed back: it is not the first."""
        rows.add("k")
        rows.take(Room(1, 1, places=0))
        rows.wait(POLICY.lease + 1)
        again = rows.lease()
        assert (again.attempt, again.is_unheard) == (1, True)
        rows.finish(LeaseEnd(again, is_begun=False))
        after = rows.lease()
        assert (after.attempt, after.is_unheard) == (2, False)

    def test_few_are_leased_of_those_that_were_tried_before(self, rows: Rows) -> None:
        """They go first, but new ones fill the rest: neither starves the other."""
        rows.add(*map(str, range(6)))
        tried = rows.take(Room(4, 4)).rows
        assert rows.finish(*(LeaseEnd(each, AttemptFailure("E")) for each in tried)) == []
        rows.wait(HALF)
        taken = rows.take(Room(3, 2)).rows
        attempts = [(each.idempotency_key, each.attempt) for each in taken]
        assert sorted(attempt for _, attempt in attempts) == [1, 2, 2]
        assert attempts[-1] == ("4", 1)
        assert rows.take(Room(3, 0)).rows[0].idempotency_key == "5"

    def test_what_may_have_ended_a_process_is_leased_alone(self, rows: Rows) -> None:
        """Its next end takes no attempt from those that were leased beside it."""
        rows.add(*map(str, range(4)))
        assert rows.keys(3) == ["0", "1", "2"]
        rows.wait(POLICY.lease + 1)
        first, last = rows.take(Room(9, 9)).rows
        assert (first.is_unheard, last.is_unheard, last.idempotency_key) == (True, False, "3")
        assert rows.take(Room(9, 9, 0)).rows == []

    def test_a_lease_that_ends_before_its_attempt_has_begun_costs_none(self, rows: Rows) -> None:
        """Of what is leased ahead of a place, an attempt counts when it begins, or has ended."""
        rows.add(*map(str, range(5)))
        first = rows.take(Room(5, 5, places=1)).rows
        assert [each.is_counted for each in first] == [True, False, False, False, False]
        failed = LeaseEnd(first[2], AttemptFailure("E"))
        assert rows.finish(failed, begun=(first[1],)) == []
        assert rows.finish(LeaseEnd(first[3], is_begun=False)) == []
        rows.wait(POLICY.lease + 1)
        taken = rows.take(Room(9, 9, 9, places=0)).rows
        told = {each.idempotency_key: (each.attempt, each.is_counted) for each in taken}
        assert told == {
            "0": (2, True),
            "1": (2, True),
            "2": (2, False),
            "3": (1, False),
            "4": (1, True),
        }
        # What is as suspect as that is counted at once: it ends a process so often at most.
        rows.wait(POLICY.lease + 1)
        dead = rows.take(Room(9, 9, 9, places=0)).dead
        assert [each.attempt for each in dead] == [2, 2]

    def test_of_a_lane_only_the_head_goes(self, rows: Rows) -> None:
        """Until it is done or dead; one that waits for another attempt is still the head."""
        rows.add("a1", "a2", lane="a")
        rows.add("b1", lane="b")
        rows.add("free")
        taken = {row.idempotency_key: row for row in rows.take(Room(9, 9)).rows}
        assert sorted(taken) == ["a1", "b1", "free"]
        rows.finish(LeaseEnd(taken["a1"], AttemptFailure("E")), LeaseEnd(taken["b1"]))
        assert rows.keys() == []
        rows.wait(HALF)
        again = rows.lease()
        assert (again.idempotency_key, again.attempt) == ("a1", 2)
        rows.finish(LeaseEnd(again, AttemptFailure("E")))
        assert rows.keys() == ["a2"]

    def test_a_dead_letter_is_redriven_as_if_it_were_new_or_discarded(self, rows: Rows) -> None:
        """Each once; of a lane it is the head again."""
        rows.add("a1", "a2", lane="a")
        failure = AttemptFailure("E", "m", False, "spent", "no")
        (dead,) = rows.finish(LeaseEnd(rows.lease(), failure))
        assert [each.failure for each in rows.store.dead_rows()] == [failure._replace(again=None)]
        assert rows.store.redrive(dead.row.id)
        assert (rows.store.redrive(dead.row.id), rows.store.dead_rows()) == (False, [])
        row = rows.lease()
        assert (row.idempotency_key, row.attempt, row.is_unheard) == ("a1", 1, False)
        rows.finish(LeaseEnd(row, failure))
        assert (rows.store.discard(row.id), rows.store.discard(row.id)) == (True, False)
        assert rows.keys() == ["a2"]

    def test_a_redriven_head_waits_for_the_later_row_that_is_under_way(self, rows: Rows) -> None:
        """Two of one lane are never under way at one time; a lease that is over holds up nobody."""
        rows.add("a1", "a2", "a3", lane="a")
        rows.add("b1", lane="b")
        first, other = rows.take(Room(9, 9)).rows
        (dead,) = rows.finish(LeaseEnd(first, AttemptFailure("E", again=False)))
        later = rows.lease()
        assert later.idempotency_key == "a2"
        assert rows.store.redrive(dead.row.id)
        assert rows.keys() == []
        rows.finish(LeaseEnd(other), LeaseEnd(later))
        assert rows.keys() == ["a1"]
        rows.wait(POLICY.lease + 1)
        assert [row.idempotency_key for row in rows.take(Room(9, 9, 9)).rows] == ["a1"]

    def test_dead_letters_are_read_a_page_at_a_time(self, rows: Rows) -> None:
        """Behind any id, and whatever is moved meanwhile; one that waits has no letter."""
        rows.add(*"abcdef")
        taken = rows.take(Room(9, 9)).rows
        rows.finish(*(LeaseEnd(row, AttemptFailure("E", again=False)) for row in taken[:5]))
        ids, store = [row.id for row in taken], rows.store
        first = store.dead_rows(limit=2)
        store.redrive(ids[1])
        pages = [first, store.dead_rows(ids[1], 2), store.dead_rows(ids[3], 2)]
        assert [[row.id for row in page] for page in pages] == [ids[:2], ids[2:4], ids[4:5]]
        assert store.dead_rows(ids[4]) == []
        assert [store.dead_row(each) for each in (ids[1], ids[5], 2**62)] == [None] * 3

    def test_a_look_at_dead_letters_holds_none_of_their_documents(self, rows: Rows) -> None:
        """Nor does it have them on the way: of 4 MB it holds less than one document."""
        size, count = 256 * 1024, 16
        for at in range(count):
            rows.store.add([NewRow(HERE, None, str(at), "d" * size)], 5)
        taken = rows.take(Room(count, count)).rows
        rows.finish(*(LeaseEnd(row, AttemptFailure("E", again=False)) for row in taken))
        del taken
        tracemalloc.start()
        try:
            heads = list(walk_dead_rows(rows.store))
            held = tracemalloc.get_traced_memory()[1]
            whole = rows.store.dead_row(heads[-1].id)
        finally:
            tracemalloc.stop()
        assert len(heads) == count
        assert held < size / 2
        assert whole is not None
        assert whole.document == "d" * size

    def test_what_waits_is_counted_and_measured(self, rows: Rows) -> None:
        """By recipient, with what was given up, and the first one that still waits."""
        rows.add("a1", "a2", lane="a")
        rows.add("ü", to=THERE)
        rows.add("x", to=Recipient("other", "here"))
        waits = [(HERE, "a"), (HERE, "b"), (THERE, "a")]
        assert [rows.store.has_waiting(*each, 9.0) for each in waits] == [True, False, False]
        assert rows.store.measure("b") == [
            Backlog(HERE, 2, 0, 8, '"a1"', "a1"),
            Backlog(THERE, 1, 0, 4, '"ü"', "ü"),
        ]
        rows.finish(LeaseEnd(rows.lease(), AttemptFailure("E", again=False)))
        assert rows.store.measure("b")[0] == Backlog(HERE, 1, 1, 8, '"a2"', "a2")
        rows.finish(LeaseEnd(rows.lease()))
        assert rows.store.measure("b")[0] == Backlog(HERE, 0, 1, 4, None)
        assert rows.store.measure(None) == [
            Backlog(HERE, 0, 1, None, None),
            Backlog(THERE, 1, 0, None, '"ü"', "ü"),
            Backlog(Recipient("other", "here"), 1, 0, None, '"x"', "x"),
        ]
        assert not rows.store.has_waiting(HERE, "a", 9.0)

    def test_what_there_is_is_counted_without_its_documents(self, rows: Rows) -> None:
        """For those who are asked for, as far as asked; what was given up, also for others."""
        rows.add("a0")
        rows.add("a1", "a2", "a3", lane="a")
        rows.add("b1", to=THERE)
        other = Recipient("other", "there")
        assert rows.store.depths([HERE, other], 9) == [
            Depth(HERE, 4, 0, "a0"),
            Depth(other, 0, 0, None),
        ]
        assert rows.store.depths([HERE], 2) == [Depth(HERE, 2, 0, "a0")]
        ends = [
            LeaseEnd(row, AttemptFailure("E", again=False)) for row in rows.take(Room(9, 9)).rows
        ]
        rows.finish(*ends)
        assert rows.store.depths([THERE], 9) == [Depth(HERE, 2, 2, "a2"), Depth(THERE, 1, 0, "b1")]

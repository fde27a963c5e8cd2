"""The pipeline of the examples on `local`, with one thread and a clock that is played.

The store, the rows, the router, the client and the handlers are leeward's own and work as they do
in production. What is made up is the order of things: rows are taken in any number and order,
told of twice, and their ends are lost; processes are killed before and after any of their calls;
answers of the store are lost. All of it is decided by one seed.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from random import Random
from types import ModuleType
from typing import Any, Final, cast

import pytest

from leeward import Client
from leeward._delivery.dispatcher import DeliveryAttempt, Dispatcher
from leeward.calls import Call, PutObject, Result
from leeward.errors import Outcome
from leeward.leases.rules import Room
from leeward.local import Local
from leeward.stores import LeasedRow, LeaseEnd, NewRow
from leeward.testing import FakeClock, FaultyDriver
from tests.house.workspace import ROOT
from tests.pipeline.files import KNOWN, body_of, name_of, output_of, poison_of, summary_of

BUCKET: Final = "sales"
PIPELINE: Final = ROOT / "examples/pipeline"

MOST_FAULTS: Final = 3
"""Of the attempts at one row: after its three retries it is given up, and rightly so."""

FAULTS: Final = (
    *("before", "after") * 2,
    *("lost", "lost with the looks after it", "refused after it ran"),
    *("end lost", "told twice"),
)
"""What goes wrong with an attempt; each as likely as the others."""

NOW: Final = {"lost with the looks after it": range(-8, 1)}
"""How many calls are left, or were made since, when a fault is there; else with one call."""

TWO_VERSIONS: Final = 0.1
"""Share of files of which there is a second version."""

LOST: Final = "LOST"
TWICE: Final = "WRITTEN MORE THAN ONCE"
WRONG: Final = "WRONG"
UNFOUNDED: Final = "GIVEN UP WITHOUT REASON"


class Killed(BaseException):
    """The process is dead; what still runs of it does nothing any more."""


class Dying(FaultyDriver):
    """Dies before or after one of its calls, or loses the answer to one.

    Attributes:
        dead: nothing is done any more.
        written: the writes of summaries that took place: name, version of the source, write id.
    """

    def __init__(self, local: Local, random: Random) -> None:
        super().__init__(local)
        self.dead = False
        self.written: set[tuple[str, str, str]] = set()
        self._random = random
        self._left: int | None = None
        self._how = ""

    def begin(self, how: str) -> None:
        """Begin an attempt that is to go wrong so, at one of its first calls; empty for well."""
        self.dead, self._how = False, how
        self._left = self._random.randint(1, 4) if how else None

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call, or die."""
        if self.dead:
            raise Killed
        if self._left is not None:
            self._left -= 1
        now = self._how if self._left in NOW.get(self._how, (0,)) else ""
        if now == "before":
            self.dead = True
            raise Killed
        result = super().perform(call, timeout)
        self.calls.clear()
        if isinstance(call, PutObject) and result.outcome is Outcome.OK:
            self.written.add((call.name, call.metadata["source_version"], call.write_id))
        if now == "after":
            self.dead = True
            raise Killed
        if now == "refused after it ran":
            return Result(Outcome.REJECTED)
        return Result(Outcome.AMBIGUOUS) if now else result


@contextmanager
def pipeline() -> Iterator[ModuleType]:
    """Load the example anew."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(PIPELINE)
        patched.setattr(os, "fsync", lambda _: None)  # processes die here, and no machine does
        patched.setattr(Dispatcher, "wake", lambda _: None)  # the one thread delivers rows
        sys.modules.pop("pipeline", None)
        try:
            yield import_module("pipeline")
        finally:
            sys.modules.pop("pipeline", None)


class World:
    """One run of the pipeline.

    Args:
        files: how many arrive.
        seed: decides everything.
        module: the example.
    """

    def __init__(self, files: int, seed: int, module: ModuleType) -> None:
        self.random = Random(seed)
        self.clock = FakeClock()
        self.counts: Counter[str] = Counter()
        self.local = Local(clock=self.clock)
        self.dying = Dying(self.local, self.random)
        self._dispatcher = cast("Any", self.local._dispatcher)
        self._store = self.local._deliveries
        self._files = files
        self._faults: Counter[int] = Counter()
        self.feeder = Client(self.local, app=module.app, clock=self.clock)
        own = Client(self.dying, clock=self.clock)
        module.cloud = lambda: own  # type: ignore[attr-defined]
        self.versions = {n: 1 + (self.random.random() < TWO_VERSIONS) for n in range(files)}
        self.arriving = [(n, 0) for n in range(files)]
        for number in (n for n, versions in self.versions.items() if versions > 1):
            first = self.arriving.index((number, 0))
            self.arriving.insert(self.random.randint(first + 1, len(self.arriving)), (number, 1))

    def play(self) -> None:
        """Let files arrive, and rows be delivered, until nothing is left."""
        self.feeder.put_object(BUCKET, "reference/categories.json", json.dumps(KNOWN).encode())
        while True:
            for _ in range(self.random.randint(0, 8)):
                if self.arriving:
                    number, version = self.arriving.pop(0)
                    self.feeder.put_object(BUCKET, name_of(number), body_of(number, version))
            self.clock.advance(self.random.random() * 10)
            handlers = self.local._list_receivers()
            most = self.random.randint(1, 12)
            taken = self._store.take(handlers, self.clock.now, Room(most, most, most)).rows
            self.random.shuffle(taken)
            for row in taken:
                self._deliver(row, handlers[row.recipient])
            if not (taken or self.arriving or self._store.count_waiting(handlers)):
                return

    def _deliver(self, row: LeasedRow, handler: Any) -> None:
        """Make one attempt, which may go wrong; write down how it has ended, or lose that."""
        fault = self._fault(row)
        self.dying.begin(fault)
        deadline = self.clock.monotonic() + 30
        ended: LeaseEnd = self._dispatcher._make(DeliveryAttempt(row, handler, 0.0, deadline))
        if self.dying.dead or fault == "end lost":
            self.counts["killed" if self.dying.dead else fault] += 1
            self._faults[row.id] += 1
            return
        self._faults[row.id] += ended.failure is not None
        self._store.finish([ended], self.clock.now())
        if fault == "told twice":
            self.counts[fault] += 1
            again = NewRow(row.recipient, None, row.idempotency_key, row.document)
            self._store.add([again], 1.0)

    def _fault(self, row: LeasedRow) -> str:
        if self._faults[row.id] >= MOST_FAULTS or self.random.random() < 0.5:
            return ""
        return self.random.choice(FAULTS)

    def judge(self) -> Counter[str]:
        """Compare what there is with what has to be there."""
        letters = self.local.dead_letters()
        given_up = {(json.loads(each.document)["key"], each.reason) for each in letters}
        for number, versions in self.versions.items():
            poison = poison_of(number)
            told = self.feeder.get_object(BUCKET, output_of(number))
            if poison is not None:
                is_well = (name_of(number), poison) in given_up and told is None
                self.counts["given up" if is_well else WRONG] += 1
                continue
            if told is None:
                self.counts[LOST] += 1
                continue
            source = self.feeder.head_object(BUCKET, name_of(number))
            info = self.feeder.head_object(BUCKET, output_of(number))
            assert source is not None
            assert info is not None
            is_well = told.read() == summary_of(number, versions - 1)
            is_well &= info.metadata["source_version"] == source.revision
            self.counts["summarized" if is_well else WRONG] += 1
        poisoned = {name_of(n) for n in range(self._files) if poison_of(n) is not None}
        self.counts[UNFOUNDED] += sum(key not in poisoned for key, _ in given_up)
        writes = Counter(each[:2] for each in self.dying.written)
        self.counts[TWICE] += sum(times - 1 for times in writes.values())
        return +self.counts


def play(
    files: int, seed: int, mistake: Callable[[ModuleType], None] | None = None
) -> Counter[str]:
    """Run the pipeline once; return what became of the files, and what befell them.

    Args:
        files: how many arrive.
        seed: decides everything.
        mistake: changes the example, to see whether it is found.
    """
    with pipeline() as module:
        if mistake is not None:
            mistake(module)
        world = World(files, seed, module)
        with world.feeder:
            world.play()
            return world.judge()

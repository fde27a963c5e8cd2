"""Lose answers over real stores, with threads and tasks; exit with 1 at a wrong verdict.

Each round is a key: deliveries of its call and two who settle it run at once, answers of the table
are lost, writes come late, processes die, and the lease ends at any moment.

python -m tests.app.settle_sim.stores [--rounds N] [--store NAME ...] [--seed N]
"""

from __future__ import annotations

import asyncio
import logging
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from threading import Lock
from time import perf_counter
from typing import Any, Final

from leeward import AsyncClient, Client
from leeward.app import idempotent
from leeward.app.context import Context
from leeward.app.idempotency import Done, NotDone, effect, effect_async
from leeward.app.signatures import IDEMPOTENCY
from leeward.errors import Conflict, OutcomeUnknown, TargetUnavailable
from leeward.testing import FakeClock
from leeward.watching import RUNNING, watched_by
from tests.app.settle_sim.tables import STORES, TABLE, OpenDriver

LEASE: Final = 30.0
FAULTS: Final = (0.12, 0.12, 0.3, 0.5)
"""Shares of the table's answers that are lost, late or refused, while things fail: one a round."""
KILLED: Final = 0.05
"""Share of the table's calls at which the process of a run dies."""
LOST: Final = ("lost", "late", "lost by the bank", "killed", "killed after")
"""What counts as a lost answer."""
AT_ONCE: Final = 4
"""Rounds at once, each with its own threads."""


class Killed(BaseException):
    """The process dies."""


class _Network:
    """Brings a write that comes late: no run of this process makes it."""

    def begin(self) -> None:
        """Note nothing."""

    async def begin_async(self) -> None:
        """Note nothing."""

    def proved_not_run(self) -> None:
        """Note nothing."""


def _unwatched(write: Callable[..., Any], *given: Any, **named: Any) -> Any:
    token = watched_by(_Network())
    try:
        return write(*given, **named)
    finally:
        RUNNING.reset(token)


async def _unwatched_async(write: Callable[..., Any], *given: Any, **named: Any) -> Any:
    token = watched_by(_Network())
    try:
        return await write(*given, **named)
    finally:
        RUNNING.reset(token)


class Faulty:
    """A client of the table that fails by chance, until it is healed; for threads or tasks."""

    def __init__(self, round_: Round, client: Any, *, dies: bool) -> None:
        self._round, self._client, self._dies = round_, client, dies

    def store_data(self, table: str, item: Any, **conditions: Any) -> Any:
        """Store an item, or fail."""
        what = self._round.luck(self._dies, writes=True)
        store = partial(_unwatched, self._client.store_data)
        if what in ("killed after", "lost", ""):
            stored = store(table, item, **conditions)
            if what:
                self._round.fail(what)
            return stored
        if what == "late":
            self._round.late.append(lambda: store(table, item, **conditions))
        self._round.fail(what)
        raise AssertionError

    def load_data(self, table: str, key: Any) -> Any:
        """Load an item, or fail."""
        what = self._round.luck(self._dies, writes=False)
        if what:
            self._round.fail(what)
        return self._client.load_data(table, key)


class FaultyAsync(Faulty):
    """The same for tasks."""

    async def store_data(self, table: str, item: Any, **conditions: Any) -> Any:
        """Store an item, or fail."""
        what = self._round.luck(self._dies, writes=True)
        store = partial(_unwatched_async, self._client.store_data)
        await asyncio.sleep(0)
        if what in ("killed after", "lost", ""):
            stored = await store(table, item, **conditions)
            if what:
                self._round.fail(what)
            return stored
        if what == "late":
            self._round.late.append(lambda: store(table, item, **conditions))
        self._round.fail(what)
        raise AssertionError

    async def load_data(self, table: str, key: Any) -> Any:
        """Load an item, or fail."""
        what = self._round.luck(self._dies, writes=False)
        await asyncio.sleep(0)
        if what:
            self._round.fail(what)
        return await self._client.load_data(table, key)


class Round:
    """One key, and what has happened to it."""

    def __init__(self, key: str, random: Random) -> None:
        self.key, self.clock = key, FakeClock()
        self.effects: list[tuple[str, int]] = []
        self.told: list[tuple[int, dict[str, Any]]] = []
        self.results: list[str] = []
        self.late: list[Callable[[], Any]] = []
        self.counts: Counter[str] = Counter()
        self.fails = True
        self._random, self._lock = random, Lock()
        self._faults = random.choice(FAULTS)
        self.within = Lock()
        """Held from an announcement to its effect: no lease ends between them."""

    def luck(self, dies: bool, *, writes: bool) -> str:
        """Return what befalls a call of the table."""
        with self._lock:
            if not self.fails:
                return ""
            luck = self._random.random()
            if dies and luck < KILLED:
                return "killed after" if writes and luck < KILLED / 2 else "killed"
            if self._random.random() >= self._faults:
                return ""
            return self._random.choice(("refused", "lost", "late") if writes else ("refused",))

    def fail(self, what: str) -> None:
        """Raise what a fault raises."""
        self.counts[what] += 1
        if what.startswith("killed"):
            raise Killed
        if what == "refused":
            raise TargetUnavailable("no connection")
        raise OutcomeUnknown("no answer")

    def chance(self) -> float:
        """Return a random number from 0 to 1."""
        with self._lock:
            return self._random.random()

    def charge(self, label: str, voids: int) -> str:
        """Have the effect; its answer may be lost."""
        with self._lock:
            self.effects.append((label, voids))
        if self.fails and self.chance() < 0.15:
            self.counts["lost by the bank"] += 1
            raise ConnectionError
        return label

    def probe(self, _key: str, _context: object, _notes: object) -> object:
        """Say what the bank knows."""
        with self._lock:
            return Done(self.effects[0][0]) if self.effects else NotDone()

    def context(self, voids: int) -> Context:
        """Return the context of a delivery."""
        deadline = self.clock.monotonic() + 20
        return Context("charge", self.key, 1, deadline, self.clock, voids=voids)

    def guard(self, client: Any) -> Any:
        """Return the decorator of the function."""
        return idempotent(
            table=TABLE,
            lease=LEASE,
            effects="marked",
            probe=self.probe,
            client=client,
            clock=self.clock,
            name="charge",
        )

    def let_time_pass(self) -> None:
        """Let the lease end now and then, wherever everybody is, but between mark and effect."""
        if self.chance() < 0.6:
            with self.within:
                self.clock.advance(LEASE + 1)

    def late_write(self) -> Callable[[], Any] | None:
        """Return a write that arrives only now; None for none."""
        with self._lock:
            return self.late.pop() if self.late and self._random.random() < 0.5 else None

    def flaws(self) -> list[str]:
        """Return what is wrong, once everything is over."""
        labels = {label for label, _ in self.effects}
        found = ["a key had two effects"] if len(self.effects) > 1 else []
        for voids, answer in self.told:
            verdict = answer["verdict"]
            if verdict == "not_run" and any(knew <= voids for _, knew in self.effects):
                found.append("not run, and its effect has taken place")
            if verdict == "not_run" and answer["voids"] <= voids:
                found.append("not run, and the next call is refused for it")
            if verdict == "ran" and answer["result"] not in labels:
                found.append("ran, with a result that is not its own")
        if not set(self.results) <= labels:
            found.append("a caller got a result, and its effect has not taken place")
        if self.told[-1][1]["verdict"] not in ("ran", "not_run"):
            found.append("unknown, although the probe knows")
        return found


def _count(round_: Round, what: str) -> None:
    round_.counts[what] += 1


class Threads:
    """A round whose deliveries and settlers are threads."""

    def __init__(self, round_: Round, client: Client, pool: ThreadPoolExecutor) -> None:
        self._round, self._client, self._pool = round_, client, pool

    def _function(self, label: str, voids: int, *, dies: bool) -> Any:
        this = self._round

        @this.guard(Faulty(this, self._client, dies=dies))  # type: ignore[untyped-decorator]
        def charge(order: str, _context: Context) -> str:
            if this.fails and this.chance() < 0.1:
                raise ValueError
            with this.within:
                effect()
                return this.charge(label, voids)

        return charge

    def deliver(self, label: str, voids: int = 0) -> None:
        """Deliver the call once; its caller hears what comes of it, or nothing."""
        this = self._round
        try:
            this.results.append(
                self._function(label, voids, dies=True)(this.key, this.context(voids))
            )
        except (Exception, Killed) as error:  # noqa: BLE001 - whatever it is, it may be repeated
            _count(this, type(error).__name__)

    def settle(self, voids: int = 0) -> dict[str, Any] | None:
        """Settle the key; return the answer, None for none."""
        this = self._round
        charge = self._function("nobody", voids, dies=False)
        try:
            answer: dict[str, Any] = getattr(charge, IDEMPOTENCY).settle(
                1.0, (this.key,), this.context(voids)
            )
        except Exception as error:  # noqa: BLE001 - the table is away
            _count(this, type(error).__name__)
            return None
        this.told.append((voids, answer))
        _count(this, f"told {answer['verdict']}")
        return answer

    def _land(self) -> None:
        late = self._round.late_write()
        if late is not None:
            try:
                late()
                _count(self._round, "a late write has come first")
            except Conflict:
                _count(self._round, "a late write has come too late")

    def run(self) -> None:
        """Play the round."""
        this = self._round
        tasks: list[Callable[[], object]] = [
            lambda: self.deliver("one"), self.settle, this.let_time_pass, self._land,
        ]  # fmt: skip
        if this.chance() < 0.5:
            tasks.append(lambda: self.deliver("two"))
        if this.chance() < 0.5:
            tasks.append(self.settle)
        tasks.sort(key=lambda _: this.chance())
        for done in [self._pool.submit(task) for task in tasks]:
            done.result()
        this.let_time_pass()
        self._land()
        voids = 0
        for number in range(2):  # a caller who is told that nothing has run calls again
            answer = self.settle(voids)
            if answer is not None and answer["verdict"] == "not_run":
                voids = answer["voids"]
                self.deliver(f"again {number}", voids)
        this.fails = False
        this.clock.advance(2 * LEASE)
        self.settle(voids)
        while this.late:
            self._land()
        for knew in range(voids + 1):
            self.deliver(f"late {knew}", knew)
        self.settle(voids)


async def _enter(lock: Lock) -> None:
    """Take a lock that threads share, and let other tasks go on meanwhile."""
    while not lock.acquire(blocking=False):  # noqa: ASYNC110 - an event of a loop is for tasks
        await asyncio.sleep(0)


class Tasks:
    """A round whose deliveries and settlers are tasks of one loop."""

    def __init__(self, round_: Round, client: AsyncClient) -> None:
        self._round, self._client = round_, client

    def _function(self, label: str, voids: int, *, dies: bool) -> Any:
        this = self._round

        @this.guard(FaultyAsync(this, self._client, dies=dies))  # type: ignore[untyped-decorator]
        async def charge(order: str, _context: Context) -> str:
            if this.fails and this.chance() < 0.1:
                raise ValueError
            await _enter(this.within)
            try:
                await effect_async()
                return this.charge(label, voids)
            finally:
                this.within.release()

        return charge

    async def deliver(self, label: str, voids: int = 0) -> None:
        """Deliver the call once."""
        this = self._round
        try:
            charge = self._function(label, voids, dies=True)
            this.results.append(await charge(this.key, this.context(voids)))
        except (Exception, Killed) as error:  # noqa: BLE001 - whatever it is, it may be repeated
            _count(this, type(error).__name__)

    async def settle(self, voids: int = 0) -> dict[str, Any] | None:
        """Settle the key."""
        this = self._round
        charge = self._function("nobody", voids, dies=False)
        try:
            answer: dict[str, Any] = await getattr(charge, IDEMPOTENCY).settle(
                1.0, (this.key,), this.context(voids)
            )
        except Exception as error:  # noqa: BLE001 - the table is away
            _count(this, type(error).__name__)
            return None
        this.told.append((voids, answer))
        _count(this, f"told {answer['verdict']}")
        return answer

    async def pass_time(self) -> None:
        """Let the lease end at any moment but between mark and effect."""
        await asyncio.sleep(0)
        await _enter(self._round.within)
        if self._round.chance() < 0.6:
            self._round.clock.advance(LEASE + 1)
        self._round.within.release()

    async def _land(self) -> None:
        await asyncio.sleep(0)
        late = self._round.late_write()
        if late is not None:
            try:
                await late()
                _count(self._round, "a late write has come first")
            except Conflict:
                _count(self._round, "a late write has come too late")

    async def run(self) -> None:
        """Play the round."""
        this = self._round
        tasks: list[Awaitable[Any]] = [
            self.deliver("one"), self.settle(), self.pass_time(), self._land(),
        ]  # fmt: skip
        if this.chance() < 0.5:
            tasks.append(self.deliver("two"))
        if this.chance() < 0.5:
            tasks.append(self.settle())
        tasks.sort(key=lambda _: this.chance())
        await asyncio.gather(*tasks)
        await self.pass_time()
        await self._land()
        voids = 0
        for number in range(2):
            answer = await self.settle(voids)
            if answer is not None and answer["verdict"] == "not_run":
                voids = answer["voids"]
                await self.deliver(f"again {number}", voids)
        this.fails = False
        this.clock.advance(2 * LEASE)
        await self.settle(voids)
        while this.late:
            await self._land()
        for knew in range(voids + 1):
            await self.deliver(f"late {knew}", knew)
        await self.settle(voids)


def play(open_driver: OpenDriver, rounds: int, seed: int) -> Counter[str]:
    """Play rounds over one store, half of them with threads, half with tasks."""
    counts: Counter[str] = Counter()
    halves = rounds - rounds // 2, rounds // 2

    def note(round_: Round) -> None:
        counts.update(round_.counts)
        counts["rounds"] += 1
        counts["answers lost"] += sum(round_.counts[what] for what in LOST)
        counts["effects"] += len(round_.effects)
        for flaw in round_.flaws():
            counts[f"WRONG: {flaw} ({round_.key})"] += 1

    with (
        Client(open_driver()) as client,
        ThreadPoolExecutor(AT_ONCE) as outer,
        ThreadPoolExecutor(5 * AT_ONCE) as inner,
    ):

        def in_threads(number: int) -> Round:
            round_ = Round(f"t{seed}-{number}", Random(f"{seed}/t/{number}"))
            Threads(round_, client, inner).run()
            return round_

        for done in outer.map(in_threads, range(halves[0])):
            note(done)

    async def in_tasks() -> None:
        async with AsyncClient(open_driver()) as client:
            for first in range(0, halves[1], AT_ONCE):
                numbers = range(first, min(first + AT_ONCE, halves[1]))
                made = [Round(f"a{seed}-{n}", Random(f"{seed}/a/{n}")) for n in numbers]
                await asyncio.gather(*(Tasks(each, client).run() for each in made))
                for each in made:
                    note(each)

    asyncio.run(in_tasks())
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.app.settle_sim.stores", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000, help="of each store (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides the faults (%(default)s)")
    parser.add_argument("--store", choices=STORES, action="append", help="all by default")
    options = parser.parse_args(arguments)
    logging.disable()
    wrong = 0
    for name in options.store or STORES:
        began = perf_counter()
        with STORES[name]() as open_driver:
            counts = play(open_driver, options.rounds, options.seed)
        flaws = {what: n for what, n in counts.items() if what.startswith("WRONG")}
        print(f"{name}: {perf_counter() - began:.0f} s")
        for what, number in sorted(counts.items()):
            print(f"  {what:60} {number:>10,}")
        print(f"  {'wrong':60} {sum(flaws.values()):>10,}", flush=True)
        wrong += sum(flaws.values())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

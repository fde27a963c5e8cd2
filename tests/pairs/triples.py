"""Try random triples of features; exit with 1 at a double, a false word, or a loss.

python -m tests.pairs.triples [--triples N] [--seed N] [--place PLACE] [--only FEATURE ...]

In each, one call is made in a world of its own: some features change its handler, some its client,
some befall it, and some come afterwards. A ledger outside counts its effect. Then

* an effect that has to take place once has not taken place twice,
* whoever was told "it did not run" finds no effect, whatever arrives late,
* whoever was told "it ran" finds one,
* what was accepted has been done, was given up as a letter, or waits for a person.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Final

from leeward.testing import Fault
from tests.pairs.features import FEATURES, all_of, combine
from tests.pairs.places import Files, Place, Schemas
from tests.pairs.worlds import Loud, Plan, World
from tests.postgres.server import Server

RAM = Path("/dev/shm")


def play(plan: Plan, place: Place) -> list[str]:
    """Play a plan in an empty place; return what was wrong."""
    logger, loud = logging.getLogger("leeward"), Loud()
    world = World(plan, place)
    if plan.loud:
        logger.addHandler(loud)
    try:
        _act(world)
        return _judge(world)
    finally:
        logger.removeHandler(loud)
        world.close()


def _act(world: World) -> None:
    plan = world.plan
    if plan.fault is not None:
        verb = {"message": "enqueue", "event": "publish"}.get(plan.kind, "invoke")
        world.drivers[0].fail(plan.fault, times=None if plan.spool else 1, verb=verb)
    if plan.isolated:
        world.client.isolate(world.drivers[0].target)
    world.call(world.client)
    if plan.approval and plan.change != "undecorated":
        world.approve()
        world.call(world.client)
    if plan.change or plan.turned or plan.ahead:
        world.redeploy()
    if plan.settles and (world.error is not None or plan.settles == "key"):
        world.settle(world.later)
    if plan.late:
        world.deliver_late()
    if plan.repeats:
        world.call(world.later)
    world.rest()
    if plan.redrives:
        world.redrive()
        world.rest()


def _judge(world: World) -> list[str]:
    plan, words = world.plan, world.words or [""]
    # First, because what waits may be done meanwhile.
    is_kept = "accepted" in words and world.is_given_up()
    count, wrong = world.ledger.effects["outer"], []
    if _is_once(plan) and count > 1:
        wrong.append(f"{count} effects")
    if world.ledger.effects["inner"] > 1:
        wrong.append("the inner effect twice")
    if words[-1] == "no" and count > world.before:
        wrong.append("told that it did not run")
    if words[-1] == "yes" and not count:
        wrong.append("told that it ran")
    if world.ledger.effects["mail"] > 1 and plan.guard and not plan.reruns:
        wrong.append("the other app's effect twice")
    if plan.resident and world.has_strayed():
        wrong.append("out of its residency")
    is_owed = "accepted" in words and not (plan.raises or plan.approval or world.is_cancelled)
    if is_owed and not count and not is_kept:
        wrong.append("lost")
    return [f"{each}: {' '.join(words)}" for each in wrong]


def _is_once(plan: Plan) -> bool:
    """Return whether the effect has to take place at most once, as the pages promise."""
    if plan.reruns or plan.change in UNKNOWN_BEFORE:
        return False
    if plan.kind == "event" and not plan.guard:  # published again under its id
        return plan.fault not in (Fault.LOSE_ANSWER, Fault.LOSE_REQUEST) and not plan.redrives
    if plan.redrives and not plan.guard:  # who redrives by force takes it upon himself
        return not plan.raises
    return bool(plan.guard) or plan.kind != "keyed"


UNKNOWN_BEFORE: Final = ("undecorated", "table", "principal")
"""Changes after which a repeat may run again: what the version before knew is elsewhere."""


def try_some(
    seed: int, count: int, only: Sequence[str] = (), url: str | None = None
) -> tuple[int, Counter[str]]:
    """Try so many random triples, at a server if there is one; return how many, and what failed."""
    random, found = Random(seed), Counter[str]()
    triples = [names for names in all_of(3) if set(only) <= set(names)]
    for _ in range(count):
        names = random.choice(triples)
        plan = combine(names)
        assert isinstance(plan, Plan)
        with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as name:
            folder = Path(name)
            folder.chmod(0o700)
            try:
                wrong = play(plan, Files(folder) if url is None else Schemas(url, folder))
            except Exception as error:  # noqa: BLE001 - what a world does not expect is a finding
                wrong = [f"{type(error).__name__}: {error}"[:200]]
        found.update(f"{', '.join(names)}: {each}" for each in wrong)
    return count, found


@contextmanager
def _server(place: str) -> Iterator[str | None]:
    """Start a server if the place is PostgreSQL; give its address."""
    if place == "local":
        yield None
        return
    if RAM.is_dir():  # else each triple would wait for a disk
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(RAM))
    server = Server(max_connections="200")
    try:
        yield server.url
    finally:
        server.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.pairs.triples", description=__doc__)
    parser.add_argument("--triples", type=int, default=2_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides which (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--place", choices=("local", "postgres"), default="local", help="of rows")
    parser.add_argument("--only", nargs="*", default=(), choices=FEATURES, help="that are in each")
    options = parser.parse_args(arguments)
    began, chunk = perf_counter(), max(1, min(500, options.triples // options.workers))
    jobs = range(0, options.triples, chunk)
    with (
        _server(options.place) as url,
        ProcessPoolExecutor(
            options.workers, get_context("spawn"), initializer=logging.disable
        ) as pool,
    ):
        done = [
            pool.submit(try_some, options.seed * 1_000_003 + n, chunk, options.only, url)
            for n in jobs
        ]
        results = [each.result() for each in done]
    tried, wrong = sum(count for count, _ in results), Counter[str]()
    for _, found in results:
        wrong.update(found)
    for each, count in wrong.most_common(60):
        print(f"{count:>6} {each}")
    print(
        f"{options.place}: {tried:,} triples of {len(FEATURES)} features "
        f"({len(all_of(3)):,} can meet): {sum(wrong.values())} wrong; "
        f"{perf_counter() - began:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

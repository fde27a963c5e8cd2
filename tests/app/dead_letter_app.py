"""The app of the proofs of dead letters, and what is counted of it.

Of its messages a tenth fails once, a hundredth always, a hundredth for good at once, and one kills
the process the first time.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from leeward.adapter import Driver
from leeward.calls import QueueMessage
from leeward.cli.dead_letters import MoveOptions, QueueLetters, redrive
from leeward.views.letters import Moved

RETRIES = 2

SMALL = 200
"""Messages in the suite; ``LEEWARD_MESSAGES=1000`` in the environment makes it the full number."""

APP = """
import os
import sqlite3
import threading

from leeward import App, Context
from leeward.app import Problem

app = App("shop")
own = threading.local()


def memory():
    if not hasattr(own, "opened"):
        own.opened = sqlite3.connect(os.environ["MEMORY"], isolation_level=None, timeout=30)
        own.opened.execute("CREATE TABLE IF NOT EXISTS begun (n INTEGER, done INTEGER)")
    return own.opened


@app.on_message("parcels", retries=2)
def send(parcel: dict, context: Context) -> None:
    n = parcel["n"]
    (times,) = memory().execute("SELECT count(*) FROM begun WHERE n = ?", (n,)).fetchone()
    memory().execute("INSERT INTO begun VALUES (?, 0)", (n,))
    if n == int(os.environ["KILLER"]) and times == 0:
        os.kill(os.getpid(), 9)
    if n % 100 == 1 and "MENDED" not in os.environ:
        raise Problem("never", reason="broken")
    if n % 100 == 51 and "MENDED" not in os.environ:
        raise TimeoutError("never")
    if n % 10 == 2 and times == 0:
        raise ConnectionError("not now")
    memory().execute("INSERT INTO begun VALUES (?, 1)", (n,))
"""


class Handled(NamedTuple):
    """What the app has noted: what it has done, and how often it has begun."""

    done: set[int]
    tries: dict[int, int]


def count() -> int:
    """Return how many messages there are."""
    return int(os.environ.get("LEEWARD_MESSAGES", SMALL))


def broken(messages: int) -> dict[int, str]:
    """Return the messages that are given up, each with its reason."""
    reasons = {1: "broken", 51: "attempts"}
    return {n: reasons[n % 100] for n in range(messages) if n % 100 in reasons}


def all_of(driver: Driver, queue: str) -> list[QueueMessage]:
    """Return the dead letters of a queue, which stay there."""
    return [each.held for each in QueueLetters(driver, queue, ()).each()]


def moved_back(driver: Driver, queue: str) -> int:
    """Move all dead letters of a queue back to where they came from; return how many."""
    letters = QueueLetters(driver, queue, ("parcels",))

    def by_itself(wish: MoveOptions) -> Moved:
        def never(_: object) -> bool:
            return False

        return redrive(letters, wish, 0.0, agree=never, sleep=never, progress=never)

    untouched = by_itself(MoveOptions())
    assert untouched.moved == 0  # each may have run
    done = by_itself(MoveOptions(force=True))
    assert (done.moved, done.left) == (len(untouched.left), ())
    return done.moved


def handled(memory: Path) -> Handled:
    """Read what the app has noted."""
    with closing(sqlite3.connect(memory)) as opened:
        done = {n for (n,) in opened.execute("SELECT n FROM begun WHERE done = 1")}
        tries = dict(opened.execute("SELECT n, count(*) FROM begun WHERE done = 0 GROUP BY n"))
    return Handled(done, tries)

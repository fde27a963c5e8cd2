"""Dead letters of this process: what is told of them, and nothing lost when it is killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from leeward import App, Client
from leeward.app import Problem
from leeward.leases.rules import Room
from leeward.local import Local
from leeward.stores import NewRow, Recipient
from tests.app import dead_letter_app as proof
from tests.local.calls import PATIENT

RUN = """
import sys
from leeward import Client
from leeward.leases.rules import Room
from leeward.local import Local
from parcels import app

local = Local(path=sys.argv[1])
with Client(local, app=app) as cloud:
    for n in range(int(sys.argv[2])):
        cloud.enqueue("parcels", {"n": n})
    local.wait_idle(100)
"""


def test_a_dead_letter_says_why_and_whether_it_ran() -> None:
    """On proof alone: an input that does not fit has not run, whatever else raises may have."""
    app = App("shop")

    @app.on_message("numbers", retries=1)
    def take(number: int) -> None:
        if number == 1:
            raise Problem("no", reason="broken")
        raise ConnectionError

    local = Local()
    with Client(local, app=app) as cloud:
        for payload in ("text", 1, 2):
            cloud.enqueue("numbers", payload)
        local.wait_idle(PATIENT)
        letters = {each.document: each for each in local.dead_letters()}
    told = {text: (each.error, each.reason, each.ran) for text, each in letters.items()}
    assert told == {
        '"text"': ("InvalidInput", "bad_input", "no"),
        "1": ("Problem", "broken", "maybe"),
        "2": ("ConnectionError", None, "maybe"),
    }
    assert {text: each.attempts for text, each in letters.items()} == {'"text"': 1, "1": 1, "2": 2}
    assert all(each.time for each in letters.values())


def test_after_an_attempt_that_ended_without_a_word_nothing_is_proved() -> None:
    """Though its row may not count it: the process was killed before it was written down."""
    app, numbers = App("shop"), Recipient("", "numbers")

    @app.on_message("numbers")
    def take(number: int) -> None: ...

    local = Local()
    with Client(local, app=app):
        local._deliveries.add([NewRow(numbers, None, "k", '"text"')], 5)
        lost = local._deliveries.take([numbers], lambda: 1.0, Room(1, 1, places=0)).rows
        local.wait_idle(PATIENT)
        (letter,) = local.dead_letters()
    assert [each.is_counted for each in lost] == [False]
    assert (letter.error, letter.ran) == ("InvalidInput", "maybe")


def test_what_never_works_is_given_up_with_its_reason_and_nothing_is_lost(tmp_path: Path) -> None:
    """A tenth fails once, a fiftieth for good, and one message kills the process; then redrive."""
    messages = proof.count()
    memory, path = tmp_path / "memory", tmp_path / "data" / "local.sqlite3"
    (tmp_path / "parcels.py").write_text(proof.APP, encoding="utf-8")
    path.parent.mkdir(mode=0o700)

    def run(more: int, **environment: str) -> int:
        own = {"MEMORY": str(memory), "KILLER": str(messages // 2), **environment}
        command = [sys.executable, "-c", RUN, str(path), str(more)]
        found = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **own}, check=False, capture_output=True
        )
        return found.returncode

    # What was not queued before the process died is the caller's to queue again.
    assert run(messages) == -signal.SIGKILL
    queued, leased = _read_rows(memory, path)
    broken = proof.broken(messages)
    assert run(0) == 0
    done, tries = proof.handled(memory)
    with closing(Local(path=path)) as local:
        letters = local.dead_letters()
        dead = {int(each.document.partition(":")[2].strip(" }")): each for each in letters}
        assert done | set(dead) >= queued
        assert set(dead) == {n for n in queued if n in broken}
        for n, each in dead.items():
            assert each.error == ("Problem" if broken[n] == "broken" else "TimeoutError")
            assert each.ran == "maybe"
            # An attempt that has begun is counted with the next batch, which a kill prevents.
            assert tries[n] - (n in leased) <= each.attempts <= proof.RETRIES + 2
        assert all(local.redrive(each) for each in letters)
    assert run(0, MENDED="1") == 0
    with closing(Local(path=path)) as local:
        assert local.dead_letters() == ()
    assert proof.handled(memory).done >= queued


def _read_rows(memory: Path, path: Path) -> tuple[set[int], set[int]]:
    """Return the messages that were queued or handled when the process died, and those leased.

    The leases of that process are over then: nobody waits for it.
    """
    select = "SELECT json_extract(document, '$.n'), lease IS NOT NULL FROM deliveries"
    with closing(sqlite3.connect(path)) as opened, opened:
        rows = dict(opened.execute(select).fetchall())
        opened.execute("UPDATE deliveries SET due = 1 WHERE lease IS NOT NULL")
    leased = {n for n, is_leased in rows.items() if is_leased}
    return {*rows} | proof.handled(memory).done, leased

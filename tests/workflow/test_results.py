"""Large results are kept once, by themselves, and come back whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from leeward import Client
from leeward.local import Local
from leeward.testing import FakeClock
from leeward.values import InvokeResult
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.commands import Returned, StepCall
from leeward.workflow.embedded.driving import Drive, RunServices
from leeward.workflow.embedded.journal import Finished
from leeward.workflow.embedded.sqlite_journal import LARGE as CHARACTERS
from leeward.workflow.embedded.sqlite_journal import SqliteJournal, move_large_answers
from leeward.workflow.kernel import Machine
from tests.workflow.test_driving import World

LARGE_TEXT = "x\u00fc" * CHARACTERS
LARGE = Returned(LARGE_TEXT)


@workflow("copying")
def copying(w: Flow, order: Ref) -> None:
    read = w.step("read", order, effect="read_only")
    w.step("write", {"text": read}, effect="idempotent")
    w.stop(read)


def _rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_a_large_result_is_kept_once(tmp_path: Path) -> None:
    """Whether a step or the run has it; a small one stays with its row. Others read both."""
    tmp_path.chmod(0o700)
    path = tmp_path / "shop.sqlite3"
    seen: list[Any] = []
    local = Local(path=path)
    local.function("read")(lambda payload: LARGE_TEXT if payload else "small")
    local.function("write")(seen.append)
    with Client(local, workflows=[copying]) as client:
        for id, value in (("one", 1), ("two", 2), ("small", 0)):
            client.start_workflow("copying", value, id=id)
            client.wait_for_run("copying", id, timeout=60)
    assert [len(each["text"]) for each in seen] == [len(LARGE_TEXT)] * 2 + [5]
    journal = tmp_path / "shop.workflows.sqlite3"
    ((text,),) = _rows(journal, "SELECT text FROM results")
    assert len(text) > len(LARGE_TEXT)
    (longest,) = _rows(journal, "SELECT max(length(answer)) FROM events")[0]
    assert longest < CHARACTERS
    with Client(Local(path=path), workflows=[copying]) as client:
        assert [run.result for run in client.list_runs()] == ["small", LARGE_TEXT, LARGE_TEXT]
        assert client.wait_for_run("copying", "one").result == LARGE_TEXT


def test_a_run_goes_on_with_a_large_result_of_a_process_that_is_gone() -> None:
    """It is read from where it is kept, and the step is not called again."""
    journal = SqliteJournal(None)
    row, _ = journal.add(copying, "r", 1, 0.0, 30.0)
    machine = Machine(copying, "r", 1)
    (command,) = machine.open.values()
    journal.advance(row.key, row.fence, 0.0, [Finished(command, 0.0, LARGE, 1.0)], [])
    assert journal.events(row.key)[command.path, 1].answer == LARGE
    (taken,) = journal.take(["copying"], 40.0, 30.0, 1)
    calls: list[Any] = []

    class Noting(World):
        def invoke(self, call: StepCall) -> InvokeResult:
            calls.append((call.function, call.payload))
            return InvokeResult(None, "local", "key")

    Drive(RunServices(journal, Noting(), FakeClock(40.0)), taken, copying).run()
    found = journal.find(row.key)
    assert found is not None
    assert found.answer == LARGE
    assert calls == [("write", {"text": LARGE_TEXT})]
    journal.close()


def test_a_run_alone_may_have_a_large_result() -> None:
    """Without a step that has the same."""
    journal = SqliteJournal(None)
    row, _ = journal.add(copying, "n", 1, 0.0, 60.0)
    assert journal.finish(row.key, row.fence, 1.0, [], LARGE)
    found = journal.find(row.key)
    assert found is not None
    assert found.answer == LARGE
    journal.close()


def test_only_what_is_large_goes_by_reference() -> None:
    """To the character; nothing stays as it is."""
    rows, results = move_large_answers(
        [("a", None), ("b", "x" * (CHARACTERS - 1)), ("c", "x" * CHARACTERS)]
    )
    assert [row[:1] + tuple(bool(each) for each in row[1:]) for row in rows] == [
        ("a", False, False),
        ("b", True, False),
        ("c", False, True),
    ]
    assert [text for _, text in results] == ["x" * CHARACTERS]

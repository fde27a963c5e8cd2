"""Versions of an app beside each other: each drives only the runs whose functions it can call."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from leeward import Client, ConfigError
from leeward.app import App
from leeward.local import Local
from leeward.values.runs import RunState
from leeward.worker import Worker
from leeward.workflow import Flow, Ref
from leeward.workflow.embedded.journal import RunKey, RunRow
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from tests.worker.rows import RowTarget

SECONDS: Final = 30.0


def _app(step: str, done: list[tuple[str, Any]], *, wait: int = 0) -> App:
    """Return a version of an app whose flow has a step of its own."""
    app = App("shop")

    @app.function(name=step, effect="idempotent")
    def own(order: Any) -> Any:
        done.append((step, order))
        return order

    @app.function(name="undo", effect="idempotent")
    def undo(order: Any) -> None:
        done.append(("undo", order))

    @app.workflow("ship")
    def ship(w: Flow, order: Ref) -> None:
        with w.saga("all"):
            w.step("undo", order, id="first", undo="undo")
            if wait:
                w.wait(wait)
            w.step(step, order)

    return app


def _file(folder: Path) -> Path:
    folder.chmod(0o700)
    return folder / "shop.sqlite3"


@pytest.mark.parametrize("is_worker", [False, True], ids=["client", "worker"])
def test_a_run_is_left_to_a_version_that_can_call_its_functions(
    tmp_path: Path, *, is_worker: bool
) -> None:
    """What `leeward.toml` still names counts for nothing, and nobody is refunded."""
    path, done, other = _file(tmp_path), [], []  # type: ignore[var-annotated]
    toml = tmp_path / "leeward.toml"
    toml.write_text('cloud_provider = "local"\n[functions.pack]\neffect = "idempotent"\n')
    new = _app("label", other)
    with Client(Local(path=path), app=_app("pack", done, wait=1), config=toml) as old:
        for number in range(20):
            old.start_workflow("ship", number, id=f"r{number}")
        second: Any = (
            Worker(new, RowTarget(Local(path=path)), config=toml)
            if is_worker
            else Client(Local(path=path), app=new, config=toml)
        )
        with second:
            if not is_worker:
                second.resume_runs()
            runs = [old.wait_for_run("ship", f"r{n}", timeout=SECONDS) for n in range(20)]
    assert Counter(run.state for run in runs) == {RunState.SUCCEEDED: 20}
    assert Counter(step for step, _ in done)["pack"] == 20
    assert "label" not in {step for step, _ in other}


def test_a_process_without_the_functions_leaves_the_runs_that_it_starts(tmp_path: Path) -> None:
    """A worker drives them; who waits in vain hears which function nobody here can call."""
    path, done = _file(tmp_path), []  # type: ignore[var-annotated]
    app = _app("pack", done)
    with Client(Local(path=path), workflows=app.workflows) as web:
        web.start_workflow("ship", 1, id="r")
        with pytest.raises(TimeoutError, match="pack, undo cannot be called here"):
            web.wait_for_run("ship", "r", timeout=0.1)
        with Client(Local(path=path), app=app) as worker:
            worker.resume_runs()
            assert web.wait_for_run("ship", "r", timeout=SECONDS).result is None
    assert [step for step, _ in done] == ["undo", "pack"]


def test_in_memory_a_missing_function_ends_the_run() -> None:
    """Nobody else could drive it: so it does not wait for anybody."""
    with Client(Local(), workflows=_app("pack", []).workflows) as client:
        client.start_workflow("ship", 1, id="r")
        assert client.wait_for_run("ship", "r", timeout=SECONDS).error == "Call.Refused"


def test_a_function_that_comes_later_is_noticed(tmp_path: Path) -> None:
    """What was left is looked at again: the registry may change at any time."""
    local, app = Local(path=_file(tmp_path)), _app("pack", [])
    with Client(local, workflows=app.workflows) as client:
        client.start_workflow("ship", 1, id="r")
        with pytest.raises(TimeoutError):
            client.wait_for_run("ship", "r", timeout=0.05)
        for name in ("pack", "undo"):
            local.function(name)(lambda _: None)
        assert client.wait_for_run("ship", "r", timeout=SECONDS).state is RunState.SUCCEEDED


def test_what_is_callable_counts_and_not_what_is_named(tmp_path: Path) -> None:
    """A worker refuses a flow of its own that nobody there could call, whatever toml names."""
    toml = tmp_path / "leeward.toml"
    toml.write_text(
        '[functions.send]\neffect = "keyed"\n[targets.http.functions]\nf = "http://a/f"\n'
    )
    app = App("shop")

    @app.workflow("ship")
    def ship(w: Flow, order: Ref) -> None:
        w.step("send", order)

    with pytest.raises(ConfigError, match="calls send, which is neither"):
        Worker(app, RowTarget(Local(path=_file(tmp_path))), config=toml)


class _Steps:
    """How many steps of SQLite's machine a statement takes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.count = 0
        connection.set_progress_handler(self._step, 1)

    def _step(self) -> int:
        self.count += 1
        return 0


def _left_alone(stranded: int) -> tuple[int, list[RunRow]]:
    """Return the steps of a claim beside so many runs that are left, and what it takes."""
    old, new = _app("pack", []).workflows[0], _app("label", []).workflows[0]
    journal = SqliteJournal(None)
    now = journal.clock.now()
    for number in range(stranded):
        journal.add(old, f"old{number}", None, now, None)
    journal.take(["ship"], now, 30.0, 0, left=[old.digest])
    journal.add(new, "new", None, now + 1, None)
    with journal.database.read(10.0) as connection:
        steps = _Steps(connection)
    taken = journal.take(["ship"], now + 2, 30.0, 8, left=[old.digest])
    assert not journal.holders(["ship"], now + 2, [old.digest])
    assert journal.next_due(["ship"], now - 1, [old.digest]) == now + 32
    steps_made = steps.count
    with journal.database.read(10.0) as connection:
        connection.set_progress_handler(None, 1)
    journal.close()
    return steps_made, taken


def test_a_claim_does_not_read_what_nobody_here_can_run() -> None:
    """Its cost is the same beside 30 of them and beside 3,000."""
    few, _ = _left_alone(30)
    many, taken = _left_alone(3_000)
    assert [row.key for row in taken] == [RunKey("ship", "new")]
    assert many <= few * 1.1


def test_what_nobody_here_can_run_delays_nothing(tmp_path: Path) -> None:
    """600 runs of a version that is gone are claimed once, and never stand before others."""
    path, done = _file(tmp_path), []  # type: ignore[var-annotated]
    gone = _app("pack", []).workflows[0]
    journal = SqliteJournal(path.with_suffix(".workflows.sqlite3"))
    for number in range(600):
        journal.add(gone, f"old{number}", None, journal.clock.now(), None)
    with Client(Local(path=path), app=_app("label", done)) as client:
        client.resume_runs()
        for number in range(100):
            client.start_workflow("ship", number, id=f"new{number}")
        for number in range(100):
            client.wait_for_run("ship", f"new{number}", timeout=SECONDS)
        fences = Counter(
            row.fence == 1 for row in journal.runs("ship", 1000) if row.digest == gone.digest
        )
    assert fences[True] >= 500, fences  # the others were claimed, and left
    journal.close()


def test_a_step_that_waits_for_a_run_holds_no_place(tmp_path: Path) -> None:
    """60 parents, each of which waits in a step for a child: none takes the children's places."""
    app = App("shop")

    @app.function(effect="idempotent")
    def whole(order: Any, context: Any) -> Any:
        context.client.start_workflow("part", order, id=f"part-{order}")
        return context.client.wait_for_run("part", f"part-{order}", timeout=SECONDS).result

    @app.function(effect="idempotent")
    def half(order: Any) -> Any:
        return order

    @app.workflow("parent")
    def parent(w: Flow, order: Ref) -> None:
        w.stop(w.step("whole", order))

    @app.workflow("part")
    def part(w: Flow, order: Ref) -> None:
        w.stop(w.step("half", order))

    with Client(Local(path=_file(tmp_path)), app=app) as client:
        for number in range(60):
            client.start_workflow("parent", number, id=f"p{number}")
        for number in range(60):
            run = client.wait_for_run("parent", f"p{number}", timeout=2 * SECONDS)
            assert run.result == number, run.error

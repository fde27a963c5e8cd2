"""Runs in a file that several programs share: each drives its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from leeward import Client, Conflict
from leeward.config import Config
from leeward.local import Local
from leeward.stores import Owner
from leeward.testing import FakeClock
from leeward.values import Json
from leeward.values.runs import RunState
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward_contract_tests.rows import each_row
from tests.spool.test_owners import KEPT


@workflow("booking")
def booking(w: Flow, order: Ref) -> None:
    """One step, which its caller has to wait for."""
    w.wait("1m")
    w.step("reserve", order)


@workflow("booking")
def soon(w: Flow, order: Ref) -> None:
    """One step, in a moment."""
    w.wait("1s")
    w.step("reserve", order)


def _journal(path: Path, clock: FakeClock, owner: Owner | None = None) -> SqliteJournal:
    journal = SqliteJournal(path, clock)
    journal.owner = owner or journal.owner
    return journal


@each_row("kept", KEPT)
def test_a_run_is_driven_by_its_owner(
    kept: tuple[Owner, bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Who may take what a spool keeps, may drive a run; and add one of its id again."""
    (owner, may_take), clock = kept, FakeClock()
    path = tmp_path_factory.mktemp("runs") / "runs.sqlite3"
    with (
        closing(_journal(path, clock, owner)) as theirs,
        closing(_journal(path, clock, Owner("shop", "prod", ("a", "b")))) as own,
    ):
        now = theirs.clock.now()
        theirs.add(booking, "1", {}, now, None)
        assert (own.next_due(["booking"], now - 9) is not None) is may_take
        if may_take:
            assert not own.add(booking, "1", {}, now, None)[1]
        else:
            with pytest.raises(Conflict, match="'1' of 'booking' that belongs to another program"):
                own.add(booking, "1", {}, now, None)
        assert len(own.take(["booking"], now + 9, 1.0, 9)) == may_take
        assert len(own.holders(["booking"], now + 99)) == may_take
        assert len(theirs.take(["booking"], now + 9, 1.0, 9)) == (not may_take)


def test_programs_without_owners_share_a_file(tmp_path: Path) -> None:
    """They name the columns that they write: their runs are anybody's, and they take any."""
    clock, path = FakeClock(), tmp_path / "runs.sqlite3"
    with closing(_journal(path, clock, Owner("shop"))) as journal:
        now = journal.clock.now()
        journal.add(booking, "1", {}, now, None)
    with closing(sqlite3.connect(path)) as old, old:
        columns = "workflow, id, digest, input, started, state, due, held, fence"
        old.execute(
            f"INSERT INTO runs ({columns}) "
            f"SELECT workflow, '2', digest, input, started, state, due, held, fence FROM runs"
        )
    with closing(_journal(path, clock, Owner("mail", "test", ("c",)))) as journal:
        assert [each.key.id for each in journal.take(["booking"], now + 9, 1.0, 9)] == ["2"]


def test_a_step_is_made_at_the_targets_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of another order, or another stage, in the same folder leaves the run alone."""
    monkeypatch.chdir(tmp_path)
    called: list[str] = []

    def opened(target: str, stage: str | None = None) -> Client:
        cloud = Local(target)

        @cloud.function("reserve")
        def reserve(order: Json) -> None:
            called.append(f"{target} {stage}")

        deploy = {} if stage is None else {"stage": stage}
        config = Config(workflow_target="local", data_target=target, deploy=deploy)
        return Client(cloud, config=config, workflows=[soon])

    with opened("local:alpha", "prod") as alpha:
        alpha.start_workflow("booking", {}, id="1")
    for others in (opened("local:beta", "prod"), opened("local:alpha", "test")):
        with others:
            others.resume_runs()
            with pytest.raises(TimeoutError):
                others.wait_for_run("booking", "1", timeout=2.0)
    assert called == []
    with opened("local:alpha", "prod") as alpha:
        alpha.resume_runs()
        assert alpha.wait_for_run("booking", "1", timeout=30).state is RunState.SUCCEEDED
    assert called == ["local:alpha prod"]

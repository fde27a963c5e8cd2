"""The page on idempotency: its code runs, its arguments are those of the code, its advice helps."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from leeward import Client
from leeward.app import idempotent
from leeward.app.idempotency.record import KeyState, Reason
from leeward.local import Local
from tests.docs.test_pages import DOCS, blocks, table

PAGE = DOCS / "idempotency.md"


def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first program pays once; the others can be declared as they stand."""
    monkeypatch.chdir(tmp_path)
    first, *others = blocks(PAGE, "python")
    program: dict[str, Any] = {"__name__": "shop"}
    exec(compile(first, "idempotency.md", "exec"), program)
    with Client(Local(), app=program["app"]) as cloud:
        for _ in range(2):
            found = cloud.invoke("take-payment", {"id": "42"}).value
            assert found == {"paid": "42", "by": "take-payment"}
        assert cloud.load_data("keys", "shop/take-payment:42") is not None
    for code in others:
        exec(compile(code, "idempotency.md", "exec"), {"idempotent": idempotent})


def test_its_arguments_are_those_of_the_code() -> None:
    """All but the table, which the text names, and the clock of tests."""
    listed = {row[0] for row in table("idempotency.md", "argument |")}
    assert listed | {"table", "clock"} == {*inspect.signature(idempotent).parameters}


def test_it_says_what_a_repeat_gets_for_every_state_and_reason() -> None:
    """Whatever a record may say, and every reason for a refusal."""
    rows = table("idempotency.md", "the record says |")
    states = {KeyState.IN_PROGRESS: "running"}
    assert {states.get(each, each.value) for each in KeyState} <= {row[0] for row in rows}
    told = " ".join(row[1] for row in rows)
    assert all(each.value in told for each in Reason if each is not Reason.MISMATCH)

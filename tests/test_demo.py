"""`make demo TARGET=...` shows who served what, and why."""

from __future__ import annotations

import pytest

from tests.demo.__main__ import main

WIDTH = 80
"""Columns: what a terminal has unless somebody makes it wider."""


def test_the_two_demos_have_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Over embedded targets too, and what it waits for is told apart from the result."""
    assert main("local,local") == 0
    told = capsys.readouterr()
    assert told.err == "starting local, local\n"
    header = next(line for line in told.out.splitlines() if line.startswith("WHAT"))
    assert header.split() == ["WHAT", "TRIED", "TOLD"]
    assert max(map(len, told.out.splitlines())) <= WIDTH


def test_a_cloud_that_cannot_be_started_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The message says which there are."""
    assert main("ibm") == 2
    assert "aws, azure, google, local" in capsys.readouterr().err

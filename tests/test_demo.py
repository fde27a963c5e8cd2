"""`make demo TARGET=...` shows who served what, and why."""

from __future__ import annotations

import re

import pytest

from tests.demo.__main__ import main

WIDTH = 80
"""Columns: what a terminal has unless somebody makes it wider."""


@pytest.mark.vendors
def test_the_demo_over_three_clouds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cloud goes dark, then the second, and the third serves what is proved not to have run."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    assert main("aws,azure,google") == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[1:4] == ["A  aws:us-east-1", "B  azure:one", "C  google:us-central1"]
    assert max(map(len, lines)) <= WIDTH
    scenes = {
        scene.splitlines()[0]: [re.split(r"  +", line.strip()) for line in scene.splitlines()[1:]]
        for scene in out.split("\n- ")[1:]
    }
    assert ["invoke, unsafe", "A ambiguous", "OutcomeUnknown"] in scenes[
        "aws:us-east-1 loses answers:"
    ]
    first, second = scenes["aws:us-east-1 is cut off:"], scenes["azure:one is cut off:"]
    assert ["invoke", "A not sent, B ok", "answered"] in first
    assert ["invoke", "A not sent, B not sent, C ok", "answered"] in second
    for scene in (first, second):
        assert ["load it", "A not sent x2", "HomeUnavailable"] in scene


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

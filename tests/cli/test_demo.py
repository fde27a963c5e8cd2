from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Leeward


def test_the_demo_tells_who_served_what(leeward: Leeward) -> None:
    """Each step names the target, the attempts and what the caller was told."""
    steps = json.loads(leeward("demo", "--json").out)["steps"]
    told = [
        (
            step["served_by"],
            [f"{each['target']} {each['outcome']}" for each in step["attempts"]],
            step["outcome"],
        )
        for step in steps
    ]
    down = ["local:a not_sent", "local:a not_sent", "local:b ok"]
    assert told == [
        ("local:a", ["local:a ok"], "committed"),
        ("local:a", ["local:a ok"], "published"),
        ("local:a", [], "heard of 42"),
        ("local:a", ["local:a ok"], "receipt 42 sent"),
        ("local:b", down, "receipt 42 sent"),
        (None, ["local:a ambiguous"], "OutcomeUnknown"),
        (None, [], "charged: done"),
        ("local:b", ["local:a ambiguous", "local:b ok"], "charged"),
    ]


def test_the_demo_shows_the_loop_that_it_warns_of(leeward: Leeward) -> None:
    """What runs beside leeward can be read, without a linter's remarks."""
    out = leeward("demo").out
    assert "    for cloud in clouds:\n        try:\n            return cloud.invoke(" in out
    assert "noqa" not in out
    assert "  leeward     1\n  naive loop  2\n" in out


def test_the_demo_needs_nothing_and_leaves_nothing(
    leeward: Leeward, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the environment nor a file changes it, and it writes none."""
    before = leeward("demo")
    (bare / "leeward.toml").write_text("nonsense = 1\n")
    monkeypatch.setenv("CLOUD_PROVIDER", "nowhere")
    assert leeward("demo") == before
    assert [path.name for path in bare.iterdir()] == ["leeward.toml"]

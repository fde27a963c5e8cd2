"""``leeward isolate`` and ``restore``: what operators say, and where it is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Leeward

CONFIG = """
cloud_provider = "local:a,local:b"
data_target = "local:a"
snapshot = "leeward-health"
"""


@pytest.fixture
def fleet(bare: Path) -> Path:
    """Configure two targets that keep what processes tell each other."""
    (bare / "leeward.toml").write_text(CONFIG)
    bare.chmod(0o700)
    return bare


def test_an_isolation_is_seen_and_ended(fleet: Path, leeward: Leeward) -> None:
    """With who, why and until when; for people and for programs."""
    said = leeward(
        *("isolate", "local:a", "--everywhere", "--why", "it is ill", "--for", "2h", "--by", "ann")
    )
    assert said.code == 0, said.err
    assert said.out.startswith("local:a is isolated until ")
    shown = leeward("targets").out
    assert "isolated everywhere  by ann since" in shown
    assert "it is ill" in shown
    one, two = json.loads(leeward("--json", "targets").out)["targets"]
    assert (one["state"], two["state"]) == ("isolated", "closed")
    assert one["isolation"]["until"] - one["isolation"]["since"] == 7200
    assert leeward("restore", "local:a", "--everywhere").code == 0
    one, _ = json.loads(leeward("--json", "targets").out)["targets"]
    assert (one["state"], one["isolation"]) == ("closed", None)


@pytest.mark.parametrize(
    ("arguments", "flaw"),
    [
        (["local:a", "--why", "x"], "say --everywhere"),
        (["local:c", "--everywhere", "--why", "x"], "no target 'local:c' in the order"),
        (["local:a", "--everywhere", "--why", "x", "--for", "soon"], "--for must be"),
        (["local:a", "--everywhere"], "Missing option '--why'"),
        (["local:a", "--everywhere", "--why", "x", "--by", ""], "say who decides: --by NAME"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_said(
    fleet: Path, leeward: Leeward, arguments: list[str], flaw: str
) -> None:
    """And every process goes on as before."""
    done = leeward("isolate", *arguments)
    assert done.code == 2
    assert flaw in done.err
    assert json.loads(leeward("--json", "targets").out)["targets"][0]["isolation"] is None


def test_without_a_table_there_is_a_remedy(bare: Path, leeward: Leeward) -> None:
    """The table is named in the file."""
    done = leeward("isolate", "local", "--everywhere", "--why", "x")
    assert done.code == 2
    assert 'snapshot = "leeward-health"' in done.err


def test_what_reaches_no_copy_is_not_said(fleet: Path, leeward: Leeward) -> None:
    """The exit code says so."""
    (fleet / ".leeward").mkdir(mode=0o700)
    for name in "ab":
        (fleet / ".leeward" / f"local-{name}.sqlite3").write_text("no database" * 100)
    done = leeward("isolate", "local:a", "--everywhere", "--why", "x")
    assert done.code == 7
    assert "no copy could be written" in done.err

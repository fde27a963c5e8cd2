from __future__ import annotations

import pytest

from tests.simulation import __main__
from tests.simulation.mutants import MUTANTS

CALM = ["--episode", "calm/0", "--calls", "300"]
BUGS = {name: bug for name, bug, _ in MUTANTS}


def test_a_run_without_violations_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    """The status is 0, and the plain table has a line for the scenario and the totals."""
    assert __main__.main(CALM) == 0
    printed = capsys.readouterr().out
    assert "every invariant held" in printed
    assert [line.split()[:2] for line in printed.splitlines()[1:3]] == [
        ["calm", "300"],
        ["all", "300"],
    ]


def test_a_violation_is_described_in_full_and_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever reads it has the seed, the call, the fault schedule, all attempts and effects."""
    BUGS["takes AMBIGUOUS for REJECTED"](monkeypatch)
    arguments = ["--episode", "answers lost/0", "--calls", "1500", "--seed", "4"]
    assert __main__.main(arguments) == 1
    printed = capsys.readouterr().out
    assert 'python -m tests.simulation --seed 4 --calls 1500 --episode "answers lost/0"' in printed
    for part in ("BROKEN", "call ", "fault schedule:", "100 % answer lost", "attempts:"):
        assert part in printed
    assert "fault: answer lost, AMBIGUOUS after" in printed
    assert "what really ran:" in printed

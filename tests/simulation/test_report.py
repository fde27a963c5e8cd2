from __future__ import annotations

import json

import pytest

from tests.simulation import __main__
from tests.simulation.mutants import MUTANTS
from tests.simulation.scenarios import SCENARIOS

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


def test_json_has_what_a_program_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """Seed, speed, trace, and counts for both routers, per scenario and in all."""
    assert __main__.main([*CALM, "--json", "--seed", "9"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["seed"], document["broken"]) == (9, {})
    assert document["calls_per_second"] > 0
    assert document["scenarios"]["calm"]["leeward"]["calls"] == 300
    assert document["totals"]["naive"]["calls"] == 300
    assert document["totals"]["leeward"]["doubles"] == 0


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


def test_calls_are_shared_out_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    """As many calls are made as were asked for, over all scenarios."""
    __main__.main(["--calls", "210", "--json", "--workers", "1"])
    document = json.loads(capsys.readouterr().out)
    assert document["totals"]["leeward"]["calls"] == 210
    assert len(document["scenarios"]) >= len(SCENARIOS) - 5


@pytest.mark.parametrize(
    "arguments", [["--calls", "0"], ["--workers", "-1"], ["--episode", "sunshine/0"]]
)
def test_senseless_options_are_refused(arguments: list[str]) -> None:
    """Nothing runs, so nothing can seem to hold."""
    with pytest.raises(SystemExit) as end:
        __main__.main(arguments)
    assert end.value.code not in (None, 0)

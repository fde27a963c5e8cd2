"""Every interleaving of calls, kills and settlers of a key: no verdict is wrong, and none is owed.

A smoke of `python -m tests.app.settle_sim.exhaustive`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward_contract_tests.rows import each_row
from tests.app.settle_sim import redeploys
from tests.app.settle_sim.exhaustive import main
from tests.app.settle_sim.mutants import MISTAKES, Mistake, made
from tests.app.settle_sim.scenarios import QUICK, full
from tests.app.settle_sim.space import Scenario, Search


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the log be: it is long."""
    with caplog.at_level("CRITICAL"):
        yield


STATES = 6_000
"""What is visited of each scenario here; each mistake shows before. The command visits all."""


def _check(scenario: Scenario) -> None:
    search = Search(scenario)
    search.run(STATES)
    assert search.flaw is None, search.flaw
    assert search.visited > 100


@each_row("scenario", QUICK["late packets"])
def test_a_void_keeps_late_packets_out(scenario: Scenario) -> None:
    """Whoever was told that nothing has run is right for ever, and a new call runs."""
    _check(scenario)


@each_row("change, excused", [("its decorator", True), ("nothing", False), ("its name", True)])
def test_a_redeploy_at_any_step_denies_no_call(change: str, excused: bool) -> None:
    """But where the page says that nobody can know it. These are the first states of each."""
    search = redeploys.Search(redeploys.Redeploy(change, pauses=0))
    search.run(1_000)
    assert search.flaw is None, search.flaw
    assert search.moves > 1_000
    assert excused or not search.excused


@each_row("scenario", QUICK["failures"])
def test_a_failure_is_settled_as_what_it_is(scenario: Scenario) -> None:
    """A run that fails before its effect, after it, or as it was declared."""
    _check(scenario)


@each_row("scenario", QUICK["runs again"])
def test_a_run_that_goes_on_from_another_is_not_mistaken_for_the_first(scenario: Scenario) -> None:
    """What it has not done itself may have been done before."""
    _check(scenario)


@each_row("scenario", QUICK["probes"])
def test_a_probe_counts_when_no_run_can_act_any_more(scenario: Scenario) -> None:
    """And then nothing stays unknown."""
    _check(scenario)


@each_row("scenario", QUICK["age unknown"])
def test_a_call_of_unknown_age_is_settled_by_a_probe_alone(scenario: Scenario) -> None:
    """Its record may have expired."""
    _check(scenario)


@each_row("scenario", QUICK["the table fails"])
def test_no_failure_of_the_table_makes_a_verdict_wrong(scenario: Scenario) -> None:
    """Answers are lost, writes are late, and it is away."""
    _check(scenario)


@each_row("scenario", QUICK["approvals"])
def test_nothing_runs_that_a_person_has_not_approved(scenario: Scenario) -> None:
    """Nor what was refused, however calls, settlers and the person come between each other."""
    _check(scenario)


@each_row("scenario", QUICK["without a record"])
def test_what_may_have_run_without_a_record_is_never_denied(scenario: Scenario) -> None:
    """The table was away, and the function runs then."""
    _check(scenario)


@each_row("mistake", MISTAKES)
def test_every_mistake_is_found(mistake: Mistake) -> None:
    """Some interleaving of its scenario shows it, and the search says which."""
    with made(mistake):
        search = Search(QUICK[mistake.about][mistake.scenario])
        search.run(STATES)
        assert search.flaw is not None


def test_the_command_says_how_much_it_has_visited(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the number of states, and ends with 0."""
    assert main(["--only", "age unknown: no probe", "--workers", "1"]) == 0
    assert "1 scenarios, 226 states" in capsys.readouterr().out
    assert len(dict(full())) > 1_500

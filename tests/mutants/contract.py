"""Faults of the contract itself: a suite that finds less than it says."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

CONTRACTS: Final = "contract_tests/src/leeward_contract_tests/contracts"
TESTS: Final = "tests/contract"
BROKEN: Final = f"{TESTS}/test_broken_drivers.py::test_a_broken_driver_fails_by_name"

MUTANTS: Final = (
    Mutant(
        "runs are not counted",
        f"{CONTRACTS}/observations.py",
        "return answer - self._looks",
        "return 0",
        f"{BROKEN}[RunsWhatItHasRefused]",
    ),
    Mutant(
        "refusals are checked without their cause",
        f"{CONTRACTS}/refusals.py",
        "assert result.cause is not None or result.code",
        "assert result.outcome",
        f"{BROKEN}[LosesTheCause]",
    ),
    Mutant(
        "a test that is left out is not missed",
        f"{CONTRACTS}/base.py",
        "assert replaced == []",
        "assert replaced is not None",
        f"{TESTS}/test_guard.py::test_the_guard_names_what_was_left_out",
    ),
    Mutant(
        "an awaited suite leaves out what its base does by another client",
        f"{CONTRACTS}/coroutines.py",
        "        and THROUGH_CLIENT.isdisjoint(signature(test).parameters)\n",
        "",
        f"{TESTS}/test_guard.py"
        "::test_an_awaited_suite_leaves_to_its_base_what_the_driver_alone_does",
    ),
    Mutant(
        "what is not declared is not tried",
        f"{CONTRACTS}/capabilities.py",
        "                self._check(capability)\n",
        "",
        f"{TESTS}/test_lacking.py::test_a_call_that_is_not_refused_is_found",
    ),
    Mutant(
        "a call that was sent before it was refused passes",
        f"{CONTRACTS}/capabilities.py",
        "        assert self._recorder.calls[before:] == []\n",
        "",
        f"{TESTS}/test_lacking.py::test_a_call_that_was_sent_before_it_was_refused_is_found",
    ),
    Mutant(
        "a late answer is in time",
        f"{CONTRACTS}/failure.py",
        "        assert took < times.latest\n",
        "",
        f"{BROKEN}[IgnoresTheTimeout]",
    ),
    Mutant(
        "a lost read that is claimed as an absent item passes",
        f"{CONTRACTS}/failure.py",
        "        assert result.outcome is Outcome.AMBIGUOUS\n"
        "\n"
        "    @needs(TABLES)\n"
        "    def test_a_lost_store_is_resolved",
        "        assert result.value is None\n"
        "\n"
        "    @needs(TABLES)\n"
        "    def test_a_lost_store_is_resolved",
        f"{BROKEN}[ReportsALostReadAsAbsent]",
    ),
    Mutant(
        "a delivered event may have other extensions",
        f"{CONTRACTS}/publish.py",
        "assert [dict(each.extensions) for each in delivered[:1]] == [extensions]",
        "assert delivered",
        f"{BROKEN}[DropsExtensions]",
    ),
    Mutant(
        "a call and a settler may both win",
        f"{CONTRACTS}/settle.py",
        """assert ("not_run" in verdicts) is (keys.effects[key] == 0), verdicts""",
        """assert verdicts""",
        f"{BROKEN}[WritesWithoutCondition]",
    ),
    Mutant(
        "a question may be run as a call",
        f"{CONTRACTS}/settle.py",
        "assert runs.count() == 0",
        "assert runs.count() >= 0",
        f"{BROKEN}[CallsInsteadOfAsking]",
    ),
    Mutant(
        "what a gateway answers may be proof",
        f"{CONTRACTS}/gateways.py",
        "            result = driver.perform(invoke(COUNT, runs.payload), SECONDS)\n"
        "        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)\n",
        "            driver.perform(invoke(COUNT, runs.payload), SECONDS)\n",
        f"{BROKEN}[TakesA503ForARefusal]",
    ),
    Mutant(
        "an answer in drops may take its time",
        f"{CONTRACTS}/gateways.py",
        "            assert max(pool.map(took, calls)) < times.latest\n",
        "            list(pool.map(took, calls))\n",
        f"{BROKEN}[TimesEachByteAlone]",
    ),
    Mutant(
        "an answer of a function that was cut in half is taken",
        f"{CONTRACTS}/gateways.py",
        """        assert (result.outcome, result.value) == (Outcome.AMBIGUOUS, None)

    @needs(TABLES)
    def test_half_an_item""",
        """        assert result.value is None

    @needs(TABLES)
    def test_half_an_item""",
        f"{BROKEN}[BelievesHalfAJson]",
    ),
)

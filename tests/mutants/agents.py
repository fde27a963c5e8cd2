"""Faults of agents' tools and of keyed requests: which are the same, what becomes of them."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a proof of the last call frees the effects before it",
        "extras/integrations/src/leeward_integrations/once.py _Call.run",
        "run.proved_not_run()",
        "run.effects = 0",
        "tests/integrations/test_once.py::test_a_proof_of_the_last_call_frees_no_other_effect",
    ),
    Mutant(
        "what is written by hand around a cloud's client sends one request",
        "extras/ran/src/leeward_ran/doubts.py _doubt_of_client",
        "library in _ONE_REQUEST and (not _ONE_REQUEST[library].match(frame.place))",
        "False",
        "tests/integrations/test_around.py::"
        "test_only_what_sends_one_request_proves_that_it_did_not_run",
    ),
    Mutant(
        "an exception that says no is believed whatever was called before",
        "extras/ran/src/leeward_ran/__init__.py _evidence_of_library",
        "doubt_by_retries(error, _judge_alone)",
        "'' if said else doubt_by_retries(error, _judge_alone)",
        "tests/integrations/test_around.py::"
        "test_no_word_of_an_exception_hides_what_was_called_before",
    ),
    Mutant(
        "a sequence that was set is rolled back",
        "extras/ran/src/leeward_ran/databases.py",
        "'setval|subscription'",
        "'subscription'",
        "tests/integrations/test_inside.py::test_statements_whose_effect_is_not_rolled_back",
    ),
    Mutant(
        "what a key names happens once in each run",
        "extras/integrations/src/leeward_integrations/once.py _Call.__init__",
        "f'{tool.settings.function}/{name}'",
        "f'{position.run}/{tool.settings.function}/{name}'",
        "tests/integrations/test_once.py::test_what_a_key_names_happens_once_in_any_run",
    ),
    Mutant(
        "two runs share the key of equal calls",
        "extras/integrations/src/leeward_integrations/once.py _Call.__init__",
        "f'{position.run}/{tool.settings.function}/'",
        "f'{tool.settings.function}/'",
        "tests/integrations/test_once.py::"
        "test_equal_calls_of_a_run_are_two_and_a_run_begun_again_has_the_same",
    ),
    Mutant(
        "a call without an answer counts, so that the next one runs",
        "extras/integrations/src/leeward_integrations/once.py _Call.answer",
        "not self._slot.end and self.position.busy.get(self._counted) is self._slot",
        "False",
        "tests/integrations/test_once.py::test_a_coroutine_that_is_cancelled_is_not_repeated",
    ),
    Mutant(
        "every failure proves that nothing ran",
        "extras/integrations/src/leeward_integrations/once.py _Call.run",
        "isinstance(error, self.position.releases) or ran(error) == 'no'",
        "True",
        "tests/integrations/test_once.py::"
        "test_an_unknown_is_not_repeated_until_somebody_settles_it",
    ),
    Mutant(
        "a run ends early because its caller has gone",
        "extras/integrations/src/leeward_integrations/asgi.py _Exchange._receive_again",
        "await self._is_heard.wait()",
        "self.is_passed_on = True",
        "tests/integrations/test_idempotency_key.py::test_a_caller_that_has_gone_ends_no_run",
    ),
    Mutant(
        "a call is tried again that may have run",
        "extras/ran/src/leeward_ran/retries.py did_not_run",
        "ran(error) == 'no'",
        "ran(error) != 'yes'",
        "tests/integrations/test_retries.py::test_tenacity_calls_again_only_what_did_not_run",
    ),
)

"""Faults of agents' tools and of keyed requests: which are the same, what becomes of them."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

TESTS: Final = "tests/integrations/test_once.py"
WEB: Final = "tests/integrations/test_idempotency_key.py"
AROUND: Final = "tests/integrations/test_around.py"
LOST: Final = "tests/integrations/test_lost.py"
DOUBTS: Final = "integrations/src/leeward_integrations/ran/doubts.py"
ONCE: Final = "integrations/src/leeward_integrations/once.py"

MUTANTS: Final = (
    Mutant(
        "a proof of the last call frees the effects before it",
        ONCE,
        "                run.proved_not_run()\n",
        "                run.effects = 0\n",
        f"{TESTS}::test_a_proof_of_the_last_call_frees_no_other_effect",
    ),
    Mutant(
        "a key of powertools is free though a client has had an effect",
        "integrations/src/leeward_integrations/powertools.py",
        "if run.released and run.effects == 0 and run.held is not None:\n",
        "if run.released and run.held is not None:\n",
        "tests/integrations/test_lost.py::test_what_calls_again_goes_by_proof",
    ),
    Mutant(
        "a library's frame is one's own, whoever has installed it",
        "integrations/src/leeward_integrations/ran/frames.py",
        "            if names is None or f",
        "            if names == f",
        f"{AROUND}::test_a_library_is_known_wherever_it_is_installed",
    ),
    Mutant(
        "the app's own packages are a stranger's once they are installed",
        "integrations/src/leeward_integrations/ran/frames.py",
        'if any(re.match(r"leeward\\b", need, re.IGNORECASE) for need in needs):',
        "if False:",
        f"{AROUND}::test_a_library_is_known_wherever_it_is_installed",
    ),
    Mutant(
        "what is written by hand around a cloud's client sends one request",
        DOUBTS,
        "if library in _ONE_REQUEST and not _ONE_REQUEST[library].match(frame.place):",
        "if False:",
        f"{AROUND}::test_only_what_sends_one_request_proves_that_it_did_not_run",
    ),
    Mutant(
        "a call inside of a client's call is its own",
        DOUBTS,
        "if frame.place in entries or not is_below:",
        "if False:",
        f"{AROUND}::test_a_call_inside_of_a_call_proves_nothing_of_the_outer_one",
    ),
    Mutant(
        "an exception that says no is believed whatever was called before",
        "integrations/src/leeward_integrations/ran/__init__.py",
        "    doubt = doubt_by_retries(error, _judge_alone)\n",
        '    doubt = "" if said else doubt_by_retries(error, _judge_alone)\n',
        f"{AROUND}::test_no_word_of_an_exception_hides_what_was_called_before",
    ),
    Mutant(
        "a sequence that was set is rolled back",
        "integrations/src/leeward_integrations/ran/databases.py",
        "|setval|",
        "|",
        "tests/integrations/test_inside.py::test_statements_whose_effect_is_not_rolled_back",
    ),
    Mutant(
        "a model refuses with any error of a status before it runs",
        "integrations/src/leeward_integrations/ran/http.py",
        "if not is_refused or not any(",
        "if not any(",
        f"{LOST}::test_no_answer_is_wrong",
    ),
    Mutant(
        "a channel of gRPC sends once",
        "integrations/src/leeward_integrations/ran/clouds.py",
        'if library_of(error.response) == "grpc":',
        "if False:",
        f"{LOST}::test_no_answer_is_wrong",
    ),
    Mutant(
        "what a key names happens once in each run",
        ONCE,
        'self.equals = f"{tool.settings.function}/{name}"',
        'self.equals = f"{position.run}/{tool.settings.function}/{name}"',
        f"{TESTS}::test_what_a_key_names_happens_once_in_any_run",
    ),
    Mutant(
        "a call of a graph is placed by the number of its step",
        "integrations/src/leeward_integrations/langgraph.py",
        " if is_kept else facts",
        " if not is_kept else facts",
        f"{TESTS}::test_set_ups_of_agents_charge_once",
    ),
    Mutant(
        "two runs share the key of equal calls",
        ONCE,
        'self.equals = f"{position.run}/{tool.settings.function}/"',
        'self.equals = f"{tool.settings.function}/"',
        f"{TESTS}::test_equal_calls_of_a_run_are_two_and_a_run_begun_again_has_the_same",
    ),
    Mutant(
        "two equal purchases of a run are one",
        ONCE,
        'key = f"{self.equals}/{self.number}"',
        "key = self.equals",
        f"{TESTS}::test_equal_calls_of_a_run_are_two_and_a_run_begun_again_has_the_same",
    ),
    Mutant(
        "a call without an answer counts, so that the next one runs",
        ONCE,
        "if not self._slot.end and self.position.busy.get(self._counted) is self._slot:",
        "if False:",
        f"{TESTS}::test_a_coroutine_that_is_cancelled_is_not_repeated",
    ),
    Mutant(
        "a call in another thread counts, though its block was left",
        ONCE,
        "                    del position.busy[key]\n",
        "                    pass\n",
        f"{TESTS}::test_a_call_whose_block_is_left_is_made_again",
    ),
    Mutant(
        "a result counts that a library has dropped",
        ONCE,
        'is_heard = slot.end and (is_over or slot.end == "failure")',
        "is_heard = slot.end",
        f"{TESTS}::test_a_call_whose_block_is_left_is_made_again",
    ),
    Mutant(
        "the probe is not asked before the failure is told",
        ONCE,
        "                if error is not self.doubt:\n",
        "                if True:\n",
        f"{TESTS}::test_a_lost_answer_is_found_at_once",
    ),
    Mutant(
        "every failure proves that nothing ran",
        ONCE,
        'if isinstance(error, self.position.releases) or ran(error) == "no":',
        "if True:",
        f"{TESTS}::test_an_unknown_is_not_repeated_until_somebody_settles_it",
    ),
    Mutant(
        "the failure of the last call answers for an effect before it",
        ONCE,
        "if run.effects and not isinstance",
        'if ran(error) != "no" and not isinstance',
        f"{TESTS}::test_announced_effects_and_those_of_other_tools",
    ),
    Mutant(
        "equal calls of one message have one number",
        ONCE,
        "if is_over or place.startswith(self.turn)}",
        "if is_over}",
        f"{TESTS}::test_calls_of_one_message_are_not_one_another",
    ),
    Mutant(
        "a place that is asked about again gets another number",
        ONCE,
        "page += own or [[self.place, free, False]]",
        "page += [[self.place, free, False]]",
        f"{TESTS}::test_a_turn_has_the_same_calls_after_a_crash",
    ),
    Mutant(
        "an answer counts for whoever was told to ask later",
        ONCE,
        "line[2] |= line[0] == self.place",
        "line[2] = True",
        f"{TESTS}::test_who_was_told_to_ask_later_gets_the_same_call",
    ),
    Mutant(
        "a call has its answer before that is on the page",
        ONCE,
        "        try:\n            if self.position.turn is not None:\n",
        "        self._slot.end = end\n        try:\n"
        "            if self.position.turn is not None:\n",
        f"{TESTS}::test_the_table_is_away_when_the_call_has_ended",
    ),
    Mutant(
        "a default that the model writes is another argument",
        ONCE,
        "for name, it in self.question.items() if name not in default}",
        "for name, it in named.items() if name in names}",
        f"{TESTS}::test_a_default_is_the_same_argument_whoever_writes_it",
    ),
    Mutant(
        "the tools that a tool calls are counted with it",
        ONCE,
        "            with agent_run(self.key):\n",
        "            with agent_run(self.position.run):\n",
        f"{TESTS}::test_a_tool_of_tools_that_fails_makes_the_same_calls_again",
    ),
    Mutant(
        "a declared failure is no answer",
        ONCE,
        'await self._note_end("failure")',
        "pass",
        f"{TESTS}::test_a_declared_failure_is_an_answer",
    ),
    Mutant(
        "a run ends early because its caller has gone",
        "integrations/src/leeward_integrations/asgi.py",
        "        await self._is_heard.wait()\n",
        "        self.is_passed_on = True\n",
        f"{WEB}::test_a_caller_that_has_gone_ends_no_run",
    ),
    Mutant(
        "an answer that was cut off on its way is whole",
        "integrations/src/leeward_integrations/asgi.py",
        "if self._is_cut or not self._is_whole:",
        "if not self._is_whole:",
        f"{WEB}::test_a_caller_that_has_gone_ends_no_run",
    ),
    Mutant(
        "a call is tried again that may have run",
        "integrations/src/leeward_integrations/retries.py",
        'return ran(error) == "no"',
        'return ran(error) != "yes"',
        "tests/integrations/test_retries.py::test_tenacity_calls_again_only_what_did_not_run",
    ),
    Mutant(
        "a stranger settles keys",
        "integrations/src/leeward_integrations/idempotency_key.py",
        "if not self._settles or request.principal is None:",
        "if not self._settles:",
        f"{WEB}::test_a_stranger_settles_nothing",
    ),
    Mutant(
        "a question is answered though nobody switched that on",
        "integrations/src/leeward_integrations/idempotency_key.py",
        "if not self._settles or request.principal is None:",
        "if request.principal is None:",
        f"{WEB}::test_nothing_is_settled_unless_it_is_switched_on",
    ),
    Mutant(
        "the session of the first caller is kept",
        "integrations/src/leeward_integrations/idempotency_key.py",
        '"date", "set-cookie", ',
        '"date", ',
        f"{WEB}::test_a_cookie_reaches_the_first_caller_alone",
    ),
    Mutant(
        "a refusal of the caller is kept",
        "integrations/src/leeward_integrations/idempotency_key.py",
        "if answer.status in _OF_ONE_CALLER:",
        "if False:",
        f"{WEB}::test_a_refusal_of_the_caller_is_not_kept",
    ),
)

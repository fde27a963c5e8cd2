"""Faults of the public kit: the course of a plan, the exchange, tokens, functions over HTTP."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

KIT: Final = "src/leeward/adapter"
TESTS: Final = "tests/http"

MUTANTS: Final = (
    Mutant(
        "a plan sends two requests with an effect",
        f"{KIT}/_plan_run.py",
        "if self._effects > 1:",
        "if False:",
        f"{TESTS}/test_plan_run.py::test_a_second_effect_is_refused_before_it_is_sent",
    ),
    Mutant(
        "a credential that was refused is tried again and again",
        f"{KIT}/_plan_run.py",
        "if self._first is None and helps and self.timeout > 0:",
        "if helps and self.timeout > 0:",
        f"{TESTS}/test_plan_run.py::test_a_stale_credential_is_replaced_once",
    ),
    Mutant(
        "a credential that was refused is sent a second time",
        f"{KIT}/_plan_run.py",
        "if self.refused is not None and answer == self.refused:",
        "if False:",
        f"{TESTS}/test_plan_run.py::test_the_same_credential_is_not_refused_twice",
    ),
    Mutant(
        "a failure after the request has left is told as not sent",
        f"{KIT}/_plan_run.py",
        "outcome = Outcome.AMBIGUOUS if failure.sent else Outcome.NOT_SENT",
        "outcome = Outcome.NOT_SENT",
        f"{TESTS}/test_plan_run.py::test_what_a_failure_proves",
    ),
    Mutant(
        "what a plan raises after its effect proves that nothing ran",
        f"{KIT}/_plan_run.py",
        "            if self._status is None:\n                return",
        "            if True:\n                return",
        f"{TESTS}/test_plan_run.py::test_what_a_plan_raises_after_its_effect_proves_nothing",
    ),
    Mutant(
        "what a credential takes is taken from the attempt",
        f"{KIT}/_plan_run.py",
        "        elif self._time and took > SHORTEST_WAIT",
        "        elif False and took > SHORTEST_WAIT",
        f"{TESTS}/test_plan_run.py::test_what_comes_before_the_request_may_take_a_wait_of_its_own",
    ),
    Mutant(
        "an unsafe function is called with less than its limit",
        f"{KIT}/_plan_run.py",
        "seconds < self._least <= self._given",
        "False",
        f"{TESTS}/test_plan_run.py::test_an_unsafe_function_is_not_called_without_its_own_limit",
    ),
    Mutant(
        "a call that found no place is told to be sent again as if it had been made",
        "src/leeward/_routing/call.py",
        "    (Outcome.LOCAL, NO_PLACE): _wait_elsewhere,\n",
        "",
        "tests/routing/test_budgets.py"
        "::test_a_call_without_a_free_place_looks_for_one_at_every_target",
    ),
    Mutant(
        "an unsafe call that waits for a place keeps no time for its attempt",
        "src/leeward/_routing/attempts.py",
        "wait = left - (latency.middle if latency.middle > whole and total is left else whole)",
        "wait = left",
        "tests/routing/test_budgets.py::test_the_time_of_an_attempt_begins_with_its_place",
    ),
    Mutant(
        "a look-up takes all the time",
        f"{KIT}/_plan_run.py",
        "share = 1.0 if step.effect else LOOK_UP_SHARE",
        "share = 1.0",
        f"{TESTS}/test_plan_run.py::test_a_look_up_leaves_time_for_what_counts",
    ),
    Mutant(
        "a look-up that hangs makes the call AMBIGUOUS",
        f"{KIT}/_plan_run.py",
        "return before_effect(result_of(lost))",
        "return result_of(lost)",
        f"{TESTS}/test_plan_run.py::test_a_look_up_that_took_all_the_time_tells_how_it_ended",
    ),
    Mutant(
        "one wrong Date dates all later requests",
        f"{KIT}/_plan_run.py",
        "if abs(skew) <= LONGEST_SKEW:",
        "if True:",
        f"{TESTS}/test_plan_run.py::test_a_clock_that_is_more_than_a_day_off_is_not_believed",
    ),
    Mutant(
        "learnt facts grow without bound",
        f"{KIT}/_plan_run.py",
        "if len(self) > MOST_LEARNT:",
        "if False:",
        f"{TESTS}/test_plan_run.py::test_what_is_learnt_is_bounded",
    ),
    Mutant(
        "a damaged answer is taken for whole",
        f"{KIT}/service.py",
        "    if service.is_damaged(response):\n",
        "    if False:\n",
        "tests/aws/test_tables.py::test_a_checksum_is_checked",
    ),
    Mutant(
        "a wrong clock is taken for a wrong key",
        f"{KIT}/service.py",
        "if service.may_be_skew(refusal, credential):",
        "if False:",
        "tests/aws/test_functions.py::test_a_wrong_clock_is_set_right",
    ),
    Mutant(
        "a server may ask for a wait of years",
        f"{KIT}/service.py",
        "if seconds is not None and 0 <= seconds <= LONGEST_WAIT else None",
        "",
        "tests/aws/test_functions.py::test_how_long_throttling_lasts",
    ),
    Mutant(
        "a refused look-up is AMBIGUOUS",
        f"{KIT}/service.py",
        "Answer(answer.response, before_effect(refusal))",
        "answer",
        "tests/aws/test_tables.py::test_a_look_up_that_fails_has_written_nothing",
    ),
    Mutant(
        "a 403 of any proxy is the service's own",
        f"{KIT}/classification.py",
        "return {413: TOO_LARGE,",
        "return {403: AUTH, 413: TOO_LARGE,",
        "tests/aws/test_errors.py::test_what_nobody_documents_is_ambiguous",
    ),
    Mutant(
        "an expired token is used",
        f"{KIT}/resolver.py",
        "            if now >= held.over_at:\n                return self._fetch(what, refused)\n",
        "",
        f"{TESTS}/test_resolver.py::test_an_answer_that_is_over_is_fetched_anew",
    ),
    Mutant(
        "each call that waits fetches its own token",
        f"{KIT}/resolver.py",
        "if slot.flight is not None and slot.flight.is_under_way():",
        "if False:",
        f"{TESTS}/test_resolver.py::test_two_hundred_waiting_threads_make_one_fetch",
    ),
    Mutant(
        "kept answers grow without bound",
        f"{KIT}/resolver.py",
        "            if len(self._slots) <= MOST_KEPT:\n                break\n",
        "            break\n",
        f"{TESTS}/test_resolver.py::test_so_many_answers_are_kept_and_no_more",
    ),
    Mutant(
        "a token that was refused is handed out again",
        f"{KIT}/resolver.py",
        "if slot is None or held is None or held.value == refused:",
        "if slot is None or held is None:",
        f"{TESTS}/test_resolver.py::test_a_refused_secret_is_replaced_once",
    ),
    Mutant(
        "what a source raised keeps the secrets of its frames",
        f"{KIT}/resolver.py",
        "        each.__traceback__ = None\n",
        "",
        f"{TESTS}/test_resolver.py::test_an_error_keeps_no_frames",
    ),
    Mutant(
        "a token that has expired already is taken",
        f"{KIT}/tokens.py",
        "if end is not None and end <= now:",
        "if False:",
        "tests/aws/test_container.py::test_expired_credentials_are_none",
    ),
    Mutant(
        "a metadata server that is busy has refused",
        f"{KIT}/tokens.py",
        "return status in (408, 429) or status >= 500",
        "return False",
        "tests/google/test_tokens.py::test_a_metadata_server_that_is_down_is_an_unreachable_target",
    ),
    Mutant(
        "a token may be asked for over plain HTTP",
        f"{KIT}/tokens.py",
        'if found.origin.startswith("http:") and not plain(found.host):',
        "if False:",
        "tests/azure/test_auth.py::test_an_endpoint_that_must_not_be_asked",
    ),
    Mutant(
        "the mark of another call, passed on, is a platform's answer",
        f"{KIT}/http_functions.py",
        "    if MARK in response.headers:\n        return _UNMARKED_REFUSAL\n",
        "",
        f"{TESTS}/test_http_functions.py::test_without_a_proof_nobody_knows",
    ),
    Mutant(
        "what a function passes on proves that it did not run",
        f"{KIT}/http_functions.py",
        "if marks or found.by_anyone:",
        "if True:",
        f"{TESTS}/test_relays.py::test_what_a_function_passes_on_proves_nothing",
    ),
    Mutant(
        "an unsafe call whose function passes on a proof goes to the next cloud",
        f"{KIT}/http_functions.py",
        "    return _UNMARKED_REFUSAL if meaning.outcome in _REFUSALS else _UNMARKED\n",
        "    return meaning\n",
        "tests/clouds/test_relays.py"
        "::test_an_unsafe_call_whose_function_passes_on_a_proof_runs_once",
    ),
    Mutant(
        "the mark of another call, passed on, is the function's own",
        f"{KIT}/http_functions.py",
        "is_marked = by_handler or said == mark or",
        "is_marked = said is not None or",
        f"{TESTS}/test_relays.py::test_an_answer_of_its_own_without_the_mark_takes_the_word_back",
    ),
    Mutant(
        "what a function that marks its answers was told by another one is believed",
        f"{KIT}/http_functions.py",
        "by_handler = said == mark + BY_HANDLER",
        "by_handler = (said or '').startswith(mark)",
        f"{TESTS}/test_relays.py::test_what_a_function_passes_on_proves_nothing",
    ),
    Mutant(
        "a release that has lost its marks is still believed",
        f"{KIT}/http_functions.py",
        "    marks = call.marks and _UNMARKS + call.function not in view.learnt\n",
        "    marks = call.marks\n",
        f"{TESTS}/test_relays.py::test_an_answer_of_its_own_without_the_mark_takes_the_word_back",
    ),
    Mutant(
        "what a function says of itself is taken for what its neighbour says",
        f"{KIT}/http_functions.py",
        "yield Learn(_UNMARKS + call.function, True)",
        "yield Learn(_UNMARKS + 'charge', True)\n        yield Learn(_UNMARKS + 'pay', True)",
        f"{TESTS}/test_relays.py::test_what_takes_the_word_back_is_of_one_function",
    ),
    Mutant(
        "a text in the middle of a page is a proof",
        f"{KIT}/http_functions.py",
        'body.startswith(b"<") and body.endswith(b">")',
        "True",
        f"{TESTS}/test_http_functions.py::test_a_page_is_whole_and_its_text_at_its_place",
    ),
    Mutant(
        "a proxy's 429 proves that a service did not run",
        f"{KIT}/classification.py",
        ".get(status, AMBIGUOUS) if marked else AMBIGUOUS",
        ".get(status, AMBIGUOUS)",
        "tests/azure/test_errors.py::test_what_bears_no_mark_of_the_service_is_ambiguous",
    ),
    Mutant(
        "a success that cannot be read is OK",
        f"{KIT}/http_functions.py",
        "            Outcome.AMBIGUOUS,\n"
        '            code=f"http.{response.status}",\n'
        "            reason=UNDECODABLE,",
        "            Outcome.OK,\n"
        '            code=f"http.{response.status}",\n'
        "            reason=UNDECODABLE,",
        "tests/google/test_functions.py::test_a_success_that_cannot_be_read",
    ),
    Mutant(
        "a credential goes to a host that only ends like the cloud's",
        f"{KIT}/hosts.py",
        'own = f".{origin.partition(\'://\')[2]}".endswith(f".{domain}")',
        "own = origin.endswith(domain)",
        "tests/adapter/test_hosts.py::test_in_the_hardened_mode_nobody_else_does",
    ),
)

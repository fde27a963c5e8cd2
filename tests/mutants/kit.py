"""Faults of the public kit: the course of a plan, the exchange, tokens, functions over HTTP."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a plan sends two requests with an effect",
        "src/leeward/adapter/_plan_run.py PlanRun._about_to_send",
        "self._effects > 1",
        "False",
        "tests/http/test_plan_run.py::test_a_second_effect_is_refused_before_it_is_sent",
    ),
    Mutant(
        "a call that found no place is told to be sent again as if it had been made",
        "src/leeward/_routing/call.py",
        "{(Outcome.LOCAL, NO_PLACE): _wait_elsewhere, (Outcome.REJECTED, VOIDED): "
        "_call_again, **{(Outcome.AMBIGUOUS, reason): _ask_later for reason in "
        "KNOWN_KEY}}",
        "{(Outcome.REJECTED, VOIDED): _call_again, **{(Outcome.AMBIGUOUS, reason): "
        "_ask_later for reason in KNOWN_KEY}}",
        "tests/routing/test_budgets.py::"
        "test_a_call_without_a_free_place_looks_for_one_at_every_target",
    ),
    Mutant(
        "an unsafe call that waits for a place keeps no time for its attempt",
        "src/leeward/_routing/attempts.py ShareOfTime.measure",
        "left - (latency.middle if latency.middle > whole and total is left else whole)",
        "left",
        "tests/routing/test_budgets.py::test_the_time_of_an_attempt_begins_with_its_place",
    ),
    Mutant(
        "a damaged answer is taken for whole",
        "src/leeward/adapter/service.py Service.exchange",
        "self.is_damaged(response)",
        "False",
        "tests/aws/test_tables.py::test_a_checksum_is_checked",
    ),
    Mutant(
        "a wrong clock is taken for a wrong key",
        "src/leeward/adapter/service.py Service.exchange",
        "self.may_be_skew(refusal, credential)",
        "False",
        "tests/aws/test_functions.py::test_a_wrong_clock_is_set_right",
    ),
    Mutant(
        "a 403 of any proxy is the service's own",
        "src/leeward/adapter/classification.py by_status",
        "{413: TOO_LARGE, 429: REJECTED}",
        "{403: AUTH, 413: TOO_LARGE, 429: REJECTED}",
        "tests/aws/test_errors.py::test_what_nobody_documents_is_ambiguous",
    ),
    Mutant(
        "an expired token is used",
        "src/leeward/adapter/resolver.py Resolver._answer_or_flight",
        "if now >= held.over_at:\n    return self._fetch(what, refused)\n...",
        "...",
        "tests/http/test_resolver.py::test_an_answer_that_is_over_is_fetched_anew",
    ),
    Mutant(
        "a token that has expired already is taken",
        "src/leeward/adapter/tokens.py good_until",
        "end is not None and end <= now",
        "False",
        "tests/aws/test_container.py::test_expired_credentials_are_none",
    ),
    Mutant(
        "a metadata server that is busy has refused",
        "src/leeward/adapter/tokens.py is_busy",
        "status in (408, 429) or status >= 500",
        "False",
        "tests/clouds/test_credentials.py::test_where_no_token_can_be_had_the_target_is_unreachable",
    ),
    Mutant(
        "the mark of another call, passed on, is a platform's answer",
        "src/leeward/adapter/http_functions.py outcome_of",
        "if MARK in response.headers:\n    return _UNMARKED_REFUSAL\n...",
        "...",
        "tests/http/test_http_functions.py::test_without_a_proof_nobody_knows",
    ),
    Mutant(
        "what a function passes on proves that it did not run",
        "src/leeward/adapter/http_functions.py outcome_of",
        "marks or found.by_anyone",
        "True",
        "tests/http/test_relays.py::test_what_a_function_passes_on_proves_nothing",
    ),
    Mutant(
        "a credential goes to a host that only ends like the cloud's",
        "src/leeward/adapter/hosts.py origin_below.check",
        "f\".{origin.partition('://')[2]}\".endswith(f'.{domain}')",
        "origin.endswith(domain)",
        "tests/adapter/test_hosts.py::test_in_the_hardened_mode_nobody_else_does",
    ),
)

"""Faults of functions by URL: the adapter, the server, and orders of unlike targets."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "that a tool is not known counts as a proof",
        "adapters/http/src/leeward_http/tools.py _result_of",
        "APP_ERROR if number in FUNCTIONS_ERRORS else AMBIGUOUS",
        "APP_ERROR if number != -32602 else REJECTED",
        "tests/urls/test_tools.py::test_no_answer_to_a_call_proves_that_the_tool_did_not_run",
    ),
    Mutant(
        "a refusal that was declared of one function counts for all",
        "adapters/http/src/leeward_http/functions.py invoke",
        "own.get(call.function, platform)",
        "next(iter(own.values()), platform)",
        "tests/urls/test_foreign.py::test_a_refusal_that_was_declared_moves_on",
    ),
    Mutant(
        "a busy service proves that nothing ran, though nobody has declared it",
        "src/leeward/adapter/http_functions.py outcome_of",
        "_UNMARKED if status >= 500 or status in _LATER else _UNMARKED_REFUSAL",
        "REJECTED if status == 503 else _UNMARKED if status >= 500 or status in _LATER "
        "else _UNMARKED_REFUSAL",
        "tests/urls/test_foreign.py::test_a_refusal_of_a_foreign_service_proves_nothing",
    ),
    Mutant(
        "a gateway's status may be declared as a refusal",
        "adapters/http/src/leeward_http/settings.py",
        "{400, 401, 403, 404, 405, 413, 415, 429, 503}",
        "{400, 401, 403, 404, 405, 413, 415, 429, 500, 502, 503, 504}",
        "tests/urls/test_settings.py::test_what_is_wrong_is_refused_before_anything_is_sent",
    ),
    Mutant(
        "no certificate is shown",
        "src/leeward/_http/libcurl.py handle_for",
        "options.client_certificate is not None",
        "False",
        "tests/urls/test_identity.py::test_a_caller_shows_its_certificate",
    ),
    Mutant(
        "a host that has no place is taken for the function",
        "src/leeward/adapter/repeats.py read_failure",
        "fault.ran == 'no' and fault.type == HOST_REFUSAL",
        "False",
        "tests/app/test_serving.py::test_calls_beyond_the_places_are_refused_and_go_elsewhere",
    ),
    Mutant(
        "a target that serves no functions is asked for one",
        "src/leeward/_routing/failover.py FailoverDriver.__init__",
        "any((names != order for names in able.values()))",
        "False",
        "tests/routing/test_failover.py::test_a_verb_goes_to_the_targets_that_can_serve_it",
    ),
    Mutant(
        "the limits of a target count for what it cannot do",
        "src/leeward/_operations/arguments.py limits_of",
        "if not lacking:\n    return driver.limits",
        "return driver.limits",
        "tests/client/test_methods.py::"
        "test_a_target_that_cannot_serve_a_verb_takes_no_part_in_its_calls",
    ),
)

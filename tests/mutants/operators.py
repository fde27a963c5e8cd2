"""Faults of what operators look and practise with: the doctor."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a report of what is wrong ends a command as if all were well",
        "src/leeward/cli/output/output.py Output.report",
        "if report.exit_code:\n    raise typer.Exit(report.exit_code)",
        "pass",
        "tests/cli/test_status.py::test_what_is_wrong_comes_first_and_is_the_exit_code",
    ),
    Mutant(
        "the doctor calls a function to see whether it is there",
        "adapters/aws/src/leeward_aws/functions/plans.py",
        "'DryRun'",
        "'Event'",
        "tests/clouds/test_doctor.py::test_where_all_is_well_nothing_is_wrong_and_nothing_happens",
    ),
    Mutant(
        "a clock that is off goes unnoticed",
        "src/leeward/cli/commands/doctor.py _offset",
        "time - ended if time > ended + 1 else 0.0",
        "0.0",
        "tests/cli/test_doctor.py::test_a_clock_is_off_by_what_lies_outside_the_look",
    ),
    Mutant(
        "the doctor does not compare what it has read",
        "src/leeward/adapter/looking.py compare",
        "wanted != found",
        "wanted is found is None",
        "tests/packages/test_exports_applied.py::test_what_was_changed_since_is_told",
    ),
    Mutant(
        "what a person has approved in a terminal can be approved again",
        "src/leeward/cli/key_records.py approve_by_hand",
        "record.state is not KeyState.WAITING or record.approval is None",
        "record.approval is None",
        "tests/cli/test_keys.py::test_a_call_that_waits_is_approved_or_refused_once",
    ),
    Mutant(
        "a payload is left in the table of unknown calls although nobody wants it there",
        "src/leeward/_operations/unknowns.py unknown_calls",
        "with_payload and len(call.payload) <= LARGEST_BODY",
        "len(call.payload) <= LARGEST_BODY",
        "tests/client/test_unknowns.py::"
        "test_each_verb_is_left_with_what_settling_needs_and_without_what_was_sent",
    ),
    Mutant(
        "a call of which nobody can tell goes from the table",
        "src/leeward/cli/unknown_calls.py settle_unknown",
        "... in (Verdict.RUNNING, Verdict.UNKNOWN)",
        "... is Verdict.RUNNING",
        "tests/cli/test_unknown.py::test_what_nobody_can_tell_stays",
    ),
    Mutant(
        "a state that nobody has heard of looks as if all were well",
        "src/leeward/views/__init__.py severity_of",
        "Severity.UNSURE",
        "Severity.GOOD",
        "tests/cli/test_views.py::test_what_waits_is_no_failure",
    ),
    Mutant(
        "a page says something else than the command",
        "extras/dev/src/leeward_dev/console/layout.py show_value",
        "in_words(value, how, now)",
        "str(value)",
        "tests/cli/test_views.py::test_a_report_is_the_same_in_three_ways",
    ),
    Mutant(
        "a script takes a call that did not run for one that did",
        "src/leeward/cli/output/exit_codes.py",
        "{...: OK, ...: LATER, ...: STILL_RUNS, ...: UNKNOWN}",
        "{...: OK, ...: OK, ...: STILL_RUNS, ...: UNKNOWN}",
        "tests/cli/test_settle.py::test_a_script_goes_by_the_exit_code",
    ),
)

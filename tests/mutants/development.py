"""Faults of what runs an app while it is written: `leeward dev`, `leeward trigger`."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

DEV: Final = "dev/src/leeward_dev"
ORIGINS: Final = "tests/dev/test_server.py::test_no_other_origin_may_call"

MUTANTS: Final = (
    Mutant(
        "a form of another site may call, where a browser sends no origin",
        f"{DEV}/server.py",
        '    site = headers.get("sec-fetch-site", "none")',
        '    site = "none"',
        ORIGINS,
    ),
    Mutant(
        "an error is markup",
        f"{DEV}/server.py",
        "{escape(fault)}",
        "{fault}",
        "tests/dev/test_server.py::test_a_fault_is_shown_as_text",
    ),
    Mutant(
        "the end of the server waits for no call",
        f"{DEV}/server.py",
        "timeout_graceful_shutdown=drain",
        "timeout_graceful_shutdown=0",
        "tests/dev/test_server.py::test_a_request_under_way_is_answered_before_the_end",
    ),
    Mutant(
        "the text of an exception is shown",
        f"{DEV}/observing.py",
        'text = told.get("text")',
        "text = str(cause)",
        "tests/dev/test_feed.py::test_runs_and_calls_are_noted_without_values",
    ),
    Mutant(
        "a log record clears the terminal",
        f"{DEV}/terminal.py",
        "return text if text.isprintable() else repr(text)[1:-1]",
        "return text",
        "tests/dev/test_feed.py::test_log_records_are_lines_that_a_terminal_only_shows",
    ),
    Mutant(
        "numbers begin anew after a reload",
        f"{DEV}/feed.py",
        "self._last = time.time_ns() // 1_000",
        "self._last = 0",
        "tests/dev/test_feed.py::test_a_page_asks_for_what_it_has_not_seen",
    ),
    Mutant(
        "an app outlives the process that watches",
        f"{DEV}/process.py",
        "        pass\n    process.end()",
        "        pass",
        "tests/dev/test_dev.py::test_the_app_ends_with_the_process_that_watches",
    ),
    Mutant(
        "a subscriber gets events of another type by hand",
        "src/leeward/app/by_hand.py",
        "if not handler.takes(event):",
        "if False:",
        "tests/cli/test_handlers.py::test_a_handler_is_run_by_hand",
    ),
)

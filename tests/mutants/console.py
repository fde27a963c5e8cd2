"""Faults of the console in the browser: who gets in, what harm a text does, what asks first."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "the console answers under any name that leads to this machine",
        "extras/dev/src/leeward_dev/server.py is_own_host",
        "headers.get('host', '').lower() in known",
        "bool(known)",
        "tests/console/test_guard.py::test_a_name_that_was_rebound_to_this_machine_is_refused",
    ),
    Mutant(
        "a file leads to the console with a redirect, which has no strict cookie",
        "extras/dev/src/leeward_dev/console/guard.py ConsoleGuard._log_in",
        "HTMLResponse(link, headers={'refresh': f'0; url={url}'})",
        "HTMLResponse(link, 303, headers={'location': url})",
        "tests/console/test_browser.py::test_a_file_leads_in",
    ),
    Mutant(
        "an attribute is not escaped",
        "extras/dev/src/leeward_dev/console/html.py element",
        "escape(str(value))",
        "str(value)",
        "tests/console/test_hostile.py::test_whatever_a_text_holds_it_stays_a_text",
    ),
    Mutant(
        "a console that only shows does what it is sent",
        "extras/dev/src/leeward_dev/console/server.py _Console.answer",
        "not self._sources.can_write or path not in ACTIONS",
        "path not in ACTIONS",
        "tests/console/test_actions.py::"
        "test_a_console_that_only_shows_has_no_form_and_refuses_what_is_sent",
    ),
    Mutant(
        "what waits for a person counts as a failure",
        "extras/dev/src/leeward_dev/console/handlers.py row_of",
        "APPROVAL in (entry.outcome, entry.facts.get('failure'))",
        "False",
        "tests/console/test_glance.py::test_what_waits_for_a_person_is_no_failure",
    ),
)

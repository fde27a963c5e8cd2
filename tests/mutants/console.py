"""Faults of the console in the browser: who gets in, what harm a text does, what asks first."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

CONSOLE: Final = "dev/src/leeward_dev/console"
SERVER: Final = "dev/src/leeward_dev/server.py"
GUARD: Final = "tests/console/test_guard.py"
ACTIONS: Final = "tests/console/test_actions.py"
HOSTILE: Final = "tests/console/test_hostile.py"

MUTANTS: Final = (
    Mutant(
        "the console answers under any name that leads to this machine",
        SERVER,
        'return headers.get("host", "").lower() in known',
        "return bool(known)",
        f"{GUARD}::test_a_name_that_was_rebound_to_this_machine_is_refused",
    ),
    Mutant(
        "a page of another origin may send a form",
        SERVER,
        'if any(each != own for each in headers.getlist("origin")):\n        return True',
        'if any(each != own for each in headers.getlist("origin")):\n        return False',
        f"{GUARD}::test_a_form_of_another_origin_does_nothing",
    ),
    Mutant(
        "a frame of another site shows the console",
        SERVER,
        'is_top = headers.get("sec-fetch-dest") == "document"',
        "is_top = True",
        f"{GUARD}::test_a_page_of_another_origin_reads_and_frames_nothing",
    ),
    Mutant(
        "a form needs no seal",
        f"{CONSOLE}/server.py",
        "if not is_same(visit.field(SEAL), self._seal):",
        "if not is_same(visit.field(SEAL, self._seal), self._seal):",
        f"{GUARD}::test_a_form_without_the_seal_does_nothing",
    ),
    Mutant(
        "the cookie is not asked for",
        f"{CONSOLE}/guard.py",
        'if not is_same(cookies.get(COOKIE, ""), self._cookie):',
        "if not is_same(cookies.get(COOKIE, self._cookie), self._cookie):",
        f"{GUARD}::test_without_the_token_nothing_is_seen",
    ),
    Mutant(
        "the token stays in the address",
        f"{CONSOLE}/guard.py",
        "for key, value in query if key != TOKEN]",
        "for key, value in query]",
        f"{GUARD}::test_the_token_becomes_a_cookie_and_leaves_the_address",
    ),
    Mutant(
        "every port of this machine gets the cookie",
        f"{CONSOLE}/guard.py",
        'place = scope["root_path"]',
        'place = "/"',
        f"{GUARD}::test_the_token_becomes_a_cookie_and_leaves_the_address",
    ),
    Mutant(
        "the console's path can be guessed",
        f"{CONSOLE}/guard.py",
        "_derive(token, 'path')[:32]",
        "_derive('', 'path')[:32]",
        f"{GUARD}::test_nobody_knows_the_path_without_the_token",
    ),
    Mutant(
        "a file leads to the console with a redirect, which has no strict cookie",
        f"{CONSOLE}/guard.py",
        'answer = HTMLResponse(link, headers={"refresh": f"0; url={url}"})',
        'answer = HTMLResponse(link, 303, headers={"location": url})',
        "tests/console/test_browser.py::test_a_file_leads_in",
    ),
    Mutant(
        "the command line of a browser has the token",
        SERVER,
        "webbrowser.open(file.as_uri())",
        "webbrowser.open(address)",
        f"{GUARD}::test_no_command_line_has_what_opens_the_console",
    ),
    Mutant(
        "an attribute is not escaped",
        f"{CONSOLE}/html.py",
        "'=\"', escape(str(value)), '\"'",
        "'=\"', str(value), '\"'",
        f"{HOSTILE}::test_whatever_a_text_holds_it_stays_a_text",
    ),
    Mutant(
        "a mark of direction turns a page around",
        f"{CONSOLE}/html.py",
        'each if each.isprintable() or each in "\\n\\t" else',
        'each if each.isprintable() or each > " " else',
        f"{HOSTILE}::test_no_page_is_broken_by_what_others_have_written",
    ),
    Mutant(
        "a console that only shows does what it is sent",
        f"{CONSOLE}/server.py",
        "if not self._sources.can_write or path not in ACTIONS:",
        "if path not in ACTIONS:",
        f"{ACTIONS}::test_a_console_that_only_shows_has_no_form_and_refuses_what_is_sent",
    ),
    Mutant(
        "a letter that may have run is moved without a question",
        f"{CONSOLE}/letters.py",
        "options = MoveOptions(frozenset(ids), force=visit.is_sure)",
        "options = MoveOptions(frozenset(ids), force=True)",
        f"{ACTIONS}::test_many_letters_are_redriven_and_what_may_have_run_only_after_a_question",
    ),
    Mutant(
        "a payload is shown to whoever looks at its letter",
        f"{CONSOLE}/letters.py",
        'if visit.query.get("payload") else None',
        'if "id" in visit.query else None',
        f"{ACTIONS}::test_a_payload_is_shown_only_to_who_asks",
    ),
    Mutant(
        "an unknown call is forgotten without a question",
        f"{CONSOLE}/unknown.py",
        "if not visit.is_sure:",
        "if visit.is_sure:",
        f"{ACTIONS}::test_an_unknown_call_is_forgotten_after_a_question",
    ),
    Mutant(
        "a look at a store that is not there makes one",
        "src/leeward/local/tables.py",
        "        if not self._database.is_there:\n",
        "        if self._database is None:\n",
        f"{GUARD}::test_a_console_that_only_shows_makes_no_store",
    ),
)

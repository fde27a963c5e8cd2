"""Faults of what travels between a client and a handler."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a deadline is told in seconds",
        "src/leeward/envelope.py",
        "str(max(0, int(seconds * 1000)))",
        "str(max(0, int(seconds)))",
        "tests/test_envelope.py::test_the_names_on_the_wire_are_these",
    ),
    Mutant(
        "a deadline that is nonsense is believed",
        "src/leeward/envelope.py",
        "text.isascii() and text.isdecimal() and len(text) < 13",
        "text.isdecimal()",
        "tests/test_envelope.py::test_a_deadline_that_is_no_number_is_none",
    ),
    Mutant(
        "a value that looks like an envelope is opened",
        "src/leeward/envelope.py",
        "document.get(MARK) != mark:",
        "MARK not in document:",
        "tests/aws/test_functions.py::test_what_looks_like_an_envelope_is_a_value",
    ),
    Mutant(
        "all calls have one mark",
        "src/leeward/envelope.py",
        'text = f"{function}\\n{idempotency_key}"',
        'text = "leeward"',
        "tests/test_envelope.py::test_a_mark_is_of_one_call",
    ),
    Mutant(
        "whoever knows the key of a call can make its mark",
        "src/leeward/envelope.py",
        "    return urandom(16)\n",
        '    return b""\n',
        "tests/test_envelope.py::test_a_mark_is_of_the_process_that_calls",
    ),
    Mutant(
        "a mark crosses a fork",
        "src/leeward/envelope.py",
        "key=_secret(getpid())",
        "key=_secret(0)",
        "tests/test_envelope.py::test_a_mark_is_of_the_process_that_calls",
    ),
    Mutant(
        "what leeward's handler tells of a failure is lost",
        "src/leeward/envelope.py",
        '        _text(fields.get("reason")),\n',
        "        None,\n",
        "tests/clouds/test_function_errors.py"
        "::test_what_a_handler_tells_of_a_problem_reaches_its_caller",
    ),
    Mutant(
        "a quoted key is another one",
        "src/leeward/envelope.py",
        "        key = unquote(key)\n",
        "        pass\n",
        "tests/test_envelope.py::test_other_callers_are_read_too",
    ),
    Mutant(
        "a time goes out with the offset of its zone",
        "src/leeward/cloudevents.py",
        "return _utc_text(moment.astimezone(UTC))",
        "return moment.isoformat()",
        "tests/test_cloudevents.py::test_every_time_is_written_in_utc",
    ),
    Mutant(
        "a question leaves a handler of an older leeward time to run it",
        "src/leeward/envelope.py",
        '"0" if settles or demand else',
        '"0" if demand else',
        "tests/clouds/test_old_handlers.py::test_an_older_handler_does_not_run_a_question",
    ),
    Mutant(
        "a question has the content type of a call",
        "src/leeward/adapter/http_functions.py",
        'QUESTION if settles else "application/json"',
        '"application/json"',
        "tests/http/test_questions.py::test_a_question_looks_like_no_call",
    ),
    Mutant(
        "an answer to a question counts, whoever has made it",
        "src/leeward/adapter/http_functions.py",
        "if is_success and settles and not is_marked:",
        "if is_success and settles and False:",
        "tests/http/test_questions.py::test_an_answer_counts_with_the_mark_of_its_question",
    ),
    Mutant(
        "a function that took a question for a call is asked again",
        "src/leeward/settling.py",
        "return result.reason is None and result.retry_after is None",
        "return False",
        "tests/http/test_questions.py::test_a_function_that_knows_no_question_is_asked_once",
    ),
    Mutant(
        "an answer about another key counts",
        "src/leeward/settling.py",
        'answer.get("key") == key else',
        '"key" in answer else',
        "tests/client/test_probe_functions.py::test_an_answer_is_about_the_key_or_none",
    ),
    Mutant(
        "one target settles what another one may have run",
        "src/leeward/_operations/settling.py",
        "if len(about.only) < 2 or config.probe is not None:",
        "if about.only != ():",
        "tests/client/test_settling_targets.py::test_a_target_settles_only_what_it_knows_of",
    ),
)

"""Faults of what travels between a client and a handler."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a deadline is told in seconds",
        "src/leeward/envelope.py _milliseconds",
        "seconds * 1000",
        "seconds",
        "tests/test_envelope.py::test_the_names_on_the_wire_are_these",
    ),
    Mutant(
        "a time goes out with the offset of its zone",
        "src/leeward/cloudevents.py _rfc3339",
        "_utc_text(moment.astimezone(UTC))",
        "moment.isoformat()",
        "tests/test_cloudevents.py::test_every_time_is_written_in_utc",
    ),
    Mutant(
        "no bytes become no data",
        "src/leeward/app/events.py events_in",
        "(read_json(body) if body else None) if is_json else body",
        "(read_json(body) if body else None) if is_json else body or None",
        "tests/test_cloudevents.py::test_no_bytes_are_data_where_a_type_says_so",
    ),
    Mutant(
        "a question has the content type of a call",
        "src/leeward/adapter/http_functions.py invoke",
        "QUESTION if settles else 'application/json'",
        "'application/json'",
        "tests/http/test_questions.py::test_a_question_looks_like_no_call",
    ),
    Mutant(
        "an answer about another key counts",
        "src/leeward/settling.py _read",
        "answer.get('key') == key",
        "'key' in answer",
        "tests/client/test_probe_functions.py::test_an_answer_is_about_the_key_or_none",
    ),
    Mutant(
        "one target settles what another one may have run",
        "src/leeward/_operations/settling.py settle_call",
        "len(about.only) < 2 or config.probe is not None",
        "about.only != ()",
        "tests/client/test_settling_targets.py::test_a_target_settles_only_what_it_knows_of",
    ),
)

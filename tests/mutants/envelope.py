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
        "waits.isascii() and waits.isdecimal() and len(waits) < 13",
        "waits.isdecimal()",
        "tests/test_envelope.py::test_a_deadline_that_is_no_number_is_none",
    ),
    Mutant(
        "a quoted key is another one",
        "src/leeward/envelope.py",
        "        key = key[1:-1]\n",
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
)

"""Faults of what runs an app while it is written: `leeward dev`, `leeward trigger`."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a form of another site may call, where a browser sends no origin",
        "extras/dev/src/leeward_dev/server.py is_foreign",
        "headers.get('sec-fetch-site', 'none')",
        "'none'",
        "tests/dev/test_server.py::test_no_other_origin_may_call",
    ),
    Mutant(
        "the text of an exception is shown",
        "extras/dev/src/leeward_dev/observing.py RunObserver.observe",
        "told.get('text')",
        "str(cause)",
        "tests/dev/test_feed.py::test_without_texts_no_entry_has_the_text_of_an_exception",
    ),
    Mutant(
        "an app outlives the process that watches",
        "extras/dev/src/leeward_dev/process.py _end_with",
        "while os.read(pipe, 1):\n    pass\nprocess.end()",
        "while os.read(pipe, 1):\n    pass",
        "tests/dev/test_dev.py::test_the_app_ends_with_the_process_that_watches",
    ),
)

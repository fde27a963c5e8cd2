"""A few of the mutated answers of `python -m tests.http.fuzz`."""

from __future__ import annotations

from tests.http.fuzz import check_reader
from tests.http.fuzz_runners import check_runners


def test_no_mutated_answer_keeps_a_connection_past_its_end() -> None:
    """Nor does it raise, nor does the verdict depend on its pieces; h11 agrees."""
    ends = check_reader(5000, seed=7)
    assert min(ends["kept"], ends["closed"], ends["refused"]) > 100


def test_nor_does_one_over_a_connection() -> None:
    """Threads and an event loop give the reader's own verdict, and use no dirty connection."""
    ends = check_runners(400, seed=7)
    assert min(ends["answered"], ends["refused"]) > 50
    assert ends["connections"] < 2 * 400

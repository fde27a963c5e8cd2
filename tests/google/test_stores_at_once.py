"""`batchWrite`: what goes out, and what comes back is told item by item."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.calls import StoreMany
from leeward.errors import Outcome, Unsupported
from leeward_google.tables.plans import batches
from tests.google.answers import DOCUMENTS, UPDATED
from tests.google.playing import answer, document, play, refusal
from tests.google.test_tables import CREATE, DOOR, KEY, REPLACE, STORE, fields

PLANNER = batches(*DOOR)["store_many"]
CALLS = tuple(
    call._replace(key=KEY._replace(values=(name,)))
    for name, call in zip("abc", [STORE, CREATE, STORE], strict=True)
)
WRITTEN, FAILED = {"updateTime": UPDATED}, dict[str, Any]()


def run(*answers: Any, calls: tuple[Any, ...] = CALLS) -> Any:
    many: Any = StoreMany(calls[0].table, calls)
    return play(PLANNER, many, *answers)


def told(*codes: int) -> Any:
    """Give an answer of the service's, with the code of each write."""
    results = [FAILED if code else WRITTEN for code in codes]
    return answer(
        {"writeResults": results, "status": [{"code": code} if code else {} for code in codes]}
    )


def test_each_write_has_its_own_condition() -> None:
    """One request carries them all, none with the condition of another."""
    (request,) = run(told(0, 0, 0)).sent
    assert request.target.endswith("/documents:batchWrite")
    writes = document(request)["writes"]
    assert [each["update"]["name"] for each in writes] == [f"{DOCUMENTS}/orders/{n}" for n in "abc"]
    assert [each.get("currentDocument") for each in writes] == [None, {"exists": False}, None]
    assert writes[0]["update"]["fields"] == fields("write-1")


def test_each_write_ends_by_its_own_code() -> None:
    """A code that may come from halfway, or that nobody knows, proves nothing."""
    ends = {0: Outcome.OK, 6: Outcome.CONFLICT, 8: Outcome.REJECTED, 7: Outcome.AUTH}
    for code in (14, 13, 2, 99, -1):
        ends[code] = Outcome.AMBIGUOUS
    for code, outcome in ends.items():
        results = run(told(0, code, 0)).result.value
        assert [each.outcome for each in results] == [Outcome.OK, outcome, Outcome.OK]
    assert results[0].value == UPDATED


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"writeResults": [WRITTEN] * 3},
        {"writeResults": [WRITTEN] * 2, "status": [{}] * 2},
        {"writeResults": [FAILED] * 3, "status": [{}] * 3},
        {"writeResults": [None] * 3, "status": [None] * 3},
        ["x"],
    ],
    ids=str,
)
def test_a_success_that_does_not_tell_of_each_is_ambiguous(body: Any) -> None:
    """And a refusal is one for all of them."""
    assert run(answer(body)).result.outcome is Outcome.AMBIGUOUS
    assert run(refusal("RESOURCE_EXHAUSTED", 429)).result.outcome is Outcome.REJECTED


def test_a_revision_is_refused_before_anything_is_sent() -> None:
    """Whoever replaces one has to look what became of it."""
    with pytest.raises(Unsupported):
        run(calls=(STORE, REPLACE))

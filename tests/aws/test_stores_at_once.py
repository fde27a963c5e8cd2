"""BatchWriteItem: what goes out is what botocore sends, what comes back is told item by item."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.calls import StoreMany
from leeward.errors import Outcome, Unsupported
from leeward_aws.tables.plans import batches
from tests.aws.playing import SETTINGS, answer, document, play, refusal
from tests.aws.serialized import by_botocore, by_leeward
from tests.aws.test_tables import KEY, STORE, STORES, native, parameters

PLANNER = batches(SETTINGS)["store_many"]
CALLS = tuple(
    STORE._replace(key=KEY._replace(values=(name,)), item={"id": name}, write_id=f"write-{name}")
    for name in "abc"
)
MANY = StoreMany(STORE.table, CALLS)


def run(*answers: Any, call: Any = MANY) -> Any:
    return play(PLANNER, call, *answers)


@given(st.lists(STORES, min_size=1, max_size=3))
def test_botocore_would_send_the_same(calls: list[Any]) -> None:
    """The service's model knows every member, and spells it so."""
    plain = tuple(each._replace(if_absent=False, if_revision=None) for each in calls)
    (request,) = run(answer({"UnprocessedItems": {}}), call=StoreMany(STORE.table, plain)).sent
    theirs = by_botocore("dynamodb", "BatchWriteItem", parameters(document(request)))
    assert by_leeward("dynamodb", request) == theirs


def test_what_is_given_back_was_not_stored() -> None:
    """The others have their write ids for revisions, as when stored alone."""
    back = {"orders": [{"PutRequest": {"Item": native({"id": "b"}, "write-b")}}]}
    told = run(answer({"UnprocessedItems": back})).result.value
    assert [each.outcome for each in told] == [Outcome.OK, Outcome.REJECTED, Outcome.OK]
    assert [each.value for each in told] == ["write-a", None, "write-c"]


@pytest.mark.parametrize(
    "body",
    [{}, {"UnprocessedItems": None}, {"UnprocessedItems": {"orders": [{}]}}, ["x"]],
    ids=str,
)
def test_a_success_that_does_not_say_what_was_stored_is_ambiguous(body: Any) -> None:
    """And a refusal is one for all of them."""
    result = run(answer(body)).result
    assert (result.outcome, result.executed) == (Outcome.AMBIGUOUS, True)
    throttled = run(refusal("ProvisionedThroughputExceededException")).result
    assert throttled.outcome is Outcome.REJECTED


def test_a_condition_is_refused_before_anything_is_sent() -> None:
    """DynamoDB has none for a batch."""
    for more in ({"if_absent": True}, {"if_revision": "write-0"}):
        call = StoreMany(STORE.table, (CALLS[0], CALLS[1]._replace(**more)))
        with pytest.raises(Unsupported):
            run(call=call)

"""Batches of SQS that do not fit into one run of a function."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from leeward import App
from leeward_contract_tests.rows import each_row


@each_row("fifo", [False, True])
@pytest.mark.parametrize(("takes", "timeout"), [(550, 3000), (550, 1200), (2000, 2500), (50, 900)])
def test_a_batch_that_takes_too_long_goes_on_with_the_next_run(
    takes: int, timeout: int, fifo: bool
) -> None:
    """No message begins that is cut short if it takes as long as those before; each ends once.

    A run makes at least one attempt, however little time it has.
    """
    app, left, begun, cut = App("shop"), 0, Counter[str](), list[str]()

    @app.on_message("parcels")
    def send(parcel: str) -> None:
        nonlocal left
        begun[parcel] += 1
        left -= takes
        if left < 0:
            cut.append(parcel)

    handler = app.handler("aws")
    waiting = [str(number) for number in range(10)]
    context = SimpleNamespace(
        aws_request_id="run",
        function_name="shop-send",
        client_context=None,
        get_remaining_time_in_millis=lambda: left,
    )
    runs = 0
    while waiting:
        left = timeout
        answer = handler({"Records": [_record(each, fifo=fifo) for each in waiting]}, context)
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        assert failed < {*waiting}, "each run ends something"
        waiting = [each for each in waiting if each in failed]
        runs += 1
    assert begun == {str(number): 1 for number in range(10)}
    assert cut == []
    assert runs <= 10


def _record(id: str, *, fifo: bool) -> dict[str, Any]:
    return {
        "messageId": id,
        "body": f'"{id}"',
        "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": id},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:parcels" + ".fifo" * fifo,
    }

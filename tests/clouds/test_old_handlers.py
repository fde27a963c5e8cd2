"""A function that an older leeward runs is asked about a key, and runs nothing."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest

from leeward import Settled, Verdict
from leeward._http.messages import Response
from leeward.adapter.http_functions import Address, FunctionPlatform, invoke
from leeward.adapter.plans import Learn, Send, View
from leeward.calls import Invoke, Result, Settle
from leeward.envelope import settle_question
from leeward.settling import read_answer
from leeward_aws.functions.plans import functions as aws_functions
from leeward_azure.functions.plans import PROOFS as AZURE
from leeward_google.functions.plans import PROOFS as GOOGLE
from tests.aws.playing import SETTINGS, answer, header, play
from tests.clouds import old_handler

KEY = "k-1"
QUESTION = Settle("pay", settle_question(KEY, 2.0, b'{"id":"42"}'), KEY)
CALL = Invoke("pay", b'{"id":"42"}', KEY)
NOT_SUPPORTED = Settled(Verdict.UNKNOWN, reason="not_supported")
AWS_PLANS = aws_functions(SETTINGS)


def on_aws(call: Invoke | Settle) -> Result[Any]:
    def respond(sent: Any) -> Response:
        custom = json.loads(b64decode(header(sent, "X-Amz-Client-Context")))["custom"]
        try:
            old_handler.on_lambda(custom, json.loads(call.payload))
        except old_handler.Problem as problem:
            document = {"errorType": "Problem", "errorMessage": str(problem), "stackTrace": []}
            return answer(document, x_amz_function_error="Unhandled")
        raise AssertionError("a handler returns or raises")

    first = play(AWS_PLANS[call.verb], call, answer(None)).sent[0]
    result: Result[Any] = play(AWS_PLANS[call.verb], call, respond(first)).result
    return result


def over_http(proofs: Any) -> Callable[[Invoke | Settle], Result[Any]]:
    def perform(call: Invoke | Settle) -> Result[Any]:
        platform = FunctionPlatform(proofs, lambda _: None)
        plan = invoke(platform, call, View(0.0, 5.0), Address("https://f.example", "/pay", "t"))
        step = next(plan)
        assert isinstance(step, Send)
        status, headers, document = old_handler.over_http(
            dict(step.request.headers), step.request.body
        )
        try:
            step = plan.send(Response(status, headers, json.dumps(document).encode()))
            while isinstance(step, Learn):
                step = plan.send(None)
        except StopIteration as end:
            result: Result[Any] = end.value
            return result
        raise AssertionError("one request is all")

    return perform


CLOUDS = {"aws": on_aws, "azure": over_http(AZURE), "google": over_http(GOOGLE)}


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("marks", [False, True], ids=["unmarked", "marked"])
def test_an_older_handler_does_not_run_a_question(cloud: str, marks: bool) -> None:
    """No time is left for it, so it refuses; the key stays unknown, and is not asked for again."""
    result = CLOUDS[cloud](QUESTION._replace(marks=marks))
    assert read_answer(KEY, result) == NOT_SUPPORTED


@pytest.mark.parametrize("cloud", CLOUDS)
def test_an_older_handler_runs_a_call(cloud: str) -> None:
    """So it is the header that keeps it from running a question."""
    with pytest.raises(old_handler.Ran):
        CLOUDS[cloud](CALL)

from __future__ import annotations

from typing import Any

import pytest

from leeward._http.messages import Failure, Phase, Response
from leeward.calls import AbortRun, FoundRun, GetRun, StartRun
from leeward.errors import Outcome
from leeward_aws.workflows.runs import runs
from leeward_contract_tests.rows import each_row
from tests.aws.playing import SETTINGS, answer, document, header, play, refusal

PLANS = runs(SETTINGS)
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:order"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:order:order-42"
KNOWN = {"machine:order": MACHINE}

START = StartRun("order", "order-42", b'{"id":"42"}', "digest", repeatable=True)
GET = GetRun("order", "order-42")
ABORT = AbortRun("order", "order-42")

LOST = Failure(Phase.RECEIVE, True, "deadline")
UNSENT = Failure(Phase.CONNECT, False, "curl.7")
STARTED = answer({"executionArn": EXECUTION, "startDate": 1_767_225_600.5})
TAKEN = refusal("ExecutionAlreadyExists")


def described(**fields: Any) -> Response:
    told = {"status": "RUNNING", "startDate": 1_767_225_600.5, "input": '{"id": "42"}'}
    return answer(told | fields)


def machines(*names: str, token: str | None = None) -> Response:
    arn = MACHINE.removesuffix("order")
    page = [{"name": each, "stateMachineArn": f"{arn}{each}"} for each in names]
    return answer({"stateMachines": page, **({"nextToken": token} if token else {})})


def test_a_machine_is_looked_up_once() -> None:
    """Page by page; one that is named by its ARN is not."""
    learnt: dict[str, Any] = {}
    pages = machines("other", token="next"), machines("order")
    played = play(PLANS["start_run"], START, *pages, STARTED, learnt=learnt)
    assert played.result.value == FoundRun("running", None, 1_767_225_600.5)
    assert [header(each, "x-amz-target") for each in played.sent] == [
        "AWSStepFunctions.ListStateMachines",
        "AWSStepFunctions.ListStateMachines",
        "AWSStepFunctions.StartExecution",
    ]
    assert document(played.sent[1]) == {"maxResults": 1000, "nextToken": "next"}
    assert document(played.sent[2]) == {
        "stateMachineArn": MACHINE,
        "name": "order-42",
        "input": '{"id":"42"}',
    }
    assert learnt == KNOWN
    assert len(play(PLANS["start_run"], START, STARTED, learnt=learnt).sent) == 1
    assert len(play(PLANS["get_run"], GET._replace(workflow=MACHINE), described()).sent) == 1


STARTS: dict[str, tuple[list[Response | Failure], Outcome, str | None]] = {
    "lost": ([LOST], Outcome.AMBIGUOUS, "receive"),
    "not sent": ([UNSENT], Outcome.NOT_SENT, "connect"),
    "throttled": ([refusal("ThrottlingException")], Outcome.REJECTED, None),
    "quota": ([refusal("ExecutionLimitExceeded")], Outcome.REJECTED, None),
    "gone": ([refusal("StateMachineDoesNotExist")], Outcome.NOT_FOUND, None),
    "server": ([answer({}, 500)], Outcome.AMBIGUOUS, None),
    "unreadable": ([answer({"executionArn": EXECUTION})], Outcome.AMBIGUOUS, "undecodable"),
    "the same": ([TAKEN, described()], Outcome.OK, None),
    "the same, ended": ([TAKEN, described(status="FAILED", error="E")], Outcome.OK, None),
    "another": ([TAKEN, described(input="1")], Outcome.CONFLICT, None),
    "taken, and not seen": ([TAKEN, LOST], Outcome.AMBIGUOUS, "conflict_unproved"),
    "taken, and gone": (
        [TAKEN, refusal("ExecutionDoesNotExist")],
        Outcome.AMBIGUOUS,
        "conflict_unproved",
    ),
}


@each_row("row", STARTS)
def test_a_start_ends_as_is_proved(
    row: tuple[list[Response | Failure], Outcome, str | None],
) -> None:
    """Once it has left nothing is claimed that no answer proves."""
    answers, outcome, reason = row
    result = play(PLANS["start_run"], START, *answers, learnt=dict(KNOWN)).result
    assert (result.outcome, result.reason) == (outcome, reason)


def test_an_execution_that_is_not_there_is_none_and_a_lost_look_is_not() -> None:
    """Nor is an answer that cannot be read."""
    absent = refusal("ExecutionDoesNotExist")
    for verb, call in (("get_run", GET), ("abort_run", ABORT)):
        result = play(PLANS[verb], call, absent, learnt=dict(KNOWN)).result
        assert (result.outcome, result.value) == (Outcome.OK, None)
        lost = play(PLANS[verb], call, LOST, learnt=dict(KNOWN)).result
        assert lost.outcome is Outcome.AMBIGUOUS
    odd = play(PLANS["get_run"], GET, described(status="ODD"), learnt=dict(KNOWN)).result
    assert (odd.outcome, odd.executed) == (Outcome.AMBIGUOUS, True)


def test_an_abort_stops_the_execution() -> None:
    """By its ARN, which follows from the machine's."""
    played = play(PLANS["abort_run"], ABORT, answer({"stopDate": 1.0}), learnt=dict(KNOWN))
    assert played.result.value is True
    assert document(played.sent[0])["executionArn"] == EXECUTION


@pytest.mark.parametrize("text", [b'{"id":"42"}', b' { "id" : "42" } '])
def test_the_same_json_is_the_same_input(text: bytes) -> None:
    """However it is written down; another number, or true for one, is another input."""
    call = START._replace(input=text)
    taken = (TAKEN, described())
    assert play(PLANS["start_run"], call, *taken, learnt=dict(KNOWN)).result.outcome is Outcome.OK
    one = START._replace(input=b'{"n":[1]}')
    for other, outcome in (("1.0", Outcome.OK), ("true", Outcome.CONFLICT)):
        answers = (TAKEN, described(input=f'{{"n":[{other}]}}'))
        assert play(PLANS["start_run"], one, *answers, learnt=dict(KNOWN)).result.outcome is outcome

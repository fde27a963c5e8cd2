from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from leeward._http.messages import Failure, Phase, Response
from leeward.calls import AbortRun, GetRun, StartRun
from leeward.errors import InvalidRequest, Outcome
from leeward_contract_tests.rows import each_row
from leeward_google.settings.services import Workflows
from leeward_google.workflows.runs import LABEL, label_of, runs
from tests.google.playing import answer, document, play, refusal

PLANS = runs(Workflows("https://workflowexecutions.googleapis.com", "europe-west1"), "shop")
PARENT = "projects/shop/locations/europe-west1/workflows/order"
START = StartRun("order", "Order-42", b'{"id":"42"}', "digest", repeatable=False)
GET = GetRun("order", "Order-42")
ABORT = AbortRun("order", "Order-42")

LOST = Failure(Phase.RECEIVE, True, "deadline")
UNSENT = Failure(Phase.CONNECT, False, "curl.7")
NONE = answer({})


def execution(state: str = "ACTIVE", name: str = "one", **fields: Any) -> dict[str, Any]:
    return {
        "name": f"{PARENT}/executions/{name}",
        "state": state,
        "argument": '{"run": "Order-42", "input": {"id": "42"}}',
        "labels": {LABEL: label_of("Order-42")},
        "createTime": "2026-01-01T00:00:00.123456789Z",
        **fields,
    }


def page(*executions: dict[str, Any], **fields: Any) -> Response:
    return answer({"executions": list(executions), **fields})


def test_a_start_looks_first() -> None:
    """By a label, through all pages; then it makes an execution that bears it, and the id."""
    empty = page(nextPageToken="a/b")
    played = play(PLANS["start_run"], START, empty, page(), answer(execution()))
    assert played.result.value is not None
    assert played.result.value.state == "running"
    first, second, create = played.sent
    wanted = f'labels.{LABEL}="{label_of("Order-42")}"'
    assert unquote(first.target) == f"/v1/{PARENT}/executions?view=FULL&filter={wanted}"
    assert second.target == f"{first.target}&pageToken=a%2Fb"
    assert create.target == f"/v1/{PARENT}/executions"
    told: Any = document(create)
    assert told["labels"] == {LABEL: label_of("Order-42")}
    assert json.loads(told["argument"]) == {"run": "Order-42", "input": {"id": "42"}}


STARTS: dict[str, tuple[list[Response | Failure], Outcome, str | None]] = {
    "lost": ([NONE, LOST], Outcome.AMBIGUOUS, "receive"),
    "not sent": ([NONE, UNSENT], Outcome.NOT_SENT, "connect"),
    "throttled": ([NONE, refusal("RESOURCE_EXHAUSTED", 429)], Outcome.REJECTED, None),
    "unavailable": ([NONE, refusal("UNAVAILABLE", 503)], Outcome.AMBIGUOUS, None),
    "no such workflow": ([refusal("NOT_FOUND", 404)], Outcome.NOT_FOUND, None),
    "unreadable": ([NONE, answer({"state": "ACTIVE"})], Outcome.AMBIGUOUS, "undecodable"),
    "the look is lost": ([LOST], Outcome.NOT_SENT, "receive"),
    "the look is refused": ([refusal("UNAVAILABLE", 503)], Outcome.NOT_SENT, None),
    "there": ([page(execution())], Outcome.OK, None),
    "another": ([page(execution(argument='{"run":"Order-42","input":1}'))], Outcome.CONFLICT, None),
}


@each_row("row", STARTS)
def test_a_start_ends_as_is_proved(
    row: tuple[list[Response | Failure], Outcome, str | None],
) -> None:
    """What comes of the look is no doubt about the start, which has not left by then."""
    answers, outcome, reason = row
    result = play(PLANS["start_run"], START, *answers).result
    assert (result.outcome, result.reason) == (outcome, reason)


def error(payload: Any) -> dict[str, Any]:
    return {"error": {"payload": payload if isinstance(payload, str) else json.dumps(payload)}}


def test_the_first_of_two_executions_is_the_run() -> None:
    """Two may be there that somebody has started without leeward; another's label is another's."""
    later = execution("FAILED", "two", startTime="2026-01-01T00:00:01Z", **error({"name": "E"}))
    stranger = execution("SUCCEEDED", "three", labels={LABEL: "other"}, result="1")
    found: Any = play(PLANS["get_run"], GET, page(stranger, later, execution())).result.value
    assert found.state == "running"
    assert play(PLANS["get_run"], GET, page(stranger)).result.value is None


def test_a_lost_look_and_an_unreadable_one_are_not_an_absent_run() -> None:
    """Nothing is claimed of what was not seen."""
    odd = page(execution("UNAVAILABLE"))
    for given in (LOST, refusal("INTERNAL", 500), odd, answer([])):
        assert play(PLANS["get_run"], GET, given).result.outcome is Outcome.AMBIGUOUS


def test_an_abort_cancels_what_runs() -> None:
    """By its whole name; what has ended, or ends meanwhile, stays as it is."""
    played = play(PLANS["abort_run"], ABORT, page(execution()), answer(execution("CANCELLED")))
    assert played.result.value is True
    assert played.sent[1].target == f"/v1/{PARENT}/executions/one:cancel"
    ended = (page(execution()), refusal("FAILED_PRECONDITION", 400))
    assert play(PLANS["abort_run"], ABORT, *ended).result.value is True
    assert play(PLANS["abort_run"], ABORT, page(execution("CANCELLED"))).result.value is True
    assert play(PLANS["abort_run"], ABORT, NONE).result.value is None
    lost = play(PLANS["abort_run"], ABORT, page(execution()), LOST).result
    assert lost.outcome is Outcome.AMBIGUOUS
    assert play(PLANS["abort_run"], ABORT, LOST).result.outcome is Outcome.NOT_SENT


def test_a_workflow_may_have_its_whole_name() -> None:
    """In another project, for one; a name that leads elsewhere in the path is refused."""
    whole = "projects/other/locations/us-east1/workflows/w"
    sent = play(PLANS["get_run"], GET._replace(workflow=whole), NONE).sent
    assert sent[0].target.startswith(f"/v1/{whole}/executions?")
    with pytest.raises(InvalidRequest, match="cannot be the name of a workflow"):
        play(PLANS["get_run"], GET._replace(workflow="a/../b"))

from __future__ import annotations

from typing import Any

from leeward._http.messages import Failure, Phase, Response
from leeward.calls import AbortRun, GetRun, StartRun
from leeward.errors import Outcome
from leeward_azure.settings.services import Workflows
from leeward_azure.workflows.runs import runs
from leeward_contract_tests.rows import each_row
from tests.azure.playing import NOW, answer, document, headers_of, play

PLANS = runs(Workflows("https://flows.azurewebsites.net", "system-key"))
PATH = "/runtime/webhooks/durabletask"
START = StartRun("order", "order-42", b'{"id":"42"}', "d1", repeatable=False)
GET = GetRun("order", "order-42")
ABORT = AbortRun("order", "order-42")

LOST = Failure(Phase.RECEIVE, True, "deadline")
UNSENT = Failure(Phase.CONNECT, False, "curl.7")
NONE = answer(b"", 404)
PAGE = answer(b"<html>Not here</html>", 404)
OFFLINE = answer(b"Function host is not running.", 503)
RUNS = answer({"Message": "An instance with this ID already exists."}, 409)
WRONG = answer({"Message": "The function does not exist."}, 400)


def told(state: str = "Running", status: int = 202, **fields: Any) -> Response:
    known = {
        "runtimeStatus": state,
        "input": {"digest": "d1", "input": {"id": "42"}},
        "output": None,
        "createdTime": "2026-01-01T00:00:00.1234567Z",
        "lastUpdatedTime": "2026-01-01T00:00:01Z",
    }
    return answer(known | fields, status)


def test_a_start_looks_first() -> None:
    """Then it starts the one orchestrator, as an instance with the run's own name."""
    played = play(PLANS["start_run"], START, NONE, answer({"id": "order:order-42"}, 202))
    found: Any = played.result.value
    assert (found.state, found.started, found.digest) == ("running", NOW, "d1")
    look, start = played.sent
    assert look.target == f"{PATH}/instances/order%3Aorder-42?showInput=true"
    assert start.target == f"{PATH}/orchestrators/leeward_workflow/order%3Aorder-42"
    assert document(start) == {"digest": "d1", "input": {"id": "42"}}
    assert {headers_of(each)["x-functions-key"] for each in played.sent} == {"system-key"}
    assert played.needed == []


STARTS: dict[str, tuple[list[Response | Failure], Outcome, str | None]] = {
    "lost": ([NONE, LOST], Outcome.AMBIGUOUS, "receive"),
    "not sent": ([NONE, UNSENT], Outcome.NOT_SENT, "connect"),
    "throttled, by whoever": ([NONE, answer(b"", 429)], Outcome.AMBIGUOUS, None),
    "offline": ([NONE, OFFLINE], Outcome.REJECTED, None),
    "failed": ([NONE, answer(b"", 500)], Outcome.AMBIGUOUS, None),
    "another success": ([NONE, answer({}, 200)], Outcome.AMBIGUOUS, "unexpected_status"),
    "no such orchestrator": ([NONE, WRONG], Outcome.CALLER, None),
    "a proxy's refusal": ([NONE, PAGE], Outcome.AMBIGUOUS, None),
    "no extension": ([NONE, NONE], Outcome.NOT_FOUND, None),
    "another key": ([answer(b"", 401)], Outcome.AUTH, None),
    "raced": ([NONE, RUNS, told()], Outcome.OK, None),
    "raced by another": (
        [NONE, RUNS, told(input={"digest": "d1", "input": 1})],
        Outcome.CONFLICT,
        None,
    ),
    "raced, and not seen": ([NONE, RUNS, LOST], Outcome.AMBIGUOUS, "conflict_unproved"),
    "the look is lost": ([LOST], Outcome.NOT_SENT, "receive"),
    "there": ([told()], Outcome.OK, None),
    "there, and ended": ([told("Completed", 200)], Outcome.OK, None),
    "another": ([told(input={"digest": "d1", "input": 1})], Outcome.CONFLICT, None),
}


@each_row("row", STARTS)
def test_a_start_ends_as_is_proved(
    row: tuple[list[Response | Failure], Outcome, str | None],
) -> None:
    """Whoever may have answered, and whatever comes of the look."""
    answers, outcome, reason = row
    result = play(PLANS["start_run"], START, *answers).result
    assert (result.outcome, result.reason) == (outcome, reason)


def test_what_is_not_seen_is_not_absent() -> None:
    """A lost look, somebody else's page, and what another program has started."""
    stranger = told(input="anything")
    for given in (LOST, PAGE, stranger, told("Odd"), answer([])):
        assert play(PLANS["get_run"], GET, given).result.outcome is Outcome.AMBIGUOUS
    assert play(PLANS["get_run"], GET, NONE).result.value is None


def test_an_abort_terminates_the_instance() -> None:
    """One that has ended stays as it is."""
    played = play(PLANS["abort_run"], ABORT, answer(b"", 202))
    assert played.result.value is True
    assert played.sent[0].target == f"{PATH}/instances/order%3Aorder-42/terminate?reason=aborted"
    assert play(PLANS["abort_run"], ABORT, answer(b"", 410)).result.value is True
    assert play(PLANS["abort_run"], ABORT, NONE).result.value is None
    assert play(PLANS["abort_run"], ABORT, LOST).result.outcome is Outcome.AMBIGUOUS

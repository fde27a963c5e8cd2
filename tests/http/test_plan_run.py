"""A plan under way: the one-effect rule, what a failure proves, and the one replay."""

from __future__ import annotations

import threading
from math import inf
from time import sleep
from typing import Any, NamedTuple

import pytest

from leeward._http.messages import Failure, Phase, Request, Response
from leeward.adapter._plan_run import MOST_LEARNT, Learnt, PlanRun, result_of
from leeward.adapter.plans import (
    CLOCK_SKEW,
    SKEWED,
    STALE_CREDENTIALS,
    Drop,
    Learn,
    Need,
    Plan,
    Planner,
    Send,
    TheirTime,
    View,
)
from leeward.calls import SHORTEST_WAIT, AttemptTime, Invoke, Result
from leeward.errors import InvalidRequest, LeewardError, Outcome
from leeward.values import Effect
from leeward_contract_tests.rows import each_row

CALL = Invoke("f", b"{}", "k")
REQUEST = Request("POST", "https://example.com", "/f", (), b"{}")
STALE: Result[Any] = Result(Outcome.AUTH, reason=STALE_CREDENTIALS)
REFUSED: Result[Any] = Result(Outcome.AUTH)
"""The same, once nothing more can be done about it."""


class Asked(NamedTuple):
    """What a plan under way has asked for: a step, its request or what was refused, the time."""

    step: Send | Need | Drop
    of: Any
    timeout: float


def run(
    planner: Planner, *answers: Any, learnt: dict[str, Any] | None = None, timeout: float = 10.0
) -> tuple[Result[Any], list[Asked]]:
    """Run a plan over given answers, a second each; give its result and what it asked for."""
    known = Learnt()
    known.update(learnt or {})
    going = PlanRun(planner, CALL, known, 1000.0, timeout)
    asked: list[Asked] = []
    given = iter(answers)
    step = going.start()
    while not isinstance(step, Result):
        of = going.request if isinstance(step, Send) else going.refused
        asked.append(Asked(step, of, going.seconds))
        answer = next(given)
        step = going.advance(answer, 1000.0 + len(asked), timeout - len(asked))
    if learnt is not None:
        learnt.clear()
        learnt.update(known)
    return step, asked


def requests(asked: list[Asked]) -> list[Request]:
    """Give the requests."""
    return [each.of for each in asked if isinstance(each.step, Send)]


def decoded(response: Response) -> Result[Any]:
    if response.status == 401:
        return STALE
    return Result.ok(response.status)


def with_token(call: Any, view: View) -> Plan:
    token = yield Need("scope")
    response = yield Send(REQUEST._replace(headers=(("Authorization", token),)))
    return decoded(response)


def looked_up(call: Any, view: View) -> Plan:
    yield Send(REQUEST, effect=False)
    return decoded((yield Send(REQUEST)))


def test_what_its_requests_have_waited_for_a_place_is_told() -> None:
    """All of them together, whatever came of the last one."""
    refused, answered = Response(401, waited=1.5), Response(200, waited=0.25)
    result, _ = run(with_token, "t-1", refused, "t-2", answered)
    assert result == Result(Outcome.OK, 200, waited=1.75)
    result, _ = run(with_token, "t-1", Failure(Phase.BODY, True, "curl.56", waited=2.0))
    assert (result.outcome, result.waited) == (Outcome.AMBIGUOUS, 2.0)


def timed(
    planner: Planner, timeout: float, *steps: tuple[Any, float], call: Any = CALL
) -> tuple[Result[Any] | None, list[Any]]:
    """Run a plan over answers, and when each came; return its result, and the time of each step."""
    going = PlanRun(planner, call, Learnt(), 1000.0, timeout)
    step, times = going.start(), []
    for answer, at in steps:
        times.append(going.seconds)
        step = going.advance(answer, 1000.0 + at, timeout - at)
    return (step if isinstance(step, Result) else None), times


def test_what_comes_before_the_request_may_take_a_wait_of_its_own() -> None:
    """A credential and a place take nothing of the attempt, as long as they take no longer."""
    timeout = AttemptTime.of(2.0, 0.5, 10.0)
    placed = Response(200, waited=0.25)
    result, (need, send) = timed(with_token, timeout, ("t-1", 0.25), (placed, 1.0))
    assert result == Result(Outcome.OK, 200, waited=0.5)
    assert need == 2.5
    assert (send, send.wait, send.total) == (2.0, 0.25, 9.75)
    late = "t-1", 1.5
    _, (_, send) = timed(with_token, timeout, late, (placed, 1.6))
    assert (send, send.wait) == (1.0, 0.0)
    known = "t-1", SHORTEST_WAIT / 2
    result, _ = timed(with_token, timeout, known, (Response(200), 0.1))
    assert result == Result.ok(200)
    for answer in (Response(200), Failure(Phase.REFUSED_HERE, False, "bulkhead", waited=0.5)):
        _, (look_up, send) = timed(looked_up, timeout, (answer, 0.5), (Response(200), 1.0))
        assert (look_up, look_up.wait) == (1.0, 0.25)
        assert send == (1.5 if answer.waited == 0.0 else 2.0)


class Isolated:
    """A target that an operator has taken out."""

    isolated = True


def test_a_wait_for_a_credential_of_an_isolated_target_sends_nothing() -> None:
    """A plan that has not waited is sent: that was decided just now."""
    timeout = AttemptTime.of(2.0, 0.5, 10.0, gate=Isolated())
    result, _ = timed(with_token, timeout, ("t-1", 0.25))
    assert result is not None
    assert (result.outcome, result.reason) == (Outcome.LOCAL, "isolated")
    result, (_, send) = timed(with_token, timeout, ("t-1", 0.0), (Response(200), 0.1))
    assert (result, send.gate.isolated) == (Result.ok(200), True)


def test_an_unsafe_function_is_not_called_without_its_own_limit() -> None:
    """What took so long proves that it was not: it may be called elsewhere."""
    timeout = AttemptTime.of(2.0, 0.1, inf)
    for limit, effect, sent in (
        (1.0, Effect.UNSAFE, False),
        (1.0, Effect.IDEMPOTENT, True),
        (0.5, Effect.UNSAFE, True),
        (3.0, Effect.UNSAFE, True),
    ):
        call = CALL._replace(time_limit=limit, effect=effect)
        result, _ = timed(with_token, timeout, ("t-1", 1.5), call=call)
        assert (result is None) is sent
        assert sent or (result is not None and result[:3] == (Outcome.LOCAL, None, "no_time"))


@pytest.mark.threat("S7")
def test_a_stale_credential_is_replaced_once() -> None:
    """After a 401 the plan is run again with a fresh credential, and not a third time."""
    result, asked = run(with_token, "t-1", Response(401), "t-2", Response(200))
    assert result == Result.ok(200)
    needs = [each for each in asked if isinstance(each.step, Need)]
    assert needs == [(Need("scope"), None, 10.0), (Need("scope"), "t-1", 8.0)]
    result, asked = run(with_token, "t-1", Response(401), "t-2", Response(401))
    assert result == REFUSED
    assert len(asked) == 4


def test_a_stale_address_is_looked_up_once_more() -> None:
    """What is not there where it was looked up may have moved."""

    def at_an_address(call: Any, view: View) -> Plan:
        address = yield Need("address")
        response = yield Send(REQUEST._replace(target=address))
        if response.status == 404:
            return Result(Outcome.NOT_FOUND, reason=STALE_CREDENTIALS)
        return decoded(response)

    result, asked = run(at_an_address, "/old", Response(404), "/new", Response(200))
    assert result == Result.ok(200)
    assert asked[2] == (Need("address"), "/old", 8.0)


@pytest.mark.threat("S7")
def test_the_same_credential_is_not_refused_twice() -> None:
    """Where there is no other credential, the refusal stands and nothing more is sent."""
    result, asked = run(with_token, "t-1", Response(401), "t-1")
    assert (result, len(asked)) == (REFUSED, 3)


def by_the_clock(call: Any, view: View) -> Plan:
    response = yield Send(REQUEST._replace(headers=(("Date", str(view.now)),)))
    if response.status == 403:
        yield TheirTime(1501.0)
        return Result(Outcome.AUTH, reason=SKEWED)
    return decoded(response)


def test_a_wrong_clock_is_corrected_once() -> None:
    """The replay goes by the target's time, and so does every later plan."""
    learnt: dict[str, Any] = {}
    result, asked = run(by_the_clock, Response(403), Response(200), learnt=learnt)
    assert result == Result.ok(200)
    assert [each.headers[0][1] for each in requests(asked)] == ["1000.0", "1501.0"]
    _, asked = run(by_the_clock, Response(200), learnt=learnt)
    assert requests(asked)[0].headers[0][1] == "1500.0"
    result, asked = run(by_the_clock, Response(403), Response(403))
    assert (result, len(asked)) == (REFUSED, 2)


def test_the_targets_time_is_compared_with_the_time_of_its_answer() -> None:
    """Not with the start of the plan; and it replaces what another plan has learnt meanwhile."""

    def asks(call: Any, view: View) -> Plan:
        yield Need("scope")
        yield Send(REQUEST)
        yield TheirTime(1502.0)
        return Result.ok(None)

    learnt: dict[str, Any] = {CLOCK_SKEW: 400.0}
    run(asks, "t-1", Response(403), learnt=learnt)
    assert learnt == {CLOCK_SKEW: 500.0}


@pytest.mark.parametrize("years", [-1, 1])
@pytest.mark.row(13)
@pytest.mark.threat("S18")
def test_a_clock_that_is_more_than_a_day_off_is_not_believed(years: int) -> None:
    """One refusal with a wrong date would date all later requests."""

    def asks(call: Any, view: View) -> Plan:
        yield Send(REQUEST)
        yield TheirTime(view.now + years * 365 * 86_400.0)
        return Result(Outcome.AUTH, reason=SKEWED)

    learnt: dict[str, Any] = {}
    result, _ = run(asks, Response(403), Response(403), learnt=learnt)
    assert (result.outcome, learnt) == (Outcome.AUTH, {})


@pytest.mark.row(11)
@pytest.mark.threat("S19")
def test_what_is_learnt_is_bounded() -> None:
    """The oldest fact goes first; the target's clock stays, however long ago it was learnt."""
    learnt = Learnt()
    learnt.learn(Learn(CLOCK_SKEW, 60.0))
    for number in range(2 * MOST_LEARNT):
        learnt.learn(Learn(f"bus:{number}", True))
    assert len(learnt) == MOST_LEARNT
    assert learnt[CLOCK_SKEW] == 60.0
    assert f"bus:{2 * MOST_LEARNT - 1}" in learnt
    assert "bus:0" not in learnt


def test_a_second_effect_is_refused_before_it_is_sent() -> None:
    """One attempt is one effectful request, whatever a plan says."""

    def greedy(call: Any, view: View) -> Plan:
        yield Send(REQUEST)
        yield Send(REQUEST)
        return Result.ok(None)

    result, asked = run(greedy, Response(200), Response(200))
    assert (result.outcome, result.executed, len(asked)) == (Outcome.AMBIGUOUS, True, 1)
    assert isinstance(result.cause, LeewardError)
    assert "second" in str(result.cause)


@pytest.mark.parametrize("error", [InvalidRequest("no", field="x"), KeyError("x")], ids=type)
@pytest.mark.parametrize(("status", "executed"), [(200, True), (500, None)])
def test_what_a_plan_raises_after_its_effect_proves_nothing(
    error: Exception, status: int, executed: bool | None
) -> None:
    """It was sent, so it may have run; an error of leeward's own does not say otherwise."""

    def stumbles(call: Any, view: View) -> Plan:
        yield Send(REQUEST)
        raise error

    result, asked = run(stumbles, Response(status))
    assert (result.outcome, result.executed, len(asked)) == (Outcome.AMBIGUOUS, executed, 1)
    assert (result.code, result.cause) == (type(error).__name__, error)


def test_what_a_plan_raises_before_its_effect_is_passed_on() -> None:
    """Nothing was done, also where something was looked up."""

    def refuses(call: Any, view: View) -> Plan:
        yield Send(REQUEST, effect=False)
        raise InvalidRequest("no", field="x")

    with pytest.raises(InvalidRequest):
        run(refuses, Response(200))


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("sent", [True, False])
def test_a_look_up_that_took_all_the_time_tells_how_it_ended(sent: bool, counts: bool) -> None:
    """Nothing with an effect was sent; and it is the target that was silent, not this side."""

    def looks(call: Any, view: View) -> Plan:
        yield Send(REQUEST, effect=False)
        response = yield Send(REQUEST, effect=counts)
        return decoded(response)

    silent = Failure(Phase.RECEIVE if sent else Phase.CONNECT, sent=sent, code="curl.28")
    result, asked = run(looks, silent, timeout=1.0)
    assert (result.outcome, result.code, len(asked)) == (Outcome.NOT_SENT, "curl.28", 1)


def test_a_look_up_may_fail_without_ending_the_plan() -> None:
    """It has no effect, so the plan decides; what it learns is there the next time."""

    def careful(call: Any, view: View) -> Plan:
        if "bus" not in view.learnt:
            found = yield Send(REQUEST, effect=False)
            yield Learn("bus", "unknown" if isinstance(found, Failure) else "there")
        response = yield Send(REQUEST)
        return decoded(response)

    learnt: dict[str, Any] = {}
    down = Failure(Phase.CONNECT, sent=False, code="curl.7")
    result, asked = run(careful, down, Response(200), learnt=learnt)
    assert (result, len(asked), learnt) == (Result.ok(200), 2, {"bus": "unknown"})
    _, asked = run(careful, Response(200), learnt=learnt)
    assert len(asked) == 1


def union(old: frozenset[int] | None, new: frozenset[int]) -> frozenset[int] | None:
    """Join what was known and what is new; forget all at the number 0."""
    return None if 0 in new else (old or frozenset()) | new


def test_what_is_learnt_is_joined_with_what_is_known() -> None:
    """A merge is given both, the old one None where there is none; None forgets here too."""

    def sees(number: int) -> Planner:
        def plan(call: Any, view: View) -> Plan:
            yield Learn("seen", frozenset({number}), union)
            return Result.ok(None)

        return plan

    learnt: dict[str, Any] = {}
    run(sees(1), learnt=learnt)
    run(sees(2), learnt=learnt)
    assert learnt == {"seen": {1, 2}}
    run(sees(0), learnt=learnt)
    assert learnt == {}
    run(sees(0), learnt=learnt)
    assert learnt == {}


def test_threads_that_learn_at_the_same_time_lose_nothing() -> None:
    """Even if the interpreter goes from one to another in the middle of a merge."""
    learnt = Learnt()
    ready = threading.Barrier(4)

    def work(worker: int) -> None:
        ready.wait(20)
        for number in range(500):
            learnt.learn(Learn("seen", frozenset({worker * 500 + number + 1}), slowly))

    def slowly(old: frozenset[int] | None, new: frozenset[int]) -> frozenset[int] | None:
        sleep(0)  # lets another thread run
        return union(old, new)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert learnt == {"seen": set(range(1, 2001))}


def test_connections_to_the_wrong_place_are_dropped() -> None:
    """The plan goes on without an answer, and the time that it took is gone."""

    def moved(call: Any, view: View) -> Plan:
        yield Send(REQUEST, effect=False)
        assert (yield Drop(REQUEST.origin)) is None
        response = yield Send(REQUEST)
        return decoded(response)

    result, asked = run(moved, Response(403), None, Response(200))
    assert result == Result.ok(200)
    assert [(each.step, each.timeout) for each in asked] == [
        (Send(REQUEST, effect=False), 5.0),
        (Drop(REQUEST.origin), 5.0),
        (Send(REQUEST), 8.0),
    ]


@each_row(
    "failure, outcome, executed",
    [
        (Failure(Phase.REFUSED_HERE, sent=False, code="bulkhead"), Outcome.LOCAL, None),
        (Failure(Phase.NAME, sent=False, code="curl.6"), Outcome.NOT_SENT, None),
        (Failure(Phase.CONNECT, sent=False, code="curl.7"), Outcome.NOT_SENT, None),
        (Failure(Phase.TLS, sent=False, code="curl.60"), Outcome.NOT_SENT, None),
        (Failure(Phase.TLS, sent=True, code="curl.35"), Outcome.AMBIGUOUS, None),
        (Failure(Phase.RECEIVE, sent=True, code="curl.28"), Outcome.AMBIGUOUS, None),
        (Failure(Phase.BODY, sent=True, code="curl.18", status=200), Outcome.AMBIGUOUS, True),
        (Failure(Phase.BODY, sent=True, code="curl.18", status=500), Outcome.AMBIGUOUS, None),
    ],
)
def test_what_a_failure_proves(failure: Failure, outcome: Outcome, executed: bool | None) -> None:
    """Only a request of which nothing left is proved not to have run."""
    result = result_of(failure)
    assert (result.outcome, result.executed, result.code) == (outcome, executed, failure.code)
    ended, _ = run(with_token, "t-1", failure)
    assert ended._replace(message=None) == result


@each_row(
    "phase, code, told",
    [
        (Phase.NAME, "curl.6", "no such host {}"),
        (Phase.NAME, "curl.5", "no such host as the proxy's"),
        (Phase.NAME, "connect_timeout", "no address of {} in time"),
        (Phase.CONNECT, "curl.7", "no connection to {}"),
        (Phase.CONNECT, "connect_timeout", "no connection to {} in time"),
        (Phase.TLS, "curl.60", "the certificate of {} is not accepted"),
        (Phase.TLS, "curl.35", "no TLS connection to {}"),
        (Phase.RECEIVE, "deadline", "no complete answer from {} in time"),
        (Phase.BODY, "curl.18", "no complete answer from {}"),
        (Phase.REFUSED_HERE, "deadline", "there was no time left"),
    ],
)
def test_a_failure_is_told_in_words(phase: Phase, code: str, told: str) -> None:
    """A number of the library's says nothing to somebody who has misspelt a host."""
    failure = Failure(phase, sent=False, code=code)
    result, _ = run(with_token, "t-1", failure)
    host = REQUEST.origin.partition("://")[2]
    assert (result.code, result.message) == (code, told.format(host))

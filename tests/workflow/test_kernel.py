from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.testing.simulator import answer, error, simulate, throttle, time_out
from leeward.values import Effect, Json
from leeward.values.settled import Verdict
from leeward.workflow import ANY, Definition, Flow, Ref, Retry, workflow
from leeward.workflow.commands import (
    Answer,
    Returned,
    StepCall,
    StepFailure,
    StepQuestion,
    StepVerdict,
)
from leeward.workflow.kernel import fill, holds
from leeward.workflow.model import (
    CANCELLED,
    COMPENSATION_FAILED,
    DEADLINE,
    NOT_SENT,
    Compare,
    OneOf,
    Present,
    Reference,
    Saga,
    Step,
    nodes,
)
from tests.workflow.flows import everything, order_flow
from tests.workflow.strategies import INPUTS, Functions, definitions

ORDER = {"id": "42"}
GOOD = ["validate-order", "update-inventory", "process-payment", "ship-order", "notify-customer"]


def _run(functions: Mapping[str, Any], **options: Any) -> tuple[Json, list[str], str | None]:
    run = simulate(order_flow, ORDER, functions, **options)
    failure = None if run.failure is None else run.failure.name
    return run.result, [call.function for call in run.calls], failure


SCENARIOS: dict[str, tuple[Mapping[str, Any], Json, list[str], str | None]] = {
    "all well": ({}, None, GOOD, None),
    "invalid": (
        {"validate-order": [error("ValidationFailed")]},
        "rejected",
        ["validate-order", "notify-customer"],
        None,
    ),
    "an error that nobody handles": (
        {"validate-order": [error("Strange")]},
        None,
        ["validate-order"],
        "Strange",
    ),
    "declined: the payment did not happen, so it is not taken back": (
        {"process-payment": [error("CardDeclined")]},
        None,
        [*GOOD[:3], "restore-inventory", "notify-customer"],
        "OrderFailed",
    ),
    "out of stock: nothing is booked": (
        {"update-inventory": [error("OutOfStock")]},
        None,
        [*GOOD[:2], "notify-customer"],
        "OrderFailed",
    ),
    "throttled twice": (
        {"process-payment": [throttle(), throttle(), answer("p1")]},
        None,
        [*GOOD[:3], "process-payment", "process-payment", *GOOD[3:]],
        None,
    ),
    "the payment timed out: it is not repeated, and taken back": (
        {"process-payment": [time_out()]},
        None,
        [*GOOD[:3], "refund-payment", "restore-inventory", "notify-customer"],
        "OrderFailed",
    ),
    "the stock timed out: nothing else is done, and it is taken back": (
        {"update-inventory": [time_out()]},
        None,
        [*GOOD[:2], "restore-inventory", "notify-customer"],
        "OrderFailed",
    ),
    "a refund is refused once": (
        {"ship-order": [error("NoCarrier")], "refund-payment": [error("Busy"), answer()]},
        None,
        [*GOOD[:4], "refund-payment", "restore-inventory", "refund-payment", "notify-customer"],
        "OrderFailed",
    ),
    "a refund is refused for ever": (
        {"ship-order": [error("NoCarrier")], "refund-payment": [error("Busy")]},
        None,
        [*GOOD[:4], "refund-payment", "restore-inventory", *["refund-payment"] * 5, GOOD[4]],
        "OrderFailed",
    ),
}


def test_the_order_ends_as_it_must(subtests: pytest.Subtests) -> None:
    """Each way of failing has one end, and one list of calls."""
    for name, (functions, result, calls, failure) in SCENARIOS.items():
        with subtests.test(name):
            assert _run(functions) == (result, calls, failure)


def test_a_failed_compensation_is_told_with_the_steps() -> None:
    """The handler reads which steps could not be taken back."""
    run = simulate(
        order_flow, ORDER, {"ship-order": [error("No")], "refund-payment": [error("Busy")]}
    )
    told = run.calls[-1].payload
    assert told["error"] == COMPENSATION_FAILED
    assert told["steps"] == ["process-payment"]


def test_an_undo_knows_the_key_and_the_result_of_its_step() -> None:
    """What nobody knows to have run has no result."""
    run = simulate(order_flow, ORDER, {"process-payment": [time_out()]})
    undo = {call.function: call.payload for call in run.calls}
    assert undo["refund-payment"] == {
        "key": "order/run/process-payment",
        "payload": ORDER,
        "result": None,
    }
    known = simulate(
        order_flow,
        ORDER,
        {"update-inventory": [answer({"left": 3})], "ship-order": [error("No")]},
    )
    undo = {call.function: call.payload for call in known.calls}
    assert undo["restore-inventory"]["result"] == {"left": 3}


@workflow("deep")
def deep(w: Flow, given: Ref) -> None:
    with w.saga("all"):
        w.step("take", given["payload"], undo="give")
        w.fail("Boom")


def nested(levels: int) -> Json:
    """Give so many lists inside each other."""
    found: Json = []
    for _ in range(levels - 1):
        found = [found]
    return found


def test_whatever_a_step_gets_its_undo_can_get_too() -> None:
    """A function takes 64 levels, and an undo has one more around the payload and the result."""
    for levels, calls in ((63, ["take", "give"]), (64, [])):
        run = simulate(deep, {"payload": nested(levels)}, {})
        assert [call.function for call in run.calls] == calls
    for levels, result in ((63, nested(63)), (64, None)):
        run = simulate(deep, {"payload": 1}, {"take": [answer(nested(levels))]})
        assert run.calls[-1].payload["result"] == result


def test_cancelling_compensates_and_tells() -> None:
    """Handlers run, and cannot make the run go on; the flow's own error is what it ends with."""
    assert _run({}, cancel_after=2.5)[1:] == (
        [*GOOD[:3], "refund-payment", "restore-inventory", "notify-customer"],
        "OrderFailed",
    )
    assert _run({}, cancel_after=0.0) == (None, [], CANCELLED)

    @workflow("quiet")
    def quiet(w: Flow, _: Ref) -> None:
        with w.attempt("a") as a:
            w.step("f")
            w.wait("1d")
        with a.on(ANY):
            w.step("tell")
        w.step("never")

    run = simulate(quiet, cancel_after=100.0)
    assert (run.end, run.seconds) == (StepFailure(CANCELLED, final=True), 101.0)
    assert [call.function for call in run.calls] == ["f", "tell"]


def test_a_stop_behind_a_final_error_ends_its_handler_only() -> None:
    """Whatever stands around the `stop`; what the run has done is taken back, and it is told."""

    @workflow("stopping")
    def stopping(w: Flow, _: Ref) -> None:
        with w.saga("outer"):
            w.step("book", undo="unbook")
            with w.attempt("a") as a:
                w.step("pay", undo="refund")
                w.step("never")
            with a.on(ANY):
                with w.attempt("inner") as inner, w.saga("s"):
                    w.step("tell", undo="untell")
                    w.stop("well")
                with inner.on(ANY):
                    w.step("not-this")
                w.step("nor-this")

    run = simulate(stopping, cancel_after=1.5)
    assert run.end == StepFailure(CANCELLED, final=True)
    called = [call.function for call in run.calls]
    assert called == ["book", "pay", "tell", "untell", "refund", "unbook"]
    # Behind any other error it ends the run, as everywhere.
    run = simulate(stopping, None, {"never": [error("Declined")]})
    assert (run.result, run.count_calls("refund")) == ("well", 0)


def test_a_deadline_is_looked_at_before_each_step() -> None:
    """A step under way goes on; the next one is not begun, and what was done is taken back."""

    @workflow("slow", timeout=10)
    def slow(w: Flow, _: Ref) -> None:
        with w.saga("s"):
            w.step("f", undo="undo-f")
            w.step("g", undo="undo-g", timeout=60)
            w.step("h")

    run = simulate(slow, seconds_per_call=6.0)
    assert run.end == StepFailure(DEADLINE, final=True)
    assert [call.function for call in run.calls] == ["f", "g", "undo-g", "undo-f"]


def test_every_node_is_carried_out() -> None:
    """The wide flow, with branches, a choice and a loop."""
    order = {"id": "1", "kind": "x", "weight": 10, "lines": [{"n": 1}, {"n": 2}]}
    run = simulate(everything, order, {"take-stock": [answer({"place": "A7"})]})
    assert run.result == {"stock": {"place": "A7"}}
    assert sorted(call.key for call in run.calls) == [
        "everything/run/pack/0",
        "everything/run/pack/1",
        "everything/run/take-money",
        "everything/run/take-stock",
        "everything/run/weigh",
    ]
    packed = [call.payload for call in run.calls if call.function == "pack"]
    assert packed[0] == {"line": {"n": 1}, "stock": "A7", "$": ["$x", 1.5, None]}
    waited = simulate(everything, {"kind": "gift", "plain": False})
    assert waited.seconds == 301.0


def test_an_error_in_a_branch_waits_for_the_others_and_takes_all_back() -> None:
    """No branch is stopped in the middle; the undo is in reverse order of the branches."""
    run = simulate(everything, {}, {"take-money": [error("Declined")]}, seconds_per_call=1.0)
    assert run.end == StepFailure("Declined")
    assert [call.function for call in run.calls] == ["take-stock", "take-money", "give-stock"]
    late = simulate(everything, {"lines": [1]}, {"pack": [error("Torn")]})
    assert [call.function for call in late.calls][-3:] == ["pack", "give-money", "give-stock"]


def test_what_conditions_mean(subtests: pytest.Subtests) -> None:
    """Different types are neither equal nor in an order; what is missing is null."""
    a, b = Reference("a"), Reference("b")
    values: list[Json] = [None, True, False, 0, 1, 1.0, 2, "", "1", "x", [1], {"x": 1}]
    for left in values:
        for right in values:
            variables = {"a": left, "b": right}
            plain = not isinstance(left, list | dict) and not isinstance(right, list | dict)
            kinds = {
                "number" if type(each) in (int, float) else type(each) for each in (left, right)
            }
            alike = plain and len(kinds) == 1
            ordered = alike and kinds <= {"number", str}
            with subtests.test(f"{left!r} {right!r}"):
                assert holds(Compare(a, "==", b), variables) == (alike and left == right)
                assert holds(Compare(a, "!=", b), variables) == (not (alike and left == right))
                expected: Any = ordered and left < right
                assert holds(Compare(a, "<", b), variables) == expected
                expected = ordered and left >= right
                assert holds(Compare(a, ">=", b), variables) == expected
    assert holds(OneOf(a, (1, "x")), {"a": 1.0})
    assert not holds(OneOf(a, (1, "x")), {"a": True})
    assert not holds(Present(Reference("a", ("b",))), {"a": [{"b": 1}]})
    assert fill(Reference("a", ("b", "c")), {"a": {"b": {"c": 7}}}) == 7


def _steps(definition: Definition) -> dict[str, Step]:
    return {node.id: node for node in nodes(definition.body) if isinstance(node, Step)}


@settings(max_examples=150, deadline=None)
@given(definitions(), st.sampled_from(INPUTS), st.integers(0, 2**32))
def test_no_unsafe_step_is_repeated_unless_it_did_not_run(
    definition: Definition, value: Json, seed: int
) -> None:
    """And what may have run inside a saga that fails is taken back; whatever the flow."""
    functions = Functions(seed)
    answers: dict[str, list[Answer]] = {}

    def answering(call: StepCall) -> Answer:
        answer = functions(call)
        answers.setdefault(call.key, []).append(answer)
        return answer

    def telling(question: StepQuestion) -> StepVerdict:
        verdict = functions.verdict(question.function, question.key, question.attempt)
        if verdict.verdict is Verdict.NOT_RUN:
            answers[question.key][-1] = StepFailure(NOT_SENT)
        return verdict

    run = simulate(definition, value, answering, verdicts=telling)
    assert isinstance(run.end, Returned | StepFailure)
    steps = _steps(definition)
    keys = {call.key: call for call in run.calls}
    for key, found in answers.items():
        step = steps.get(keys[key].function)
        if step is None:
            continue
        if step.effect is Effect.UNSAFE:
            proofs = {"Call.Throttled", "Call.NotSent"}
            assert all(isinstance(a, StepFailure) and a.name in proofs for a in found[:-1])
        assert len(found) <= step.retry.attempts


@settings(max_examples=150, deadline=None)
@given(definitions(), st.sampled_from(INPUTS), st.integers(0, 2**32))
def test_a_saga_that_fails_takes_back_each_step_that_may_have_run(
    definition: Definition, value: Json, seed: int
) -> None:
    """Wrapped whole into a saga and made to fail, a flow leaves nothing behind."""
    functions = Functions(seed)
    ran: set[str] = set()
    not_run: set[str] = set()

    def note(key: str, *, may_have_run: bool) -> None:
        (ran if may_have_run else not_run).add(key)
        (not_run if may_have_run else ran).discard(key)

    def answering(call: StepCall) -> Answer:
        answer = Returned() if call.key.endswith("/undo") else functions(call)
        if isinstance(answer, Returned) or answer.ambiguous:
            note(call.key, may_have_run=True)
        return answer

    def telling(question: StepQuestion) -> StepVerdict:
        verdict = functions.verdict(question.function, question.key, question.attempt)
        ended = verdict.answer
        failed = isinstance(ended, StepFailure) and not ended.ambiguous
        if verdict.verdict is Verdict.NOT_RUN or failed:
            note(question.key, may_have_run=False)
        else:  # also while it runs, for nobody may wait for ever
            note(question.key, may_have_run=True)
        return verdict

    wrapped = definition._replace(body=(Saga("around", definition.body),))
    run = simulate(wrapped, value, answering, verdicts=telling)
    if run.failure is None:
        return
    steps = _steps(definition)
    with_undo = {
        call.key for call in run.calls if call.function in steps and steps[call.function].undo
    }
    undone = {key.removesuffix("/undo") for key in ran if key.endswith("/undo")}
    assert with_undo & ran <= undone
    assert not undone & not_run


def test_retries_are_pure() -> None:
    """Pauses grow to the cap; jitter takes a part, the same for the same attempt."""
    retry = Retry(on=(ANY,), attempts=6, first=2, factor=3, cap=30)
    assert [retry.pause(attempt, 1.0) for attempt in (1, 2, 3, 4)] == [2, 6, 18, 30]
    assert retry._replace(jitter="full").pause(2, 0.5) == 3.0


@workflow("falling", timeout=5)
def falling(w: Flow, _: Ref) -> None:
    with w.attempt("outer") as outer:
        with w.attempt("inner") as inner:
            w.step("a")
            w.wait(10)
        with inner.on(ANY):
            w.step("tell", effect="idempotent", retry=Retry(on=(), attempts=1))
    with outer.on("Boom"):
        w.step("log")
    w.step("never")


def test_a_handler_that_fails_makes_no_run_go_on() -> None:
    """Its error takes the place of the deadline, is seen by handlers, and ends the run as well."""
    run = simulate(falling, None, {"tell": [error("Boom")]})
    assert run.failure == StepFailure("Boom", final=True)
    assert [call.function for call in run.calls] == ["a", "tell", "log"]

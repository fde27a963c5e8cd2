"""Flows that wait: for events, people, times from data; loops, and the results of elements."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from leeward.errors import ConfigError
from leeward.testing.simulator import answer, error, simulate
from leeward.values import Json
from leeward.workflow import Flow, Ref, read_definition, workflow
from leeward.workflow.model import Definition
from leeward.workflow.orchestration import orchestrate
from leeward.workflow.reading import json_of, yaml_in, yaml_of
from leeward_deploy.aws.flows.export import export as export_aws
from leeward_deploy.azure.flows import export as export_azure
from leeward_deploy.google.flows.export import export as export_google


@workflow("payment")
def payment(w: Flow, order: Ref) -> None:
    w.step("ask-for-money", order)
    with w.attempt("paying") as paying:
        paid = w.event("paid", "refused", timeout="2d", id="paid")
    with paying.on("Flow.NoEvent"):
        w.step("remind", order)
        w.stop("late")
    with w.choose() as which, which.when(paid["event"] == "refused"):
        w.fail("Refused")
    w.stop(paid["value"])


def test_the_first_of_several_events_counts() -> None:
    """Its name and value are known; one that comes later is left."""
    events: list[tuple[float, str, Json]] = [(50.0, "paid", {"by": "card"}), (60.0, "refused", 1)]
    run = simulate(payment, events=events)
    assert (run.result, run.seconds) == ({"by": "card"}, 50.0)
    refused = simulate(payment, events=[(50.0, "refused", None)]).failure
    assert refused is not None
    assert refused.name == "Refused"


def test_without_an_event_in_time_the_wait_fails_by_name() -> None:
    """A handler decides what then; an event after the end of the wait is too late."""
    run = simulate(payment, events=[(2 * 86400 + 2.0, "paid", None)])
    assert (run.result, run.count_calls("remind")) == ("late", 1)


def test_an_early_event_is_kept_for_the_first_wait_of_its_name() -> None:
    """Each wait gets one, in the order of their arrival."""

    @workflow("twice")
    def twice(w: Flow, _: Ref) -> None:
        w.step("begin")
        first = w.event("item")
        second = w.event("item", id="second")
        w.stop({"first": first, "second": second})

    run = simulate(twice, events=[(0.0, "item", 1), (0.5, "other", 2), (90.0, "item", 3)])
    assert (run.result, run.seconds) == ({"first": 1, "second": 3}, 90.0)


def test_an_approval_is_an_event_with_a_question() -> None:
    """The answer is a value on which the flow decides."""

    @workflow("approve")
    def approve(w: Flow, order: Ref) -> None:
        answer = w.approval({"ask": "Ship it?", "order": order}, timeout="1h", id="may-ship")
        with w.choose() as which, which.when(answer["approved"] == False):  # noqa: E712
            w.stop("denied")
        w.step("ship", order)

    denied = simulate(approve, {"id": "1"}, events=[(5.0, "may-ship", {"approved": False})])
    assert (denied.result, denied.count_calls("ship")) == ("denied", 0)
    shipped = simulate(approve, {"id": "1"}, events=[(5.0, "may-ship", {"approved": True})])
    assert shipped.count_calls("ship") == 1


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (100, 100.0),
        ("1970-01-01T00:05:00Z", 300.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        (-1, None),
        ("tomorrow", None),
        ("2026-01-01T00:00:00", None),  # of which place?
        (True, None),
        (None, None),
        (1e300, None),
    ],
)
def test_a_time_may_come_from_data(moment: Json, seconds: float | None) -> None:
    """A number or a text with a place; whatever else fails the run by name."""

    @workflow("later")
    def later(w: Flow, value: Ref) -> None:
        w.wait(until=value["at"])
        w.step("work")

    run = simulate(later, {"at": moment}, seconds_per_call=0.0)
    if seconds is None:
        assert run.failure is not None
        assert run.failure.name == "Flow.NotATime"
    else:
        assert run.seconds == seconds


def test_seconds_may_come_from_data() -> None:
    """For waits and for events."""

    @workflow("patience")
    def patience(w: Flow, value: Ref) -> None:
        w.wait(value["pause"])
        w.step("work")
        w.event("never", timeout=value["limit"])

    run = simulate(patience, {"pause": 7, "limit": 5}, seconds_per_call=0.0)
    assert (run.seconds, run.failure and run.failure.name) == (12.0, "Flow.NoEvent")


@workflow("poll")
def poll(w: Flow, job: Ref) -> None:
    with w.repeat("look", at_most=3) as look:
        state = w.step("state-of", {"job": job, "round": look}, effect="read_only")
        look.until(state["done"] == True)  # noqa: E712
        w.wait("10s")
    w.stop(state)


def test_a_loop_ends_when_its_test_holds_or_after_its_last_round() -> None:
    """Each round has keys of its own, and the number of the round."""
    answers = [answer({"done": False}), answer({"done": True})]
    run = simulate(poll, "j", {"state-of": answers})
    assert (run.result, run.seconds) == ({"done": True}, 22.0)
    assert [call.key for call in run.calls] == ["poll/run/state-of/1", "poll/run/state-of/2"]
    assert [call.payload["round"] for call in run.calls] == [1, 2]
    for_ever = simulate(poll, "j", {"state-of": answers[:1]})
    assert (for_ever.failure and for_ever.failure.name) == "Flow.TooManyRounds"
    assert for_ever.count_calls("state-of") == 3


def test_the_results_of_each_element_can_be_read_behind_the_loop() -> None:
    """In the order of the elements, whichever ends first."""

    @workflow("sum-up")
    def sum_up(w: Flow, order: Ref) -> None:
        with w.each(order["lines"], "line", at_once=3) as line:
            price = w.step("price-of", line, effect="read_only")
            prices = w.collect({"sku": line["sku"], "price": price})
        w.stop(prices)

    order = {"lines": [{"sku": "a"}, {"sku": "b"}]}
    run = simulate(sum_up, order, {"price-of": lambda line: len(line["sku"])})
    assert run.result == [{"sku": "a", "price": 1}, {"sku": "b", "price": 1}]
    assert simulate(sum_up, {"lines": []}).result == []


@workflow("collected")
def collected(w: Flow, order: Ref) -> None:
    with w.each(order["lines"], "line") as line:
        w.collect(w.step("work", line))


@workflow("asking")
def asking(w: Flow, _: Ref) -> None:
    w.step("begin")
    with w.repeat(at_most=2) as loop:
        word = w.approval({"round": loop}, id="may-go")
        loop.until(word["approved"] == True)  # noqa: E712


@workflow("later")
def later(w: Flow, order: Ref) -> None:
    w.step("work")
    w.wait(until=order["at"])


@pytest.mark.parametrize("definition", [payment, poll, collected, asking, later])
def test_such_a_flow_is_the_same_as_a_document(definition: Definition) -> None:
    """As JSON and as YAML, to the digest."""
    documents = (json.loads(json_of(definition)), yaml_in(yaml_of(definition), "a file"))
    assert {read_definition(document).digest for document in documents} == {definition.digest}


def _loop_without_test(w: Flow, _: Ref) -> None:
    with w.repeat(at_most=3):
        w.step("work")


def _collect_outside(w: Flow, value: Ref) -> None:
    w.step("work")
    w.collect(value)


def _both_times(w: Flow, value: Ref) -> None:
    w.step("work")
    w.wait("5s", until=value["at"])


def _event_by_number(w: Flow, _: Ref) -> None:
    w.step("work")
    w.event(3)  # type: ignore[arg-type]


def _event_with_a_space(w: Flow, _: Ref) -> None:
    w.step("work")
    w.event("order paid", id="paid")


def _too_many_rounds(w: Flow, value: Ref) -> None:
    with w.repeat(at_most=100_000) as loop:
        w.step("work")
        loop.until(value["done"].is_present())


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        (_loop_without_test, "a test that ends it"),
        (_collect_outside, "inside an `each`"),
        (_both_times, "not both"),
        (_event_by_number, "is a text"),
        (_event_with_a_space, "like order.paid"),
        (_too_many_rounds, "at most 1000"),
    ],
)
def test_a_wrong_wait_is_refused_when_the_flow_is_defined(
    body: Callable[[Flow, Ref], None], remedy: str
) -> None:
    """With the line, and the remedy."""
    with pytest.raises(ConfigError, match=remedy) as refused:
        workflow("wrong")(body)
    assert "test_waits.py" in str(refused.value)


@workflow("rounds")
def rounds(w: Flow, _: Ref) -> None:
    with w.repeat(at_most=2) as loop:
        with w.attempt("trying") as trying:
            tried = w.step("work", loop)
        with trying.on("Nothing"):
            w.step("note", loop)
        with w.parallel("both") as both:
            with both.branch("one"):
                left = w.step("left", loop)
            with both.branch("other"):
                w.step("right")
        loop.until(left == 2)
    w.stop({"tried": tried, "left": left})


def test_a_round_knows_no_result_of_the_round_before() -> None:
    """What did not finish is null, and what ran again has its new result."""
    answers = {"work": [answer("first"), error("Nothing")], "left": [answer(1), answer(2)]}
    run = simulate(rounds, None, answers)
    assert run.result == {"tried": None, "left": 2}


def test_an_answer_counts_for_the_round_that_has_asked() -> None:
    """One that comes again, or late, answers no other question: each has a name of its own."""
    refused: tuple[float, str, Json] = (5.0, "may-go.1", {"approved": False})
    run = simulate(asking, events=[refused, refused, (9.0, "may-go.2", {"approved": True})])
    assert (run.failure, run.seconds) == (None, 9.0)


@pytest.mark.parametrize("definition", [payment, poll, collected, asking, later])
def test_what_an_engine_does_not_have_yet_is_refused_by_name(definition: Definition) -> None:
    """By each export, and by the orchestrator of who deploys a document by hand."""
    for export in (export_aws, export_azure, export_google):
        with pytest.raises(ConfigError, match="cannot be exported: its") as refused:
            export(definition, {})
        assert "keep the runs on `local` or `postgres`" in str(refused.value)
    host: Any = None
    with pytest.raises(ConfigError, match="cannot be exported: its"):
        next(orchestrate(definition, "r", None, host))

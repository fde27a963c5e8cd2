"""One meaning on every engine: the same end, and the same calls by the same keys."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import leeward_contract_tests
from leeward.errors import ConfigError
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.cases import RunEnd, cases_in
from leeward.workflow.cases import difference_of as difference_of_case
from leeward.workflow.commands import Answer, Failure, Returned
from leeward.workflow.document import stored
from leeward.workflow.exports import exporter_of
from leeward.workflow.model import NOT_SENT, THROTTLED, Definition, functions_of
from leeward.workflow.programs import EngineProcess
from leeward.workflow.retry import Retry
from leeward.workflow.simulator import simulate
from leeward.workflow.virtual import embedded
from leeward_aws.workflows.export import export as export_aws
from leeward_google.workflows.export import export as export_google
from tests.workflow.engines import engine_process
from tests.workflow.flows import order_flow
from tests.workflow.strategies import INPUTS, Functions, definition_of

FOLDER = Path(leeward_contract_tests.__file__).parent / "workflow_cases"

RANDOM = 12
"""Random flows in each test; `python -m tests.workflow.agreement` tries as many as are wanted."""


def as_machine(definition: Definition) -> str:
    """Return what Step Functions runs."""
    (text,) = export_aws(definition, {}, set(functions_of(definition))).files.values()
    return text


def as_workflow(definition: Definition) -> str:
    """Return what Google Workflows runs."""
    (text,) = export_google(definition, {}, set(functions_of(definition))).files.values()
    return text


ENGINES: dict[str, Callable[[], EngineProcess]] = {
    "step_functions": lambda: engine_process("step_functions", as_machine),
    "workflows": lambda: engine_process("workflows", as_workflow),
    "workflows_emulator": lambda: engine_process("emulator", as_workflow),
    "durabletask": lambda: engine_process("durable", stored, "durabletask"),
    "durable_replay": lambda: engine_process("durable", stored, "replay"),
}


@pytest.fixture(params=sorted(ENGINES), scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[tuple[str, EngineProcess]]:
    """Start one engine for the tests of this module."""
    with ENGINES[request.param]() as process:
        yield request.param, process


def alike(answer: Answer) -> Answer:
    """Return an answer as far as every engine tells it: of an error, its name."""
    return Failure(answer.name) if isinstance(answer, Failure) else answer


@workflow("falling", timeout=1)
def falling(w: Flow, _: Ref) -> None:
    with w.attempt("outer") as outer:
        with w.attempt("inner") as inner:
            w.step("slow")
            w.step("late")
        with inner.on("*"):
            w.step("tell")
    with outer.on("Boom"):
        w.step("log")
    w.step("never")


def test_a_handler_that_fails_makes_no_late_run_go_on(engine: tuple[str, EngineProcess]) -> None:
    """Its error takes the place of the deadline, and ends the run as that does."""

    def answering(function: str, _: str, __: int) -> Answer:
        time.sleep(1.1 if function == "slow" else 0)
        return Failure("Boom") if function == "tell" else Returned()

    end = engine[1].run(falling, None, answering)
    assert sorted(function for function, _ in end.calls) == ["log", "slow", "tell"]
    assert alike(end[0]) == Failure("Boom")


def test_every_case_ends_alike(
    engine: tuple[str, EngineProcess], subtests: pytest.Subtests
) -> None:
    """The published cases: same end, each function called as often."""
    _, process = engine
    for case in cases_in(FOLDER):
        ended = process(case)
        if ended is not None:
            with subtests.test(case.name):
                assert difference_of_case(case, ended) is None


def test_the_embedded_engine_and_the_kernel_end_so(subtests: pytest.Subtests) -> None:
    """The cases say what the kernel says, and the embedded engine does in virtual time."""
    cases = cases_in(FOLDER)
    assert len(cases) >= 12
    for case in cases:
        with subtests.test(case.name):
            assert difference_of_case(case, embedded(case)) is None
            if not case.happens and not case.takes:
                run = simulate(case.definition, case.value, case.answers)
                calls = Counter((call.function, call.key) for call in run.calls)
                assert difference_of_case(case, RunEnd(run.end, calls)) is None


@workflow("lists")
def lists(w: Flow, given: Ref) -> None:
    with w.saga("all"):
        w.step("take", [given, [given, []], {"in": [given]}], undo="give")
        w.stop([given, [given]])


def test_lists_stay_lists(engine: tuple[str, EngineProcess], subtests: pytest.Subtests) -> None:
    """In payloads, also those that an undo gets, and in results; whatever is in them."""
    _, process = engine
    values: list[Any] = [[], [1], [1, 2], [[1]], [[]], None, "x"]
    for value in values:
        with subtests.test(str(value)):
            for answer in (Returned(), Failure("Call.Timeout", ambiguous=True)):
                ended = process.run(lists, value, lambda *_, told=answer: told)
                payload = [value, [value, []], {"in": [value]}]
                assert ended.payloads["take", "lists/run/take"] == payload
                if isinstance(answer, Returned):
                    assert ended.end == Returned([value, [value]])
                else:
                    undo = ended.payloads["give", "lists/run/take/undo"]
                    assert undo["payload"] == payload


def test_random_flows_end_alike(engine: tuple[str, EngineProcess]) -> None:
    """Every kind of node in every other, and functions that fail in every way."""
    name, process = engine
    for seed in range(RANDOM):
        difference = difference_of(name, process, seed)
        assert difference is None, f"seed {seed}: {difference}"


def difference_of(name: str, process: EngineProcess, seed: int) -> str | None:
    """Return how a random flow ends otherwise on an engine than by the kernel; None if alike."""
    definition, value = definition_of(seed), INPUTS[seed % len(INPUTS)]
    functions = Functions(seed)

    def answering(function: str, key: str, attempt: int) -> Answer:
        answer = functions.answer(function, key, attempt)
        # Of a Lambda function nobody learns that a call was not sent.
        if name == "step_functions" and isinstance(answer, Failure) and answer.name == NOT_SENT:
            return Failure(THROTTLED)
        return answer

    simulated = simulate(
        definition, value, lambda call: answering(call.function, call.key, call.attempt)
    )
    ended = process.run(definition, value, answering)
    expected = Counter((call.function, call.key) for call in simulated.calls)
    if alike(ended.end) != alike(simulated.end):
        return f"ends with {ended.end}, not {simulated.end}"
    payloads = {(call.function, call.key): call.payload for call in simulated.calls}
    for place, payload in ended.payloads.items():
        # Of a payload that is null, moto's interpreter makes an empty object.
        known = [payloads.get(place), payloads.get(place) or {}]
        if place in payloads and payload not in known[: 1 + (name == "step_functions")]:
            return f"calls {place} with {payload}, not {payloads[place]}"
    if ended.calls != expected:
        return f"calls {ended.calls - expected} more, and {expected - ended.calls} less"
    return None


@workflow("selling")
def selling(w: Flow, _: Ref) -> None:
    with w.attempt("trying") as trying:
        w.step("sell", retry=Retry(attempts=3, on=("Call.Throttled", "Call.NotSent"), first=1))
    with trying.on("sold_out"):
        w.step("sorry")


def test_a_problem_is_known_by_its_reason(engine: tuple[str, EngineProcess]) -> None:
    """Where it has no class of its own."""
    end = engine[1].run(
        selling, None, lambda name, *_: Failure("sold_out") if name == "sell" else Returned()
    )
    assert {function: count for (function, _), count in end.calls.items()} == {
        "sell": 1,
        "sorry": 1,
    }
    assert alike(end.end) == Returned(None)


def test_a_status_proves_nothing_of_a_function_that_does_not_mark_its_answers() -> None:
    """It may pass on somebody else's 429, 401 or 404, after it has sold."""

    def as_foreign(definition: Definition) -> str:
        (text,) = export_google(definition, {}).files.values()
        return text

    with engine_process("workflows", as_foreign) as foreign:
        for name in ("Call.Throttled", "Call.Refused"):
            end = foreign.run(selling, None, lambda *_, told=name: Failure(told))
            assert alike(end.end) == Failure("Call.Unknown")
            assert sum(end.calls.values()) == 1


def test_every_adapter_offers_its_exporter() -> None:
    """By its entry point; an engine that nobody offers is told with those that are known."""
    assert set(exporter_of("aws")(order_flow, {}, ()).files) == {"order.asl.json"}
    assert set(exporter_of("google")(order_flow, {}, ()).files) == {"order.workflow.json"}
    assert "function_app.py" in exporter_of("azure")(order_flow, {}, ()).files
    with pytest.raises(ConfigError, match="no engine 'ibm' to export to; known: aws, azure, goo"):
        exporter_of("ibm")

"""One meaning on every engine: the same end, and the same calls by the same keys."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import leeward_contract_tests
from leeward.errors import ConfigError
from leeward.testing.simulator import simulate
from leeward.workflow import Flow, Ref, workflow
from leeward.workflow.commands import Answer, Returned, StepCall, StepFailure
from leeward.workflow.model import (
    DEADLINE,
    NOT_SENT,
    REFUSED,
    THROTTLED,
    TOO_LARGE,
    Definition,
    Reference,
    Step,
    document_of,
    nodes,
)
from leeward.workflow.reading import read_stored
from leeward.workflow.retry import Retry
from leeward_contract_tests.workflows.cases import RunEnd, cases_in
from leeward_contract_tests.workflows.cases import difference_of as difference_of_case
from leeward_contract_tests.workflows.programs import EngineProcess
from leeward_contract_tests.workflows.virtual import run_in_journal
from leeward_deploy.google.flows.export import export as export_google
from leeward_deploy.recipe import WORKFLOW_EXPORTS, offer_of
from tests.workflow.engines import ENGINES, Start, as_machine, as_workflow, engine_process
from tests.workflow.flows import order_flow
from tests.workflow.strategies import HOUR, INPUTS, Functions, definition_of

FOLDER = Path(leeward_contract_tests.__file__).parent / "workflow_cases"

RANDOM = 4
"""Random flows in each test; `python -m tests.workflow.agreement` tries as many as are wanted."""


@pytest.fixture(params=sorted(ENGINES), scope="module")
def engine(request: pytest.FixtureRequest, start: Start) -> tuple[str, EngineProcess]:
    """Return the name of one engine, and the engine."""
    return request.param, start(request.param)


@pytest.fixture(params=["durabletask", "step_functions", "workflows"], scope="module")
def cloud(request: pytest.FixtureRequest, start: Start) -> tuple[str, EngineProcess]:
    """Return an engine of each cloud: a second stand-in for one would only repeat it."""
    return request.param, start(request.param)


def alike(answer: Answer) -> Answer:
    """Return an answer as far as every engine tells it: of an error, its name."""
    return StepFailure(answer.name) if isinstance(answer, StepFailure) else answer


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


def test_a_handler_that_fails_makes_no_late_run_go_on(cloud: tuple[str, EngineProcess]) -> None:
    """Its error takes the place of the deadline, and ends the run as that does."""

    def answering(function: str, _: str, __: int) -> Answer:
        time.sleep(1.1 if function == "slow" else 0)
        return StepFailure("Boom") if function == "tell" else Returned()

    end = cloud[1].run(falling, None, answering)
    assert sorted(function for function, _ in end.calls) == ["log", "slow", "tell"]
    assert alike(end[0]) == StepFailure("Boom")


@workflow("stopping", timeout=60)
def stopping(w: Flow, given: Ref) -> None:
    with w.saga("outer"):
        w.step("hour", undo="unhour")
        with w.attempt("a") as a:
            with w.choose("which") as which, which.when(given["error"] == "own"):
                w.fail("Boom")
            w.step("late")
        with a.on("Boom"), w.choose("own") as own:
            with own.when(given["stop"] == "at-once"):
                w.stop("own")
            with own.otherwise():
                with w.attempt("later") as later:
                    w.step("late-in-handler")
                with later.on("Flow.Deadline"):
                    w.stop("later")
        with a.on("*"):
            with w.attempt("inner") as inner, w.saga("s"):
                w.step("tell", undo="untell")
                with w.saga("t"):
                    w.step("note", undo="unnote")
                    with w.attempt("again") as again:
                        with w.choose("where") as where, where.when(given["stop"] == "handler"):
                            w.fail("Own")
                        w.stop("well")
                    with again.on("Own"):
                        w.stop("handled")
            with inner.on("*"):
                w.step("not-this")
            w.step("nor-this")


def test_a_stop_behind_a_final_error_ends_its_handler_only(
    cloud: tuple[str, EngineProcess], subtests: pytest.Subtests
) -> None:
    """At any depth of the handler; the error goes on to the sagas outside, which have it all."""
    _, process = cloud
    deep = ["tell", "note", "unnote", "untell"]
    rows: list[tuple[str, str, Answer, list[str]]] = [
        ("none", "body", StepFailure(DEADLINE), deep),
        ("none", "handler", StepFailure(DEADLINE), deep),
        ("own", "at-once", Returned("own"), []),
        ("own", "later", StepFailure(DEADLINE), []),
    ]
    for error, where, expected, called in rows:
        with subtests.test(f"{error} {where}"):
            given = {"error": error, "stop": where}
            ended = process.run(stopping, given, lambda *_: Returned())
            assert alike(ended.end) == expected
            undone = ["unhour"] if isinstance(expected, StepFailure) else []
            assert [function for function, _ in ended.calls] == ["hour", *called, *undone]


@pytest.mark.timeout(300)  # the slowest engine takes 20 seconds of a processor
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
            assert difference_of_case(case, run_in_journal(case)) is None
            if not case.happens and not case.takes:
                verdicts = {
                    name: [case.verdict(name, number) for number in range(1, 10)]
                    for name in case.verdicts
                }
                more: Any = {"verdicts": verdicts, "events": case.events, "flows": case.flows}
                run = simulate(case.definition, case.value, case.answers, **more)
                calls = Counter((call.function, call.key) for call in run.calls)
                questions = Counter((asked.function, asked.key) for asked in run.questions)
                end = RunEnd(run.end, calls, questions=questions)
                assert difference_of_case(case, end) is None


@workflow("lists")
def lists(w: Flow, given: Ref) -> None:
    with w.saga("all"):
        w.step("take", [given, [given, []], {"in": [given]}], undo="give")
        w.stop([given, [given]])


def test_lists_stay_lists(cloud: tuple[str, EngineProcess], subtests: pytest.Subtests) -> None:
    """In payloads, also those that an undo gets, and in results; whatever is in them."""
    _, process = cloud
    values: list[Any] = [[], [1], [[1]], "x"]
    for value in values:
        with subtests.test(str(value)):
            for answer in (Returned(), StepFailure("Call.Timeout", ambiguous=True)):
                ended = process.run(lists, value, lambda *_, told=answer: told)
                payload = [value, [value, []], {"in": [value]}]
                assert ended.payloads["take", "lists/run/take"] == payload
                if isinstance(answer, Returned):
                    assert ended.end == Returned([value, [value]])
                else:
                    undo = ended.payloads["give", "lists/run/take/undo"]
                    assert undo["payload"] == payload


@workflow("values")
def values(w: Flow, given: Ref) -> None:
    with w.attempt("whole") as whole:
        w.step("take", given["whole"])
    with whole.on(REFUSED):
        w.step("refuse")
    w.step("inside", {"value": given["whole"]})


@workflow("orders")
def orders(w: Flow, given: Ref) -> None:
    with w.attempt("all") as all_of_it, w.choose("which") as which:
        with which.when(given["one"] < given["other"]):
            w.step("less")
        with which.when(given["one"] == given["other"]):
            w.step("same")
        with which.otherwise():
            w.step("more")
    with all_of_it.on(REFUSED):
        w.step("refuse")


def functions_called(ended: RunEnd) -> list[str]:
    """Return the functions that a run has called."""
    return sorted(function for function, _ in ended.calls)


def test_what_an_engine_cannot_keep_it_refuses(
    cloud: tuple[str, EngineProcess], subtests: pytest.Subtests
) -> None:
    """A payload arrives as it is, or the step is refused; and so is a comparison."""
    name, process = cloud
    lossy = name == "step_functions"
    wholes: list[tuple[Any, bool]] = [
        *(("42", True), ("null", True), ('{"a": 1}', True), ("text", True), (None, True)),
        *(({}, False), ([], False), (0, False), (2**53 - 1, False), (2.5, False), (True, False)),
        *(({"a": "42"}, False), ({"a": None}, False)),
    ]
    for value, is_refused in wholes:
        with subtests.test(f"whole {value!r}"):
            ended = process.run(values, {"whole": value}, lambda *_: Returned())
            first = "refuse" if lossy and is_refused else "take"
            assert functions_called(ended) == sorted([first, "inside"])
            assert ended.payloads["inside", "values/run/inside"] == {"value": value}
            if first == "take":
                assert ended.payloads["take", "values/run/take"] == value
    pairs: list[tuple[Any, Any, str, bool]] = [
        ("a", "b", "less", False),
        ("\uff5e", "\U0001f600", "less", True),
        ("\U0001f600", "\uff5e", "more", True),
        (2**53 - 1, 2**53 - 1, "same", False),
        (1e300, 1e300, "same", False),
    ]
    if name in ("step_functions", "workflows"):  # others read whole numbers by their own ways
        pairs.append((2**53 + 1, 2**53, "more", True))
    for one, other, expected, is_refused in pairs:
        with subtests.test(f"{one!r} and {other!r}"):
            ended = process.run(orders, {"one": one, "other": other}, lambda *_: Returned())
            assert functions_called(ended) == ["refuse" if lossy and is_refused else expected]


@workflow("large")
def large(w: Flow, given: Ref) -> None:
    with w.saga("all"):
        with w.parallel("both") as both:
            for name in "ab":
                with both.branch(name):
                    w.step(f"take-{name}", given, undo=f"give-{name}")
        third = w.step("take-c", given, undo="give-c")
        w.step("both-of-them", [third, third])


def test_large_data_end_no_machine(
    monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """What is taken back is taken back, however large the results and payloads are.

    Step Functions ends an execution whose state has more than 256 KiB, and no handler sees that.
    """
    quota, largest = 26_214, 24_000
    for module in ("jsonata", "machine", "states"):
        monkeypatch.setattr(f"leeward_deploy.aws.flows.{module}.LARGEST", largest)
    undone = ["give-a", "give-b", "give-c"]
    rows: list[tuple[int, int, str, list[str]]] = [
        (10_000, 10_000, "Boom", ["both-of-them", *undone]),  # each by itself fits
        (12_500, 12_500, "Call.TooLarge", undone[:2]),  # two branches, whose results are one output
        (9_000, 18_000, REFUSED, undone),  # one payload has it twice
    ]
    with engine_process("step_functions", as_machine, str(quota)) as process:
        for size, third, error, called in rows:
            with subtests.test(f"{size} bytes"):
                ended = process.run(
                    large,
                    {"n": 1},
                    lambda function, *_, sizes=(size, third): (
                        StepFailure("Boom")
                        if function == "both-of-them"
                        else Returned("x" * sizes[function == "take-c"])
                    ),
                )
                assert alike(ended.end) == StepFailure(error)
                others = [each for each in functions_called(ended) if not each.startswith("take")]
                assert others == called
                if "give-c" in called:
                    undo = ended.payloads["give-c", "large/run/take-c/undo"]
                    assert undo["payload"] == {"n": 1}
                    assert undo["result"] == "x" * third


def test_large_results_end_no_run_of_other_engines(
    start: Start, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """They are counted, and the one that is too many is taken back with all the others."""
    monkeypatch.setattr("leeward_deploy.google.flows.source.MEMORY", 140_000)
    monkeypatch.setattr("leeward_deploy.google.flows.source.OVERHEAD", 0)
    for name, size in {"workflows": 13_000, "durabletask": 100_000}.items():
        with subtests.test(name):
            result = "x" * size
            ended = start(name).run(
                large,
                {"n": 1},
                lambda function, *_, told=result: Returned(
                    told if function.startswith("take") else None
                ),
            )
            assert alike(ended.end) == StepFailure(TOO_LARGE)
            others = [each for each in functions_called(ended) if not each.startswith("take")]
            assert others == ["give-a", "give-b", "give-c"]
            assert ended.payloads["give-c", "large/run/take-c/undo"]["result"] is None
    monkeypatch.setattr("leeward_deploy.google.flows.source.MEMORY", 60_000)
    with pytest.raises(ConfigError, match="has the input 1 times and a result .* 60000 bytes"):
        as_workflow(large)


@workflow("many")
def many(w: Flow, given: Ref) -> None:
    with w.each(given, "line", at_once=20) as line:
        w.step("pack", {"line": line})


def test_a_list_that_is_too_long_begins_with_no_element(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand elements of one step fit with all their attempts; the history has 25,000 events.

    Step Functions ends an execution at that number, and takes nothing back.
    """
    fits = json.loads(as_machine(many))["States"]["line fits"]["Choices"][0]["Condition"]
    share, events = map(int, re.findall(r"floor\((\d+) / (\d+)\)", fits)[0])
    assert events == 4 + 2 + 2 + 3 * 3 + 2, "begin and end, look, task with three attempts, element"
    assert 1000 <= share // events <= 25_000 // events
    monkeypatch.setattr("leeward_deploy.aws.flows.machine.HISTORY", 4 * events)
    process = start("step_functions")
    assert process.run(many, [1, 2, 3], lambda *_: Returned()).end == Returned()
    ended = process.run(many, [1, 2, 3, 4], lambda *_: Returned())
    assert alike(ended.end) == StepFailure("Call.TooLarge")
    assert not ended.calls
    monkeypatch.setattr("leeward_deploy.aws.flows.machine.HISTORY", 5)
    with pytest.raises(ConfigError, match="can take 12 events .* and Step Functions keeps 5"):
        as_machine(many)


def test_random_flows_end_alike(engine: tuple[str, EngineProcess]) -> None:
    """Every kind of node in every other, and functions that fail in every way."""
    name, process = engine
    for seed in range(RANDOM):
        difference = difference_of(name, process, seed)
        assert difference is None, f"seed {seed}: {difference}"


def difference_of(name: str, process: EngineProcess, seed: int) -> str | None:
    """Return how a random flow ends otherwise on an engine than by the kernel; None if alike."""
    late = seed % 2 == 1
    definition, value = definition_of(seed, late=late), INPUTS[seed % len(INPUTS)]
    if name == "step_functions":
        definition = without_settled_wholes(definition)
    functions = Functions(seed)

    def answering(function: str, key: str, attempt: int) -> Answer:
        answer = functions.answer(function, key, attempt)
        # Of a Lambda function nobody learns that a call was not sent.
        if name == "step_functions" and isinstance(answer, StepFailure) and answer.name == NOT_SENT:
            return StepFailure(THROTTLED)
        return answer

    whole = {
        node.function
        for node in nodes(definition.body)
        if isinstance(node, Step) and isinstance(node.payload, Reference)
    }

    def is_refused(call: StepCall) -> bool:
        """Return whether Step Functions would take the payload for another one."""
        of_type = call.payload is None or isinstance(call.payload, str)
        return name == "step_functions" and of_type and call.function in whole

    simulated = simulate(
        definition,
        value,
        lambda call: (
            StepFailure(REFUSED)
            if is_refused(call)
            else answering(call.function, call.key, call.attempt)
        ),
        verdicts=lambda question: functions.verdict(
            question.function, question.key, question.attempt
        ),
        seconds_per_call=HOUR if late else 1.0,
    )
    ended = process.run(definition, value, answering, functions.verdict)
    made = [call for call in simulated.calls if not is_refused(call)]
    expected = Counter((call.function, call.key) for call in made)
    if alike(ended.end) != alike(simulated.end):
        return f"ends with {ended.end}, not {simulated.end}"
    payloads = {(call.function, call.key): call.payload for call in made}
    for place, payload in ended.payloads.items():
        if place in payloads and payload != payloads[place]:
            return f"calls {place} with {payload}, not {payloads[place]}"
    if ended.calls != expected:
        return f"calls {ended.calls - expected} more, and {expected - ended.calls} less"
    asked = Counter((question.function, question.key) for question in simulated.questions)
    if ended.questions != asked:
        return f"asks {ended.questions}, not {asked}"
    return None


def without_settled_wholes(definition: Definition) -> Definition:
    """Settle no step whose payload Step Functions may refuse: it was not called then."""
    document: Any = document_of(definition)
    for node in _objects_in(document):
        if "step" in node and isinstance(node["payload"], str):
            node.pop("settle", None)
    return read_stored(document, "random")


def _objects_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _objects_in(each)


@workflow("paying")
def paying(w: Flow, given: Ref) -> None:
    with w.saga("s"):
        w.step("pay", given, undo="refund", effect="keyed", timeout=6)


@pytest.mark.parametrize("name", ["step_functions", "workflows", "workflows_emulator"])
def test_an_answer_about_another_key_tells_nothing(name: str) -> None:
    """A function that passes on somebody else's answer does not settle a step."""
    refunds: list[str] = []

    def reply(said: Mapping[str, Any]) -> Answer | dict[str, Any]:
        if "settle" in said:
            return {"verdict": "not_run", "voids": 1, "about": "paying/other/pay"}
        if said["call"] == "refund":
            refunds.append(said["key"])
            return Returned()
        return StepFailure("Call.Unknown", ambiguous=True)

    with ENGINES[name]() as process:
        assert alike(process.converse(paying, {"id": "1"}, reply)) == StepFailure("Call.Unknown")
    assert refunds == ["paying/run/pay/undo"]


@workflow("paid")
def paid(w: Flow, given: Ref) -> None:
    with w.each(given, "line", at_once=20) as line:
        w.step("pay", {"line": line}, effect="keyed")


def test_the_questions_of_a_list_fit_into_the_history() -> None:
    """An element of a settled step may take all its attempts, each with all that is asked."""
    fits = json.loads(as_machine(paid))["States"]["line fits"]["Choices"][0]["Condition"]
    _, events = map(int, re.findall(r"floor\((\d+) / (\d+)\)", fits)[0])
    attempts, questions, waits = 3, 3 + 4, 4  # after 1, 4, 16 and 39 seconds
    step = 2 + attempts * (5 + 2) + (attempts - 1) * 2 + questions * (5 + 2) + waits * 2
    assert events == 4 + 2 + step + 2, "begin and end, look, and element"


@workflow("selling")
def selling(w: Flow, _: Ref) -> None:
    with w.attempt("trying") as trying:
        w.step("sell", retry=Retry(attempts=3, on=("Call.Throttled", "Call.NotSent"), first=1))
    with trying.on("sold_out"):
        w.step("sorry")


def test_a_problem_is_known_by_its_reason(cloud: tuple[str, EngineProcess]) -> None:
    """Where it has no class of its own."""
    end = cloud[1].run(
        selling, None, lambda name, *_: StepFailure("sold_out") if name == "sell" else Returned()
    )
    assert {function: count for (function, _), count in end.calls.items()} == {
        "sell": 1,
        "sorry": 1,
    }
    assert alike(end.end) == Returned(None)


def test_a_status_proves_nothing_of_a_function_that_does_not_mark_its_answers() -> None:
    """It may pass on somebody else's 429, 401 or 404, after it has sold.

    413 never proves anything: a gateway before any function gives it for too large an answer, too.
    """
    cases = [("", "Call.Throttled"), ("", "Call.Refused"), ("sell", "TooLarge")]
    for marking, name in cases:

        def write(definition: Definition, marking: str = marking) -> str:
            (text,) = export_google(definition, {}, {marking}).files.values()
            return text

        with engine_process("workflows", write) as foreign:
            end = foreign.run(selling, None, lambda *_, told=name: StepFailure(told))
            assert alike(end.end) == StepFailure("Call.Unknown")
            assert sum(end.calls.values()) == 1


def test_every_adapter_offers_its_exporter() -> None:
    """By its entry point; an engine that nobody offers is told with those that are known."""
    assert set(offer_of(WORKFLOW_EXPORTS, "aws")(order_flow, {}, ()).files) == {"order.asl.json"}
    assert set(offer_of(WORKFLOW_EXPORTS, "google")(order_flow, {}, ()).files) == {
        "order.workflow.json"
    }
    assert "function_app.py" in offer_of(WORKFLOW_EXPORTS, "azure")(order_flow, {}, ()).files
    with pytest.raises(ConfigError, match="no engine 'ibm' to export to; known: aws, azure, goo"):
        offer_of(WORKFLOW_EXPORTS, "ibm")

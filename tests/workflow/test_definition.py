from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.errors import ConfigError
from leeward.testing.simulator import answer, error, simulate, throttle
from leeward.workflow import ANY, Definition, Flow, Ref, Retry, read_definition, workflow
from leeward.workflow.limits import LIMITS
from leeward.workflow.model import (
    Reference,
    Step,
    compact_json_of,
    document_of,
    nodes,
    write_template,
)
from leeward.workflow.reading import json_of, read_file, read_stored, yaml_in, yaml_of
from leeward_contract_tests.rows import each_row
from tests.workflow.flows import everything, order_flow
from tests.workflow.strategies import definitions


@settings(max_examples=50, deadline=None)
@given(definitions())
def test_json_is_the_same_tree(definition: Definition) -> None:
    """What is written and read again is the same definition, and has the same digest."""
    by_json = read_definition(json.loads(json.dumps(document_of(definition))))
    assert document_of(by_json) == document_of(definition)
    assert by_json.digest == definition.digest


@settings(max_examples=10, deadline=None)
@given(definitions())
def test_yaml_is_the_same_tree(definition: Definition) -> None:
    """What is written as YAML and read again is the same definition."""
    by_yaml = read_definition(yaml_in(yaml_of(definition), "x"))
    assert document_of(by_yaml) == document_of(definition)


def test_a_document_may_leave_out_what_has_a_default(tmp_path: Path) -> None:
    """The smallest document names its steps; a file of YAML or JSON holds it."""
    (tmp_path / "a.yaml").write_text(
        "leeward: workflow/1\nworkflow: a\ndo:\n  - step: f\n  - attempt: t\n    do: [{step: g}]\n"
        "    on: [{errors: [No], do: []}]\n"
    )
    (tmp_path / "a.json").write_text(
        '{"leeward": "workflow/1", "workflow": "a", "do": [{"step": "f"}, {"attempt": "t", '
        '"do": [{"step": "g"}], "on": [{"errors": ["No"], "do": []}]}]}'
    )

    @workflow("a")
    def traced(w: Flow, _: Ref) -> None:
        w.step("f")
        with w.attempt("t") as t:
            w.step("g")
        with t.on("No"):
            pass

    assert read_file(tmp_path / "a.yaml").digest == traced.digest
    assert read_file(tmp_path / "a.json").digest == traced.digest


def test_the_digest_is_of_what_is_done() -> None:
    """It differs with every field, and does not with the way of writing it down."""
    document = document_of(order_flow)
    text = json.dumps(document)
    changes = [("30", "31"), ("invalid", "bad"), ("keyed", "idempotent"), ("$input", "$$input")]
    for old, new in changes:
        assert read_definition(json.loads(text.replace(old, new, 1))).digest != order_flow.digest
    shuffled = dict(reversed(document.items()))
    assert read_definition(shuffled).digest == order_flow.digest
    # Runs under way keep theirs, so it must be the same with every later version.
    assert order_flow.digest == "3db6728a5a236469c26a0c0cfe8c303439cf24ddd2c05db9735e633f80a37e05"
    assert everything.digest == "71e5c1a9cc6da50bd06595aa077fed68bab9247bee11621ec35b1f8a979ff17e"


def test_a_definition_of_an_earlier_version_is_not_settled() -> None:
    """It keeps its digest, and what it means: a run under way may be taking back right now."""
    digests = (
        (order_flow, "d886c83b6cd4f2946c6f4275bceb012220d0f74aadd478c7e1be8bf3493fede2"),
        (everything, "4634d08d392336957a0f7c1a4f101bd2acc27c6b8e18c9447e9fefe0674af739"),
    )
    for flow, digest in digests:
        document = json.loads(json.dumps(document_of(flow)).replace('"settle": true, ', ""))
        stored = read_stored(document, "the journal")
        assert stored.digest == digest
        assert not any(node.settle for node in nodes(stored.body) if isinstance(node, Step))
        assert read_definition(document) == flow


def test_the_flow_sees_functions_by_their_names() -> None:
    """A function object stands for its logical name: hyphens for underscores."""

    def take_payment() -> None: ...

    @workflow("a")
    def traced(w: Flow, _: Ref) -> None:
        w.step(take_payment)

    assert [node.id for node in nodes(traced.body)] == ["take-payment"]


def _branches(w: Flow, count: int) -> None:
    with w.parallel("p") as p:
        for number in range(count):
            with p.branch(f"b{number}"):
                w.step("f", id=f"s{number}")


def _nested(w: Flow, order: Ref) -> None:
    with w.each(order["a"], "x") as x, w.each(x["b"], "y") as y, w.each(y["c"], "z"):
        w.step("f")


def _beside(w: Flow, _: Ref) -> None:
    with w.parallel("p") as p:
        with p.branch("a"):
            seen = w.step("f")
        with p.branch("b"):
            w.step("g", seen)


def _stop_inside(w: Flow, order: Ref) -> None:
    with w.each(order["a"], "x"):
        w.step("f")
        w.stop()


def _undo_in_each(w: Flow, order: Ref) -> None:
    with w.saga("s"), w.each(order["a"], "x"):
        w.step("f", undo="g")


def _saga_around_an_each_with_one(w: Flow, order: Ref) -> None:
    with w.saga("s"), w.each(order["a"], "x"), w.saga("t"):
        w.step("f", undo="g")


def _handler_later(w: Flow, _: Ref) -> None:
    with w.attempt("a") as a:
        w.step("f")
    w.step("g")
    with a.on(ANY):
        pass


def _loose(w: Flow, order: Ref) -> None:
    with w.choose("c") as c:
        w.step("f")
        with c.when(order["a"] == 1):
            pass


def _any_first(w: Flow, _: Ref) -> None:
    with w.attempt("a") as a:
        w.step("f")
    with a.on(ANY):
        pass
    with a.on("No"):
        pass


def _truth(w: Flow, order: Ref) -> None:
    w.step("f", bool(order["a"]))


def _loop(w: Flow, order: Ref) -> None:
    list(order)
    w.step("f")


def _and(w: Flow, order: Ref) -> None:
    with w.choose() as c, c.when((order["a"] == 1) and (order["b"] == 2)):
        w.step("f")


def _saga_with(w: Flow, undo: Any) -> None:
    undo.__name__ = "_"
    with w.saga("s"):
        w.step("f", undo=undo)


def _deep(w: Flow, blocks: int) -> None:
    with ExitStack() as stack:
        for number in range(blocks):
            stack.enter_context(w.saga(f"s{number}"))
        w.step("f")


def _deep_test(w: Flow, order: Ref) -> None:
    test = order.is_present()
    for _ in range(50):
        test = ~test
    with w.choose() as c, c.when(test):
        w.step("f")


def _nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


REFUSED: dict[str, tuple[Callable[[Flow, Ref], object], str]] = {
    "11 branches": (lambda w, _: _branches(w, 11), "Google Workflows takes at most 10"),
    "one branch": (lambda w, _: _branches(w, 1), "fewer than two branches"),
    "three levels": (_nested, "Google Workflows takes at most 2"),
    "reads the branch beside": (_beside, "reads $f, which is not known there"),
    "stop inside each": (_stop_inside, "Step Functions cannot do"),
    "undo in each": (_undo_in_each, "Google Workflows: put the saga inside"),
    "undo in each in a saga": (_saga_around_an_each_with_one, "leave the outer saga out (Google"),
    "undo without saga": (lambda w, _: w.step("f", undo="g"), "no saga around it"),
    "handler later": (_handler_later, "right behind its block"),
    "loose step": (_loose, "in none of its blocks"),
    "ANY is not last": (_any_first, "put ANY last"),
    "not a number": (
        lambda w, _: w.step("f", {"a": [float("nan")]}),
        "has nan, which JSON has not",
    ),
    "half a pair": (lambda w, _: w.step("f", "\ud800"), "half of a pair of surrogates"),
    "truth of a reference": (_truth, "use `w.choose`"),
    "loop over a reference": (_loop, "`w.each`"),
    "and": (_and, "combine tests by &"),
    "a list's element": (lambda w, order: w.step("f", order[0]), "named fields only"),  # type: ignore[index]
    "unsafe retried on any": (
        lambda w, _: w.step("f", retry=Retry(on=(ANY,))),
        "unsafe to repeat, so it may be tried again only on Call.Throttled and Call.NotSent",
    ),
    "unsafe retried on its own error": (
        lambda w, _: w.step("f", retry=Retry(on=("Busy",))),
        "take out Busy, or declare its effect",
    ),
    "twice the same id": (lambda w, _: [w.step("f"), w.step("f")], "id that is taken"),
    "no id": (lambda w, _: w.step("F_f"), "is not named by an id"),
    "long timeout": (lambda w, _: w.step("f", timeout="1h"), "at most 1800"),
    "no timeout": (lambda w, _: w.step("f", timeout=0.5), "timeout must be whole seconds"),  # type: ignore[arg-type]
    "large integer": (
        lambda w, _: w.step("f", 2**53 + 1),
        "as an integer in a flow; Step Functions takes at most 9007199254740992: write larger ones",
    ),
    "arithmetic": (
        lambda w, order: w.step("f", order["a"] + 1),
        "arithmetic and texts made in the flow Step Functions cannot do; do it in a function",
    ),
    "text of a reference": (lambda w, order: w.step("f", f"order {order['id']}"), "texts made in"),
    "attribute": (lambda w, order: w.step("f", order.id), "has no 'id'; write ['id'] for the"),
    "no input": (lambda _: None, "takes a Flow and a Ref of the input"),  # type: ignore[dict-item,misc]
    "not JSON": (
        lambda w, _: w.step("f", {"a": b""}),
        "a value of class bytes is neither JSON nor a reference",
    ),
    "key is not a text": (lambda w, _: w.step("f", {1: 2}), "a field is named by a int"),
    "effect": (lambda w, _: w.step("f", effect="x"), "effect must be one of"),  # type: ignore[arg-type]
    "error with a dot": (lambda w, _: w.fail("Call.Throttled"), "named like a class"),
    "unknown named error": (
        lambda w, _: w.step("f", effect="keyed", retry=Retry(on=("Call.Throttle",))),
        "names the error 'Call.Throttle'",
    ),
    "attempts": (lambda w, _: w.step("f", retry=Retry(attempts=0)), "attempts must be"),
    "pause": (lambda w, _: w.step("f", retry=Retry(first=0)), "first must be whole seconds"),
    "nothing": (lambda w, _: w.wait(1), "has no step"),
    "not a function": (lambda w, _: w.step(3), "not a int"),  # type: ignore[arg-type]
    "not a test": (lambda w, _: w.choose("c").__enter__().when(True).__enter__(), "not a test"),  # type: ignore[arg-type]
    "each of a value": (lambda w, _: w.each([1], "x").__enter__(), "not a list"),  # type: ignore[arg-type]
    "no function": (lambda w, _: w.step("", id="f"), "calls a function without a name"),
    "no undo's name": (lambda w, _: _saga_with(w, undo=lambda _: None), "has an undo without"),
    "51 blocks": (lambda w, _: _deep(w, 51), "stands in more than 50 blocks; flatten it"),
    "51 tests": (_deep_test, "has tests more than 50 deep"),
    "51 lists": (lambda w, _: w.step("f", _nest(51)), "has a payload more than 50 deep"),
    "too large": (lambda w, _: w.step("f", "x" * 70_000), "bytes of a definition"),
}


def test_what_an_engine_cannot_do_is_refused_where_it_is_written(
    subtests: pytest.Subtests,
) -> None:
    """The message has the user's file and line, and the engine or the remedy."""
    for name, (body, told) in REFUSED.items():
        with subtests.test(name), pytest.raises(ConfigError, match=re.escape(told)) as caught:
            workflow("refused")(body)
        assert __file__ in str(caught.value)


def test_documents_that_are_wrong_are_refused_with_the_place(subtests: pytest.Subtests) -> None:
    """The message names the field by its path."""
    sound = document_of(order_flow)

    def changed(change: Callable[[dict], object]) -> object:  # type: ignore[type-arg]
        document = json.loads(json.dumps(sound))
        change(document)
        return document

    step = "do[0].do[0]"
    cases: list[tuple[object, str]] = [
        ([], "must be an object"),
        (changed(lambda d: d.pop("leeward")), "leeward must be 'workflow/1'"),
        (changed(lambda d: d.update(extra=1)), "unknown field 'extra'"),
        (changed(lambda d: d.update(do={})), "x.do must be a list"),
        (changed(lambda d: d["do"].append({})), "do[3] must have exactly one of step,"),
        (changed(lambda d: d["do"][0]["do"][0].update(tries=3)), f"{step}: unknown field 'tries'"),
        (changed(lambda d: d["do"][0]["do"][0].update(effect="?")), f"{step}.effect must be one"),
        (changed(lambda d: d["do"][0]["do"][0].update(payload="$9")), f"{step}.payload must be a"),
        (
            changed(lambda d: d["do"][0]["do"][0].update(payload="$no.where")),
            f"{step}: the step 'validate-order' reads $no.where",
        ),
        (changed(lambda d: d["do"][0]["on"][0].pop("errors")), "do[0].on[0] lacks 'errors'"),
        (changed(lambda d: d["do"][0]["do"][0]["retry"].update(on=3)), f"{step}.retry: retry: on"),
    ]
    for document, told in cases:
        with subtests.test(told), pytest.raises(ConfigError, match=re.escape(told)):
            read_definition(document, "x")


def test_yaml_that_is_wrong_is_refused(subtests: pytest.Subtests) -> None:
    """A field twice, an anchor, a date, no YAML at all, and lists that take minutes to read."""
    cases = {
        "a: 1\na: 2\n": "it is not YAML",
        "a: &x [1]\nb: *x\n": "anchors are not taken",
        "a: [": "it is not YAML",
        f"a: {'[' * 600}{']' * 600}": "x.yaml is nested too deep; flatten it",
    }
    for text, told in cases.items():
        with subtests.test(told), pytest.raises(ConfigError, match=told):
            yaml_in(text, "x.yaml")
    dated = "leeward: workflow/1\nworkflow: a\ndo: [{step: f, payload: {d: 2026-01-01}}]\n"
    with pytest.raises(ConfigError, match="holds a date, which is not JSON; write a text"):
        read_definition(yaml_in(dated, "x"), "x")


WRONG = """leeward: workflow/1
workflow: order
timeout: 1h
do:
  - step: check
  - saga: all
    do:
      - step: take
        timeout: {timeout}
        {extra}
      - {{wait: pause, seconds: 5}}
"""

LINES: dict[str, tuple[str, int]] = {
    "a value": (WRONG.format(timeout="soon", extra=""), 9),
    "an unknown field": (WRONG.format(timeout="5s", extra="retries: 3"), 8),
    "what a check finds": (WRONG.format(timeout="5h", extra=""), 8),
    "a field that is missing": ("leeward: workflow/1\nworkflow: a\n", 1),
    "a wrong kind": ("leeward: workflow/1\nworkflow: a\n\ndo:\n  - stepp: f\n", 5),
}


@each_row("text, line", LINES)
def test_a_mistake_in_yaml_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    """Of whatever is wrong: a value, a field, or what no engine can do."""
    path = tmp_path / "flow.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_file(path)
    assert str(caught.value).startswith(f"{path}, line {line}"), caught.value


def test_every_limit_has_a_remedy() -> None:
    """The table is what the checks and the documentation are made of."""
    for limit in LIMITS.values():
        assert limit.what
        assert limit.instead
        engines = ("Step Functions", "Google Workflows", "Durable Functions", "leeward")
        assert limit.engine.startswith(engines)


def test_a_field_of_any_name_is_read_as_it_was_written() -> None:
    """By a process with a later version, too: a definition is kept as a document."""
    fields = ["order id", "a.b", "ünï", "", "1st", 'x"y\\', "a\nb", "x]", "${x}", "plain-1"]

    @workflow("odd")
    def odd(w: Flow, value: Ref) -> None:
        for number, field in enumerate(fields):
            w.step("one", {"v": value[field]["inner"]}, id=f"one-{number}")

    again = read_definition(json.loads(json.dumps(document_of(odd))))
    assert again == odd
    assert again.digest == odd.digest
    texts = [write_template(Reference("input", (field,))) for field in fields]
    assert texts[:2] == ['$input["order id"]', '$input["a.b"]']
    assert texts[-1] == "$input.plain-1"
    for text in ("$input[1]", '$input["a"', '$input["\\x"]', "$input.", "$input..a"):
        with pytest.raises(ConfigError, match="must be a reference"):
            read_definition(
                {
                    "leeward": "workflow/1",
                    "workflow": "w",
                    "do": [{"step": "one", "payload": text}],
                }
            )


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_PLAIN: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXTS,
)


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        _PLAIN | st.lists(_TEXTS, max_size=2).map(lambda path: Ref(Reference("input", (*path,)))),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
        max_leaves=8,
    ),
    st.lists(_PLAIN, max_size=3),
    st.lists(_TEXTS, max_size=3),
    _TEXTS,
    st.sampled_from((0, 3, 49)),
)
def test_what_the_python_front_takes_the_readers_take(
    payload: Any, values: list[Any], path: list[str], function: str, depth: int
) -> None:
    """Documents, and what the journal keeps: the same definition, with the same digest."""

    def flow(w: Flow, order: Ref) -> None:
        left = Ref(Reference("input", (*path,)))
        with w.choose() as c, c.when(left.one_of(values) | ~(left == function)):
            w.step(function, payload, id="odd")
        _deep(w, depth)
        w.stop(payload)

    try:
        definition = workflow("odd")(flow)
    except ConfigError:
        return
    document = json.loads(compact_json_of(definition))
    for read in (read_definition(document), read_stored(document, "the journal")):
        assert (read, read.digest) == (definition, definition.digest)


def test_files_take_the_deepest_that_the_python_front_takes(tmp_path: Path) -> None:
    """Fifty of everything, inside each other, in JSON and in YAML; and it runs."""

    def flow(w: Flow, order: Ref) -> None:
        with ExitStack() as stack:
            for number in range(50):
                choice = stack.enter_context(w.choose(f"c{number}"))
                test = order["a"] == 1
                for _ in range(0 if number else 48):
                    test = ~test
                stack.enter_context(choice.when(test))
            w.step("f", _nest(50))

    definition = workflow("deep")(flow)
    assert simulate(definition, {"a": 1}).count_calls("f") == 1
    for name, text in (("a.json", json_of(definition)), ("a.yaml", yaml_of(definition))):
        (tmp_path / name).write_text(text)
        assert read_file(tmp_path / name) == definition


def test_what_was_stored_is_not_checked_by_a_limit_of_today(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its runs are under way. What it says of retries holds as it stands there, too."""
    document = json.loads(compact_json_of(order_flow))
    document["do"][0]["do"][0]["retry"]["on"] = ["Busy"]
    for limit in ("definition", "timeout", "reference"):
        tighter = LIMITS[limit]._replace(most=5)
        monkeypatch.setitem(LIMITS, limit, tighter)
    with pytest.raises(ConfigError, match="at most 5"):
        read_definition(document)
    read = read_stored(document, "the journal")
    assert json.loads(compact_json_of(read)) == document
    with pytest.raises(ConfigError, match="unknown field 'race'"):
        read_stored({**document, "race": 1}, "the journal")


def test_a_retry_that_names_an_error_keeps_the_proofs() -> None:
    """A step that says when else to try again is still tried again where it did not run."""

    def flow(w: Flow, _: Ref) -> None:
        with w.saga("s"):
            busy = Retry(on=("Busy",))
            w.step("f", effect="keyed", retry=busy, undo="g", undo_retry=busy)
            w.step("once", retry=Retry(on=(), attempts=1))

    definition = workflow("busy")(flow)
    document = document_of(definition)
    del document["timeout"]
    step: Any = document["do"][0]["do"][0]
    for retry in (step["retry"], step["undo"]["retry"]):
        assert retry["on"] == ["Busy", "Call.Throttled", "Call.NotSent"]
        retry["on"] = ["Busy"]
    assert read_definition(document) == definition
    run = simulate(definition, None, {"f": [throttle(), error("Busy"), answer()]})
    assert (run.failure, run.count_calls("f"), run.count_calls("once")) == (None, 3, 1)

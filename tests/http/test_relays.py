"""What a function passes on proves nothing; what one that marks its answers says, decides."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import Response
from leeward.adapter._plan_run import Learnt
from leeward.calls import Invoke
from leeward.envelope import BY_HANDLER, MARK, mark_of
from leeward.errors import Outcome
from leeward.json_text import encode
from leeward_azure.functions.plans import PROOFS as AZURE_PROOFS
from leeward_contract_tests.rows import each_row
from leeward_google.functions.plans import PROOFS as GOOGLE_PROOFS
from tests.http.relays import DID_NOT_RUN, PLATFORMS, Ended, call, tried

PROOFS = {"azure": AZURE_PROOFS, "google": GOOGLE_PROOFS}
SHOWN = [
    (name, specimen, status)
    for name, platform in PLATFORMS.items()
    for specimen in platform.specimens
    for status in specimen.statuses
]
RAN = Response(200, {}, b"1")


def ended(name: str, *answers: Response, marks: bool = False) -> list[Ended]:
    """Call one function so often; of an answer with ``its own`` mark, that is the right one."""
    learnt, found = Learnt(), []
    for number, answer in enumerate(answers):
        invoke = Invoke("charge", b"{}", f"key-{number}", marks=marks)
        if answer.headers.get(MARK) == "its own":
            mark = mark_of("charge", f"key-{number}") + BY_HANDLER
            answer = Response(answer.status, {**answer.headers, MARK: mark}, answer.body)  # noqa: PLW2901
        found.append(call(PLATFORMS[name], answer, learnt, invoke))
    return found


def its_handlers(function: str, key: str) -> Response:
    return Response(200, {MARK: mark_of(function, key) + BY_HANDLER}, b"1")


def its_own(status: int = 200, body: bytes = b"1", **headers: str) -> Response:
    return Response(status, {MARK: "its own", **headers}, body)


def test_what_a_function_passes_on_proves_nothing() -> None:
    """Whatever it repeats, wherever: it is not told that it did not run, nor sent again.

    ``python -m tests.http.relays`` tries 10,000 answers of each kind.
    """
    assert tried(300, 1) == {}


@each_row("name", list(PROOFS))
def test_each_proof_has_its_relays(name: str) -> None:
    """A proof that is added needs an answer that bears it."""
    specimens = PLATFORMS[name].specimens
    for proof in PROOFS[name]:
        assert any(
            proof.holds(each.response(status)) for each in specimens for status in each.statuses
        ), proof


@each_row("way", ["declared", "learnt"])
def test_of_a_function_that_marks_its_answers_the_platforms_own_are_proof(way: str) -> None:
    """That it marks them is declared, or leeward's handler has answered before."""
    for name, specimen, status in SHOWN:
        before = [its_own()] if way == "learnt" else []
        *_, last = ended(name, *before, specimen.response(status), marks=way == "declared")
        assert last.result.outcome in DID_NOT_RUN | {Outcome.APP_ERROR}, (name, specimen, status)
        unknown = ended(name, specimen.response(status))[0].result
        assert unknown.outcome in {Outcome.AMBIGUOUS, Outcome.APP_ERROR}, (name, specimen, status)


@given(
    st.sampled_from(SHOWN),
    st.integers(300, 599),
    st.fixed_dictionaries(
        {},
        optional={
            "errorType": st.sampled_from(["Problem", "SoldOut"]),
            "reason": st.sampled_from(["sold_out", "no_function"]),
            "ran": st.sampled_from(["no", "maybe", "yes"]),
            "retryable": st.booleans(),
        },
    ),
)
def test_a_marked_answer_decides(shown: Any, status: int, told: dict[str, Any]) -> None:
    """Whatever else it looks like: it tells whether the function ran."""
    name, specimen, _ = shown
    answer = Response(status, {**specimen.headers, MARK: "its own"}, encode(told))
    (found,) = ended(name, answer)
    is_absent = told.get("reason") == "no_function" and told.get("ran") == "no"
    assert found.sent == 1
    assert found.result.outcome is (Outcome.NOT_FOUND if is_absent else Outcome.APP_ERROR)
    assert found.result.fault is not None
    for field in ("reason", "ran", "retryable"):
        assert getattr(found.result.fault, field) == told.get(field)
    looks_like_it = Response(specimen.statuses[0], {MARK: "its own"}, specimen.body)
    assert ended(name, looks_like_it)[0].result.outcome is Outcome.APP_ERROR


@each_row(
    "answer",
    [
        RAN,
        Response(200, {MARK: "1"}, b"1"),
        Response(200, {MARK: mark_of("charge", "another-key")}, b"1"),
        Response(200, {MARK: mark_of("bank", "key-1")}, b"1"),
        Response(500, {"content-type": "application/json"}, b'{"error":1}'),
        Response(302),
    ],
)
def test_an_answer_of_its_own_without_the_mark_takes_it_back(answer: Response) -> None:
    """Such as of another version; an answer with it brings it back. A static mark needs a word."""
    busy = PLATFORMS["google"].specimens[-2].response(429)
    outcomes = [
        each.result.outcome for each in ended("google", its_own(), answer, busy, its_own(), busy)
    ]
    assert outcomes[2] is Outcome.AMBIGUOUS
    assert outcomes[4] is Outcome.REJECTED
    is_static = answer.headers.get(MARK) == "1"
    _, found = ended("google", answer, busy, marks=True)
    assert found.result.outcome is (Outcome.REJECTED if is_static else Outcome.AMBIGUOUS)


def test_what_is_learnt_is_of_one_function() -> None:
    """Another one of the same target is not known by it."""
    learnt = Learnt()
    call(PLATFORMS["google"], its_handlers("charge", "k"), learnt, Invoke("charge", b"", "k"))
    busy = PLATFORMS["google"].specimens[-2].response(429)
    for function, outcome in (("charge", Outcome.REJECTED), ("pay", Outcome.AMBIGUOUS)):
        found = call(PLATFORMS["google"], busy, learnt, Invoke(function, b"", "k-2"))
        assert found.result.outcome is outcome
        assert found.result.reason == ("no_instance" if function == "charge" else "unmarked")


@each_row("status", [200, 422])
def test_one_mark_of_another_framework_does_not_show_that_it_marks_all(status: int) -> None:
    """What it makes of an exception may lack the mark; so it needs the operator's word."""
    marked = Response(status, {MARK: mark_of("charge", "k")}, b"1")
    for name, specimen, of_platform in SHOWN:
        learnt = Learnt()
        page = specimen.response(of_platform)
        for by_handler in (False, True):  # then it was deployed anew, without leeward's handler
            if by_handler:
                handled = its_handlers("charge", "k")
                call(PLATFORMS[name], handled, learnt, Invoke("charge", b"", "k"))
            call(PLATFORMS[name], marked, learnt, Invoke("charge", b"", "k"))
            found = call(PLATFORMS[name], page, learnt, Invoke("charge", b"", "k-2"))
            assert found.result.outcome in {Outcome.AMBIGUOUS, Outcome.APP_ERROR}, (name, specimen)
            assert found.sent == 1
        learnt = Learnt()
        call(PLATFORMS[name], marked, learnt, Invoke("charge", b"", "k", marks=True))
        found = call(PLATFORMS[name], page, learnt, Invoke("charge", b"", "k-2", marks=True))
        assert found.result.outcome in DID_NOT_RUN | {Outcome.APP_ERROR}, (name, specimen)


@each_row("name", list(PLATFORMS))
def test_another_credential_is_tried_only_where_nothing_ran(name: str) -> None:
    """A 401 that asks for a token may be that of somebody whom the function has asked."""
    refusal = PLATFORMS[name].specimens[0].response(401)
    assert [ended(name, refusal, marks=marks)[0].sent for marks in (False, True)] == [1, 2]

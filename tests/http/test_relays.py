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
from tests.http.relays import DID_NOT_RUN, LAMBDA, PLATFORMS, Ended, call, tried

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


def its_own(status: int = 200, body: bytes = b"1", **headers: str) -> Response:
    return Response(status, {MARK: "its own", **headers}, body)


def test_what_a_function_passes_on_proves_nothing() -> None:
    """Whatever it repeats, wherever: it is not told that it did not run, nor sent again.

    ``python -m tests.http.relays`` tries 10,000 answers of each kind.
    """
    assert tried(100, 1) == {}


@each_row("name", list(PROOFS))
def test_each_proof_has_its_relays(name: str) -> None:
    """A proof that is added needs an answer that bears it."""
    specimens = PLATFORMS[name].specimens
    for proof in PROOFS[name]:
        assert any(
            proof.holds(each.response(status)) for each in specimens for status in each.statuses
        ), proof


def test_of_a_function_that_is_declared_to_mark_its_answers_the_platforms_own_are_proof() -> None:
    """That leeward's handler has answered before is no word on the next release."""
    for name, specimen, status in SHOWN:
        (last,) = ended(name, specimen.response(status), marks=True)
        assert last.result.outcome in DID_NOT_RUN | {Outcome.APP_ERROR}, (name, specimen, status)
        *_, unknown = ended(name, its_own(), specimen.response(status))
        assert unknown.result.outcome in {Outcome.AMBIGUOUS, Outcome.APP_ERROR}, (name, status)
        assert unknown.sent == 1


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
        Response(200, {MARK: mark_of("charge", "another-key")}, b"1"),
        Response(200, {MARK: mark_of("bank", "key-1")}, b"1"),
        Response(500, {MARK: mark_of("bank", "key-1") + BY_HANDLER}, b"{}"),
    ],
)
def test_an_answer_of_its_own_without_the_mark_takes_the_word_back(answer: Response) -> None:
    """Such as of a release that has lost its marks; one with it does not bring the word back."""
    busy = PLATFORMS["google"].specimens[-2].response(429)
    found = ended("google", busy, answer, busy, its_own(), busy, marks=True)
    outcomes = [each.result.outcome for each in found]
    assert outcomes[0] is Outcome.REJECTED
    assert outcomes[2] is outcomes[4] is Outcome.AMBIGUOUS


def test_a_static_mark_is_a_mark_where_it_is_declared() -> None:
    """It proves that the function has answered, and never that it did not run."""
    busy = PLATFORMS["google"].specimens[-2].response(429)
    told = b'{"errorType":"HostRefusal","reason":"busy","ran":"no"}'
    static = [Response(status, {MARK: "1"}, told) for status in (200, 503)]
    found = [each.result.outcome for each in ended("google", *static, busy, marks=True)]
    assert found == [Outcome.OK, Outcome.APP_ERROR, Outcome.REJECTED]


def test_what_takes_the_word_back_is_of_one_function() -> None:
    """Another one of the same target keeps it."""
    learnt = Learnt()
    call(PLATFORMS["google"], RAN, learnt, Invoke("charge", b"", "k", marks=True))
    busy = PLATFORMS["google"].specimens[-2].response(429)
    for function, outcome in (("charge", Outcome.AMBIGUOUS), ("pay", Outcome.REJECTED)):
        found = call(PLATFORMS["google"], busy, learnt, Invoke(function, b"", "k-2", marks=True))
        assert found.result.outcome is outcome


def test_on_lambda_only_the_mark_of_the_call_is_believed() -> None:
    """The envelope of an older handler has a constant mark: what it says stays unknown."""
    for name, fields in ENVELOPES.items():
        for mark, outcome in (("1", Outcome.AMBIGUOUS), ("0123456789abcdef", Outcome.OK)):
            document = {MARK: mark, "x-leeward-dedup": "target", **fields}
            response = Response(200, {"x-amzn-requestid": "r-1"}, encode(document))
            for invoke in (
                Invoke("charge", b"{}", "k", marks=True),
                Invoke("charge", b"{}", "k", voids=1, marks=True),
            ):
                found = call(LAMBDA, response, Learnt(), invoke).result
                assert found.outcome is outcome, (name, mark)
            plain = call(LAMBDA, response, Learnt(), Invoke("charge", b"{}", "k")).result
            assert (plain.outcome, plain.value) == (Outcome.OK, document), "a value of its own"


ENVELOPES: dict[str, dict[str, Any]] = {
    "a value": {"value": 1},
    "voided": {
        "refusal": {"errorType": "RepeatRefused", "reason": "voided", "ran": "no"},
        "retry-after": None,
    },
    "busy": {
        "failure": {"errorType": "HostRefusal", "reason": "busy", "ran": "no"},
        "retry-after": 1.0,
    },
    "no function": {
        "failure": {"errorType": "Problem", "reason": "no_function", "ran": "no"},
        "retry-after": None,
    },
}


@each_row("name", list(ENVELOPES))
@each_row("mark", ["1", "0123456789abcdef", None])
def test_a_lambda_that_raises_what_it_was_told_has_run(name: str, mark: str | None) -> None:
    """Whatever was declared of it: three effects came of a relayed `busy`."""
    text = encode({MARK: mark, "x-leeward-dedup": "target", **ENVELOPES[name]}).decode()
    for kind in ("Problem", "Runtime.ImportModuleError", "RepeatRefused"):
        body = encode({"errorType": kind, "errorMessage": text})
        response = Response(200, {"x-amz-function-error": "Unhandled"}, body)
        for marks in (False, True):
            found = call(LAMBDA, response, Learnt(), Invoke("charge", b"{}", "k", marks=marks))
            assert (found.result.outcome, found.sent) == (Outcome.APP_ERROR, 1)
            assert found.result.fault is not None
            assert found.result.fault.ran is None


@each_row("name", list(PLATFORMS))
def test_another_credential_is_tried_only_where_nothing_ran(name: str) -> None:
    """A 401 that asks for a token may be that of somebody whom the function has asked."""
    refusal = PLATFORMS[name].specimens[0].response(401)
    assert [ended(name, refusal, marks=marks)[0].sent for marks in (False, True)] == [1, 2]

"""What a client sends beside a payload is what a handler reads, and the other way round."""

from __future__ import annotations

import json
from functools import lru_cache, partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import envelope
from leeward.app.host import headers_of
from leeward.calls import FunctionFault
from leeward.envelope import (
    CLOCKS,
    EnvelopeContent,
    Sent,
    age_in,
    answer_headers,
    custom_context,
    fault_document,
    fault_in,
    fault_of,
    mark_of,
    open_envelope,
    read_fault,
    refusal_reason,
    request_headers,
    seal,
    seal_failure,
    seal_refusal,
    sent_in,
)
from leeward.json_text import decode, encode
from leeward_contract_tests.rows import each_row
from tests.profiling import functions_entered

KEYS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), min_size=1
)
TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple)
FAULTS = st.builds(partial(FunctionFault, reason=None), TEXT, TEXT, LINES)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["value", "refusal"]), inner),
    max_leaves=5,
)
DEDUP = st.sampled_from([None, "target", "group", "none"])


def test_the_names_on_the_wire_are_these() -> None:
    """Handlers that are deployed already know them."""
    assert request_headers("key-1", 2.5) == (
        ("Idempotency-Key", "key-1"),
        ("x-leeward-deadline-ms", "2500"),
    )
    assert request_headers("key-1", 2.5, "00-a")[-1] == ("traceparent", "00-a")
    assert custom_context("key-1", -1) == {
        "idempotency-key": "key-1",
        "x-leeward-deadline-ms": "0",
        "x-leeward-envelope": "1",
    }
    assert answer_headers() == (("x-leeward", "1"),)
    assert answer_headers("group") == (("x-leeward", "1"), ("x-leeward-dedup", "group"))


@given(KEYS, st.integers(0, 10**9))
def test_what_a_client_sends_a_handler_reads(key: str, milliseconds: int) -> None:
    """In headers, whatever their case, and in a client context."""
    seconds = milliseconds / 1000
    sent = sent_in(headers_of((name.upper(), text) for name, text in request_headers(key, seconds)))
    assert sent._replace(envelope=True) == sent_in(custom_context(key, seconds))
    assert (sent.idempotency_key, sent.traceparent, sent.mark) == (key, None, "1")
    mark = mark_of("charge", key)
    assert sent_in(headers_of(request_headers(key, seconds, None, mark))).mark == mark
    assert sent_in(custom_context(key, seconds, None, mark)).mark == mark
    assert sent.seconds is not None
    assert 0 <= seconds - sent.seconds < 0.002


def test_other_callers_are_read_too() -> None:
    """Their keys may stand in quotes, as the draft has it, and they may send a trace."""
    assert sent_in({"idempotency-key": '"k"', "traceparent": "00-a-b-01"}) == Sent(
        "k", None, "00-a-b-01"
    )
    for text, key in {r'"a\"b"': 'a"b', r'"a\\b"': r"a\b", '"a", "b"': None, '"': '"'}.items():
        assert sent_in({"idempotency-key": text}).idempotency_key == key


@each_row("text", ["", "-1", "1.5", "1e3", " 1", "²", "٣", "9" * 13, "soon"])
def test_a_deadline_that_is_no_number_is_none(text: str) -> None:
    """Anybody may call a handler with anything."""
    assert sent_in({"x-leeward-deadline-ms": text, "idempotency-key": ""}) == Sent(None, None, None)


def test_a_request_without_leewards_headers_is_read_by_one_call() -> None:
    """What settling reads costs a caller nothing who sends nothing of it."""
    entered = functions_entered(lambda: envelope.sent_in({"host": "shop.example"}))
    assert [code.co_name for code in entered] == ["<lambda>", "sent_in", "__new__"]


@given(VALUES, DEDUP, st.none() | st.floats(0, 1e6))
def test_an_envelope_gives_back_what_was_put_in(
    value: Any, dedup: str | None, seconds: float | None
) -> None:
    """After its way over the wire; and nothing that lacks a part of it is one."""
    documents = [
        seal(value, dedup),
        seal_refusal(dedup, value, seconds),
        seal_failure(dedup, value, seconds),
    ]
    found = [open_envelope(decode(encode(each))) for each in documents]
    assert found == [
        EnvelopeContent(value, dedup),
        EnvelopeContent(None, dedup, value, seconds),
        EnvelopeContent(None, dedup, None, seconds, value),
    ]
    for document in documents:
        for name in document.keys() - {"x-leeward-dedup"}:
            assert (
                open_envelope({key: each for key, each in document.items() if key != name}) is None
            )
        assert open_envelope({**document, "more": 1}) is None
        assert open_envelope({**document, "x-leeward": 1}) is None
        assert open_envelope(document, "a-mark") is None
    assert open_envelope(value) is None or value == open_envelope(value)


def test_a_mark_is_of_one_call() -> None:
    """Of one function and one key; a handler repeats nothing that is not like one."""
    assert mark_of("charge", "k-1") == mark_of("charge", "k-1")
    assert len({mark_of("charge", "k-1"), mark_of("charge", "k-2"), mark_of("pay", "k-1")}) == 3
    assert answer_headers("group", "ab12")[0] == ("x-leeward", "ab12;handler")
    for text in ("", "a b", "a\r\nb: c", "ä", "a" * 65):
        assert sent_in({"x-leeward-call": text}).mark == "1"


def test_a_mark_is_of_the_process_that_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key may be chosen by anybody, and a function may call another of its name with it."""
    # A cache of its own: this process keeps its secret, which other tests have made marks with.
    own = lru_cache(maxsize=1)(envelope._secret.__wrapped__)
    monkeypatch.setattr("leeward.envelope._secret", own)
    marks = {mark_of("charge", "k-1")}
    for process in (-1, -2):
        monkeypatch.setattr("leeward.envelope.getpid", lambda process=process: process)
        marks.add(mark_of("charge", "k-1"))
    assert len(marks) == 3


def test_a_repeat_that_is_refused_is_told_from_every_other_failure() -> None:
    """Class, reason and scope have to fit: a problem of the user's own is none."""
    told = {"errorType": "RepeatRefused", "reason": "running"}
    for reason in ("running", "unknown", "not_kept"):
        for dedup in ("target", "group"):
            assert refusal_reason({**told, "reason": reason}, dedup) == reason
    odd: list[Any] = [
        (told, None),
        (told, "none"),
        (told, "else"),
        ({**told, "errorType": "Problem"}, "group"),
        ({**told, "reason": "sold_out"}, "group"),
        ({**told, "reason": None}, "group"),
        ({**told, "reason": ["running"]}, "group"),
        ([told], "group"),
        (None, "group"),
    ]
    for each, dedup in odd:
        assert refusal_reason(each, dedup) is None


@given(FAULTS)
def test_a_fault_comes_back(fault: FunctionFault) -> None:
    """Class, message and trace."""
    assert read_fault(fault_document(fault)) == fault


def test_a_fault_is_read_as_runtimes_write_it() -> None:
    """Of odd parts only what is text counts, and a trace has two names."""
    odd = {"errorType": "E", "errorMessage": 1, "trace": ["a", 2], "ran": "perhaps", "retryable": 1}
    assert fault_in(odd) == FunctionFault("E", None, ("a",))
    assert fault_in(["E"]) == fault_in({"stackTrace": "a"}) == FunctionFault()
    assert read_fault(b"<html>") == read_fault(b"") == FunctionFault()
    told = {"reason": "sold_out", "ran": "no", "retryable": True}
    assert fault_in(told) == FunctionFault(None, None, (), "sold_out", "no", True)
    assert read_fault(encode(told)) == FunctionFault(), "a runtime says nothing of that"


def test_a_flaw_of_an_input_is_a_path_and_a_type() -> None:
    """Or it is none; a runtime says nothing of that, either."""
    flaw = {"path": "$.lines[0].qty", "expected": "int"}
    assert fault_in(flaw).flaw == "$.lines[0].qty must be int"
    assert read_fault(encode(flaw)).flaw is None
    for odd in ({"path": "4111"}, {"path": ["$"]}, {"expected": None}, {"expected": "i" * 300}):
        assert fault_in(flaw | odd).flaw is None


class Unreadable(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise KeyError


def test_an_exception_becomes_a_fault() -> None:
    """Its class and its trace are told even where its text cannot be had."""
    try:
        raise Unreadable
    except Unreadable as error:
        fault = fault_of(error)
    assert (fault.type, fault.message) == ("Unreadable", None)
    assert "test_envelope.py" in fault.trace[0]
    assert json.loads(fault_document(fault))["errorType"] == "Unreadable"


def test_an_age_that_is_none_is_not_told() -> None:
    """Whoever knows a function's address may ask."""
    ages: list[Any] = [10**400, -1, float("nan"), "1", None]
    assert [age_in({"age": age}) for age in ages] == [None] * 5
    assert age_in(["age"]) is None
    assert age_in({"age": 2, "own": True}) == 2.0
    assert age_in({"age": 2}) == 2.0 + CLOCKS

"""What a client sends beside a payload is what a handler reads, and the other way round."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from leeward.calls import FunctionFault
from leeward.envelope import (
    Sent,
    answer_headers,
    custom_context,
    fault_document,
    fault_in,
    fault_of,
    read_fault,
    request_headers,
    sent_with,
)
from leeward_contract_tests.rows import each_row

KEYS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"'), min_size=1
)
TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
FAULTS = st.builds(
    FunctionFault, TEXT, TEXT, st.lists(TEXT.filter(lambda text: text is not None)).map(tuple)
)


def test_the_names_on_the_wire_are_these() -> None:
    """Handlers that are deployed already know them."""
    assert request_headers("key-1", 2.5) == (
        ("Idempotency-Key", "key-1"),
        ("x-leeward-deadline-ms", "2500"),
    )
    assert request_headers("key-1", 2.5, "00-a")[-1] == ("traceparent", "00-a")
    assert custom_context("key-1", -1) == {"idempotency-key": "key-1", "x-leeward-deadline-ms": "0"}
    assert answer_headers() == (("x-leeward", "1"),)
    assert answer_headers("group") == (("x-leeward", "1"), ("x-leeward-dedup", "group"))


@given(KEYS, st.integers(0, 10**9))
def test_what_a_client_sends_a_handler_reads(key: str, milliseconds: int) -> None:
    """In headers, whatever their case, and in a client context."""
    seconds = milliseconds / 1000
    sent = sent_with({name.upper(): text for name, text in request_headers(key, seconds)})
    assert sent == sent_with(custom_context(key, seconds))
    assert (sent.idempotency_key, sent.traceparent) == (key, None)
    assert sent.seconds is not None
    assert 0 <= seconds - sent.seconds < 0.002


def test_other_callers_are_read_too() -> None:
    """Their keys may stand in quotes, as the draft has it, and they may send a trace."""
    assert sent_with({"idempotency-key": '"k"', "TraceParent": "00-a-b-01"}) == Sent(
        "k", None, "00-a-b-01"
    )


@each_row("text", ["", "-1", "1.5", "1e3", " 1", "²", "٣", "9" * 13, "soon"])
def test_a_deadline_that_is_no_number_is_none(text: str) -> None:
    """Anybody may call a handler with anything."""
    assert sent_with({"x-leeward-deadline-ms": text, "Idempotency-Key": ""}) == Sent(
        None, None, None
    )


@given(FAULTS)
def test_a_fault_comes_back(fault: FunctionFault) -> None:
    """Class, message and trace."""
    assert read_fault(fault_document(fault)) == fault


def test_a_fault_is_read_as_runtimes_write_it() -> None:
    """Of odd parts only what is text counts, and a trace has two names."""
    assert fault_in({"errorType": "E", "errorMessage": 1, "trace": ["a", 2]}) == ("E", None, ("a",))
    assert fault_in(["E"]) == fault_in({"stackTrace": "a"}) == FunctionFault()
    assert read_fault(b"<html>") == read_fault(b"") == FunctionFault()


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

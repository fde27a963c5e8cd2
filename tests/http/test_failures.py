"""What libcurl's error codes prove: the table, as a function."""

from __future__ import annotations

import pycurl  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.http.curl.failures import TABLE, UNKNOWN, Facts, closed, explain
from leeward.http.messages import Phase

BEFORE = {Phase.REFUSED_HERE, Phase.NAME, Phase.CONNECT, Phase.TLS}

RENAMED = {8: "FTP_WEIRD_SERVER_REPLY", 49: "TELNET_OPTION_SYNTAX"}
"""Codes that pycurl knows under an older name only."""

CODES = st.one_of(st.sampled_from(sorted(TABLE)), st.integers())

FACTS = st.builds(
    Facts,
    code=CODES,
    request_size=st.one_of(st.just(0), st.integers()),
    tls=st.booleans(),
    name_found=st.booleans(),
    connected=st.booleans(),
    uploaded=st.booleans(),
    status=st.none() | st.integers(200, 599),
    headers_complete=st.booleans(),
)


def test_every_code_that_pycurl_names_has_a_row() -> None:
    """Each constant of an easy handle's errors is in the table, under one of its names."""
    known: dict[int, set[str]] = {}
    for name in dir(pycurl):
        if name.startswith("E_") and not name.startswith("E_MULTI_"):
            known.setdefault(getattr(pycurl, name), set()).add(name.removeprefix("E_"))
    for code in set(known) - {-1, 0, 99999}:  # no errors: go on, fine, already complete
        assert RENAMED.get(code, TABLE[code].name) in known[code]


def test_the_table_has_no_gap() -> None:
    """libcurl numbers its errors from 1 to 101 without a hole."""
    assert sorted(TABLE) == list(range(1, 102))


@given(FACTS)
def test_every_number_gives_a_failure(facts: Facts) -> None:
    """Whatever is reported, the phase says the same as `sent`, and the code is a short word."""
    failure = explain(facts)
    assert (failure.phase in BEFORE) is (not failure.sent)
    assert failure.code.isprintable()
    assert len(failure.code) < 40


@given(FACTS)
def test_one_byte_of_the_request_is_enough(facts: Facts) -> None:
    """With any request size but 0 something may have been sent, whatever the code."""
    assert facts.request_size == 0 or explain(facts).sent


@given(CODES.filter(lambda code: code not in TABLE), FACTS)
def test_an_unknown_code_proves_nothing(code: int, facts: Facts) -> None:
    """A code of a later libcurl counts as sent, also with request size 0."""
    assert explain(facts._replace(code=code)).sent


@given(FACTS, st.integers().filter(bool))
def test_less_knowledge_never_proves_more(facts: Facts, size: int) -> None:
    """Forgetting the code or the size never turns "may have left" into "did not leave"."""
    before = explain(facts).sent
    for less in (facts._replace(code=-7), facts._replace(request_size=size)):
        assert explain(less).sent >= before


@given(FACTS)
def test_times_and_status_only_name_the_phase(facts: Facts) -> None:
    """Whether a byte may have left rests on code and size alone."""
    bare = Facts(facts.code, facts.request_size)
    assert explain(facts).sent is explain(bare).sent


@given(FACTS)
def test_a_status_is_only_told_with_a_sent_request(facts: Facts) -> None:
    """What was never asked has not been answered."""
    failure = explain(facts)
    assert failure.status is None or failure.sent


@pytest.mark.parametrize(
    ("facts", "phase", "code"),
    [
        (Facts(28, 0), Phase.NAME, "connect_timeout"),
        (Facts(28, 0, name_found=True), Phase.CONNECT, "connect_timeout"),
        (Facts(28, 0, name_found=True, connected=True), Phase.TLS, "connect_timeout"),
        (Facts(28, 0, False, True, True), Phase.CONNECT, "connect_timeout"),
        (Facts(28, 9, connected=True), Phase.SEND, "deadline"),
        (Facts(28, 9, uploaded=True), Phase.RECEIVE, "deadline"),
        (Facts(28, 9, status=200), Phase.RECEIVE, "deadline"),
        (Facts(28, 9, status=200, headers_complete=True), Phase.BODY, "deadline"),
        (Facts(6, 0), Phase.NAME, "curl.6"),
        (Facts(7, 0), Phase.CONNECT, "curl.7"),
        (Facts(7, 9, uploaded=True), Phase.RECEIVE, "curl.7"),
        (Facts(42, 0), Phase.SEND, "curl.42"),
        (Facts(35, 0, connected=True), Phase.TLS, "curl.35"),
        (Facts(35, 9, uploaded=True), Phase.RECEIVE, "curl.35"),
        (Facts(52, 0), Phase.SEND, "curl.52"),
        (Facts(65, 0), Phase.CONNECT, "curl.65"),
        (Facts(65, 1), Phase.SEND, "curl.65"),
        (Facts(3, 0), Phase.REFUSED_HERE, "curl.3"),
    ],
)
def test_the_phase_follows_from_the_facts(facts: Facts, phase: Phase, code: str) -> None:
    """The same code means another phase at another point of a request."""
    failure = explain(facts)
    assert (failure.phase, failure.code) == (phase, code)


def test_a_row_that_proves_nothing_names_no_phase() -> None:
    """And one that names a phase names one before the request."""
    for row in (*TABLE.values(), UNKNOWN):
        assert row.phase is None or (row.provable and row.phase in BEFORE)


@given(FACTS)
def test_closing_proves_no_more_than_a_deadline(facts: Facts) -> None:
    """A request given up here came as far as one whose time was up at the same moment."""
    assert closed(facts) == explain(facts._replace(code=28))._replace(code="closed")

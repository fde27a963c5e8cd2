"""What a failure proves: that nothing was sent, and how far it came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import PHASES, Phase, Progress, explain
from leeward_contract_tests.rows import each_row

BEFORE = {Phase.REFUSED_HERE, Phase.NAME, Phase.CONNECT, Phase.TLS}

CODES = st.one_of(st.sampled_from(sorted(PHASES)), st.integers(1, 101), st.integers())

PROGRESS = st.builds(
    Progress,
    may_have_left=st.booleans(),
    tls=st.booleans(),
    name_found=st.booleans(),
    connected=st.booleans(),
    all_sent=st.booleans(),
    status=st.none() | st.integers(200, 599),
    head_complete=st.booleans(),
)


def test_a_code_names_a_phase_before_the_request() -> None:
    """For it is about the connection, which knows no request."""
    assert set(PHASES.values()) <= BEFORE
    assert set(PHASES) <= set(range(1, 102))


@given(CODES, PROGRESS)
def test_a_byte_that_may_have_left_decides(code: int, progress: Progress) -> None:
    """Whatever the code is: the phase says the same as `sent`, and the code is a short word."""
    failure = explain(code, progress)
    assert failure.sent is progress.may_have_left
    assert (failure.phase in BEFORE) is (not failure.sent)
    assert failure.code.isprintable()
    assert len(failure.code) < 40


@each_row(
    "code, progress, phase, name",
    [
        (28, Progress(), Phase.NAME, "connect_timeout"),
        (28, Progress(name_found=True), Phase.CONNECT, "connect_timeout"),
        (28, Progress(name_found=True, connected=True), Phase.TLS, "connect_timeout"),
        (28, Progress(False, False, True, True), Phase.CONNECT, "connect_timeout"),
        (28, Progress(True, connected=True), Phase.SEND, "deadline"),
        (28, Progress(True, all_sent=True), Phase.RECEIVE, "deadline"),
        (28, Progress(True, status=200), Phase.RECEIVE, "deadline"),
        (28, Progress(True, status=200, head_complete=True), Phase.BODY, "deadline"),
        (6, Progress(), Phase.NAME, "curl.6"),
        (7, Progress(), Phase.CONNECT, "curl.7"),
        (35, Progress(connected=True), Phase.TLS, "curl.35"),
        (42, Progress(), Phase.NAME, "curl.42"),
        (52, Progress(True), Phase.SEND, "curl.52"),
        (55, Progress(False, True, True, True), Phase.TLS, "curl.55"),
        (3, Progress(), Phase.REFUSED_HERE, "curl.3"),
        (18, Progress(True, all_sent=True, status=200), Phase.RECEIVE, "headers_cut"),
        (18, Progress(True, status=200, head_complete=True), Phase.BODY, "curl.18"),
        (63, Progress(True, status=200, head_complete=True), Phase.BODY, "body_too_large"),
    ],
)
def test_the_phase_follows_from_the_progress(
    code: int, progress: Progress, phase: Phase, name: str
) -> None:
    """The same code means another phase at another point of a request."""
    failure = explain(code, progress)
    assert (failure.phase, failure.code) == (phase, name)

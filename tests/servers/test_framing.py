from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward_contract_tests.rows import each_row
from tests.servers.framing import BadMessage, CutOff, Framer, Message, render_answer

PAYLOADS = st.binary(max_size=40)
FIELDS = st.lists(
    st.tuples(
        st.text("aZ09!#-", min_size=1, max_size=8).map("X-{}".format),
        st.text('\t aZ09:,;"%\x85\xa0\xff', max_size=8).map(lambda value: value.strip(" \t")),
    ),
    max_size=3,
)


def _head(first: bytes, fields: list[tuple[str, str]]) -> bytes:
    lines = [f"{name}: {value}".encode("latin-1") for name, value in fields]
    return b"\r\n".join([first, *lines, b"", b""])


@st.composite
def chunked(draw: st.DrawFn, payload: bytes) -> bytes:
    """Give `payload` in chunks, with extensions and trailers here and there."""
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(payload) - 1)), max_size=3)))
    pieces = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    extension = draw(st.sampled_from(["", ";a=b", " ;c"]))
    body = b"".join(b"%X%s\r\n%s\r\n" % (len(p), extension.encode(), p) for p in pieces if p)
    return body + b"0\r\n" + draw(st.sampled_from([b"", b"X-Sum: 1\r\n"])) + b"\r\n"


@st.composite
def messages(draw: st.DrawFn, first: bytes) -> tuple[bytes, bytes]:
    """Give a message that starts with `first`, as bytes, and the payload it carries."""
    fields, payload = draw(FIELDS), draw(PAYLOADS)
    if draw(st.booleans()):
        head = _head(first, [*fields, ("transfer-Encoding", "Chunked")])
        return head + draw(chunked(payload)), payload
    return _head(first, [("content-LENGTH", str(len(payload))), *fields]) + payload, payload


def _read(stream: bytes, sizes: list[int], *, answers: bool) -> list[Message]:
    """Give the messages of `stream`, fed in pieces of `sizes` in turn, and then ended."""
    framer, at = Framer(), 0
    found: list[Message] = []
    while not framer.ended:
        size = sizes[len(found) % len(sizes)]
        framer.feed(stream[at : at + size])
        at += size
        while message := framer.next_answer("GET") if answers else framer.next_request():
            found.append(message)
    return found


@given(
    sent=st.lists(messages(b"PUT /a?b=%20 HTTP/1.1"), max_size=4),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4),
)
def test_requests_come_out_as_they_went_in(
    sent: list[tuple[bytes, bytes]], sizes: list[int]
) -> None:
    """However a stream is cut, each request has its own bytes and its own payload."""
    found = _read(b"".join(raw for raw, _ in sent), sizes, answers=False)
    assert [(each.raw, each.payload) for each in found] == sent
    assert {(each.method, each.target) for each in found} <= {("PUT", "/a?b=%20")}


@given(
    sent=st.lists(messages(b"HTTP/1.1 207 Multi Status"), max_size=4),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4),
)
def test_answers_come_out_as_they_went_in(
    sent: list[tuple[bytes, bytes]], sizes: list[int]
) -> None:
    """However a stream is cut, each answer has its own bytes and its own payload."""
    found = _read(b"".join(raw for raw, _ in sent), sizes, answers=True)
    assert [(each.raw, each.payload) for each in found] == sent
    assert {each.status for each in found} <= {207}


@given(st.data())
def test_no_part_of_a_request_passes_for_a_whole(data: st.DataObject) -> None:
    """A request that lacks its last bytes is incomplete, and cut off when the stream ends."""
    raw, _ = data.draw(messages(b"PUT / HTTP/1.1"))
    framer = Framer()
    framer.feed(raw[: data.draw(st.integers(1, len(raw) - 1))])
    assert framer.next_request() is None
    framer.feed(b"")
    with pytest.raises(CutOff):
        framer.next_request()


@given(FIELDS)
def test_headers_come_out_as_they_went_in(fields: list[tuple[str, str]]) -> None:
    """Names keep their case, values their characters, and both their order."""
    (message,) = _read(_head(b"GET / HTTP/1.1", fields), [1000], answers=False)
    assert list(message.headers) == fields


@given(st.binary(max_size=60), PAYLOADS)
def test_any_bytes_are_read_or_refused(noise: bytes, body: bytes) -> None:
    """Noise is a message or no message; it never raises anything but BadMessage."""
    for start in (b"", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"):
        try:
            found = _read(start + noise + body, [7], answers=False)
        except BadMessage:
            continue
        assert b"".join(each.raw for each in found) == start + noise + body


@each_row(
    "raw",
    [
        b"GET / HTTP/2\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nA : space before the colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ],
)
def test_what_is_ambiguous_or_malformed_is_refused(raw: bytes) -> None:
    """A request whose end could be told in two ways, or in none, is no message."""
    framer = Framer()
    framer.feed(raw)
    with pytest.raises(BadMessage):
        framer.next_request()


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 100), ("GET", 204), ("GET", 304)]
)
def test_some_answers_have_no_body(method: str, status: int) -> None:
    """An answer to HEAD, an interim one, 204 and 304 end with their head, whatever it says."""
    head = _head(b"HTTP/1.1 %d X" % status, [("Content-Length", "5")])
    framer = Framer()
    framer.feed(head + b"HTTP/1.1 ")
    message = framer.next_answer(method)
    assert message is not None
    assert message.raw == head


def test_an_answer_without_a_length_ends_with_the_stream() -> None:
    """Such an answer is complete when the stream ends, and not before."""
    framer = Framer()
    framer.feed(b"HTTP/1.0 200\r\n\r\nabc")
    assert framer.next_answer("GET") is None
    framer.feed(b"")
    message = framer.next_answer("GET")
    assert message is not None
    assert (message.payload, message.ends_stream, message.keeps_alive) == (b"abc", True, False)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: Upgrade, Close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
    ],
)
def test_a_message_tells_whether_another_may_follow(raw: bytes, *, kept: bool) -> None:
    """HTTP/1.1 keeps a connection unless told otherwise, HTTP/1.0 only if told so."""
    (message,) = _read(raw, [1000], answers=False)
    assert message.keeps_alive is kept


@given(st.sampled_from([200, 204, 304, 404, 599]), st.sampled_from(["GET", "HEAD"]), PAYLOADS)
def test_a_rendered_answer_is_one_message(status: int, method: str, body: bytes) -> None:
    """Whatever is rendered is read back, headers included, with nothing left over."""
    framer = Framer()
    framer.feed(render_answer(status, [("X-A", "b")], body, method))
    message = framer.next_answer(method)
    assert message is not None
    assert (message.status, message.headers[0]) == (status, ("X-A", "b"))
    assert message.payload == (b"" if method == "HEAD" or status in {204, 304} else body)
    framer.feed(b"")
    assert framer.next_answer(method) is None

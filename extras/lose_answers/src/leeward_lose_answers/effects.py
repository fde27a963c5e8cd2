"""What a request does: whether it may have an effect, and which requests are the same effect."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Final, NamedTuple

LARGEST_BODY: Final = 1 << 20
"""Bytes of a body that are compared; of a longer one, its length counts besides."""

SAFE_METHODS: Final = frozenset("GET HEAD OPTIONS TRACE CONNECT PROPFIND REPORT SEARCH".split())
"""RFC 9110, 9.2.1; RFC 4918; CONNECT opens a tunnel."""

IDEMPOTENT_METHODS: Final = frozenset({"PUT", "DELETE"})
"""RFC 9110, 9.2.2."""

READ_ACTION: Final = re.compile(
    r"(Batch|Transact|Admin)?(Get|List|Describe|Query|Scan|Select|Search|Head|Lookup|Receive|Check"
    r"|Estimate|Validate|Preview|Test|Detect|Verify|Assume|Poll)(?![a-z])"
)
"""Actions of AWS without an effect, by the verb that their names begin with."""

IDEMPOTENT_ACTION: Final = re.compile(
    r"(Delete|Tag|Untag|BatchWriteItem$|PutItem$|ChangeMessageVisibility|(Complete|Create)Multipart"
    r"|RestoreObject$)"
)
"""Actions of AWS that replace or remove, or of which a second one changes nothing more."""

S3_POSTS: Final = {
    "delete": "DeleteObjects",
    "restore": "RestoreObject",
    "select": "SelectObjectContent",
    "uploadId": "CompleteMultipartUpload",
    "uploads": "CreateMultipartUpload",
}
"""Operations of S3 by POST, by the field of the address that names them. Source: its API."""

KEY_HEADERS: Final = (
    "idempotency-key",
    "x-idempotency-key",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "x-amz-client-token",
    "paypal-request-id",
    "x-goog-if-generation-match",
    "x-ms-client-request-token",
    "repeatability-request-id",
)

KEY_FIELD: Final = re.compile(
    rb"(?i)\b(client_?(?:request_?)?token|idempotency_?(?:key|token)|message_?deduplication_?id"
    rb"|condition_?expression)\"?\s*[:=]\s*\"?([^\"&,}]+)"
)
"""Fields of a body by which a service recognises a repeat, in JSON and in forms."""

VOLATILE: Final = re.compile(
    rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # UUID
    rb"|\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d(?::?\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"  # ISO 8601
    rb"|\b1[4-9]\d{8}(?:\.\d+|\d{3,9})?\b"  # Unix time of this time, in s, ms, us or ns
    rb"|\b[0-9a-fA-F]{16,}\b"  # boundary, digest, signature
)

SECRET: Final = re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{20,}")
"""What in a path may let anybody in, as in those of webhooks and bots: it is shown nowhere."""

REQUEST_LINE: Final = re.compile(rb"([A-Z]{2,16}) (\S+) HTTP/1\.[01]\r\n")
_BEGINNING: Final = re.compile(rb"[A-Z]{1,16}(?: |$)")
_GRAPHQL_READ: Final = re.compile(rb'"query"\s*:\s*"\s*(?:query\b|\{)')
_SEARCH: Final = re.compile(r"/_(?:search|msearch|count|mget|validate|explain)\b")


class Request(NamedTuple):
    """A request of HTTP/1 as it went over the wire.

    Attributes:
        headers: by their names in lower case.
        size: bytes of the body, of which `body` has the first.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    size: int


class Effect(NamedTuple):
    """What a request may do.

    Attributes:
        title: for people, such as ``POST bank.example/charges`` or ``dynamodb UpdateItem``.
        route: `title` without volatile parts and ports.
        fingerprint: equal for requests that do the same thing.
        key: what a service recognises a repeat by; empty if nothing.
        is_idempotent: whether doing it twice is by definition the same as once.
    """

    title: str
    route: str
    fingerprint: bytes
    key: str
    is_idempotent: bool


class Marks(NamedTuple):
    """What a user says about requests: patterns of titles, such as ``POST */search``.

    Attributes:
        reads: have no effect.
        repeatable: may be sent twice.
        doubles: are an effect each time, although their method is idempotent.
    """

    reads: Sequence[str] = ()
    repeatable: Sequence[str] = ()
    doubles: Sequence[str] = ()


class RequestReader:
    """The requests of one connection, from what a client sends on it.

    Attributes:
        is_opaque: it is not HTTP/1, or not any more.
    """

    def __init__(self) -> None:
        self.is_opaque = False
        self._buffer = bytearray()
        self._is_in_body = False
        self._requests = self._read()
        next(self._requests)

    @property
    def is_idle(self) -> bool:
        """Whether the next byte begins a request."""
        return not self._buffer and not self._is_in_body

    def feed(self, data: bytes | memoryview) -> list[Request]:
        """Read what was sent; return the requests that are complete now."""
        requests: list[Request] = []
        if not self.is_opaque:
            self._buffer += data
            try:
                while request := next(self._requests):
                    requests.append(request)
            except ValueError:  # a length that is not a number
                self.is_opaque = True
        return requests

    def _read(self) -> Generator[Request | None, None, None]:
        yield None
        while True:
            while (end := self._buffer.find(b"\r\n\r\n")) < 0:
                self.is_opaque = bool(self._buffer) and not _may_be_http(self._buffer)
                yield None
            head = REQUEST_LINE.match(self._buffer)
            if head is None:
                self.is_opaque = True
                yield None
                continue
            method, target = (part.decode("latin-1") for part in head.groups())
            headers = _headers_of(bytes(self._buffer[head.end() : end]))
            del self._buffer[: end + 4]
            self._is_in_body = True
            if "chunked" in headers.get("transfer-encoding", "").lower():
                body, size = yield from self._read_chunks()
            else:
                length = headers.get("content-length", "0")
                size = int(length) if length.isdecimal() else 0
                body = yield from self._take(size)
            self._is_in_body = False
            yield Request(method, target, headers, body, size)

    def _read_chunks(self) -> Generator[None, None, tuple[bytes, int]]:
        body, size = b"", 0
        while length := int((yield from self._take_line()).partition(b";")[0] or b"0", 16):
            if length < 0:
                raise ValueError("a chunk is not as long")
            body += yield from self._take(length)
            size += length
            yield from self._take_line()
        while (yield from self._take_line()):
            pass
        return body[:LARGEST_BODY], size

    def _take_line(self) -> Generator[None, None, bytes]:
        while (end := self._buffer.find(b"\r\n")) < 0:
            yield None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, size: int) -> Generator[None, None, bytes]:
        body = bytearray()
        while size:
            part = self._buffer[:size]
            del self._buffer[:size]
            size -= len(part)
            body += part[: LARGEST_BODY - len(body)]
            if size:
                yield None
        return bytes(body)


def effect_of(request: Request, marks: Marks) -> Effect | None:
    """Return what `request` may do, or None if it is a read."""
    action = _action_of(request)
    host = request.headers.get("host", "")
    path = re.sub(r"^\w+://[^/]*", "", request.target.partition("?")[0])  # a proxy has all of it
    path = SECRET.sub("…", path)
    title = action or f"{request.method} {host}{path}"
    if _is_read(request, action) or _matches(title, marks.reads):
        return None
    is_idempotent = (
        bool(IDEMPOTENT_ACTION.match(action.rpartition(" ")[2]))
        if action
        else request.method in IDEMPOTENT_METHODS
    )
    digest = blake2b(f"{request.method} {_without_port(host)} {action} ".encode(), digest_size=16)
    digest.update(_steady(request.target.encode("latin-1", "replace")))
    digest.update(_steady(KEY_FIELD.sub(rb"\1", request.body)))
    if request.size > len(request.body):
        digest.update(str(request.size).encode())
    is_marked, key = _matches(title, marks.repeatable), _key_of(request)
    return Effect(
        title,
        _steady(_without_port(title).encode()).decode(),
        digest.digest(),
        key,
        is_marked or (is_idempotent and not key and not _matches(title, marks.doubles)),
    )


def status_of(answer: bytes) -> int | None:
    """Return the status with which an answer of HTTP/1 begins, or None."""
    if answer[:7] == b"HTTP/1." and answer[9:12].isdigit():
        return int(answer[9:12])
    return None


def _may_be_http(beginning: bytearray) -> bool:
    line, end, _ = beginning.partition(b"\r\n")
    if end:
        return bool(REQUEST_LINE.match(line + end))
    return bool(_BEGINNING.match(line)) and len(line) < 65536


def _headers_of(lines: bytes) -> dict[str, str]:
    fields = (line.partition(":") for line in lines.decode("latin-1").split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in fields}


def _action_of(request: Request) -> str:
    """Return service and action of a call of AWS that names them outside its path, or ''."""
    if target := request.headers.get("x-amz-target", ""):
        service, _, action = target.rpartition(".")
        name = service.partition("_")[0].rpartition(".")[2].lower().removeprefix("amazon")
        return f"{name} {action}"
    scope = re.search(
        r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", request.headers.get("authorization", "")
    )
    if scope and scope[1] == "s3" and request.method == "POST":
        fields = re.split("[?&=]", request.target)
        return next((f"s3 {S3_POSTS[field]}" for field in fields if field in S3_POSTS), "")
    form = re.match(rb"(?:.*&)?Action=(\w+)", request.body)
    if scope and form:
        return f"{scope[1]} {form[1].decode()}"
    if "smithy-protocol" in request.headers:
        return f"{scope[1] if scope else 'aws'} {request.target.rpartition('/')[2]}"
    return ""


def _is_read(request: Request, action: str) -> bool:
    if action:
        return bool(READ_ACTION.match(action.rpartition(" ")[2]))
    return (
        request.method in SAFE_METHODS
        or bool(_SEARCH.search(request.target))
        or bool(_GRAPHQL_READ.search(request.body))
        or request.body.startswith(b"grant_type=")
        or b"&grant_type=" in request.body
    )


def _key_of(request: Request) -> str:
    for name in KEY_HEADERS:
        if value := request.headers.get(name):
            return f"{name}: {value}"
    if field := KEY_FIELD.search(request.body):
        return f"{field[1].decode()}: {field[2].decode('utf-8', 'replace').strip()}"
    return ""


def _matches(title: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(title, pattern) for pattern in patterns)


def _steady(data: bytes) -> bytes:
    return VOLATILE.sub(b"~", data)


def _without_port(text: str) -> str:
    return re.sub(r":\d+", "", text)

"""``Idempotency-Key`` over leeward's records: what ASGI and WSGI share.

The rules are those of https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/:
400 without a key where one is needed, 409 while the first call runs, 422 for another payload, and
the first answer for a repeat. An answer is kept with its headers, unless it refuses its caller.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any, ClassVar, Final, Literal, NamedTuple

from leeward.app.answers import Problem
from leeward.app.context import Context
from leeward.app.idempotency import KeyMissing, RepeatRefused, idempotent
from leeward.app.idempotency.record import Reason
from leeward.app.idempotency.settings import LONGEST_KEY
from leeward.app.idempotency.settlement import without_waiting
from leeward.app.signatures import IDEMPOTENCY, Idempotency, is_coroutine_function
from leeward.clock import SystemClock
from leeward.envelope import MARK, SETTLE, age_in, sent_in, unquote
from leeward.errors import ConfigError, DedupUnavailable
from leeward.json_text import decode
from leeward.logs import failure_facts, log_event
from leeward_integrations.coroutines import value_of

LOGGER = "leeward.idempotency"

KEY: Final = "idempotency-key"
LARGEST: Final = 256 * 1024
"""Bytes of an answer that is kept. DynamoDB holds 400 KB in an item, and base64 adds a third."""
LARGEST_REQUEST: Final = 8 * 1024 * 1024
"""Bytes of a request that can be compared with a repeat: it is read whole before the app runs."""
METHODS: Final = frozenset({"POST", "PATCH"})
"""Which of HTTP's methods are not idempotent by themselves (RFC 9110, 9.2.2; RFC 5789)."""

_FOR_CALLERS: Final = {
    Reason.UNKNOWN.value: "a request with this Idempotency-Key may have been done, and nothing "
    "proves whether it was. A new key may do it twice: find out first",
    Reason.NOT_KEPT.value: "a request with this Idempotency-Key was done, and its answer was too "
    "large to be kept. It is not done again",
}
"""What a caller reads where the refusal itself names the record, for the operator."""

_OF_ONE_ANSWER: Final = frozenset(
    {"connection", "content-length", "date", "set-cookie", "transfer-encoding"}
)
"""Headers that are not kept, for they are of one connection, one moment or one session."""

_OF_ONE_CALLER: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""Statuses that are not kept: they refuse a caller, and another one may have the same key."""

_BOUNDARY: Final = re.compile(r'^multipart/[^;]*;.*?\bboundary="?([^",;]{1,70})', re.IGNORECASE)
"""RFC 2046, 5.1.1. A client makes a new one for each request, also where it repeats one."""

Principal = Callable[[Mapping[str, Any]], str | None]
"""Returns whose keys those of a request are, from its scope (ASGI) or its environment (WSGI)."""


class Answer(NamedTuple):
    """An answer as it was given first. `body` is None for one that was too large to be kept."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | None

    def record(self) -> dict[str, Any]:
        """Return what the record keeps of it."""
        headers = [
            [name, text] for name, text in self.headers if name.lower() not in _OF_ONE_ANSWER
        ]
        body = None if self.body is None else b64encode(self.body).decode()
        return {"status": self.status, "headers": headers, "body": body}

    def headers_with_length(self) -> list[tuple[str, str]]:
        """Return the headers to send: one without content has no length (RFC 9110, 8.6)."""
        if self.status < 200 or self.status == HTTPStatus.NO_CONTENT:
            return self.headers
        return [*self.headers, ("content-length", str(len(self.body or b"")))]


class Exchange:
    """A request, and what the app answers; `asgi` and `wsgi` have one each.

    Attributes:
        read: returns or awaits the body; None if the caller has gone. Raises a `Problem`.
        run: runs the app, and returns or awaits its answer; without a body where that has left.
        answer: of this run; None if it has not run.
        error: that the app raised.
        is_passed_on: the answer is on its way to the caller, and no longer kept.
    """

    read: Callable[[], Any]
    run: Callable[[], Any]
    answer: Answer | None = None
    error: Exception | None = None
    is_passed_on = False


class _Request(Context):
    """The context of a request; repeats are not compared by it.

    Attributes:
        exchange: of the request.
        largest: bytes of an answer that is kept.
    """

    exchange: Exchange
    largest: int

    def record_of(self, answer: Answer) -> dict[str, Any]:
        """Return what the record keeps of an answer."""
        is_small = len(answer.body or b"") <= self.largest
        return (answer if is_small else answer._replace(body=None)).record()


class _Refusal(Exception):
    """The app has refused the caller, so its key is free."""


async def _run_app(call: Mapping[str, str], request: _Request) -> dict[str, Any]:
    """Run the app for a call whose key is new, and return what the record keeps.

    Raises:
        _Refusal: the app knows no such caller, or forbids it.
    """
    try:
        answer: Answer = await value_of(request.exchange.run())
    except Exception as error:
        request.exchange.error = error
        raise
    request.exchange.answer = answer
    if answer.status in _OF_ONE_CALLER:
        raise _Refusal
    return request.record_of(answer)


class IdempotentApp:
    """An app whose requests run once for each key; `asgi` and `wsgi` have one each.

    Args:
        app: whose requests they are.
        table: of the records; its key is ``id``.
        client: of leeward, for ASGI an `AsyncClient`, or a function that returns one; by default
            one for the process, as the environment configures it.
        name: of the app's records in the table.
        principal: returns from the scope (ASGI) or the environment (WSGI) whose keys those of a
            request are, or None where nobody has logged in. It has to be given: with None, callers
            share keys, and who knows a key reads the answer.
        required: requests of these methods have to have a key.
        methods: whose requests may have one.
        keep: seconds for which a key is remembered.
        lease: seconds after which an unfinished run is assumed dead.
        largest: bytes of an answer that is kept; after a larger one a repeat is refused.
        probe: as of `leeward.app.idempotent`: finds out what a run did that broke off.
        settles: whoever has a principal may ask what became of a key of its own.
    """

    is_awaited: ClassVar[bool]

    def __init__(
        self,
        app: Any,
        *,
        table: str,
        client: Any = None,
        name: str = "app",
        principal: Principal | Literal[""] | None = "",
        required: bool = False,
        methods: Collection[str] = METHODS,
        keep: float = 86_400.0,
        lease: float = 60.0,
        largest: int = LARGEST,
        probe: Any = None,
        settles: bool = False,
    ) -> None:
        if isinstance(methods, str):
            raise ConfigError(f"methods must be a list of names: [{methods!r}]")
        if not isinstance(largest, int):
            raise ConfigError(f"largest must be a whole number of bytes, not {largest!r}")
        source: Any = principal
        if source == "":
            raise ConfigError(
                "principal is missing: a function of the request that returns whose keys these "
                "are, such as lambda scope: scope['user'].identity; or None, if all callers may "
                "read each other's answers"
            )
        if source is not None and (not callable(source) or is_coroutine_function(source)):
            raise ConfigError(f"principal must be a plain function of the request, not {source!r}")
        if settles and source is None:
            raise ConfigError(
                "settles needs a principal: else who knows a key reads its answer and voids it"
            )
        self._app, self._principal, self._settles = app, source, settles
        self._required, self._methods = required, {name.upper() for name in methods}
        self._lease, self._largest = lease, largest
        records: dict[str, Any] = {"table": table, "name": name, "client": client, "keep": keep}
        owner = source and (lambda request: json.dumps(request.principal))  # null is nobody
        free: Any = {_Refusal: "release"}
        guard = idempotent(**records, principal=owner, lease=lease, probe=probe, failures=free)
        self._answer = guard(_run_app if self.is_awaited else without_waiting(_run_app))
        declared: Idempotency = getattr(self._answer, IDEMPOTENCY)
        self._settle = declared.settle

    def _is_guarded(self, method: str, headers: Mapping[str, str]) -> bool:
        """Return whether a request has a key, or has to have one, or asks what became of one."""
        is_keyed = self._required or KEY in headers
        return SETTLE in headers or (is_keyed and method.upper() in self._methods)

    async def _answer_to(
        self, exchange: Exchange, call: Mapping[str, str], headers: Mapping[str, str], scope: Any
    ) -> Answer | None:
        """Return what is to be sent; None if it was passed on, or nobody waits any more.

        A repeat has to have the same `call` and body. `scope` is for the `principal`.

        Raises:
            Exception: that the app raised, which its server answers.
        """
        try:
            request = self._request_of(headers, scope)
            request.exchange, request.largest = exchange, self._largest
            if (body := await value_of(exchange.read())) is None:
                return None
            if SETTLE in headers:
                if not self._settles or request.principal is None:
                    raise Problem(
                        "what became of a key is told to nobody here, or only after a login "
                        "(`settles` of the middleware). The question ran nothing",
                        status=403,
                        reason="not_settled",
                    )
                document = await value_of(self._settle(age_in(_value_of(body)), None, request))
                return _settled_answer(document, headers)
            kept = await value_of(self._answer(_payload_of(call, headers, body), request))
            answer = exchange.answer
            # Another run may have taken over, and then its answer counts.
            is_own = answer is not None and request.record_of(answer) == kept
            return None if exchange.is_passed_on else answer if is_own else _kept_answer(kept)
        except _Refusal:
            return None if exchange.is_passed_on else exchange.answer
        except (Problem, DedupUnavailable) as error:
            if exchange.error is error:
                raise
            return None if exchange.is_passed_on else _refusal_of(error)

    def _request_of(self, headers: Mapping[str, str], scope: Mapping[str, Any]) -> _Request:
        """Return the context of a request, for its record: a key is of one owner.

        Raises:
            Problem: it has no key, or one that is wrong.
        """
        key, clock = key_of(headers), SystemClock()
        owner = None if self._principal is None else self._principal(scope)
        until, voids = clock.monotonic() + self._lease, sent_in(headers).voids
        return _Request("request", key, None, until, clock, voids=voids, principal=owner)


def _payload_of(call: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return by what a repeat is known: method, path, query and body, but for its boundary."""
    if match := _BOUNDARY.match(headers.get("content-type", "")):
        body = body.replace(b"--" + match[1].encode("latin-1"), b"--")
    return {**call, "body": sha256(body).hexdigest()}


def key_of(headers: Mapping[str, str]) -> str:
    """Return the key of a request.

    The draft has a string of RFC 8941, in quotation marks; most clients send the text alone. Where
    that has a comma, a server may have made one line of two headers.

    Raises:
        Problem: there is no key, or one that is wrong, with status 400.
    """
    if KEY not in headers:
        raise KeyMissing(
            "this request needs the header Idempotency-Key: a text that is new for each request, "
            "and the same when it is sent again. It did not run",
            field="header:Idempotency-Key",
        )
    text = headers[KEY].strip()
    key = unquote(text)
    is_list = key == text and "," in text
    if is_list or not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Problem(
            f"the header Idempotency-Key has to be one key, of 1 to {LONGEST_KEY} printable "
            "characters of ASCII, in quotation marks if it has a comma; the request did not run",
            status=400,
            reason="key_wrong",
        )
    return key


def check_size(size: int) -> None:
    """Raise a `Problem` for a request that is too large to be compared."""
    if size > LARGEST_REQUEST:
        raise Problem(
            f"a request with an Idempotency-Key may have {LARGEST_REQUEST} bytes; it did not run",
            status=413,
            reason="payload_too_large",
        )


def _kept_answer(kept: Mapping[str, Any]) -> Answer:
    """Return the answer of a record.

    Raises:
        RepeatRefused: it was too large to be kept.
    """
    if kept["body"] is None:
        raise RepeatRefused(_FOR_CALLERS[Reason.NOT_KEPT.value], Reason.NOT_KEPT)
    headers = [(name, text) for name, text in kept["headers"]]
    return Answer(kept["status"], headers, b64decode(kept["body"]))


def _refusal_of(error: Problem | DedupUnavailable) -> Answer:
    """Return the answer to a request that did not run (RFC 9457)."""
    if isinstance(error, DedupUnavailable):
        # Why is for the log, and not for the caller.
        log_event(LOGGER, "warning", "keys_unavailable", **failure_facts(error.__cause__ or error))
        error = Problem(
            "the table of idempotency keys cannot be reached; the request did not run",
            status=503,
            reason="keys_unavailable",
            retry_after=error.retry_after or 1,
        )
    title = _FOR_CALLERS.get(error.reason or "", error.message)
    if isinstance(error, RepeatRefused) and title != error.message:
        log_event(LOGGER, "warning", "repeat_refused", why=error.reason, record=error.record)
    facts = {"status": error.status, "reason": error.reason, "ran": getattr(error, "ran", None)}
    document = {"title": title} | {name: fact for name, fact in facts.items() if fact}
    headers = [("content-type", "application/problem+json")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(1, round(error.retry_after)))))
    return Answer(error.status, headers, json.dumps(document).encode())


def _settled_answer(document: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
    """Return the answer to a question what became of a key: a result is what the body said."""
    fields = {**document, "key": key_of(headers)}
    if isinstance(result := fields.get("result"), Mapping) and "body" in result:
        kept = result["body"]
        fields["result"] = None if kept is None else _value_of(b64decode(kept))
    marks = [("content-type", "application/json"), (MARK, sent_in(headers).mark)]
    return Answer(200, marks, json.dumps(fields).encode())


def _value_of(body: bytes) -> Any:
    """Return what a body says: JSON, or its text."""
    try:
        return decode(body)
    except ValueError:
        return body.decode("utf-8", "replace")

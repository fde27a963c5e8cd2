"""``Idempotency-Key`` for Flask, Django and every other app of WSGI.

```python
app.wsgi_app = IdempotencyKeys(app.wsgi_app, table="keys", client=cloud)
```

A repeat gets the first answer, and the app does not run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from http.client import responses
from io import BytesIO
from typing import Any, Final, TypeAlias

from leeward.app.answers import Problem
from leeward.app.context import Context
from leeward.errors import DedupUnavailable
from leeward_integrations.idempotency_key import (
    LARGEST_REQUEST,
    SETTLE,
    Answer,
    IdempotentApp,
    age_of,
    call_of,
    headers_with_length,
    keepable,
    kept_answer,
    refusal_of,
    settled_answer,
    too_large,
)

Environ: TypeAlias = MutableMapping[str, Any]
WsgiApp: TypeAlias = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class IdempotencyKeys(IdempotentApp):
    """An WSGI middleware: a request with an ``Idempotency-Key`` runs once."""

    @staticmethod
    def run_once(call: Mapping[str, str], context: Context) -> dict[str, Any]:
        """Run the app for a call whose key is new."""
        return keepable(_EXCHANGE.get().run())

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, once for each key."""
        headers = {
            name[5:].lower().replace("_", "-"): text
            for name, text in environ.items()
            if name.startswith("HTTP_")
        }
        if not self._is_guarded(environ["REQUEST_METHOD"], headers):
            unguarded: Iterable[bytes] = self._app(environ, start_response)
            return unguarded
        exchange = _Exchange(self._app, environ, self._largest)
        try:
            answer = self._answer_to(exchange, environ, headers)
        except (Problem, DedupUnavailable) as error:
            if exchange.error is error:  # the app's own, which its server answers
                raise
            answer = refusal_of(error)
        phrase = responses.get(answer.status, "Unknown")
        start_response(f"{answer.status} {phrase}", headers_with_length(answer))
        return [answer.body or b""]

    def _answer_to(
        self, exchange: _Exchange, environ: Environ, headers: Mapping[str, str]
    ) -> Answer:
        context = self._context_of(headers, environ)
        body = exchange.read()
        if SETTLE in headers:
            return settled_answer(self._settle(age_of(body), None, context), headers)
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        query = environ.get("QUERY_STRING", "")
        token = _EXCHANGE.set(exchange)
        try:
            kept = self._answer(call_of(environ["REQUEST_METHOD"], path, query, body), context)
        finally:
            _EXCHANGE.reset(token)
        return exchange.answer or kept_answer(kept)


class _Exchange:
    """A request, and what the app answers.

    Attributes:
        answer: of this run, whole; None if it has not run.
        error: that the app raised.
    """

    def __init__(self, app: WsgiApp, environ: Environ, largest: int) -> None:
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self._app, self._environ, self._largest = app, environ, largest

    def read(self) -> bytes:
        """Return the body of the request, and leave it to the app to be read again.

        Raises:
            Problem: it is too large to be compared, or not all of it came.
        """
        length, stream = self._environ.get("CONTENT_LENGTH") or "", self._environ["wsgi.input"]
        # In chunks, a server may say that it ends them; else nobody knows where they end.
        is_ended = not length and self._environ.get("wsgi.input_terminated")
        if not length and not is_ended and "HTTP_TRANSFER_ENCODING" in self._environ:
            raise Problem(
                "the server does not say where a request without Content-Length ends; it did not "
                "run",
                status=411,
                reason="length_missing",
            )
        size = int(length) if length.isdecimal() else 0
        if size > LARGEST_REQUEST:
            raise too_large()
        body: bytes = stream.read(LARGEST_REQUEST + 1 if is_ended else size)
        if len(body) > LARGEST_REQUEST:
            raise too_large()
        if len(body) < size:
            raise Problem(
                "the request ended before its Content-Length; it did not run",
                status=400,
                reason="payload_incomplete",
            )
        self._environ["CONTENT_LENGTH"] = str(len(body))
        self._environ["wsgi.input"] = BytesIO(body)
        return body

    def run(self) -> Answer:
        """Run the app, and return what is to be kept of its answer."""
        try:
            self.answer = answer = self._run()
        except Exception as error:
            self.error = error
            raise
        too_much = answer.body is not None and len(answer.body) > self._largest
        return answer._replace(body=None) if too_much else answer

    def _run(self) -> Answer:
        told: list[tuple[str, list[tuple[str, str]]]] = []
        first: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _: Any = None
        ) -> Callable[[bytes], Any]:
            told.append((status, headers))
            return first.append

        parts = self._app(self._environ, start_response)
        try:
            body = b"".join([*first, *parts])
        finally:
            if close := getattr(parts, "close", None):
                close()
        if not told:
            raise RuntimeError("the app has ended without an answer")
        status, headers = told[-1]
        own = [(name, text) for name, text in headers if name.lower() != "content-length"]
        return Answer(int(status.split(" ", 1)[0]), own, body)


_EXCHANGE: Final[ContextVar[_Exchange]] = ContextVar("exchange")
"""What the run of this thread answers: its record is of the call alone."""

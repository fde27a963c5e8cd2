"""``Idempotency-Key`` for every app of WSGI: ``application = IdempotencyKeys(app, table="keys")``.

A repeat gets the first answer, and the app does not run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from http.client import responses
from io import BytesIO
from typing import Any, TypeAlias

from leeward.app.answers import Problem
from leeward.app.idempotency.settlement import without_waiting
from leeward_integrations.idempotency_key import (
    LARGEST_REQUEST,
    Answer,
    Exchange,
    IdempotentApp,
    check_size,
)

Environ: TypeAlias = MutableMapping[str, Any]
WsgiApp: TypeAlias = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class IdempotencyKeys(IdempotentApp):
    """A WSGI middleware: a request with an ``Idempotency-Key`` runs once."""

    is_awaited = False

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, once for each key."""
        headers = {
            name[5:].lower().replace("_", "-"): text
            for name, text in environ.items()
            if name.startswith("HTTP_")
        } | {"content-type": environ.get("CONTENT_TYPE") or ""}
        if not self._is_guarded(environ["REQUEST_METHOD"], headers):
            unguarded: Iterable[bytes] = self._app(environ, start_response)
            return unguarded
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        query = environ.get("QUERY_STRING", "")
        call = {"method": environ["REQUEST_METHOD"], "path": path, "query": query}
        exchange = _Exchange(self._app, environ)
        answer: Answer = without_waiting(self._answer_to)(exchange, call, headers, environ)
        phrase = responses.get(answer.status, "Unknown")
        start_response(f"{answer.status} {phrase}", answer.headers_with_length())
        return [answer.body or b""]


class _Exchange(Exchange):
    def __init__(self, app: WsgiApp, environ: Environ) -> None:
        self._app, self._environ = app, environ

    def read(self) -> bytes:
        """Return the body, and leave it to the app to be read again."""
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
        check_size(size)
        body: bytes = stream.read(LARGEST_REQUEST + 1 if is_ended else size)
        check_size(len(body))
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
        calls: list[tuple[str, list[tuple[str, str]]]] = []
        first: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _: Any = None
        ) -> Callable[[bytes], Any]:
            calls.append((status, headers))
            return first.append

        parts = self._app(self._environ, start_response)
        try:
            body = b"".join([*first, *parts])
        finally:
            if close := getattr(parts, "close", None):
                close()
        if not calls:
            raise RuntimeError("the app has ended without an answer")
        status, headers = calls[-1]
        headers_ = [(name, text) for name, text in headers if name.lower() != "content-length"]
        return Answer(int(status.split(" ", 1)[0]), headers_, body)

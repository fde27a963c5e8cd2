"""``Idempotency-Key`` for every app of ASGI: ``app.add_middleware(IdempotencyKeys, table="keys")``.

A repeat gets the first answer, and the app does not run again. Put it inside of what checks who
calls, and outside of what may have an effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from leeward_integrations.idempotency_key import Answer, Exchange, IdempotentApp, check_size

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class IdempotencyKeys(IdempotentApp):
    """An ASGI middleware: a request with an ``Idempotency-Key`` runs once."""

    is_awaited = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, once for each key."""
        headers: dict[str, str] = {}
        for raw, text in scope["headers"] if scope["type"] == "http" else ():
            name, line = raw.decode("latin-1").lower(), text.decode("latin-1")
            # The lines of two different headers stay apart: together they are not a key.
            headers[name] = line if headers.get(name, line) == line else f"{headers[name]}\n{line}"
        if not self._is_guarded(scope.get("method", ""), headers):
            await self._app(scope, receive, send)
            return
        # Without the server's other ways to answer, such as files: they would not be kept.
        offered = (scope.get("extensions") or {}).items()
        scope["extensions"] = {n: v for n, v in offered if not n.startswith("http.response.")}
        query = scope.get("query_string", b"").decode("latin-1")
        call = {"method": scope["method"], "path": scope["path"], "query": query}
        exchange = _Exchange(self._app, scope, receive, send, self._largest)
        try:
            answer = await self._answer_to(exchange, call, headers, scope)
        finally:
            if exchange.error is not None and not exchange.is_passed_on:
                await exchange.pass_on()
        if answer is not None:
            lines = answer.headers_with_length()
            encoded = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in lines]
            await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
            await send({"type": "http.response.body", "body": answer.body or b""})
        if exchange.late_error is not None:
            raise exchange.late_error


class _Exchange(Exchange):
    """Attributes: late_error: raised by what the app runs behind a whole answer."""

    late_error: Exception | None = None

    def __init__(
        self, app: AsgiApp, scope: Scope, receive: Receive, send: Send, largest: int
    ) -> None:
        self._app, self._scope, self._largest = app, scope, largest
        self._receive, self._send = receive, send
        self._body = b""
        self._is_given = self._is_whole = self._is_cut = False
        self._is_heard = asyncio.Event()
        self._kept: list[MutableMapping[str, Any]] = []
        self._size = 0

    async def read(self) -> bytes | None:
        body, more = bytearray(), True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            check_size(len(body))
        self._body = bytes(body)
        return self._body

    async def run(self) -> Answer:
        try:
            await self._app(self._scope, self._receive_again, self._keep)
        except Exception as error:
            # Who answers 500 and raises, such as Starlette, has told its server what broke.
            if not self._is_whole or self._kept[0]["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            self.late_error = error
        if not self._kept:
            raise RuntimeError("the app has ended without an answer")
        if self._is_cut or not self._is_whole:
            raise RuntimeError("the app has ended midway in its answer")
        start, *parts = self._kept
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in start.get("headers", ())]
        body = None if self.is_passed_on else b"".join(part.get("body", b"") for part in parts)
        return Answer(start["status"], headers, body)

    async def pass_on(self) -> None:
        """Send what was kept so far, and from now on what comes."""
        self.is_passed_on = True
        self._is_heard.set()
        for message in self._kept:
            await self._send(message)
        del self._kept[1:]

    async def _receive_again(self) -> MutableMapping[str, Any]:
        """Return the body, and then that the caller has gone; not while its answer is kept."""
        if not self._is_given:
            self._is_given = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._is_heard.wait()
        if not self.is_passed_on:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._is_cut |= not self._is_whole
        return message

    async def _keep(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_whole = True
            self._is_heard.set()
        if self.is_passed_on:
            await self._send(message)
            return
        self._kept.append(message)
        self._size += len(message.get("body", b""))
        if self._size > self._largest:
            await self.pass_on()

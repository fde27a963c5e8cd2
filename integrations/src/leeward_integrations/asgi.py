"""``Idempotency-Key`` for FastAPI, Starlette, Litestar and every other app of ASGI.

```python
app.add_middleware(IdempotencyKeys, table="keys", client=cloud)
```

A repeat gets the first answer, and the app does not run again. Put it inside of what checks who
calls, and outside of what may have an effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
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

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class IdempotencyKeys(IdempotentApp):
    """An ASGI middleware: a request with an ``Idempotency-Key`` runs once."""

    @staticmethod
    async def run_once(call: Mapping[str, str], context: Context) -> dict[str, Any]:
        """Run the app for a call whose key is new."""
        return keepable(await _EXCHANGE.get().run())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, once for each key."""
        pairs = scope["headers"] if scope["type"] == "http" else ()
        headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in pairs}
        if not self._is_guarded(scope.get("method", ""), headers):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._app, scope, receive, send, self._largest)
        try:
            answer = await self._answer_to(exchange, headers)
        except (Problem, DedupUnavailable) as error:
            if exchange.error is error:  # the app's own, which its server answers
                raise
            answer = refusal_of(error)
        if answer is not None:
            await _send_answer(send, answer)

    async def _answer_to(self, exchange: _Exchange, headers: Mapping[str, str]) -> Answer | None:
        """Return what is to be sent; None if it was passed on, or nobody waits any more."""
        scope = exchange.scope
        context = self._context_of(headers, scope)
        if (body := await exchange.read()) is None:
            return None
        if SETTLE in headers:
            return settled_answer(await self._settle(age_of(body), None, context), headers)
        # Without the server's other ways to answer, such as files: they would not be kept.
        offered = (scope.get("extensions") or {}).items()
        scope["extensions"] = {n: v for n, v in offered if not n.startswith("http.response.")}
        query = scope.get("query_string", b"").decode("latin-1")
        token = _EXCHANGE.set(exchange)
        try:
            kept = await self._answer(call_of(scope["method"], scope["path"], query, body), context)
        finally:
            _EXCHANGE.reset(token)
            if exchange.error is not None and not exchange.is_passed_on:
                await exchange.pass_on()
        return None if exchange.is_passed_on else kept_answer(kept)


_EXCHANGE: Final[ContextVar[_Exchange]] = ContextVar("exchange")
"""What the run of this task answers: its record is of the call alone."""


class _Exchange:
    """A request, and what the app answers.

    Attributes:
        scope: of the request.
        error: that the app raised.
        is_passed_on: the answer is on its way to the caller, and no longer kept.
    """

    def __init__(
        self, app: AsgiApp, scope: Scope, receive: Receive, send: Send, largest: int
    ) -> None:
        self.scope = scope
        self.error: Exception | None = None
        self.is_passed_on = False
        self._app, self._receive, self._send, self._largest = app, receive, send, largest
        self._body = b""
        self._is_given = self._is_whole = False
        self._kept: list[MutableMapping[str, Any]] = []
        self._size = 0

    async def read(self) -> bytes | None:
        """Return the body of the request; None if its caller has gone.

        Raises:
            Problem: it is too large to be compared.
        """
        body, more = bytearray(), True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > LARGEST_REQUEST:
                raise too_large()
        self._body = bytes(body)
        return self._body

    async def run(self) -> Answer:
        """Run the app, and return its answer.

        Raises:
            Exception: that the app raised.
            RuntimeError: it has ended without an answer, or within it.
        """
        try:
            await self._app(self.scope, self._receive_again, self._keep)
            if not self._kept:
                raise RuntimeError("the app has ended without an answer")
            if not self._is_whole:
                raise RuntimeError("the app has ended midway in its answer")
        except Exception as error:
            self.error = error
            raise
        start, *parts = self._kept
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in start.get("headers", ())]
        body = None if self.is_passed_on else b"".join(part.get("body", b"") for part in parts)
        return Answer(start["status"], headers, body)

    async def pass_on(self) -> None:
        """Send what was kept so far, and from now on what comes."""
        self.is_passed_on = True
        for message in self._kept:
            await self._send(message)
        del self._kept[1:]

    async def _receive_again(self) -> MutableMapping[str, Any]:
        if self._is_given:
            return await self._receive()
        self._is_given = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _keep(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            self._is_whole = not message.get("more_body", False)
        if self.is_passed_on:
            await self._send(message)
            return
        self._kept.append(message)
        self._size += len(message.get("body", b""))
        if self._size > self._largest:
            await self.pass_on()


async def _send_answer(send: Send, answer: Answer) -> None:
    body = answer.body or b""
    lines = headers_with_length(answer)
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in lines]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

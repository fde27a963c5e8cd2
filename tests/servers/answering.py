"""A server that answers as a test wants, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from tests.servers.certificates import Authority
from tests.servers.framing import BadMessage, Headers, Message, render_answer
from tests.servers.loopback import LoopbackServer
from tests.servers.wire import Wire, accepted

_LAST = ("Connection", "close")


class Executed(NamedTuple):
    """A request that was carried out; `body` is its content, without any chunks."""

    method: str
    target: str
    headers: Headers
    body: bytes


class Answer(NamedTuple):
    """What to answer; the length is told without being named in `headers`."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


OK = Answer()

Answering: TypeAlias = Callable[[Executed], Answer]
"""Answers a request. Runs in a thread, so it may block; several may run at a time."""


class AnsweringServer(LoopbackServer):
    """Answers every request with what `answer` gives for it; notes the request first.

    Args:
        answer: a callable, or the answer to everything.
        tls: whose certificates it shows; None for plain TCP.
    """

    def __init__(self, answer: Answering | Answer = OK, tls: Authority | None = None) -> None:
        super().__init__(tls)
        self._answer = answer
        self._executed: list[Executed] = []

    @property
    def executed(self) -> tuple[Executed, ...]:
        """Give the requests so far, in the order in which they were read in full."""
        with self._changed:
            return tuple(self._executed)

    @property
    def count(self) -> int:
        """Give how many requests were carried out."""
        return len(self.executed)

    async def _serve(self, sock: socket.socket) -> None:
        context = self._tls.server_context() if self._tls else None
        # A client that leaves, or fails the handshake, ends only its own connection.
        with suppress(OSError):
            async with accepted(sock, context) as wire:
                try:
                    await self._converse(wire)
                except BadMessage:
                    await wire.send(render_answer(400, [_LAST]))
                await wire.close()

    async def _converse(self, wire: Wire) -> None:
        while request := await wire.next_request():
            answer = await asyncio.to_thread(self._execute, request)
            headers = answer.headers if request.keeps_alive else (*answer.headers, _LAST)
            await wire.send(render_answer(answer.status, headers, answer.body, request.method))
            if not request.keeps_alive:
                return

    def _execute(self, request: Message) -> Answer:
        executed = Executed(request.method, request.target, request.headers, request.payload)
        with self._changed:
            self._executed.append(executed)
            self._changed.notify_all()
        return self._answer if isinstance(self._answer, Answer) else self._answer(executed)

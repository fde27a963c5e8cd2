"""A server on loopback with fixed answers: `python -m bench.server PROVIDER CERTIFICATE`.

The answers are those of ``bench.PROVIDER.answers``. It prints three ports: plain, TLS, and plain
after a wait of `DELAY` seconds. It ends with its standard input. A process of its own, so that its
CPU time is nobody's but its own.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TypeAlias, cast

AnswerTo: TypeAlias = Callable[[bytes, bytes], bytes]
"""From a request's head and body to the whole answer."""

DELAY = 0.005
"""Seconds; a cloud of the same region answers in about as much."""

_BODY_SIZE = re.compile(rb"^content-length: *([0-9]+)", re.IGNORECASE | re.MULTILINE)


class Answering(asyncio.Protocol):
    """One connection: every complete request is answered, in order."""

    def __init__(self, answer_to: AnswerTo, delay: float) -> None:
        self._answer_to = answer_to
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete, and keep the rest."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n") + 4) >= 4:
            head = self._received[:end]
            found = _BODY_SIZE.search(head)
            complete = end + (int(found[1]) if found else 0)
            if len(self._received) < complete:
                return
            body, self._received = self._received[end:complete], self._received[complete:]
            self._answer(self._answer_to(head, body))

    def _answer(self, answer: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def serve(answer_to: AnswerTo, certificate: str) -> None:
    """Open the three ports, print them, and answer until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    at_once, late = (partial(Answering, answer_to, delay) for delay in (0.0, DELAY))
    listening = [
        await loop.create_server(at_once, "127.0.0.1", 0, backlog=256),
        await loop.create_server(at_once, "127.0.0.1", 0, backlog=256, ssl=context),
        await loop.create_server(late, "127.0.0.1", 0, backlog=256),
    ]
    print(*(each.sockets[0].getsockname()[1] for each in listening), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    provider, certificate = sys.argv[1:]
    asyncio.run(serve(import_module(f"bench.{provider}.answers").answer_to, certificate))

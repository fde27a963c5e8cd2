"""One request on its way through the proxy, and what a toxic can do with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from tests.servers.faultproxy.ledger import Ending, Entry
from tests.servers.framing import BadMessage, Framer, Message
from tests.servers.wire import CHUNK, Wire

Address: TypeAlias = tuple[str, int]


class UpstreamFailed(Exception):
    """The upstream gave no whole answer."""


class Exchange:
    """A request that was read in full, and the ways to deal with it.

    Attributes:
        request: what the client asked.
        keeps_alive: whether the connection may go on afterwards.
    """

    def __init__(self, request: Message, wire: Wire, entry: Entry, upstream: Address) -> None:
        self.request = request
        self.keeps_alive = request.keeps_alive
        self.send = wire.send
        self.pause = wire.pause
        self._wire = wire
        self._entry = entry
        self._upstream = upstream

    async def pass_on(self) -> None:
        """Do what a proxy should."""
        await self.answer(await self.forward())

    async def forward(self) -> Message:
        """Have the upstream execute the request; give its answer.

        Raises:
            UpstreamFailed: it could not be reached, or did not answer in full.
        """
        try:
            return await self._ask()
        except (OSError, BadMessage) as error:
            raise UpstreamFailed from error

    async def answer(self, answer: Message) -> None:
        """Give the client the whole of `answer`."""
        self.keeps_alive = self.keeps_alive and answer.keeps_alive
        await self.send(answer.raw)

    async def drip(self, data: bytes, interval: float) -> None:
        """Give the client `data` byte by byte, with `interval` seconds after each."""
        for at in range(len(data)):
            await self.send(data[at : at + 1])
            await self.pause(interval)

    async def close(self) -> None:
        """Close the connection to the client cleanly."""
        self._entry.ended(Ending.CLOSED)
        await self._wire.close()

    async def reset(self) -> None:
        """Reset the connection to the client."""
        self._entry.ended(Ending.RESET)
        await self._wire.reset()

    async def _ask(self) -> Message:
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(self.request.raw)
            await writer.drain()
            self._entry.forwarded()
            return await _final_answer(reader, self.request.method)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class RequestToxic(NamedTuple):
    """A fault of one request: its name in the log, and what it does with the exchange."""

    name: str
    act: Callable[[Exchange], Awaitable[None]]


async def _final_answer(reader: asyncio.StreamReader, method: str) -> Message:
    framer = Framer()
    while (answer := framer.next_answer(method)) is None or answer.status < 200:
        if answer is None:
            if framer.ended:
                raise BadMessage("the upstream closed without an answer")
            framer.feed(await reader.read(CHUNK))
    return answer

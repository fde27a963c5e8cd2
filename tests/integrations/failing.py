"""A server that fails as it is told, and counts what ran: one port for each case."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import Any, Final, NamedTuple, Self

TLS_KINDS: Final = ("trusted", "foreign", "garbage", "closed")
"""How TLS goes: well, with a certificate of somebody else, with no TLS there, or cut off."""


class Answer(NamedTuple):
    """An answer of HTTP.

    Attributes:
        status: of it.
        headers: of it.
        body: of it.
        runs: whether the call has its effect before the answer.
        missing: bytes of the body that never come.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"{}"
    runs: bool = False
    missing: int = 0


class Step(NamedTuple):
    """What happens to one request, or to a connection.

    Attributes:
        does: ``answer``, ``reset`` (after it was read), ``hang`` (likewise), ``half`` (closed
            within the headers), ``drop`` (reset before anything is read), ``refuse`` (no
            connection from now on) or ``full`` (no place for another connection, from the first).
        runs: whether the call has its effect first.
        answer: that is given.
    """

    does: str
    runs: bool = False
    answer: Answer | None = None


REFUSE: Final = Step("refuse")
FULL: Final = Step("full")


class Case:
    """One port, and what happens there.

    Attributes:
        effects: how often the call has run.
        holder: a socket that listens to nobody, and keeps the port from others.
        port: where it listens.
    """

    def __init__(self, steps: Sequence[Step], holder: socket.socket) -> None:
        self.steps = list(steps)
        self.effects = 0
        self.holder = holder
        self.port: int = holder.getsockname()[1]
        self.server: asyncio.Server | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.waiting: list[socket.socket] = []

    def next_step(self) -> Step:
        """Return what happens next; after the last step nobody listens."""
        return self.steps.pop(0) if self.steps else REFUSE


class FailingServer:
    """Serves cases on loopback, in a thread of its own."""

    def __init__(self, contexts: dict[str, ssl.SSLContext]) -> None:
        self._contexts = contexts
        self._loop = asyncio.new_event_loop()
        self._cases: set[Case] = set()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for case in list(self._cases):
            self.close(case)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):  # of connections that came as a case was closed
            task.cancel()
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(task)
        self._loop.close()

    def open(self, steps: Sequence[Step], tls: str | None = None) -> Case:
        """Open a port where these steps happen, one for each request."""
        return asyncio.run_coroutine_threadsafe(self._open(steps, tls), self._loop).result()

    def close(self, case: Case) -> None:
        """Close the port of a case, and what is connected."""

        async def close() -> None:
            if case.server is not None:
                case.server.close()
            for task in list(case.tasks):
                task.cancel()
            await asyncio.gather(*case.tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result()
        for each in (*case.waiting, case.holder):
            each.close()
        self._cases.discard(case)

    async def _open(self, steps: Sequence[Step], tls: str | None) -> Case:
        holder = bound_socket(0)
        case = Case(steps, holder)
        self._cases.add(case)
        if case.steps and case.steps[0] == REFUSE:
            return case
        if case.steps and case.steps[0] == FULL:
            holder.listen(0)
            for _ in range(2):  # Linux keeps one more than it is told
                case.waiting.append(socket.socket())
                case.waiting[-1].setblocking(False)
                case.waiting[-1].connect_ex(("127.0.0.1", case.port))
            return case

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            case.tasks.add(task)
            task.add_done_callback(case.tasks.discard)
            try:
                if tls == "garbage":
                    writer.write(b"this is no TLS\r\n" * 4)
                elif tls != "closed":
                    await self._serve(case, reader, writer)
            except (OSError, EOFError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        context = self._contexts.get(tls or "")
        case.server = await asyncio.start_server(serve, sock=bound_socket(case.port), ssl=context)
        return case

    async def _serve(
        self, case: Case, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            if case.steps and case.steps[0].does == "drop":
                case.steps.pop(0)
                return reset(writer)
            if case.steps and case.steps[0].does == "half":
                await reader.read(20)
                case.steps.pop(0)
                return None
            if not await read_request(reader):
                return None
            step = case.next_step()
            case.effects += step.runs or bool(step.answer and step.answer.runs)
            if not case.steps or case.steps[0] == REFUSE:
                assert case.server is not None
                case.server.close()
            if step.does == "reset":
                return reset(writer)
            if step.does == "hang":
                await asyncio.sleep(30)
            if step.answer is None:
                return None
            write_answer(writer, step.answer)
            await writer.drain()
            if step.answer.missing:
                return None


def bound_socket(port: int) -> socket.socket:
    """Return a socket at a port of loopback, which it may share; 0 for any."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound


async def read_request(reader: asyncio.StreamReader) -> bool:
    """Read one request whole; return False if the connection ended first."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return False
    headers = head.lower()
    if b"transfer-encoding: chunked" in headers:
        while (size := int((await reader.readline()).split(b";")[0], 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()
    elif b"content-length:" in headers:
        await reader.readexactly(int(headers.split(b"content-length:")[1].split(b"\r\n")[0]))
    return True


def write_answer(writer: asyncio.StreamWriter, answer: Answer) -> None:
    """Write an answer, or what of it comes."""
    lines = [f"HTTP/1.1 {answer.status} Whatever"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines.append(f"content-length: {len(answer.body) + answer.missing}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset."""
    sock: Any = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

"""What clients send and receive, below all of them: at sockets, at TLS, and at the clock.

Only connections that this process opened count, so a server in the same process is not taken for a
client. An answer is lost when its first bytes are here: then the server has done its work.
"""

from __future__ import annotations

import errno
import selectors
import socket
import ssl
import threading
import time
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from leeward_lose_answers import stacks
from leeward_lose_answers.effects import Marks, RequestReader, effect_of, status_of
from leeward_lose_answers.runs import Run, Send
from leeward_lose_answers.stacks import Stack

IDLE: Final = 0.05
"""Seconds without any event after which a loop jumps to its next timer, once an answer was lost."""

NAP: Final = 0.005
"""Seconds that ``time.sleep`` takes at most then, in the thread whose answer was lost."""

HANDSHAKE: Final = 0x16
"""The type of the record with which TLS begins: RFC 8446, 5.1."""

TLS_RECORDS: Final = range(0x14, 0x18)

_STREAMS: Final = {socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", None)}


class Connection:
    """A connection of a client, where its requests can be read.

    Attributes:
        carrier: the connection below, if this one is TLS in memory.
        send: the effect whose answer has not come yet.
        loss: how its answer was lost: ``reset``, ``silent``, or '' if it is alive.
    """

    def __init__(self, wire: Wire, peer: str) -> None:
        self.carrier: tuple[socket.socket, Connection] | None = None
        self.send: Send | None = None
        self.loss = ""
        self._wire = wire
        self._peer = peer
        self._turn = wire.turn
        self._reader = RequestReader()
        self._stack: Stack = ()

    def note_sent(self, data: bytes | memoryview) -> None:
        """Read what went out."""
        run = self._wire.run
        if run is None or not data:
            return
        if data[0] == HANDSHAKE:
            run.wait_for(self)
        if self._reader.is_idle:
            self._stack = stacks.stack_here(keep=run.loses_answers)
        for request in self._reader.feed(data):
            self.send = None
            run.wait_for(self)
            effect = effect_of(request, self._wire.marks)
            if effect and not stacks.is_left_behind():
                is_replaced = self._turn == self._wire.turn or stacks.is_pooled(self._stack)
                self.send = run.add(Send(effect, self._stack), may_lose=is_replaced)
        if self._reader.is_opaque and self._peer and data[0] not in TLS_RECORDS:
            self._wire.unread.add(self._peer)

    def is_lost(self, data: bytes) -> bool:
        """Return whether `data` begins an answer that is lost, and not only an interim one."""
        run, send = self._wire.run, self.send
        status = status_of(data)
        if run is None or (status and status < 200):
            return False
        run.stop_waiting(self)
        if send is None:
            return False
        self.send = None
        send.status = status
        if send.mode:
            run.lose(send)
            self.loss = "reset" if send.mode == "reset" else "silent"
        return bool(send.mode)


class Wire:
    """The taps, and what they know.

    Attributes:
        run: what is on now; None between tests.
        turn: which run of a test it is, with the fixtures of that run.
        unread: peers with which a client spoke something other than HTTP/1.
    """

    def __init__(self, marks: Marks) -> None:
        self.run: Run | None = None
        self.turn = 0
        self.marks = marks
        self.unread: set[str] = set()
        self._connections: WeakKeyDictionary[Any, Connection] = WeakKeyDictionary()
        self._hellos: WeakValueDictionary[bytes, Connection] = WeakValueDictionary()
        self._outgoing: WeakKeyDictionary[ssl.SSLObject, ssl.MemoryBIO] = WeakKeyDictionary()
        self._silent: WeakValueDictionary[int, socket.socket] = WeakValueDictionary()
        self._others: WeakSet[socket.socket] = WeakSet()
        self._ahead: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._undo: list[tuple[Any, str, Any]] = []

    def open(self) -> None:
        """Open the taps."""
        taps: Sequence[tuple[Any, str, Callable[..., Any]]] = (
            (socket.socket, "accept", self._accept),
            (socket.socket, "send", self._send),
            (socket.socket, "sendall", self._send),
            (socket.socket, "sendmsg", self._send_parts),
            (ssl.SSLSocket, "send", self._send),
            (ssl.SSLSocket, "write", self._send),
            (ssl.SSLObject, "write", self._send),
            (ssl.SSLObject, "do_handshake", self._shake_hands),
            (BaseEventLoop, "time", self._time),
        )
        for owner, name, tap in taps:
            self._put(owner, name, _tap(getattr(owner, name), tap))
        taps = (
            (socket.socket, "recv", self._receive),
            (socket.socket, "recv_into", self._receive_into),
            (ssl.SSLSocket, "read", self._read),
            (ssl.SSLObject, "read", self._read),
            (selectors.DefaultSelector, "select", self._select),
            (BaseEventLoop, "create_task", self._create_task),
            (time, "sleep", self._sleep),
        )
        for owner, name, tap in taps:
            self._put(owner, name, self._tap_in_runs(getattr(owner, name), tap))
        create = ssl.SSLObject._create.__func__  # type: ignore[attr-defined]  # noqa: SLF001
        self._put(ssl.SSLObject, "_create", classmethod(_tap(create, self._create_in_memory)))

    def close(self) -> None:
        """Remove the taps."""
        for owner, name, before in reversed(self._undo):
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._undo.clear()

    def _put(self, owner: Any, name: str, value: Any) -> None:
        self._undo.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, value)

    def _tap_in_runs(
        self, original: Callable[..., Any], tap: Callable[..., Any]
    ) -> Callable[..., Any]:
        @wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.run is None:
                return original(*args, **kwargs)
            return tap(original, *args, **kwargs)

        return call

    # Connections

    def exclude(self, sock: socket.socket) -> None:
        """Leave a connection of this plugin alone."""
        self._others.add(sock)

    def _accept(self, original: Callable[..., Any], listener: socket.socket) -> Any:
        sock, address = original(listener)
        self._others.add(sock)
        return sock, address

    def _connection_of(self, channel: Any) -> Connection | None:
        """Return what is known of a client's connection; None for others."""
        connection: Connection | None = self._connections.get(channel)
        if connection or channel in self._others:
            return connection
        is_plain = not isinstance(channel, ssl.SSLSocket | ssl.SSLObject)
        if is_plain and (channel.type != socket.SOCK_STREAM or channel.family not in _STREAMS):
            return None
        if not is_plain and channel.server_side:
            return None
        connection = self._connections[channel] = Connection(self, _peer_of(channel))
        return connection

    def _create_in_memory(
        self, original: Callable[..., ssl.SSLObject], cls: Any, *args: Any, **kwargs: Any
    ) -> ssl.SSLObject:
        """Keep where a connection of TLS in memory writes what it sends."""
        channel = original(cls, *args, **kwargs)
        self._outgoing[channel] = args[1]
        return channel

    def _shake_hands(self, original: Callable[..., Any], channel: ssl.SSLObject) -> Any:
        """Keep how a connection in memory begins: by that, the socket is known that carries it."""
        try:
            return original(channel)
        finally:
            connection = self._connection_of(channel)
            if connection and connection.carrier is None and channel in self._outgoing:
                hello = self._outgoing[channel].read()
                self._outgoing[channel].write(hello)
                if hello and hello[0] == HANDSHAKE:
                    self._hellos[hello[:64]] = connection

    # Out

    def _send(self, original: Callable[..., Any], channel: Any, data: Any, *args: Any) -> Any:
        connection = self._connection_of(channel)
        if connection is None:
            return original(channel, data, *args)
        if connection.loss:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        count = original(channel, data, *args)
        self._note(channel, connection, memoryview(data).cast("B")[:count])
        return count

    def _send_parts(
        self, original: Callable[..., Any], sock: socket.socket, parts: Any, *args: Any
    ) -> Any:
        buffers = list(parts)

        def send(sock: socket.socket, data: bytes, *args: Any) -> Any:
            return original(sock, buffers, *args)

        return self._send(send, sock, b"".join(buffers), *args)

    def _note(self, channel: Any, connection: Connection, data: memoryview) -> None:
        if data and data[0] == HANDSHAKE and (above := self._hellos.pop(bytes(data[:64]), None)):
            above.carrier = channel, connection
        connection.note_sent(data)

    # In

    def _receive(
        self, original: Callable[..., Any], sock: socket.socket, size: int, flags: int = 0
    ) -> Any:
        if flags:
            return original(sock, size, flags)
        return self._take(sock, lambda: original(sock, size))

    def _receive_into(
        self,
        original: Callable[..., Any],
        sock: socket.socket,
        buffer: Any,
        nbytes: int = 0,
        flags: int = 0,
    ) -> Any:
        if flags:
            return original(sock, buffer, nbytes, flags)
        view = memoryview(buffer).cast("B")
        return self._take(sock, lambda: original(sock, buffer, nbytes), view)

    def _read(
        self, original: Callable[..., Any], channel: Any, size: int = 1024, buffer: Any = None
    ) -> Any:
        if buffer is None:
            return self._take(channel, lambda: original(channel, size))
        view = memoryview(buffer).cast("B")
        return self._take(channel, lambda: original(channel, size, buffer), view)

    def _take(self, channel: Any, read: Callable[[], Any], buffer: memoryview | None = None) -> Any:
        """Read as `read` does, unless what comes is an answer to lose.

        Args:
            channel: where it is read.
            read: returns bytes, or the number of those that it put into `buffer`.
            buffer: where they are put, or None if they are returned.
        """
        connection = self._connection_of(channel)
        if connection is None:
            return read()
        if connection.loss:
            raise self._failure(channel, connection)
        result = read()
        if connection.is_lost(result if buffer is None else bytes(buffer[:result])):
            raise self._failure(channel, connection)
        return result

    def _failure(self, channel: Any, connection: Connection) -> Exception:
        """Return what a client sees of an answer that is lost."""
        if isinstance(channel, ssl.SSLObject) and connection.carrier:
            sock, below = connection.carrier
            below.loss = connection.loss
            if connection.loss == "reset":
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RD)  # wakes who waits for it
            else:
                self._silent[sock.fileno()] = sock
            return ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "nothing to read")
        if connection.loss == "reset":
            return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        if not _blocks(channel) and stacks.running_loop():
            self._silent[channel.fileno()] = channel
            return BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return TimeoutError("timed out")

    # Time

    def _select(
        self, original: Callable[..., Any], selector: Any, timeout: float | None = None
    ) -> Any:
        """Wait for events; jump to the next timer of a hurried loop that has none."""
        loop, run = stacks.running_loop(), self.run
        if run is None or loop not in run.loops or getattr(loop, "_selector", 0) is not selector:
            return original(selector, timeout)
        events = original(selector, IDLE if timeout is None else min(timeout, IDLE))
        heard = [(key, mask) for key, mask in events if not self._is_silent(key.fd)]
        if events and not heard:
            time.sleep(NAP)
        if not heard and not run.is_waiting:
            if timeout is None:
                self._break_off()
            elif timeout > IDLE:
                self._ahead[loop] = self._ahead.get(loop, 0.0) + timeout - IDLE
        return heard

    def _break_off(self) -> None:
        """Reset connections whose answers a program without any timer would await for ever."""
        for fd, sock in list(self._silent.items()):
            if self._is_silent(fd) and (connection := self._connections.get(sock)):
                connection.loss = "reset"
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RD)  # wakes who waits for it
        self._silent.clear()

    def _is_silent(self, fd: int) -> bool:
        sock = self._silent.get(fd)
        return sock is not None and sock.fileno() == fd

    def _time(self, original: Callable[..., float], loop: BaseEventLoop) -> float:
        return original(loop) + self._ahead.get(loop, 0.0)

    def _create_task(
        self, original: Callable[..., Any], loop: Any, *args: Any, **kwargs: Any
    ) -> Any:
        task = original(loop, *args, **kwargs)
        stacks.note_origin(task, keep=self.run is not None and self.run.loses_answers)
        return task

    def _sleep(self, original: Callable[[float], None], seconds: float) -> None:
        is_hurried = self.run is not None and threading.get_ident() in self.run.threads
        original(min(seconds, NAP) if is_hurried else seconds)


def _tap(original: Callable[..., Any], tap: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return tap(original, *args, **kwargs)

    return call


def _blocks(sock: socket.socket) -> bool:
    return sock.gettimeout() != 0


def _peer_of(channel: Any) -> str:
    if isinstance(channel, ssl.SSLObject):
        return channel.server_hostname or "TLS"
    try:
        name = channel.getpeername()
    except OSError:
        return "?"
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)

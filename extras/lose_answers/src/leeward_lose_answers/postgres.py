"""What psycopg sends: libpq opens its own sockets, so its connections go through a relay here.

The relay reads the frontend/backend protocol, version 3 (PostgreSQL's manual, "Message Flow").
What may be lost is the answer that ends a transaction which wrote: before it, nothing has happened.
libpq has no timeout for an answer, so a lost answer is a reset connection in each mode. The relay
takes connections of this process only, and speaks no TLS: what goes over TLS is left to libpq.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import socket
import struct
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import wraps
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from leeward_lose_answers import stacks
from leeward_lose_answers.effects import VOLATILE, Effect
from leeward_lose_answers.runs import Send
from leeward_lose_answers.stacks import Stack
from leeward_lose_answers.wire import Wire

SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
"""PostgreSQL's manual, "Message Formats", SSLRequest."""

WRITE: Final = re.compile(
    r"(?is)\s*(?:insert|update|delete|merge|call|do|create|alter|drop|truncate|grant|revoke|notify"
    r"|copy\b.*\bfrom)\b|\s*with\b.*\b(?:insert\s+into|update|delete\s+from|merge\s+into)\b"
)
KEYED: Final = re.compile(
    r"(?is)\bon\s+conflict\b(?!.*\bdo\s+update\s+set\b.*=[^=]*[-+*/|])|\bif\s+(?:not\s+)?exists\b"
)
"""The row's own key says what a repeat does."""

REPLACING: Final = re.compile(r"(?is)\s*(?:delete\b|update\b(?!.*\bset\b.*=[^=]*[-+*/|(].*))")
"""Removes, or sets to a value that does not depend on what is there."""

LITERAL: Final = re.compile(r"(?s)'.*'|['].*|\$[a-zA-Z_]*\$.*|(?<![\w$])\d[\w.]*")
"""What a statement holds of data: it is shown nowhere."""

_BEGIN: Final = re.compile(r"(?i)\s*(?:begin|start\s+transaction)\b")
_COMMIT: Final = re.compile(r"(?i)\s*(?:commit|end)\b")
_ROLLBACK: Final = re.compile(r"(?i)\s*(?:rollback|abort)\b(?!.*\bto\b)")


class Transaction:
    """What one connection sends, up to the end of its transaction."""

    def __init__(self) -> None:
        self._named: dict[bytes, str] = {}
        self._writes: list[tuple[str, bytes]] = []
        self._is_open = False
        self._ends = False

    def take(self, kind: bytes, body: bytes) -> bool:
        """Read a message of the client; return whether a transaction that wrote ends with it."""
        if kind == b"Q":
            for statement in body.rstrip(b"\0").decode("utf-8", "replace").split(";"):
                self._take_statement(statement, b"")
        elif kind == b"P":
            name, _, rest = body.partition(b"\0")
            self._named[name] = rest.partition(b"\0")[0].decode("utf-8", "replace")
        elif kind == b"B":
            _, name, parameters = body.split(b"\0", 2)
            self._take_statement(self._named.get(name, ""), parameters)
        return kind in {b"Q", b"S"} and (self._ends or not self._is_open) and self.has_written

    @property
    def has_written(self) -> bool:
        """Whether it wrote, and is not over."""
        return bool(self._writes)

    def _take_statement(self, statement: str, parameters: bytes) -> None:
        statement = re.sub(r"--[^\n]*|/\*.*?\*/", " ", statement, flags=re.DOTALL)
        if _BEGIN.match(statement):
            self._is_open, self._ends = True, False
        elif _COMMIT.match(statement):
            self._ends = True
        elif _ROLLBACK.match(statement):
            self._writes.clear()
        elif WRITE.match(statement):
            self._writes.append((" ".join(statement.split()), parameters))

    def to_effect(self) -> Effect:
        """Return what was written."""
        digest = blake2b(digest_size=16)
        for statement, parameters in self._writes:
            digest.update(VOLATILE.sub(b"~", statement.encode() + b"\0" + parameters))
        texts = [statement for statement, _ in self._writes]
        title = LITERAL.sub("?", texts[0])[:80] + f" (and {len(texts) - 1} more)" * (len(texts) > 1)
        is_keyed = all(KEYED.search(text) or REPLACING.match(text) for text in texts)
        rows = blake2b(repr(self._writes).encode(), digest_size=8).hexdigest()
        return Effect(
            title,
            VOLATILE.sub(b"~", title.encode()).decode(),
            digest.digest(),
            f"key of the row: {rows}" * is_keyed,
            all(REPLACING.match(text) for text in texts),
        )

    def end(self, status: bytes) -> None:
        """Note that the server is ready: idle, in a transaction, or in a failed one."""
        self._is_open, self._ends = status != b"I", False
        if not self._is_open:
            self._writes.clear()


class Origin(NamedTuple):
    """Who uses a connection.

    Attributes:
        is_pooled: whether a pool opens another one when this one breaks.
    """

    stack: Stack
    thread: int
    loop: asyncio.AbstractEventLoop | None
    is_pooled: bool


Origins = dict[int, Origin]
"""By the port of the connection."""


class Relay:
    """One connection between libpq and the server, carried by a thread."""

    def __init__(
        self, wire: Wire, client: socket.socket, server: socket.socket, origins: Origins
    ) -> None:
        self._wire = wire
        self._client = client
        self._server = server
        self._origins = origins
        self._origin: Origin | None = None
        self._transaction = Transaction()
        self._send: Send | None = None
        self._requests = bytearray()
        self._answers = bytearray()
        self._has_begun = False
        self._turn = wire.turn

    def run(self) -> None:
        """Pass on what comes, until one side closes or an answer is lost."""
        with self._client, self._server, suppress(OSError):
            while True:
                ready, _, _ = select.select([self._client, self._server], [], [])
                for source in ready:
                    data = source.recv(65536)
                    run = self._wire.run
                    if run is not None:
                        (run.wait_for if source is self._client else run.stop_waiting)(self)
                    if not data or (source is self._server and self._loses(data)):
                        return
                    if source is self._client:
                        self._read(data)
                    (self._server if source is self._client else self._client).sendall(data)

    def _read(self, data: bytes) -> None:
        self._requests += data
        if not self._has_begun:  # the first message has no type
            if len(self._requests) < 4:
                return
            (length,) = struct.unpack_from("!i", self._requests)
            del self._requests[:length]
            self._has_begun = True
        for kind, body in _messages(self._requests):
            run = self._wire.run
            ends = self._transaction.take(kind, body)
            if self._transaction.has_written and self._origin is None:
                self._origin = self._origins.get(self._client.getpeername()[1])
            if ends and run is not None and self._origin is not None:
                stack, thread, loop, is_pooled = self._origin
                send = Send(self._transaction.to_effect(), stack, thread=thread, loop=loop)
                self._send = run.add(send, may_lose=is_pooled or self._turn == self._wire.turn)

    def _loses(self, data: bytes) -> bool:
        """Read what the server says; return whether it ends the answer that is lost."""
        self._answers += data
        for kind, body in _messages(self._answers):
            if kind == b"E" and self._send:
                self._send.status = 400
            if kind == b"Z":
                self._transaction.end(body)
                if not self._transaction.has_written:
                    self._origin = None
                send, self._send = self._send, None
                run = self._wire.run
                if send and send.mode and send.status is None and run is not None:
                    run.lose(send)
                    linger = struct.pack("ii", 1, 0)  # closing resets the connection
                    self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return True
        return False


def _messages(buffer: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Remove the whole messages from `buffer`, and return them."""
    while len(buffer) >= 5:
        (length,) = struct.unpack_from("!i", buffer, 1)
        if len(buffer) <= length:
            return
        message = bytes(buffer[: length + 1])
        del buffer[: length + 1]
        yield message[:1], message[5:]


class Relays:
    """The relays of this process, one port for each server."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._ports: dict[str, int] = {}
        self._listeners: list[socket.socket] = []
        self._origins: Origins = {}
        self._own: set[int] = set()
        self._is_noted = threading.Condition()
        self._local_ports: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._undo: list[tuple[Any, str, Any]] = []

    def open(self) -> None:
        """Watch psycopg's connections, once it is imported."""
        psycopg: Any = sys.modules.get("psycopg")
        if self._undo or not hasattr(psycopg, "AsyncConnection"):
            return
        generators = sys.modules["psycopg.generators"]
        connect = generators.connect

        @wraps(connect)
        def connect_to_relay(conninfo: str, *args: Any, **kwargs: Any) -> Any:
            return self._note_own(connect(self._lead_to_relay(conninfo), *args, **kwargs))

        self._put(generators, "connect", connect_to_relay)
        if cancel := getattr(generators, "cancel", None):
            self._put(generators, "cancel", lambda *args: self._note_own(cancel(*args)))
        for owner in (psycopg.Connection, psycopg.AsyncConnection):
            self._put(owner, "wait", self._note_waits(owner.wait))
            if hasattr(psycopg, "capabilities") and psycopg.capabilities.has_cancel_safe():
                self._put(owner, "cancel", _cancel)

    def close(self) -> None:
        """Leave psycopg alone again."""
        for owner, name, before in self._undo:
            setattr(owner, name, before)
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _put(self, owner: Any, name: str, value: Any) -> None:
        self._undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def _note_own(self, steps: Iterator[Any]) -> Generator[Any, Any, Any]:
        """Return the steps of opening a connection, and note first that it is of this process."""
        try:
            wait = next(steps)
            while True:
                with socket.socket(fileno=os.dup(wait[0])) as sock, self._is_noted:
                    if sock.family in (socket.AF_INET, socket.AF_INET6):
                        self._own.add(sock.getsockname()[1])
                        self._is_noted.notify_all()
                wait = steps.send((yield wait))  # type: ignore[attr-defined]  # of psycopg
        except StopIteration as end:
            return end.value

    def _takes(self, client: socket.socket) -> bool:
        """Return whether a connection to the relay is one that psycopg opens here."""
        port = client.getpeername()[1]
        with self._is_noted:
            is_own = self._is_noted.wait_for(lambda: port in self._own, timeout=5.0)
            self._own.discard(port)
        return is_own

    def _note_waits(self, wait: Any) -> Any:
        """Return `wait` of a connection, which notes first who waits."""

        @wraps(wait)
        def note_and_wait(connection: Any, *args: Any, **kwargs: Any) -> Any:
            run = self._wire.run
            if run is not None and (port := self._port_of(connection)):
                loop = stacks.running_loop()
                stack = stacks.stack_here(keep=run.loses_answers)
                has_pool = getattr(connection, "_pool", None) is not None
                is_pooled = has_pool or stacks.is_pooled(stack)
                self._origins[port] = Origin(stack, threading.get_ident(), loop, is_pooled)
            return wait(connection, *args, **kwargs)

        return note_and_wait

    def _port_of(self, connection: Any) -> int:
        if connection not in self._local_ports:
            if connection.closed:
                return 0
            with socket.socket(fileno=os.dup(connection.pgconn.socket)) as sock:
                name = sock.getsockname()
            self._local_ports[connection] = name[1] if isinstance(name, tuple) else 0
        return self._local_ports[connection]

    def _lead_to_relay(self, conninfo: str) -> str:
        """Return `conninfo` with the address of a relay instead of its server's."""
        module = sys.modules["psycopg.conninfo"]
        options = sys.modules["psycopg.pq"].Conninfo.get_defaults()
        defaults = {
            each.keyword.decode(): (each.val or each.compiled or b"").decode() for each in options
        }
        given = {**defaults, **module.conninfo_to_dict(conninfo)}
        host = str(given.get("hostaddr") or given.get("host") or "")
        if not host or "," in host:
            self._wire.unread.add("PostgreSQL without one host")
            return conninfo
        name = str(given.get("host") or host)
        server = {
            name: str(given.get(name) or "") for name in ("host", "hostaddr", "port", "sslmode")
        }
        key = repr(server)
        if key not in self._ports:
            self._ports[key] = 0 if _has_tls(server, self._wire) else self._listen(server)
        if not self._ports[key]:
            self._wire.unread.add("PostgreSQL over TLS")
            return conninfo
        # libpq looks into its password file by host and port, so with the server's own; it does so
        # before it connects, here to where nobody is.
        nobody = module.make_conninfo(conninfo, host=name, hostaddr="255.255.255.255")
        looked = sys.modules["psycopg.pq"].PGconn.connect_start(nobody.encode())
        password = (looked.password or b"").decode()
        looked.finish()
        return str(
            module.make_conninfo(
                conninfo,
                host="localhost" if name.startswith("/") else name,
                hostaddr="127.0.0.1",
                port=self._ports[key],
                sslmode="disable",
                gssencmode="disable",
                channel_binding="disable",
                password=password or None,
            )
        )

    def _listen(self, server: dict[str, str]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return int(listener.getsockname()[1])

    def _carry(self, client: socket.socket, server: dict[str, str]) -> None:
        with client, suppress(OSError):
            if self._takes(client):
                Relay(self._wire, client, _connect(server, self._wire), self._origins).run()


def _cancel(connection: Any) -> None:
    """Cancel what a connection does, in steps: PQcancel holds the lock that the relay needs."""
    if connection._should_cancel():  # noqa: SLF001
        sys.modules["psycopg.waiting"].wait_conn(connection._cancel_gen())  # noqa: SLF001


def _has_tls(server: dict[str, str], wire: Wire) -> bool:
    """Return whether libpq would speak TLS with a server; also if it cannot be asked."""
    host, mode = server["hostaddr"] or server["host"], server["sslmode"]
    if host.startswith("/") or mode == "disable":
        return False
    if mode not in ("allow", "prefer"):
        return True
    try:
        with _connect(server, wire) as sock:
            sock.sendall(SSL_REQUEST)
            return sock.recv(1) != b"N"
    except OSError:
        return True


def _connect(server: dict[str, str], wire: Wire) -> socket.socket:
    """Connect to a server.

    Raises:
        OSError: it cannot be reached.
    """
    host = server["hostaddr"] or server["host"]
    if host.startswith("/"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        wire.exclude(sock)
        sock.connect(f"{host}/.s.PGSQL.{server['port']}")
    else:
        sock = socket.create_connection((host, int(server["port"])))
        wire.exclude(sock)
    return sock

"""Serve the functions of an app over HTTP, from any process: one thread for each call.

```python
with serve_functions(app, "127.0.0.1:8080") as server:
    server.wait()
```

A thread watches the connections, and reads the heads of requests. When a head is there, another
thread reads the body, runs the handler and writes the answer. The number of threads, connections
and bytes has a limit. Where there is no place for a call, the answer is a refusal with the mark of
the call: so the caller knows that nothing ran, and may go elsewhere.

TLS is for the proxy in front.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from hmac import compare_digest
from queue import SimpleQueue
from threading import Condition, Event, Semaphore, Thread
from time import monotonic
from typing import Any, Final, Self

from leeward._http.messages import TOO_LARGE, ProtocolError
from leeward.adapter.hosts import is_this_machine
from leeward.app.answers import HostRefusal, Problem, refusal_answer
from leeward.app.app import App
from leeward.app.connection import CallerConnection, RequestHead
from leeward.app.host import (
    HEALTH_PATH,
    WARM_PATH,
    Host,
    HttpAnswer,
    HttpRequest,
    answer_upkeep,
    http_answer,
    serve,
)
from leeward.app.triggers import Platform
from leeward.clock import SystemClock
from leeward.entropy import new_id
from leeward.envelope import BUSY, NO_TOKEN, PAYLOAD, UNBOUND, sent_in
from leeward.errors import ConfigError
from leeward.forking import start_thread
from leeward.logs import failure_facts, log_event
from leeward.text import class_name, is_token

LOGGER = "leeward.app"

ADDRESS: Final = "127.0.0.1:8080"

THREADS: Final = 32
"""Calls that run at once."""

SPARE: Final = 16
"""Threads beside them: for bodies that are on their way in, health checks and refusals."""

PLACE_SECONDS: Final = 1.0
"""How long a call waits for a place before it is refused."""

SECONDS: Final = 60.0
"""What a call may take if its caller does not say; `Client.invoke` waits as long."""

BODY_BYTES: Final = 6 * 1024 * 1024
"""Of a request; what `leeward.adapter.Limits` has for a payload."""

ANSWER_BYTES: Final = 20 * 1024 * 1024
"""Of an answer; leeward's client takes no larger one."""

IDLE_SECONDS: Final = 75.0
"""After which a connection that lies idle is closed; leeward's client uses none after 50."""

CONNECTIONS: Final = 1024
"""That are open at once. Further ones wait in the backlog."""

BACKLOG: Final = 128

ACCEPT_PAUSE: Final = 0.05
"""Seconds after a connection could not be accepted."""

LOOK_SECONDS: Final = 1.0
"""Between two looks for idle connections."""


class FunctionServer:
    """Serves an app's functions; `serve_functions` makes one. It listens at once.

    Calls are answered from `start` on. To leave a ``with`` statement is to drain and to close.

    Args:
        host: with the app.
        listener: a bound socket.
        tokens: of which a caller has to send one; none where nobody has to.
        threads: calls that run at once.
        body_bytes: of a request, at most.
        seconds: that a call may take.

    Attributes:
        address: where it listens, such as ``127.0.0.1:8080``.
    """

    def __init__(
        self,
        host: Host,
        listener: socket.socket,
        *,
        tokens: tuple[bytes, ...],
        threads: int,
        body_bytes: int,
        seconds: float,
    ) -> None:
        self.address = _name_of(listener)
        self._host, self._listener, self._tokens = host, listener, tokens
        self._body_bytes, self._seconds = body_bytes, seconds
        self._most_threads = threads + SPARE
        self._places = Semaphore(threads)
        self._readable: SimpleQueue[CallerConnection | None] = SimpleQueue()
        self._returned: deque[CallerConnection] = deque()
        self._changed = Condition()
        self._threads = self._free = self._under_way = 0
        self._looks_at = 0.0
        self._connections: set[CallerConnection] = set()
        self._is_draining = False
        self._closed = Event()
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._watcher = Thread(target=self._watch, name="leeward-http", daemon=True)

    @property
    def url(self) -> str:
        """Return the URL below which the functions are."""
        return f"http://{self.address}"

    def start(self) -> Self:
        """Begin to answer, and return this server."""
        self._watcher.start()
        return self

    def wait(self) -> None:
        """Wait until it is closed."""
        self._closed.wait()

    def drain(self, timeout: float) -> bool:
        """Stop accepting connections, and wait for calls that run, `timeout` seconds at most.

        A call that comes meanwhile on an open connection is refused, with its mark; ``/health``
        answers 503. Return whether all calls have ended.
        """
        ends = monotonic() + timeout
        with self._changed:
            self._is_draining = True
            self._wake()
            while self._under_way and (left := ends - monotonic()) > 0:
                self._changed.wait(left)
            return not self._under_way

    def close(self) -> None:
        """Close every connection. A handler that still runs goes on, and nobody hears of it."""
        with self._changed:
            self._is_draining = True
            was_closed = self._closed.is_set()
            self._closed.set()
        if was_closed:
            return
        self._wake()
        if self._watcher.ident is not None:
            self._watcher.join()
        for each in (self._listener, self._waker, self._woken):
            each.close()
        self._selector.close()
        with self._changed:  # now that nobody adds any more
            connections, threads = list(self._connections), self._threads
        for connection in connections:
            connection.end()
        for _ in range(threads):
            self._readable.put(None)

    def __enter__(self) -> Self:
        return self if self._watcher.ident is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.drain(self._seconds)
        self.close()

    def _wake(self) -> None:
        with suppress(OSError):  # closed, or woken so often already that its buffer is full
            self._waker.send(b"w")

    def _watch(self) -> None:
        """Accept connections, and hand over those on which the head of a request has come in."""
        for each in (self._waker, self._woken, self._listener):
            each.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        while not self._closed.is_set():
            for key, _ in self._selector.select(LOOK_SECONDS):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                elif key.data.take_in():
                    self._selector.unregister(key.fileobj)
                    self._hand_over(key.data)
            self._mind_listener()
            while self._returned:
                connection = self._returned.popleft()
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            self._end_idle()

    def _mind_listener(self) -> None:
        """Accept nothing while there are too many connections, and nothing ever once it drains."""
        if self._listener.fileno() < 0:
            return
        is_registered = self._listener in self._selector.get_map()
        is_wanted = not self._is_draining and len(self._connections) < CONNECTIONS
        if is_registered and not is_wanted:
            self._selector.unregister(self._listener)
        elif is_wanted and not is_registered:
            self._selector.register(self._listener, selectors.EVENT_READ)
        if self._is_draining:
            self._accept()  # what is in the backlog: to close the listener resets it
            self._listener.close()

    def _accept(self) -> None:
        """Accept every connection that waits, as far as there may be more."""
        try:
            while len(self._connections) < CONNECTIONS:
                accepted, _ = self._listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = CallerConnection(accepted)
                with self._changed:
                    self._connections.add(connection)
                self._returned.append(connection)
        except BlockingIOError:  # nobody waits any more
            return
        except OSError:  # there is no descriptor left, say: to ask again at once would not help
            self._closed.wait(ACCEPT_PAUSE)

    def _end_idle(self) -> None:
        """Close what has lain idle for too long; look for it once in `LOOK_SECONDS`."""
        now = monotonic()
        if now < self._looks_at:
            return
        self._looks_at = now + LOOK_SECONDS
        for key in list(self._selector.get_map().values()):
            connection = key.data
            if connection is not None and now >= connection.ends:
                self._selector.unregister(key.fileobj)
                self._forget(connection)

    def _forget(self, connection: CallerConnection) -> None:
        connection.end()
        with self._changed:
            self._connections.discard(connection)

    def _hand_over(self, connection: CallerConnection) -> None:
        """Queue a connection for a thread; start one if none is free and there may be more."""
        with self._changed:
            is_short = self._free <= self._readable.qsize() and self._threads < self._most_threads
            self._threads += is_short
            self._under_way += 1
        self._readable.put(connection)
        if is_short:
            thread = Thread(target=self._work, name="leeward-http-call", daemon=True)
            if not start_thread(thread):  # the others go on
                with self._changed:
                    self._threads -= 1

    def _work(self) -> None:
        while True:
            with self._changed:
                self._free += 1
            connection = self._readable.get()
            with self._changed:
                self._free -= 1
            if connection is None:
                return
            keeps = False
            try:
                keeps = self._converse(connection)
            except OSError:  # the caller has gone, or takes too long
                pass
            except Exception as error:  # noqa: BLE001 - the other connections must go on
                facts = failure_facts(error)
                log_event(LOGGER, "error", "request_failed", error=class_name(error), **facts)
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()
            if keeps and not self._closed.is_set():
                connection.rest(IDLE_SECONDS)
                self._returned.append(connection)
                self._wake()
            else:
                self._forget(connection)

    def _converse(self, connection: CallerConnection) -> bool:
        """Read one request and answer it; return whether the connection may serve another one."""
        mark = UNBOUND
        try:
            head = connection.read_head()
            if head is None:
                return False
            mark = sent_in(head.headers).mark
            self._check_caller(head)
            body = connection.read_body(head.headers, self._body_bytes)
        except ProtocolError as error:
            connection.refuse(http_answer(refusal_answer(_problem_of(error)), mark))
            return False
        except Problem as problem:
            challenge: Any = () if problem.status != 401 else (("www-authenticate", "Bearer"),)
            answer = http_answer(refusal_answer(problem), mark)
            connection.refuse(answer._replace(headers=(*answer.headers, *challenge)))
            return False
        answer = self._answer(HttpRequest(*head, body), mark, connection.began or monotonic())
        keeps = connection.keeps and head.method != "HEAD" and not self._is_draining
        connection.send(answer, keeps=keeps, has_body=head.method != "HEAD")
        return keeps

    def _check_caller(self, head: RequestHead) -> None:
        """Raise a `Problem` if whoever sends a request may not call."""
        is_upkeep = head.path.rstrip("/").endswith((WARM_PATH, HEALTH_PATH))
        if head.method == "GET" and is_upkeep:
            return  # anybody may ask
        if not self._tokens:
            if "origin" in head.headers:
                told = "a page in a browser may not call without a token"
                raise Problem(told, status=403, reason="browser")
            return
        scheme, _, token = head.headers.get("authorization", "").partition(" ")
        sent = token.strip().encode("latin-1")
        known = [compare_digest(sent, each) for each in self._tokens]
        if scheme.lower() != "bearer" or not any(known):
            raise HostRefusal("the token is missing or unknown", status=401, reason=NO_TOKEN)

    def _answer(self, request: HttpRequest, mark: str, began: float) -> HttpAnswer:
        """Answer a request that is there as a whole.

        Args:
            request: the request.
            mark: that the answer is to have.
            began: when its first byte came.
        """
        if self._is_draining:
            return _busy("this process ends", mark)
        upkeep = answer_upkeep(self._host, request)
        if upkeep is not None:
            return upkeep
        if not self._places.acquire(timeout=PLACE_SECONDS):
            return _busy("every place is taken", mark)
        try:
            handler = self._host.own(None) or self._host.function_at(request.path)
            call_id, waited = new_id(SystemClock.now()), monotonic() - began
            return serve(self._host, handler, request, call_id, self._seconds, waited=waited)
        finally:
            self._places.release()


def _problem_of(error: ProtocolError) -> Problem:
    if error.code == TOO_LARGE:
        return HostRefusal("the payload is too large", status=413, reason=PAYLOAD)
    return Problem("the request is not HTTP/1.1 as it should be", status=400, reason="malformed")


def _busy(why: str, mark: str) -> HttpAnswer:
    problem = HostRefusal(f"{why}; nothing ran", status=503, reason=BUSY, retry_after=1)
    return http_answer(refusal_answer(problem), mark)


def serve_functions(
    app: App,
    address: str = ADDRESS,
    *,
    token: str | Iterable[str] = (),
    anonymous: bool = False,
    threads: int = THREADS,
    body_bytes: int = BODY_BYTES,
    seconds: float = SECONDS,
) -> FunctionServer:
    """Return a server of an app's functions, which listens, and answers once it is started.

    Args:
        app: with the functions.
        address: ``HOST:PORT``, by default of this machine alone. Port 0 takes a free one.
        token: that a caller has to send as ``Authorization: Bearer``; several while it changes.
        anonymous: let everybody call who reaches an address of other machines, without a token.
        threads: calls that run at once.
        body_bytes: of a request, at most.
        seconds: that a call may take if its caller does not say.

    Raises:
        ConfigError: an argument or a handler is wrong, or the address cannot be listened at.
    """
    app.check()
    tokens = (token,) if isinstance(token, str) else tuple(token)
    if not all(map(is_token, tokens)):
        raise ConfigError("token must be text of visible ASCII without white space, not empty")
    host, port = _host_and_port(address)
    if not tokens and not anonymous and not is_this_machine(address):
        raise ConfigError(
            f"other machines can reach {address!r}, and no token is set: give a token (a worker: "
            "LEEWARD_WORKER_TOKEN), or anonymous=True where a proxy in front checks who calls"
        )
    for name, value in (("threads", threads), ("body_bytes", body_bytes), ("seconds", seconds)):
        if not value > 0:
            raise ConfigError(f"{name} must be more than 0")
    platform = Platform("http", None, SystemClock(), ANSWER_BYTES)
    return FunctionServer(
        Host(app, platform),
        _listen(host, port, address),
        tokens=tuple(each.encode() for each in tokens),
        threads=threads,
        body_bytes=body_bytes,
        seconds=seconds,
    )


def _host_and_port(address: str) -> tuple[str, int]:
    """Return host and port of an address."""
    parts = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/]+)):([0-9]{1,5})", address)
    if parts is None or int(parts[3]) > 65535:
        raise ConfigError(f"{address!r} is not an address; write HOST:PORT, such as {ADDRESS}")
    return parts[1] or parts[2], int(parts[3])


def _listen(host: str, port: int, address: str) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise ConfigError(f"cannot listen at {address!r}: {why}; name another address") from error


def _name_of(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

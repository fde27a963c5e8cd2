"""A small HTTP/1.1 server with a bound on everything: threads, connections, bytes and seconds.

A thread watches the connections, and reads the heads of requests. A request that is not allowed is
refused there, before its body and on no thread of its own, however many callers there are. What
asks for upkeep, such as a health check, has one thread, so it never waits for work. Any other
request goes to a thread that reads its body and answers.

TLS is for the proxy in front.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from threading import Condition, Event, Thread
from time import monotonic
from typing import Final, NamedTuple, Self

from leeward._http.messages import TOO_LARGE, ProtocolError
from leeward.adapter.hosts import is_this_machine
from leeward.app.answers import HostRefusal, Problem, refusal_answer
from leeward.app.connection import CallerConnection, RequestHead
from leeward.app.host import HttpAnswer, HttpRequest, http_answer
from leeward.envelope import BUSY, PAYLOAD, UNBOUND, sent_in
from leeward.errors import ConfigError
from leeward.forking import start_thread
from leeward.logs import failure_facts, log_event

LOGGER = "leeward.app"

IDLE_SECONDS: Final = 75.0
"""After which a connection that lies idle is closed; leeward's client uses none after 50."""

CONNECTIONS: Final = 1024  # that are open at once. Further ones wait in the backlog.

BACKLOG: Final = 128

ACCEPT_PAUSE: Final = 0.05  # seconds after a connection could not be accepted
LOOK_SECONDS: Final = 1.0  # between two looks for idle connections


class Arrival(NamedTuple):
    """A request whose head is there, and the mark that its answer is to have."""

    connection: CallerConnection
    head: RequestHead
    mark: str


class HttpServer(ABC):
    """Listens at once, and answers from `start` on. To leave a ``with`` statement closes it.

    Args:
        threads: that read bodies and answer, at most; none where everything is upkeep.

    Attributes:
        address: where it listens, such as ``127.0.0.1:8080``.
    """

    def __init__(self, listener: socket.socket, *, threads: int, body_bytes: int) -> None:
        self.address = _address(*listener.getsockname()[:2])
        self._listener, self._body_bytes, self._most_threads = listener, body_bytes, threads
        self._work: SimpleQueue[Arrival | None] = SimpleQueue()
        self._upkeep: SimpleQueue[Arrival | None] = SimpleQueue()
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
        self._tender = Thread(
            target=self._serve, args=(self._upkeep,), name="leeward-http-upkeep", daemon=True
        )

    @abstractmethod
    def check(self, head: RequestHead) -> bool:
        """Return whether a request asks for upkeep. Called on the watching thread: it is quick.

        Raises:
            Problem: whoever sends it may not ask.
        """

    @abstractmethod
    def tend(self, request: HttpRequest) -> HttpAnswer:
        """Answer a question of upkeep, on the one thread for these. It has no body."""

    @abstractmethod
    def answer(self, request: HttpRequest, mark: str, began: float) -> HttpAnswer:
        """Answer a whole request, on one of `threads`; `began` is monotonic."""

    @property
    def url(self) -> str:
        """Return the URL below which it answers."""
        return f"http://{self.address}"

    def start(self) -> Self:
        """Begin to answer, and return this server."""
        self._watcher.start()
        self._tender.start()
        return self

    def wait(self) -> None:
        """Wait until it is closed."""
        self._closed.wait()

    def drain(self, timeout: float) -> bool:
        """Stop accepting connections, and wait for calls that run, `timeout` seconds at most.

        A call that comes meanwhile on an open connection is refused, with its mark; so is a
        question for health. Return whether all calls have ended.
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
        for end in (self._listener, self._waker, self._woken):
            end.close()
        self._selector.close()
        with self._changed:  # now that nobody adds any more
            connections, threads = list(self._connections), self._threads
        for connection in connections:
            connection.end()
        for _ in range(threads):
            self._work.put(None)
        self._upkeep.put(None)

    def __enter__(self) -> Self:
        return self if self._watcher.ident is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wake(self) -> None:
        with suppress(OSError):  # closed, or woken so often already that its buffer is full
            self._waker.send(b"w")

    def _watch(self) -> None:
        """Accept connections, and judge the requests whose heads have come in."""
        for end in (self._waker, self._woken, self._listener):
            end.setblocking(False)
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
                    self._judge(key.data)
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

    def _judge(self, connection: CallerConnection) -> None:
        """Refuse the request of a connection, or queue it for the thread that it needs."""
        mark = UNBOUND
        try:
            head = connection.read_head()
            if head is None:
                self._forget(connection)
                return
            mark = sent_in(head.headers).mark
            is_upkeep = self.check(head)
        except (ProtocolError, Problem) as error:
            self._go_on(connection, connection.refuse(refusal_of(error, mark)))
            return
        if is_upkeep:
            self._upkeep.put(Arrival(connection, head, mark))
        else:
            self._hand_over(Arrival(connection, head, mark))

    def _hand_over(self, arrival: Arrival) -> None:
        """Queue a request for a thread; start one if none is free and there may be more."""
        with self._changed:
            is_short = self._free <= self._work.qsize() and self._threads < self._most_threads
            self._threads += is_short
            self._under_way += 1
        self._work.put(arrival)
        if is_short:
            thread = Thread(
                target=self._serve, args=(self._work,), name="leeward-http-call", daemon=True
            )
            if not start_thread(thread):  # the others go on
                with self._changed:
                    self._threads -= 1

    def _serve(self, queue: SimpleQueue[Arrival | None]) -> None:
        is_work = queue is self._work
        while True:
            with self._changed:
                self._free += is_work
            arrival = queue.get()
            with self._changed:
                self._free -= is_work
            if arrival is None:
                return
            keeps = False
            try:
                keeps = self._converse(arrival) if is_work else self._tend(arrival)
            except OSError:  # the caller has gone, or takes too long
                pass
            except Exception as error:  # noqa: BLE001 - the other connections must go on
                facts = failure_facts(error)
                log_event(LOGGER, "error", "request_failed", error=type(error).__name__, **facts)
            with self._changed:
                self._under_way -= is_work
                self._changed.notify_all()
            self._go_on(arrival.connection, keeps)

    def _go_on(self, connection: CallerConnection, keeps: bool) -> None:
        """Watch a connection again, or close it."""
        if keeps and not self._closed.is_set():
            self._returned.append(connection)
            self._wake()
        else:
            self._forget(connection)

    def _tend(self, arrival: Arrival) -> bool:
        """Answer a question of upkeep; return whether its connection is watched again."""
        connection, head, mark = arrival
        if self._is_draining:
            answer = busy_answer("this process ends", mark)
        else:
            answer = self.tend(HttpRequest(*head, b""))
        if connection.has_more(head.headers):  # that nobody reads
            return connection.refuse(answer)
        return self._send(arrival, answer, seconds=0.0)

    def _converse(self, arrival: Arrival) -> bool:
        """Read the body of a request and answer; return whether its connection is watched again."""
        connection, head, mark = arrival
        try:
            body = connection.read_body(head.headers, self._body_bytes)
        except ProtocolError as error:
            return connection.refuse(refusal_of(error, mark))
        request, began = HttpRequest(*head, body), connection.began or monotonic()
        if self._is_draining:
            return self._send(arrival, busy_answer("this process ends", mark))
        return self._send(arrival, self.answer(request, mark, began))

    def _send(self, arrival: Arrival, answer: HttpAnswer, **limits: float) -> bool:
        connection, has_body = arrival.connection, arrival.head.method != "HEAD"
        keeps = connection.keeps and has_body and not self._is_draining
        connection.send(answer, keeps=keeps, has_body=has_body, **limits)
        connection.rest(IDLE_SECONDS)
        return keeps


def refusal_of(error: ProtocolError | Problem, mark: str) -> HttpAnswer:
    """Return the answer to a request that is refused before anything has run."""
    if isinstance(error, Problem):
        answer = http_answer(refusal_answer(error), mark)
        challenge = (("www-authenticate", "Bearer"),) if error.status == 401 else ()
        return answer._replace(headers=(*answer.headers, *challenge))
    if error.code == TOO_LARGE:
        problem: Problem = HostRefusal("the payload is too large", status=413, reason=PAYLOAD)
    else:
        text = "the request is not HTTP/1.1 as it should be"
        problem = Problem(text, status=400, reason="malformed")
    return http_answer(refusal_answer(problem), mark)


def busy_answer(why: str, mark: str) -> HttpAnswer:
    """Return the refusal of a call for which there is no place."""
    problem = HostRefusal(f"{why}; nothing ran", status=503, reason=BUSY, retry_after=1)
    return http_answer(refusal_answer(problem), mark)


def check_own_name(head: RequestHead, address: str) -> None:
    """Check that a request to loopback names this machine.

    A page in a browser may send requests to a name of its own that leads here (DNS rebinding); the
    browser names that one.
    """
    if is_this_machine(address) and not is_this_machine(head.headers.get("host", "localhost")):
        problem = "the host must be this machine; behind a proxy, let the proxy name it so"
        raise Problem(problem, status=403, reason="host")


def host_and_port(address: str, form: str) -> tuple[str, int]:
    """Return host and port of an address, which is ``HOST:PORT``.

    Raises:
        ConfigError: it is something else; the message says that `form` is to be written.
    """
    parts = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/]+)):([0-9]{1,5})", address)
    if parts is None or int(parts[3]) > 65535:
        raise ConfigError(f"{address!r} is not an address; write {form}")
    return parts[1] or parts[2], int(parts[3])


def listen(place: tuple[str, int]) -> socket.socket:
    """Return a socket that listens at a host and a port; port 0 takes a free one.

    Raises:
        ConfigError: nothing can listen there.
    """
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    try:
        return socket.create_server(place, family=family, backlog=BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise ConfigError(
            f"cannot listen at {_address(*place)!r}: {why}; name another address"
        ) from error


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

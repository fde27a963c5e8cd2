"""A server on loopback that a test starts, watches and stops from its own thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from tests.servers.certificates import Authority
from tests.servers.wire import reset_on_close

PATIENCE = 60.0
"""Seconds after which something has gone wrong for good; nothing waits that long otherwise."""

_THREADS = 64
"""How many blocking calls a server can make at a time."""


class LoopbackServer(ABC):
    """Listens on a free port of 127.0.0.1; an event loop in a thread of its own serves.

    Use it in a `with` statement. Leaving it resets the open connections, and raises what went
    wrong inside the server.

    Args:
        tls: whose certificates it shows; None for plain TCP.
    """

    def __init__(self, tls: Authority | None = None) -> None:
        self._tls = tls
        self._changed = threading.Condition()
        self._failures: list[Exception] = []
        self._open: dict[asyncio.Task[None], socket.socket] = {}
        self._listener: socket.socket | None = None

    @abstractmethod
    async def _serve(self, sock: socket.socket) -> None:
        """Serve the accepted `sock` until its connection is over."""

    def __enter__(self) -> Self:
        # Bound but never listening: it keeps the port ours while no one listens.
        self._holder = _bound(0)
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_THREADS))
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__)
        self._thread.start()
        self._in_loop(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._in_loop(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE)
            self._loop.close()
            self._holder.close()
        if self._failures:
            raise ExceptionGroup(f"inside {type(self).__name__}", self._failures)

    @property
    def address(self) -> tuple[str, int]:
        """Give where it listens: the IP address and the port."""
        host, port = self._holder.getsockname()
        return host, port

    @property
    def url(self) -> str:
        """Give its base URL, without a slash at the end."""
        scheme = "https" if self._tls else "http"
        return "{}://{}:{}".format(scheme, *self.address)

    @property
    def open_connections(self) -> int:
        """Give how many accepted connections are not over yet."""
        with self._changed:
            return len(self._open)

    def wait_until(self, condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until `condition` holds; it is asked again after everything that is noted.

        Raises:
            TimeoutError: it did not come to hold within `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"still not so after {timeout} s")

    def wait_idle(self, timeout: float = PATIENCE) -> None:
        """Wait until no connection is open: the client's pool has to let go of its own.

        Raises:
            TimeoutError: some were still open after `timeout` seconds.
        """
        self.wait_until(lambda: not self._open, timeout)

    def _in_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = _bound(self.address[1])
            self._listener.listen(128)
            self._loop.add_reader(self._listener, self._accept, self._listener)

    async def _refuse(self) -> None:
        """Close the port, and reset what is open: the server is gone."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for task, sock in list(self._open.items()):
            reset_on_close(sock)
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _stop(self) -> None:
        await self._refuse()
        await self._loop.shutdown_default_executor()

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.setblocking(False)
        task = self._loop.create_task(self._serve(sock))
        with self._changed:
            self._open[task] = sock
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        with self._changed:
            self._open.pop(task).close()
            if not task.cancelled() and isinstance(failure := task.exception(), Exception):
                self._failures.append(failure)
            self._changed.notify_all()


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock

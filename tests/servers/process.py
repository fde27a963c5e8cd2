"""A server that is a program of its own: started, awaited, and gone when the tests are."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import ClassVar, Final, Self

_GUARD: Final = Path(__file__).with_name("guard.py")

_PATIENCE: Final = 60.0
"""Seconds for a start. It takes a tenth of one, unless the machine is busy or the disk is cold."""

_PAUSE: Final = 0.01


class ServerDied(Exception):
    """A server did not come up; the message holds what it said."""


class ServerProcess(ABC):
    """A server on a free port of 127.0.0.1, with nothing of this process's environment.

    Use it in a `with` statement. It works in a temporary folder, which goes with it.

    Attributes:
        HEALTH: the path that answers 200 once the server is up.
    """

    HEALTH: ClassVar[str]

    @abstractmethod
    def _command(self, port: int) -> list[str]:
        """Give the program and its arguments."""

    def _environment(self, port: int, folder: str) -> Mapping[str, str]:
        """Give the variables that the program needs beyond those of every program."""
        return {}

    def __enter__(self) -> Self:
        self._start()
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def address(self) -> tuple[str, int]:
        """Give where it listens: the IP address and the port."""
        host, port = self._holder.getsockname()
        return host, port

    @property
    def url(self) -> str:
        """Give its base URL, without a slash at the end."""
        return "http://{}:{}".format(*self.address)

    def ask(self, method: str, path: str) -> int:
        """Send a request without a body; give the status.

        Raises:
            OSError, http.client.HTTPException: there is no answer.
        """
        with closing(http.client.HTTPConnection(*self.address, timeout=_PATIENCE)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def log(self) -> str:
        """Give what the server has written so far."""
        return self._log.read_text(errors="replace")

    def _start(self) -> None:
        self._holder = held_port()
        _, port = self.address
        self._folder = TemporaryDirectory(prefix=type(self).__name__)
        folder = self._folder.name
        self._log = Path(folder, "log")
        common = {"PATH": "/usr/bin:/bin", "HOME": folder, "TMPDIR": folder}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), folder, *self._command(port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**common, **self._environment(port, folder)},
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with suppress(OSError, http.client.HTTPException):
                if self.ask("GET", self.HEALTH) == 200:
                    return
            time.sleep(_PAUSE)
        said = self._log.read_text(errors="replace")
        raise ServerDied(f"{type(self).__name__} did not come up: {said[-2000:]}")

    def _stop(self) -> None:
        """End the guard's input: it kills the server, and ends with it."""
        self._process.communicate()
        self._holder.close()
        self._folder.cleanup()


def held_port() -> socket.socket:
    """Give a socket whose port no one gets by asking for any, but a server can listen on.

    It never listens. Linux lets a second socket have the port when both are marked as here, which
    servers do to start again at once.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock

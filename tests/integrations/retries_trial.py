"""The examples of docs/retries.md call again what did not run, and nothing else.

python -m tests.integrations.retries_trial HEADING ...
"""

from __future__ import annotations

import re
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest
import requests

from leeward_ran import ran
from tests.house.workspace import ROOT


class Bank:
    """Is away for the first `away` connections, then charges, and answers or loses the answer.

    Attributes:
        charges: that it made.
    """

    def __init__(self, away: int, *, answers: bool) -> None:
        self.charges = self._connections = 0
        self._away, self._answers = away, answers
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        sys.addaudithook(self._count)

    def _count(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and arguments[1] == ("127.0.0.1", self.port):
            self._connections += 1
            if self._connections == self._away + 1:
                self._socket.listen()
                self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection:
                    request = b""
                    while not request.endswith(b"}"):
                        request += connection.recv(65_536)
                    self.charges += 1
                    if self._answers:
                        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    else:
                        reset = struct.pack("ii", 1, 0)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)

    def close(self) -> None:
        """Stop."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def example(heading: str, bank: Bank) -> Any:
    """Return the function `charge` of the example below a heading, which calls `bank`."""
    text = (ROOT / "docs/retries.md").read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    source = re.findall(r"```py\n(.*?)```", text, re.DOTALL)[0]
    source = source.replace("https://bank.example", f"http://127.0.0.1:{bank.port}")
    space: dict[str, Any] = {"__name__": "shop"}
    exec(compile(source.replace('"https://"', '"http://"'), heading, "exec"), space)
    charge = space["charge"]
    if heading != "Celery":
        return charge
    return lambda order: charge.apply((order,)).get()


def main(headings: Sequence[str]) -> int:
    """Run the examples; an assertion fails where one does not ask first."""
    for heading in headings:
        away = Bank(2, answers=True)
        example(heading, away)({"id": "42"})
        assert away.charges == 1, (heading, away.charges)
        away.close()
        lost = Bank(0, answers=False)
        with pytest.raises(requests.ConnectionError) as caught:
            example(heading, lost)({"id": "42"})
        assert ran(caught.value) == "maybe", heading
        assert lost.charges == 1, (heading, lost.charges)
        lost.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

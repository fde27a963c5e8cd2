"""Mutated answers over real connections, to threads and to an event loop."""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from contextlib import suppress

from leeward._http.messages import Failure, Request, Response
from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from tests.http.bridge import AnyTransport, Bridge
from tests.http.mutations import MOST, Case, Verdict, a_case, by_leeward
from tests.http.wire import LIMIT


class Hostile:
    """A server on loopback that gives each request the case that was set for it.

    Attributes:
        case: what to answer next.
        faults: what a client did that it must never do.
        connections: how many were accepted.
    """

    def __init__(self) -> None:
        self.case = Case("GET", (b"x",))
        self.faults: list[str] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError), connection:
                connection.settimeout(LIMIT)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        """Answer the requests of one connection, for as long as it may be used."""
        while True:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                data = connection.recv(65536)
                if not data:
                    return
                request += data
            case = self.case
            for piece in case.sends:
                connection.sendall(piece)
            verdict = by_leeward(case.method, case.pieces)
            if verdict.by_the_end:
                connection.shutdown(socket.SHUT_WR)
            if not verdict.is_kept:
                if connection.recv(65536):
                    self.faults.append(f"used again after {case}")
                return

    def close(self) -> None:
        """Stop to listen."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(LIMIT)


def _verdict(answer: Response | Failure, expected: Verdict) -> bool:
    """Return whether what a transport gave is what the reader alone makes of the same bytes."""
    if isinstance(answer, Failure):
        names = {f"curl.{expected.code}", "headers_cut", "body_too_large", "content_encoding"}
        return answer.sent and (expected.status is None) and answer.code in names
    return (answer.status, answer.body) == expected[:2]


def check_transport(transport: AnyTransport, cases: int, seed: int) -> Counter[str]:
    """Check `cases` answers over `transport`; count what became of them.

    Raises:
        AssertionError: for the first that goes wrong.
    """
    dice = random.Random(seed)
    server = Hostile()
    ends: Counter[str] = Counter()
    try:
        for _ in range(cases):
            server.case = case = a_case(dice)
            answer = transport.send(Request(case.method, server.origin, "/"), LIMIT)
            expected = by_leeward(case.method, case.pieces)
            assert _verdict(answer, expected), f"{case}: {answer}, expected {expected}"
            assert not server.faults, server.faults
            ends["answered" if isinstance(answer, Response) else "refused"] += 1
    finally:
        transport.close()
        server.close()
    ends["connections"] = server.connections
    return ends


def check_runners(cases: int, seed: int) -> Counter[str]:
    """Check the transport for threads, then the one for asyncio; count what became of both."""
    options = TransportOptions(max_response_bytes=MOST)
    ends = check_transport(CurlTransport(options), cases, seed)
    bridge = Bridge(options)
    try:
        ends += check_transport(bridge, cases, seed)
    finally:
        bridge.end()
    return ends

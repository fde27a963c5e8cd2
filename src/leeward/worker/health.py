"""The address at which a worker says how it is: JSON, and a status that a load balancer reads."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

from leeward.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"

REQUEST_SECONDS: Final = 5.0
"""Seconds that a caller has for its request."""

_ADDRESS: Final = re.compile(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):)?([0-9]{1,5})")

Report = Callable[[], tuple[bool, Mapping[str, Any]]]
"""Returns whether the worker is well, and what it says."""


class HealthServer:
    """Answers every GET and HEAD with a report: 200 if the worker is well, else 503.

    Args:
        address: ``PORT``, of this machine alone, or ``HOST:PORT``. Port 0 takes a free one.
        report: of the worker.

    Raises:
        ConfigError: it is not an address, or it cannot be listened at.
    """

    def __init__(self, address: str, report: Report) -> None:
        place = _ADDRESS.fullmatch(address)
        if place is None or int(place[3]) > 65535:
            raise ConfigError(
                f"health is {address!r}, which is not an address; write PORT or HOST:PORT"
            )
        kind = type("Handler", (_Handler,), {"report": staticmethod(report)})
        host = place[1] or place[2] or LOOPBACK
        server = _Server6 if place[1] else _Server
        try:
            self._server = server((host, int(place[3])), kind)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ConfigError(
                f"cannot listen at {address!r}: {why}; name another address for health"
            ) from error
        self._thread = Thread(
            target=self._server.serve_forever, args=(0.1,), name="leeward-health", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        host, port, *_ = self._server.server_address
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, but not of a caller that has gone, or is slow."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    report: Report
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        """Answer with the report."""
        is_well, facts = self.report()
        body = json.dumps(facts).encode() + b"\n"
        self.send_response(200 if is_well else 503)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name that its base looks for

    def log_message(self, *_: Any) -> None:
        """Log nothing: a load balancer asks every few seconds."""

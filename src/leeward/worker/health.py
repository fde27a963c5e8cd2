"""The address at which a worker says how it is: JSON, and a status that a load balancer reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from leeward.app.answers import Problem
from leeward.app.connection import RequestHead
from leeward.app.host import HttpAnswer, HttpRequest
from leeward.app.http_server import HttpServer, check_own_name, host_and_port, listen

Report = Callable[[], tuple[bool, Mapping[str, Any]]]
"""Returns whether the worker is well, and what it says."""


class HealthServer(HttpServer):
    """Answers every GET and HEAD with a report: 200 if the worker is well, else 503.

    Args:
        address: ``PORT``, of this machine alone, or ``HOST:PORT``. Port 0 takes a free one.

    Raises:
        ConfigError: it is not an address, or it cannot be listened at.
    """

    def __init__(self, address: str, report: Report) -> None:
        whole = f"127.0.0.1:{address}" if address.isdigit() else address
        super().__init__(listen(host_and_port(whole, "PORT or HOST:PORT")), threads=0, body_bytes=0)
        self._report = report

    def check(self, head: RequestHead) -> bool:
        """Return that it asks for upkeep, as anybody may who reaches the address."""
        check_own_name(head, self.address)
        if head.method not in ("GET", "HEAD"):
            raise Problem("ask for health with GET", status=405, reason="method")
        return True

    def tend(self, request: HttpRequest) -> HttpAnswer:
        """Return the report."""
        is_well, facts = self._report()
        headers = (("content-type", "application/json"),)
        return HttpAnswer(200 if is_well else 503, headers, json.dumps(facts).encode() + b"\n")

    def answer(self, request: HttpRequest, mark: str, began: float) -> HttpAnswer:
        """Raise: nothing is handed to the threads that it does not have."""
        raise NotImplementedError

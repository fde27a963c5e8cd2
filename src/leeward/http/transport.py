"""What carries a request: small, so that a test or another platform can bring its own."""

from __future__ import annotations

from typing import Protocol

from leeward.http.messages import Failure, Request, Response


class Transport(Protocol):
    """Carries requests, from many threads at once."""

    def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and return its answer, within `timeout` seconds.

        A `leeward.calls.AttemptTime` says how long it may wait for a place besides.

        Nothing that happens on the network raises. `leeward.InvalidRequest` and
        `leeward.ConfigError` are raised for what cannot be sent at all, before anything is.
        """

    def drop(self, origin: str) -> None:
        """Use no connection to `origin` again that is there now: it leads to the wrong place."""

    def close(self) -> None:
        """Close every connection. Closing twice is harmless; a later `send` is refused."""


class AsyncTransport(Protocol):
    """Carries requests for the tasks of one event loop."""

    async def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and return its answer, within `timeout` seconds.

        It raises what `Transport.send` does, and `asyncio.CancelledError`: then the request may
        have been sent, and everything that it held is given back.
        """

    def drop(self, origin: str) -> None:
        """Use no connection to `origin` again that is there now; on the thread of the loop."""

    def close(self) -> None:
        """Close every connection; to be called on the thread of the loop, or once that has ended.

        The requests under way end, each with a failure. Closing twice is harmless; a later `send`
        is refused.
        """

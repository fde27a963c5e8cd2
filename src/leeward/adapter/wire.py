"""What goes over the wire and comes back, and what carries it: types for plans and for tests."""

from __future__ import annotations

from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.wire import AsyncTransport, Transport, Wire

__all__ = ["AsyncTransport", "Failure", "Phase", "Request", "Response", "Transport", "Wire"]

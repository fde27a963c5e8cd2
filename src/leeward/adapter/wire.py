"""What goes over the wire and comes back, and what carries it: types for plans and for tests."""

from __future__ import annotations

from leeward.http.messages import Failure, Phase, Request, Response
from leeward.http.wire import AsyncTransport, Transport, Wire

__all__ = ["AsyncTransport", "Failure", "Phase", "Request", "Response", "Transport", "Wire"]

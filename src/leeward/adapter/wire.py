"""What goes over the wire and comes back, and what carries it: types for plans and for tests."""

from __future__ import annotations

from leeward._http.messages import Failure, Request, Response
from leeward._http.wire import Transport, Wire

__all__ = ["Failure", "Request", "Response", "Transport", "Wire"]

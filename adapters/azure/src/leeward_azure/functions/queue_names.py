"""Which service a queue is of, by its name: ``servicebus:NAME``, else Queue storage."""

from __future__ import annotations

from typing import Final

SERVICE_BUS: Final = "servicebus:"

JSON: Final = "json"
"""The type of an attribute that is a number or a truth value, as JSON has it."""

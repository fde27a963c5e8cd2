"""CloudEvents for adapters: an event as a JSON document, and back."""

from __future__ import annotations

from leeward.cloudevents import document_of, from_json, to_json

__all__ = ["document_of", "from_json", "to_json"]

"""moto's server whose DynamoDB does one thing at a time; run by the Python that has moto.

moto looks at a condition and writes in two steps, and takes requests in threads: of two conditional
writes at one moment both can succeed, which DynamoDB rules out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import RLock
from typing import Any

from moto.dynamodb.models import DynamoDBBackend  # type: ignore[import-not-found]
from moto.server import main  # type: ignore[import-not-found]

_LOCK = RLock()


def alone(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that waits until no other one is under way."""

    def call(*positional: Any, **named: Any) -> Any:
        with _LOCK:
            return method(*positional, **named)

    return call


for name in ("put_item", "update_item", "delete_item", "get_item"):
    setattr(DynamoDBBackend, name, alone(getattr(DynamoDBBackend, name)))
# Threads change often, so that what is not atomic shows.
sys.setswitchinterval(1e-5)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

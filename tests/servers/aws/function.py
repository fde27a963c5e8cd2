"""A function of Lambda, as it is deployed, and one call of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple

DEPLOYED: Final = Path(__file__).with_name("deployed")
"""The code of the functions. They see nothing else of this repository."""

LATEST: Final = "$LATEST"
"""The one version that a function has here."""


class Function(NamedTuple):
    """A function.

    Attributes:
        name: without version.
        handler: module and function in `code`, such as ``contract.echo``.
        timeout: seconds that an invocation may take.
        concurrency: how many may run at a time (reserved concurrency); None for as many as come.
        environment: variables of its own.
        code: the folder that its modules are in.
    """

    name: str
    handler: str
    timeout: float = 3.0
    concurrency: int | None = None
    environment: Mapping[str, str] = {}
    code: Path = DEPLOYED


class Kind(Enum):
    """How a function is called; the value stands in ``X-Amz-Invocation-Type``."""

    SYNC = "RequestResponse"
    ASYNC = "Event"
    DRY_RUN = "DryRun"


class Invocation(NamedTuple):
    """A call that was found in order.

    Attributes:
        request_id: the one that the answer and the function get.
        function: which.
        arn: as it was asked for.
        kind: how.
        payload: JSON.
        client_context: JSON in ASCII, or None.
        trace: ``X-Amzn-Trace-Id`` as it came, or None.
    """

    request_id: str
    function: Function
    arn: str
    kind: Kind
    payload: bytes
    client_context: str | None = None
    trace: str | None = None

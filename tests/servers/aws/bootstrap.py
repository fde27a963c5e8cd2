"""AWS's own runtime client without a socket: events in, its result or error documents out.

Run it with the Python of awslambdaric, in the folder of the code: ``bootstrap.py HANDLER``. It
reads one JSON line for each invocation and writes one; what the runtime would log goes along.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12")
sys.path.insert(0, str(Path.cwd()))

from awslambdaric import bootstrap  # type: ignore[import-not-found]
from awslambdaric.lambda_runtime_marshaller import (  # type: ignore[import-not-found]
    LambdaMarshaller,
)


class Client:
    """Takes what the runtime posts."""

    marshaller = LambdaMarshaller()

    def __init__(self) -> None:
        self.posted: dict[str, Any] = {}

    def post_invocation_result(self, _id: str, result: Any, kind: str, *_: Any) -> None:
        """Take a result."""
        text = result.decode() if isinstance(result, bytes) else result
        self.posted |= {"result": text, "content_type": kind}

    def post_invocation_error(self, _id: str, error: str, fault: str, *_: Any) -> None:
        """Take an error document, and what goes to tracing."""
        self.posted |= {"error": error, "fault": fault}


class Sink:
    """Takes what the runtime logs."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str, *_: Any) -> None:
        """Take a line."""
        self.lines.append(text)

    def log_error(self, lines: list[str]) -> None:
        """Take an error."""
        self.lines.extend(lines)


def main(handler: str) -> None:
    """Answer until there is nothing more to read."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a handler prints is no answer
    called = bootstrap._get_handler(handler)
    for line in sys.stdin:
        given = json.loads(line)
        os.environ.update(given["environment"])
        client, sink = Client(), Sink()
        bootstrap.handle_event_request(
            client,
            called,
            given["id"],
            given["event"].encode(),
            "application/json",
            given["client_context"],
            None,
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            int((time.time() + given["seconds"]) * 1000),
            None,
            sink,
        )
        out.write(json.dumps({**client.posted, "log": sink.lines}) + "\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1])

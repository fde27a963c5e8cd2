"""Invocations of a deployed handler in a process with AWS's own runtime client."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from tests.servers.installed import executable

_BOOTSTRAP: Final = Path(__file__).with_name("bootstrap.py")


class Ended(Exception):
    """The process of the function is gone; the message has what it wrote."""


class Invoked(NamedTuple):
    """What came of an invocation.

    Attributes:
        result: JSON text; None if it failed.
        error: the document of a failure; None if it did not.
        posted: all that the runtime posted and logged, as text.
    """

    result: str | None
    error: dict[str, Any] | None
    posted: str

    @property
    def value(self) -> Any:
        """Return what the function returned."""
        assert self.result is not None, self.posted
        return json.loads(self.result)


class DirectLambda:
    """One environment of a function; use it in a `with` statement.

    Args:
        code: the folder of the deployed code.
        environment: variables of the function.
    """

    def __init__(self, code: Path, environment: dict[str, str] | None = None) -> None:
        self._code = code
        self._environment = {"AWS_REGION": "us-east-1", **(environment or {})}

    def __enter__(self) -> Self:
        # A pipe that nobody reads meanwhile would be full some day.
        self._log = TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [
                str(executable("awslambdaric", "python")),
                "-B",
                str(_BOOTSTRAP),
                "handler.lambda_handler",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self._code,
            env=self._environment,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def invoke(
        self,
        event: Any,
        *,
        function: str = "f",
        client_context: Any = None,
        seconds: float = 10.0,
        raw: str | None = None,
    ) -> Invoked:
        """Invoke the handler.

        Args:
            event: is sent as JSON.
            function: the name of the Lambda function.
            client_context: what the caller has sent beside it.
            seconds: until Lambda would stop it.
            raw: the event's text, where it is not what Python writes.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = {
            "id": "req-1",
            "event": json.dumps(event) if raw is None else raw,
            "client_context": None if client_context is None else json.dumps(client_context),
            "seconds": seconds,
            "environment": {"AWS_LAMBDA_FUNCTION_NAME": function},
        }
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Ended(f"the runtime has ended: {self._logged()}")
        found = json.loads(answer)
        error = json.loads(found["error"]) if "error" in found else None
        return Invoked(found.get("result"), error, answer)

    def stop(self) -> str:
        """End the process; return all that it has written to its log."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._logged()

    def _logged(self) -> str:
        """Return what the process has written to its log, once it has ended."""
        self._process.wait()
        self._log.seek(0)
        return self._log.read()


def event_of(batch: list[Any], arn: str) -> dict[str, Any]:
    """Return a batch that was received from a queue in Lambda's spelling."""
    return {
        "Records": [
            {
                "messageId": each["MessageId"],
                "receiptHandle": each["ReceiptHandle"],
                "body": each["Body"],
                "attributes": each["Attributes"],
                "messageAttributes": {
                    name: {"stringValue": told["StringValue"], "dataType": told["DataType"]}
                    for name, told in each.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
            }
            for each in batch
        ]
    }

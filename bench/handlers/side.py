"""One runtime's cost, run by the interpreter that has it: ``side.py LIBRARY WORK CALLS``.

For each line that it reads it hands the event to the runtime so many times, and prints the CPU
seconds of one event, or of one record of a batch.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from time import process_time
from types import SimpleNamespace
from typing import Any

ORDER = json.dumps({"id": "42", "customer": "c-7", "total": 9.5})
RECORDS = 10

HTTP = {
    "version": "2.0",
    "routeKey": "POST /pay",
    "rawPath": "/pay",
    "rawQueryString": "",
    "headers": {
        "content-type": "application/json",
        "host": "abc.lambda-url.eu-west-1.on.aws",
        "user-agent": "bench",
        "x-forwarded-for": "192.0.2.1",
    },
    "requestContext": {
        "accountId": "anonymous",
        "apiId": "abc",
        "domainName": "abc.lambda-url.eu-west-1.on.aws",
        "http": {"method": "POST", "path": "/pay", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        "requestId": "req-1",
        "stage": "$default",
        "time": "31/Jan/2026:12:00:00 +0000",
        "timeEpoch": 1769860800000,
    },
    "body": ORDER,
    "isBase64Encoded": False,
}

BATCH = {
    "Records": [
        {
            "messageId": f"m-{number}",
            "receiptHandle": "receipt",
            "body": ORDER,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1769860800000",
                "SenderId": "AIDA",
                "ApproximateFirstReceiveTimestamp": "1769860800001",
            },
            "messageAttributes": {},
            "md5OfBody": "0",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:parcels",
            "awsRegion": "eu-west-1",
        }
        for number in range(RECORDS)
    ]
}

EVENTS: dict[str, tuple[Any, int]] = {"http": (HTTP, 1), "batch": (BATCH, RECORDS)}

CONTEXT = SimpleNamespace(
    aws_request_id="req-1",
    function_name="shop",
    memory_limit_in_mb="128",
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:shop",
    client_context=None,
    get_remaining_time_in_millis=lambda: 30_000,
)


def pay(order: dict[str, Any]) -> dict[str, Any]:
    """Do as little as a handler can."""
    return {"paid": order["id"]}


def leeward() -> Callable[[Any, Any], Any]:
    """Handle by leeward."""
    from leeward import App

    app = App("shop")
    app.function(name="pay")(pay)
    app.on_message("parcels", name="send")(pay)
    handler: Callable[[Any, Any], Any] = app.handler("aws")
    return handler


def powertools() -> Callable[[Any, Any], Any]:
    """Handle by aws-lambda-powertools, as its documentation shows first."""
    from aws_lambda_powertools.event_handler import (
        LambdaFunctionUrlResolver,
    )
    from aws_lambda_powertools.utilities.batch import (
        BatchProcessor,
        EventType,
        process_partial_response,
    )

    app = LambdaFunctionUrlResolver()
    processor = BatchProcessor(EventType.SQS)

    @app.post("/pay")  # type: ignore[untyped-decorator]
    def called() -> Any:
        return pay(app.current_event.json_body)

    def handle(record: Any) -> Any:
        return pay(record.json_body)

    def handler(event: Any, context: Any) -> Any:
        if "Records" not in event:
            return app.resolve(event, context)
        return process_partial_response(
            event=event, record_handler=handle, processor=processor, context=context
        )

    return handler


def pskit() -> Callable[[Any, Any], Any]:
    """Handle by the runtime of py-serverless-kit, for a deployment of each kind."""
    from py_serverless_kit.runtime.adapters import aws  # type: ignore[import-not-found]
    from py_serverless_kit.runtime.manifest import (  # type: ignore[import-not-found]
        BundleManifest,
        set_manifest,
    )

    functions: dict[str, Any] = {"shop": {"handler": "side.pskit_called"}}
    set_manifest(BundleManifest.from_dict({"functions": functions}))
    sys.modules["side"] = sys.modules[__name__]
    handler: Callable[[Any, Any], Any] = aws.handler
    return handler


def pskit_called(event: Any) -> Any:
    """Pay; a batch is this handler's own to go through."""
    if event.http is not None:
        return pay(event.http.json())
    from py_serverless_kit import BatchResult  # type: ignore[import-not-found]

    result = BatchResult()
    for record in event.records:
        try:
            pay(record.json())
        except Exception:  # noqa: BLE001 - as its documentation shows
            result.fail(record)
    return result


def run(library: str, work: str) -> Callable[[int], float]:
    """Return what handles an event so many times, and returns the CPU seconds of one."""
    handler = {"leeward": leeward, "powertools": powertools, "pskit": pskit}[library]()
    event, parts = EVENTS[work]
    answer = handler(event, CONTEXT)
    paid = json.loads(answer["body"]) if work == "http" else answer
    expected: dict[str, Any] = {"paid": "42"} if work == "http" else {"batchItemFailures": []}
    assert paid == expected, answer

    def calls(times: int) -> float:
        begun = process_time()
        for _ in range(times):
            handler(event, CONTEXT)
        return (process_time() - begun) / times / parts

    return calls


def main() -> None:
    """Answer each line with the CPU of one."""
    library, work, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with redirect_stdout(io.StringIO()):  # some log there
        calls = run(library, work)
    for _ in sys.stdin:
        with redirect_stdout(io.StringIO()):
            taken = calls(times)
        print(taken, flush=True)


if __name__ == "__main__":
    main()

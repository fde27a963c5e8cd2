from __future__ import annotations

from typing import Any

import pytest

from tests.servers.aws.calls import invoke, refusal
from tests.servers.aws.conftest import REGION
from tests.servers.aws.function import Function
from tests.servers.aws.invoke_api import ASYNC_BYTES, SYNC_BYTES
from tests.servers.aws.lambda_server import LambdaServer
from tests.servers.aws.ministack import ACCOUNT

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:context"


@pytest.mark.parametrize(
    ("function", "payload", "error"),
    [
        ("leave", {"status": 3}, "Runtime.ExitError"),
        ("leave", {"status": 0}, "Runtime.ExitError"),
        ("die", {}, "Runtime.ExitError"),
        ("large", {"bytes": SYNC_BYTES + 1}, "Function.ResponseSizeTooLarge"),
        ("unprintable", {}, "Runtime.MarshalError"),
        ("leave", {}, "KeyError"),
    ],
)
def test_a_function_that_fails_says_how(
    caller: Any, function: str, payload: object, error: str
) -> None:
    """The error has AWS's own class, and the next call finds a working environment."""
    assert invoke(caller, function, payload).error == error
    assert not invoke(caller, "context").failed
    assert invoke(caller, function, payload).error == error


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        ("broken.handler", "RuntimeError"),
        ("incomplete.handler", "Runtime.ImportModuleError"),
        ("odd.absent", "Runtime.HandlerNotFound"),
    ],
)
def test_code_that_does_not_load_never_begins(
    functions: LambdaServer, caller: Any, handler: str, error: str
) -> None:
    """A broken deployment is a function error, every time, and nothing has run."""
    functions.deploy(Function("unloadable", handler))
    begun = functions.begun
    assert [invoke(caller, "unloadable").error for _ in range(2)] == [error] * 2
    assert functions.begun == begun


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ({"FunctionName": "absent"}, (404, "ResourceNotFoundException")),
        ({"FunctionName": "context:absent"}, (404, "ResourceNotFoundException")),
        ({"FunctionName": ARN.replace(REGION, "us-east-1")}, (404, "ResourceNotFoundException")),
        ({"Payload": b"{"}, (400, "InvalidRequestContentException")),
        ({"Payload": b"NaN"}, (400, "InvalidRequestContentException")),
        ({"ClientContext": "no base64"}, (400, "InvalidRequestContentException")),
        ({"ClientContext": "e30=" * 900}, (400, "InvalidRequestContentException")),
        ({"Payload": b" " * (SYNC_BYTES + 1)}, (413, "RequestEntityTooLargeException")),
        (
            {"Payload": b" " * (ASYNC_BYTES + 1), "InvocationType": "Event"},
            (413, "RequestEntityTooLargeException"),
        ),
    ],
    ids=str,
)
def test_a_call_that_is_not_in_order_is_refused(
    functions: LambdaServer,
    caller: Any,
    arguments: dict[str, Any],
    refused: tuple[int, str],
) -> None:
    """The refusal has AWS's status and code, and nothing has run."""
    begun = functions.begun
    assert refusal(lambda: caller.invoke(**{"FunctionName": "context"} | arguments)) == refused
    assert functions.begun == begun

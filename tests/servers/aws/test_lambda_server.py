from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers.aws.calls import invoke, refusal
from tests.servers.aws.clients import client
from tests.servers.aws.conftest import REGION
from tests.servers.aws.function import Function, Kind
from tests.servers.aws.invoke_api import ASYNC_BYTES, SYNC_BYTES, Place
from tests.servers.aws.lambda_server import LambdaServer
from tests.servers.aws.ministack import ACCOUNT
from tests.servers.loopback import PATIENCE

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:context"


def test_a_function_gets_what_comes_with_a_call(caller: Any) -> None:
    """Request id, ARN, client context and the time left reach the function as on AWS."""
    context = base64.b64encode(json.dumps({"custom": {"k": "caf\u00e9"}}).encode()).decode()
    answer = caller.invoke(FunctionName="context", Payload=b"[1]", ClientContext=context)
    told = json.loads(answer["Payload"].read())
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert told["request_id"] == headers["x-amzn-requestid"]
    assert (told["arn"], told["custom"], told["event"]) == (ARN, {"k": "caf\u00e9"}, [1])
    assert 0 < told["remaining_ms"] <= PATIENCE * 1000
    assert answer["ExecutedVersion"] == "$LATEST"


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


def test_an_exception_has_its_trace(caller: Any) -> None:
    """AWS's own runtime client tells where a function raised."""
    value = invoke(caller, "leave", {}).value
    assert value["errorMessage"] == "'status'"
    assert "odd.py" in value["stackTrace"][0]


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


def test_a_limit_of_concurrency_is_kept(
    functions: LambdaServer, caller: Any, tmp_path: Path
) -> None:
    """A call beyond the limit is refused; an asynchronous one waits for its turn."""
    gate = tmp_path / "gate"
    variables = {"GATE": str(gate)}
    functions.deploy(Function("one", "odd.wait", PATIENCE, concurrency=1, environment=variables))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(invoke, caller, "one")
        functions.wait_until(lambda: bool(_begun(functions, "one")))
        assert refusal(lambda: invoke(caller, "one")) == (429, "TooManyRequestsException")
        assert _accepted(caller, "one", Kind.ASYNC) == 202
        gate.touch()
        assert not first.result().failed
    functions.wait_until(lambda: [e.kind for e in _begun(functions, "one")] == [*Kind][:2])


def test_a_stopped_server_leaves_no_process() -> None:
    """A function that still runs is cut off, and so is the thread that watches its process."""
    with LambdaServer(Place(ACCOUNT, REGION)) as server:
        server.deploy(Function("endless", "odd.sleep", PATIENCE * 10))
        with closing(client("lambda", server.url, REGION)) as caller:
            _accepted(caller, "endless", Kind.ASYNC, {"seconds": PATIENCE * 10})
            server.wait_until(lambda: len(server.begun) == 1)
            assert "watch endless" in _threads()
    assert "watch endless" not in _threads()


def _threads() -> set[str]:
    return {each.name for each in threading.enumerate()}


def _begun(functions: LambdaServer, name: str) -> list[Any]:
    return [each for each in functions.begun if each.function.name == name]


def _accepted(caller: Any, function: str, kind: Kind, payload: object = None) -> int:
    answer = caller.invoke(
        FunctionName=function, InvocationType=kind.value, Payload=json.dumps(payload)
    )
    assert answer["Payload"].read() == b""
    status: int = answer["StatusCode"]
    return status

"""What boto3 says, in a form to compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple

ClientError: Final[type[Exception]] = import_module("botocore.exceptions").ClientError


class Invoked(NamedTuple):
    """An answer of Lambda: the value or the error document, and whether it is one."""

    value: Any
    failed: bool = False

    @property
    def error(self) -> str:
        """Give the class of a function error."""
        assert self.failed, "the function did not fail"
        kind: str = self.value["errorType"]
        return kind


def invoke(caller: Any, function: str, payload: object = None, **more: Any) -> Invoked:
    """Call a function and wait for its answer."""
    answer = caller.invoke(FunctionName=function, Payload=json.dumps(payload), **more)
    return Invoked(json.loads(answer["Payload"].read()), answer.get("FunctionError") == "Unhandled")


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    """Give the status and the code of an error; `call` has to raise one."""
    try:
        call()
    except ClientError as error:
        response: dict[str, Any] = vars(error)["response"]
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
    raise AssertionError("nothing was raised")

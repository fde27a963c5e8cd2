"""State machines run by moto's interpreter, in a process of its own: one JSON object a line.

Run by the Python of ``.servers/engines``, which knows nothing of leeward. What a function answers
is asked of whoever started this process, so a test decides it. Its one word, if there is one, is
the quota of bytes for a state's data, and for what a state assigns: 256 KiB is slow here.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import threading
import time
from typing import Any

import boto3
import moto.stepfunctions.parser.asl.jsonata.jsonata as asl_jsonata
from jsonata import Jsonata
from jsonata.functions import Functions
from jsonata.parser import Parser
from jsonata.timebox import Timebox
from jsonata.utils import Utils
from moto import mock_aws
from moto.stepfunctions.parser import quotas
from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from settling import document_of, question_of

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
_lock = threading.Lock()
_real_sleep = time.sleep
_clock = {"skipped": 0}
_evaluated = threading.local()
"""What this thread has evaluated last: the expression and its value."""
_real_millis = Timebox.current_milli_time
_parse = AmazonStateLanguageParser.parse
_trees: dict[str, Any] = {}
_unused: dict[str, Any] = {}


def _ask(question: dict[str, Any]) -> Any:
    with _lock:
        sys.stdout.write(json.dumps(question) + "\n")
        sys.stdout.flush()
        return json.loads(sys.stdin.readline())


def _evaluate(expression: str) -> Any:
    """Evaluate an expression; of one without a value, or whose value is text, only once.

    Of these moto asks afterwards whether they exist, and of which type they are.
    """
    asked, _, inner = expression.partition("(")
    if inner[:-1] == getattr(_evaluated, "expression", None):
        if asked == "$exists":
            return _evaluated.value is not None
        if asked == "$type":
            return Functions.type(_evaluated.value)
    engine = Jsonata(expression)
    engine.set_output_convert_nulls(False)  # or what is undefined would look like null
    _evaluated.expression, _evaluated.value = expression, engine.evaluate(None)
    return json.loads(json.dumps(Utils.convert_nulls(_evaluated.value)))


def _copied(symbol: Any) -> Any:
    """Copy a symbol, as is done for each token; `copy.copy` takes a tenth of all time here."""
    copy = object.__new__(type(symbol))
    vars(copy).update(vars(symbol))
    return copy


def _millis() -> int:
    return int(_real_millis()) + _clock["skipped"]


class _Lambda:
    """Stands for the client of Lambda."""

    def invoke(self, **parameters: Any) -> dict[str, Any]:
        custom = json.loads(base64.b64decode(parameters["ClientContext"]))["custom"]
        payload = json.loads(parameters["Payload"])
        if "x-leeward-settle" in custom:
            return _settled(parameters["FunctionName"], custom, payload)
        assert int(custom["x-leeward-deadline-ms"]) > 0
        answer = _ask(
            {
                "call": parameters["FunctionName"],
                "key": custom["idempotency-key"],
                "payload": payload,
                "voids": int(custom.get("x-leeward-voids", 0)),
            }
        )
        if parameters["FunctionName"] == "hour":  # takes one
            _clock["skipped"] += 3_600_000
        if "value" in answer:
            return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer["value"]).encode())}
        if answer["error"] == "Call.Timeout":
            # What a function's own time limit looks like; that of the task ends alike.
            body = {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"}
            return _failed(body)
        if "." in answer["error"]:
            raise _service_error(answer["error"])
        return _failed({"errorType": answer["error"], "errorMessage": "", "stackTrace": []})


def _settled(function: str, custom: dict[str, str], question: dict[str, Any]) -> dict[str, Any]:
    """Ask what became of a step, and answer as leeward's handler does."""
    headers = {**custom, "Idempotency-Key": custom["idempotency-key"]}
    told = _ask(question_of(function, headers, question))
    body = json.dumps(document_of(custom["idempotency-key"], told))
    return {"StatusCode": 200, "Payload": io.BytesIO(body.encode())}


def _failed(body: dict[str, Any]) -> dict[str, Any]:
    payload = io.BytesIO(json.dumps(body).encode())
    return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": payload}


def _service_error(name: str) -> Exception:
    from botocore.exceptions import ClientError

    code = {
        "Call.Throttled": "TooManyRequestsException",
        "Call.Refused": "ResourceNotFoundException",
        "Call.Unknown": "ServiceException",
    }[name]
    metadata = {"HTTPStatusCode": 500, "RequestId": "r"}
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata}, "Invoke"
    )


def _sleep(seconds: float) -> None:
    _real_sleep(min(seconds, 0.001))


def _assign(self: Any, env: Any) -> None:
    """Assign as moto does, and hold the values together to the quota, as the real engine does."""
    declarations: dict[str, Any] = {}
    for binding in self.declaration_bindings:
        binding.eval(env=env)
        declarations.update(env.stack.pop())
    if not quotas.is_within_size_quota(declarations):
        raise RuntimeError("States.DataLimitExceeded")
    for name, value in declarations.items():
        env.variable_store.set(variable_identifier=name, variable_value=value)


def _parse_once(definition: str) -> tuple[Any, Any]:
    """Parse a definition as moto does, but its text only once, which takes most of the time.

    What was made to check a machine runs it then; nothing runs twice.
    """
    if definition in _unused:
        return _unused.pop(definition)
    if definition in _trees:
        tree = _trees[definition]
        made = Preprocessor().visit(tree), tree
    else:
        made = _parse(definition)
        _trees[definition] = made[1]
    _unused[definition] = made
    return made


def main() -> None:
    """Run what comes, until the input ends."""
    for word in sys.argv[1:]:
        quotas.MAX_STATE_SIZE_UTF8_BYTES = int(word)
    AmazonStateLanguageParser.parse = staticmethod(_parse_once)
    AssignDecl._eval_body = _assign
    asl_jsonata._eval_jsonata = _evaluate
    Timebox.current_milli_time = _millis
    Parser.Symbol.create = _copied
    lambda_eval_utils.boto_client_for = lambda **_: _Lambda()
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function

    retrier_decl.time = type("time", (), {"sleep": staticmethod(_sleep)})
    wait_function.WaitFunction._wait_interval = lambda *_, **__: None
    config: Any = {"stepfunctions": {"execute_state_machine": True}}
    with mock_aws(config=config):
        client = boto3.client(
            "stepfunctions", REGION, aws_access_key_id="a", aws_secret_access_key="b"
        )
        for number, line in enumerate(sys.stdin):
            _done(_run(client, number, json.loads(line)))


def _run(client: Any, number: int, task: dict[str, Any]) -> dict[str, Any]:
    try:
        machine = client.create_state_machine(
            name=f"m{number}", definition=task["definition"], roleArn=ROLE
        )["stateMachineArn"]
    except client.exceptions.ClientError as error:
        return {"refused": str(error)}
    execution = client.start_execution(
        stateMachineArn=machine, name=task["run"], input=json.dumps(task["input"])
    )["executionArn"]
    running = stepfunctions_parser_backends[ACCOUNT][REGION].describe_execution(execution)
    while running.status == "RUNNING":  # by the client each look would take two milliseconds
        _real_sleep(0.01)
    found = client.describe_execution(executionArn=execution)
    told = {"status": found["status"], "error": found.get("error"), "cause": found.get("cause")}
    if "output" in found:
        told["output"] = _output(found["output"])
    return {"done": told}


def _output(text: str) -> Any:
    """Read an output; moto gives a text without its quotes, which the real engine has."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _done(answer: dict[str, Any]) -> None:
    with _lock:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

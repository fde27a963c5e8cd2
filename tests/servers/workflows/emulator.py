"""Workflows of Google Cloud, on the engine of workflows-emulator; one JSON object a line.

It is kept to what Google's reference says where it does otherwise, in `_mend`; all else is its own:
steps, handlers, retries, subworkflows, loops, and what expressions mean. Run by the Python of
``.servers/engines``.
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import time
from threading import Lock, Thread
from types import SimpleNamespace
from typing import Any

from settling import document_of, question_of
from workflows_emulator import main as engine
from workflows_emulator import render
from workflows_emulator.lib import helpers, http_utils, sys_utils
from workflows_emulator.utils import ContextDict, WorkflowError

ENVIRONMENT = {"GOOGLE_CLOUD_LOCATION": "europe-west1", "GOOGLE_CLOUD_PROJECT_ID": "shop"}
STATUS = {"Call.Throttled": 429, "Call.Refused": 404, "Call.Unknown": 503}
"""What the platform answers; where it answers nothing, there is a tag."""
TAGS = {"Call.NotSent": "ConnectionFailedError", "Call.Timeout": "TimeoutError"}

_lock = Lock()
_clock = {"skipped": 0.0}
_subworkflows: set[int] = set()
"""The ids of the objects that are the subworkflows of the source that runs."""
_hook_of_all = ContextDict._hook.__func__
_null = object()
"""Returned by a workflow that returns null."""


def _ask(question: dict[str, Any]) -> Any:
    with _lock:
        sys.stdout.write(json.dumps(question) + "\n")
        sys.stdout.flush()
        return json.loads(sys.stdin.readline())


def _mend() -> None:
    """Let the engine do what the reference says; each line names what it does otherwise."""
    # It has no tokens for OIDC, so calls are not made but asked for; it waits in real time.
    http_utils.post = _post
    engine.sleep = sys_utils.sleep = _sleep
    sys_utils.now = lambda: time.time() + _clock["skipped"]
    sys_utils.get_env = ENVIRONMENT.get
    # It takes these for variables, false and 0 for null in `default`, and knows no type of a map.
    render.STANDARD_LIBRARY.update({"true": True, "false": False, "null": None})
    render.STANDARD_LIBRARY["default"] = lambda value, other: other if value is None else value
    helpers.TYPE_LOOKUP[ContextDict] = "map"
    # It writes what an expression gives as text, and reads that as YAML: null becomes "None".
    as_text = render.render_str
    render.render_str = lambda value, context: (
        render.run_code(value[2:-1], context)
        if isinstance(value, str) and value.startswith("${") and value.endswith("}")
        else as_text(value, context)
    )
    # It tries further conditions behind the first that holds, and goes on behind a null's return.
    engine.StepSwitch.execute = _switch
    engine.StepReturn.execute = _return
    calling = engine.execute_subworkflow
    engine.execute_subworkflow = lambda *args, **named: _unwrapped(calling(*args, **named))
    # Branches have one set of variables, so here they run one after the other.
    engine.RisingThread.start = _start
    # It copies all variables twice for each expression, and all subworkflows: once those that the
    # expression names is enough. Its `repr` calls itself.
    render.copy = SimpleNamespace(deepcopy=lambda context: context)
    evaluate, assign = render.run_code, engine.assign_var
    engine.run_code = render.run_code = lambda code, context: evaluate(
        code, _named_in(code, context)
    )
    engine.assign_var = lambda name, value, context: assign(name, value, _named_in(name, context))
    ContextDict._hook = classmethod(_hook)
    ContextDict.__repr__ = dict.__repr__


def _named_in(code: str, context: dict[str, Any]) -> dict[str, Any]:
    names = set(re.findall(r"\w+", code))
    return {name: value for name, value in context.items() if name in names}


def _hook(variables: Any, value: Any) -> Any:
    return value if id(value) in _subworkflows else _hook_of_all(variables, value)


def _switch(step: Any) -> Any:
    for case in step.config["switch"]:
        if render.render_config(case["condition"], step.context):
            body = {name: each for name, each in case.items() if name != "condition"}
            return engine.execute_step(step.step_id, body, step.context)
    return step.context, None, None


def _return(step: Any) -> Any:
    value = render.render_config(step.config["return"], step.context)
    return step.context, None, _null if value is None else value


def _unwrapped(value: Any) -> Any:
    return None if value is _null else value


def _start(thread: Any) -> None:
    Thread.start(thread)
    Thread.join(thread)


def _sleep(seconds: float) -> None:
    _clock["skipped"] += seconds


def _post(url: str, headers: dict[str, str], body: Any, timeout: int, auth: Any) -> dict[str, Any]:
    assert auth == {"type": "OIDC"}
    assert 1 <= timeout <= 1800
    function, key = url.rpartition("/")[2], headers["Idempotency-Key"]
    if "x-leeward-settle" in headers:
        told = document_of(key, _ask(question_of(function, headers, body)))
        return {"code": 200, "headers": {"X-Leeward": "1"}, "body": told}
    voids = int(headers.get("x-leeward-voids", 0))
    question = {"call": function, "key": key, "payload": body, "voids": voids}
    answer = _ask(question)
    if question["call"] == "hour":  # takes one
        _sleep(3600)
    if "value" in answer:
        return {"code": 200, "headers": {"X-Leeward": "1"}, "body": answer["value"]}
    raise WorkflowError(**_failure(answer["error"]))


def _failure(name: str) -> dict[str, Any]:
    """Return how an error looks: of the wire, of the platform, or of the function."""
    if name in TAGS:
        return {"message": "", "tags": [TAGS[name]]}
    error = {"message": "", "tags": ["HttpError"], "code": STATUS.get(name, 500)}
    if name in STATUS:
        return {**error, "headers": {}, "body": ""}
    body = {"errorType": "Problem", "reason": name} if name.islower() else {"errorType": name}
    return {**error, "headers": {"X-Leeward": "1"}, "body": body}


def _run(task: dict[str, Any]) -> dict[str, Any]:
    given = {"args": {"run": task["run"], "input": task["input"]}}
    source = json.loads(task["definition"])
    _subworkflows.clear()
    _subworkflows.update(map(id, source.values()))
    try:
        output = engine.execute_workflow(source, given)
    except WorkflowError as raised:
        error = raised.payload
        name = error.get("name", json.dumps(error)) if isinstance(error, dict) else str(error)
        return {"status": "FAILED", "error": name}
    return {"status": "SUCCEEDED", "output": output}


def main() -> None:
    """Run what comes, until the input ends."""
    _mend()
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        # The variables of its loops are context variables, and stay where they were set.
        done = contextvars.Context().run(_run, json.loads(line))
        answer = json.dumps({"done": done})
        with _lock:
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Workflows of Google Cloud, on an interpreter of ours; one JSON object a line.

No public emulator runs nested parallel steps, so this follows the reference of the syntax, and is
strict where that is: a source is held to Google's public JSON schema first, an unknown variable, a
type that does not fit, and a variable of a branch that is not shared are errors. Run by the Python
of ``.servers/engines``, whose package workflows-emulator brings the schema.
"""

from __future__ import annotations

import ast
import json
import operator
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from threading import Lock
from typing import Any

import jsonschema
from settling import document_of, question_of

_lock = Lock()
_SCHEMA = json.loads((files("workflows_emulator") / "workflow-schema.json").read_text())
_clock = {"skipped": 0.0}

MOST_BRANCHES, MOST_AT_ONCE, DEEPEST, MOST_ASSIGNED, MOST_CONDITIONS = 10, 20, 2, 50, 50
ENVIRONMENT = {
    "GOOGLE_CLOUD_LOCATION": "europe-west1",
    "GOOGLE_CLOUD_PROJECT_ID": "shop",
}


class Raised(Exception):
    """An error: a map, or a text."""

    def __init__(self, payload: Any) -> None:
        super().__init__(str(payload))
        self.payload = payload


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Scope:
    """Variables; those of the scopes around are seen, and set only if they may be."""

    def __init__(self, outer: Scope | None = None, shared: frozenset[str] | None = None) -> None:
        self.outer = outer
        self.shared = shared
        self.own: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.own:
                return scope.own[name]
            scope = scope.outer
        raise Raised({"message": f"unknown variable {name}", "tags": ["KeyError"]})

    def has(self, name: str) -> bool:
        return name in self.own or (self.outer is not None and self.outer.has(name))

    def set(self, name: str, value: Any) -> None:
        if name in self.own or self.outer is None or not self.outer.has(name):
            self.own[name] = value
            return
        if self.shared is not None and name not in self.shared:
            raise SyntaxError(f"{name} is set in a branch and not shared")
        self.outer.set(name, value)


def _ask(question: dict[str, Any]) -> Any:
    with _lock:
        sys.stdout.write(json.dumps(question) + "\n")
        sys.stdout.flush()
        return json.loads(sys.stdin.readline())


class Machine:
    """Runs one source."""

    def __init__(self, source: dict[str, Any]) -> None:
        jsonschema.validate(source, _SCHEMA)
        self.source = source
        self.assigning = Lock()

    def call(self, name: str, args: dict[str, Any]) -> Any:
        """Call a subworkflow, with variables of its own."""
        scope = Scope()
        workflow = self.source[name]
        parameters = workflow.get("params", [])
        if set(args) != set(parameters):
            raise SyntaxError(f"{name} takes {parameters}, not {sorted(args)}")
        scope.own.update(args)
        try:
            self.steps(workflow["steps"], scope, 0)
        except _Returned as returned:
            return returned.value
        return None

    def steps(self, steps: list[dict[str, Any]], scope: Scope, depth: int) -> None:
        names = [name for step in steps for name in step]
        if len(set(names)) < len(names):
            raise SyntaxError(f"a step's name is there twice: {names}")
        for step in steps:
            ((_, body),) = step.items()
            self.step(body, scope, depth)

    def step(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        kind = next(
            kind
            for kind in "assign call switch try for parallel raise return steps".split()
            if kind in body
        )
        getattr(self, f"do_{kind}")(body, scope, depth)

    def do_assign(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        assert len(body["assign"]) <= MOST_ASSIGNED
        with self.assigning:
            for one in body["assign"]:
                ((name, value),) = one.items()
                assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name), name
                scope.set(name, self.value(value, scope))

    def do_call(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        args = {name: self.value(each, scope) for name, each in body.get("args", {}).items()}
        name = body["call"]
        if name == "http.post":
            result = _post(args)
        elif name == "sys.sleep":
            result = _sleep(args["seconds"])
        else:
            result = self.call(name, args)
        if "result" in body:
            scope.set(body["result"], result)

    def do_switch(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        assert len(body["switch"]) <= MOST_CONDITIONS
        for case in body["switch"]:
            holds = self.value(case["condition"], scope)
            if type(holds) is not bool:
                raise Raised({"message": "a condition is not a boolean", "tags": ["TypeError"]})
            if holds:
                if "steps" in case:
                    self.steps(case["steps"], scope, depth)
                else:
                    self.step(case, scope, depth)
                return

    def do_try(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        retry = body.get("retry")
        left = retry["max_retries"] if retry else 0
        while True:
            try:
                self.tried(body["try"], scope, depth)
            except Raised as raised:
                if left and self.covers(retry["predicate"], raised.payload):
                    left -= 1
                    continue
                if "except" not in body:
                    raise
                inner = Scope(scope)
                inner.own[body["except"]["as"]] = raised.payload
                self.steps(body["except"]["steps"], inner, depth)
            return

    def tried(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        self.step(body, scope, depth)

    def covers(self, predicate: str, error: Any) -> bool:
        found = re.fullmatch(r"\$\{(\w+)\}", predicate)
        assert found
        return bool(self.call(found[1], {"e": error}))

    def do_for(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        loop = body["for"]
        for index, value in enumerate(self.items(loop, scope)):
            self.steps(loop["steps"], self.element(loop, index, value, Scope(scope)), depth)

    def items(self, loop: dict[str, Any], scope: Scope) -> list[Any]:
        items = self.value(loop["in"], scope)
        if not isinstance(items, list):
            raise Raised({"message": "not a list", "tags": ["TypeError"]})
        return items

    def element(self, loop: dict[str, Any], index: int, value: Any, scope: Scope) -> Scope:
        scope.own[loop["value"]] = value
        if "index" in loop:
            scope.own[loop["index"]] = index
        return scope

    def do_parallel(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        parallel = body["parallel"]
        assert depth < DEEPEST, "parallel steps are nested too deep"
        shared = frozenset(parallel.get("shared", ()))
        for name in shared:
            scope.get(name)
        jobs = []
        if "for" in parallel:
            loop = parallel["for"]
            for index, value in enumerate(self.items(loop, scope)):
                inner = self.element(loop, index, value, Scope(scope, shared))
                jobs.append((loop["steps"], inner))
        else:
            assert len(parallel["branches"]) <= MOST_BRANCHES
            for branch in parallel["branches"]:
                ((_, told),) = branch.items()
                jobs.append((told["steps"], Scope(scope, shared)))
        at_once = min(parallel.get("concurrency_limit", MOST_AT_ONCE), MOST_AT_ONCE)
        with ThreadPoolExecutor(at_once) as pool:
            running = [pool.submit(self.steps, steps, inner, depth + 1) for steps, inner in jobs]
            for each in running:
                each.result()

    def do_raise(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        raise Raised(self.value(body["raise"], scope))

    def do_return(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        assert depth == 0, "return inside parallel"
        raise _Returned(self.value(body["return"], scope))

    def do_steps(self, body: dict[str, Any], scope: Scope, depth: int) -> None:
        self.steps(body["steps"], scope, depth)

    def value(self, value: Any, scope: Scope) -> Any:
        """Return a value of the source, its expressions evaluated."""
        if isinstance(value, dict):
            return {name: self.value(each, scope) for name, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, scope) for each in value]
        if isinstance(value, str) and "${" in value:
            assert value.startswith("${"), value
            assert value.endswith("}"), value
            assert len(value) <= 400
            return _evaluate(ast.parse(value[2:-1], mode="eval").body, scope)
        return value


_COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_KINDS = {
    bool: "boolean",
    int: "integer",
    float: "double",
    str: "string",
    list: "list",
    dict: "map",
    type(None): "null",
}


def _evaluate(node: ast.expr, scope: Scope) -> Any:
    if isinstance(node, ast.Name):
        names = {"true": True, "false": False, "null": None}
        return names[node.id] if node.id in names else scope.get(node.id)
    if isinstance(node, ast.BoolOp):
        # Whether these stop at the first that decides is not said, so all are evaluated.
        values = [_boolean(_evaluate(each, scope)) for each in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    return _compound(node, scope)


def _compound(node: ast.expr, scope: Scope) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Attribute():
            return _field(_evaluate(node.value, scope), node.attr)
        case ast.Subscript():
            return _evaluate(node.value, scope)[_evaluate(node.slice, scope)]
        case ast.UnaryOp(op=ast.Not()):
            return not _boolean(_evaluate(node.operand, scope))
        case ast.BinOp():
            return _arithmetic(node.op, _evaluate(node.left, scope), _evaluate(node.right, scope))
        case ast.Compare():
            right = _evaluate(node.comparators[0], scope)
            return _compare(node.ops[0], _evaluate(node.left, scope), right)
        case ast.Call():
            return _function(ast.unparse(node.func), [_evaluate(each, scope) for each in node.args])
    raise SyntaxError(ast.unparse(node))


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise Raised({"message": "not a boolean", "tags": ["TypeError"]})
    return value


def _field(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise Raised({"message": f"no field {name}", "tags": ["KeyError"]})
    return value[name]


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    if {type(left), type(right)} - {int, float, str} or (
        (type(left) is str) != (type(right) is str)
    ):
        raise Raised({"message": "types do not fit", "tags": ["TypeError"]})
    return {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}[type(op)](
        left, right
    )


def _compare(op: ast.cmpop, left: Any, right: Any) -> bool:
    if isinstance(op, ast.In):
        return left in right
    if isinstance(op, ast.Eq | ast.NotEq):
        same = _plain(left) == _plain(right) and left == right
        return same if isinstance(op, ast.Eq) else not same
    if _plain(left) != _plain(right) or _plain(left) not in ("number", "string"):
        raise Raised({"message": "types do not fit", "tags": ["TypeError"]})
    return bool(_COMPARISONS[type(op)](left, right))


def _plain(value: Any) -> str:
    kind = _KINDS[type(value)]
    return "number" if kind in ("integer", "double") else kind


_PLAIN: dict[str, Any] = {"len": len, "math.max": max, "math.min": min, "string": str}


def _function(name: str, args: list[Any]) -> Any:
    if name == "map.get":
        _field({"map": True} if isinstance(args[0], dict) else {}, "map")
        return args[0].get(args[1])
    if name == "list.concat":
        return [*args[0], args[1]]
    if name == "default":
        return args[1] if args[0] is None else args[0]
    if name == "get_type":
        return _KINDS[type(args[0])]
    if name == "json.encode_to_string":
        return json.dumps(args[0])
    if name in _PLAIN:
        return _PLAIN[name](*args)
    if name == "sys.now":
        return time.time() + _clock["skipped"]
    if name == "sys.get_env":
        return ENVIRONMENT[args[0]]
    raise SyntaxError(name)


def _sleep(seconds: float) -> None:
    _clock["skipped"] += seconds


def _post(args: dict[str, Any]) -> dict[str, Any]:
    assert args["auth"] == {"type": "OIDC"}
    assert 1 <= args["timeout"] <= 1800
    function, headers = args["url"].rpartition("/")[2], args["headers"]
    assert all(type(text) is str for text in headers.values())
    key = headers["Idempotency-Key"]
    marked = {"Content-Type": "application/json", "X-Leeward": "1"}
    if "x-leeward-settle" in headers:
        told = _ask(question_of(function, headers, args["body"]))
        return {"code": 200, "headers": marked, "body": document_of(key, told)}
    voids = int(headers.get("x-leeward-voids", 0))
    answer = _ask({"call": function, "key": key, "payload": args["body"], "voids": voids})
    if function == "hour":  # takes one
        _sleep(3600)
    if "value" in answer:
        return {"code": 200, "headers": marked, "body": answer["value"]}
    raise Raised(_failure(answer["error"]))


def _failure(name: str) -> dict[str, Any]:
    """Return how an error looks: of the wire, of the platform, or of the function."""
    tags = {"Call.NotSent": "ConnectionFailedError", "Call.Timeout": "TimeoutError"}
    if name in tags:
        return {"message": "", "tags": [tags[name]]}
    codes = {"Call.Throttled": 429, "Call.Refused": 404, "Call.Unknown": 503, "Gateway.Full": 413}
    if name in codes:
        return {
            "message": "",
            "tags": ["HttpError"],
            "code": codes[name],
            "headers": {},
            "body": "",
        }
    body = {"errorType": name, "errorMessage": ""}
    if name.islower():  # no class of the tests' is called so
        body |= {"errorType": "Problem", "reason": name}
    headers = {"X-Leeward": "1"}
    return {"message": "", "tags": ["HttpError"], "code": 500, "headers": headers, "body": body}


def _run(task: dict[str, Any]) -> dict[str, Any]:
    machine = Machine(json.loads(task["definition"]))
    try:
        given = {"run": task["run"], "input": task["input"]}
        output = machine.call("main", {"args": given})
    except Raised as raised:
        error = raised.payload
        name = error.get("name", json.dumps(error)) if isinstance(error, dict) else str(error)
        return {"status": "FAILED", "error": name}
    return {"status": "SUCCEEDED", "output": output}


def main() -> None:
    """Run what comes, until the input ends."""
    for line in sys.stdin:
        answer = json.dumps({"done": _run(json.loads(line))})
        with _lock:
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

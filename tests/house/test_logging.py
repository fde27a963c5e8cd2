from __future__ import annotations

import ast

import pytest

from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT

METHODS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print"}
"""Methods of a logger, `warnings.warn`, and `print`."""

CARRIERS = {
    "authorization", "body", "credential", "credentials", "data", "event", "events", "headers",
    "item", "items", "payload", "request", "response", "secret", "token", "value",
}  # fmt: skip
"""Names of what carries content. An id, a size or a class has a name of its own."""


def spilling_in(source: str) -> list[str]:
    """Give the logging calls in `source` that are handed something that carries content."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and _is_logging(node) and _names(node) & CARRIERS
    ]


def _is_logging(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr=name, value=ast.Name(id=owner)):
            return name in METHODS and (owner == "warnings" or "log" in owner.lower())
        case ast.Name(id=name):
            return name in {"print", "warn", "log_event"}
    return False


def _names(call: ast.Call) -> set[str]:
    """Give the names that the arguments mention, but what `len` and `type` are asked of."""
    found: set[str] = set()
    todo: list[ast.AST] = [*call.args, *call.keywords]
    while todo:
        node = todo.pop()
        match node:
            case ast.Call(func=ast.Name(id="len" | "type")):
                continue
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name.lower().lstrip("_"))
        todo += ast.iter_child_nodes(node)
    return found


@pytest.mark.threat("S8")
def test_no_logging_call_is_handed_content() -> None:
    """Ids, sizes, classes and durations only, at every level."""
    wrong = {
        str(path.relative_to(ROOT)): found
        for folder in (
            "src",
            "adapters",
            "extras/backup/src",
            "extras/deploy/src",
            "extras/dev/src",
            "extras/integrations/src",
            "extras/ran/src",
            "examples/plans/src",
        )
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (found := spilling_in(path.read_text(encoding="utf-8")))
    }
    assert wrong == {}


def placeless_in(source: str) -> list[str]:
    """Give the functions in `source` that log the class of an exception without its place."""
    return [
        function.name
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and "failure_facts" not in ast.unparse(function)
        and any(
            isinstance(node, ast.Call)
            and _is_logging(node)
            and any("type(" in ast.unparse(each.value) for each in node.keywords)
            for node in ast.walk(function)
        )
    ]


def test_an_exception_is_logged_with_the_place_that_it_comes_from() -> None:
    """A class alone leaves whoever reads the log without a file and a line to look at."""
    wrong = {
        str(path.relative_to(ROOT)): found
        for folder in ("src", "adapters", "extras/backup/src")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (found := placeless_in(path.read_text(encoding="utf-8")))
    }
    assert wrong == {}
    bare = "def f(error):\n    log_event(LOGGER, 'error', 'x', error=type(error).__name__)\n"
    assert placeless_in(bare) == ["f"]


@each_row(
    "line",
    [
        "logger.info(event)",
        "_LOG.debug('got %s', request.headers)",
        "logging.error(f'{payload!r}')",
        "log.warning('x', extra={'a': self._body})",
        "warnings.warn(str(token), stacklevel=2)",
        "print(response)",
        "log_event('leeward', 'info', 'failed', of=payload)",
    ],
)
def test_the_search_sees_a_spill(line: str) -> None:
    """As an argument, in a text, in `extra`, as an attribute."""
    assert spilling_in(line) == [ast.unparse(ast.parse(line)).strip()]


def test_the_search_lets_sizes_pass() -> None:
    """A length and a class say nothing of the content; a console of one's own is no log."""
    fine = "logger.info('%s %d', type(event), len(payload))\nlogger.debug('%s', call_id)\n"
    assert spilling_in(fine + "self._console.print(item)\nitems.log(1)\nmath.log(value)") == []

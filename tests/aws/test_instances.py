"""What the calls of one instance of Lambda share, and when it is made."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers.aws.direct import DirectLambda
from tests.servers.aws.environment import Environment
from tests.servers.aws.function import Function, Invocation, Kind
from tests.servers.deploying import deploy

APP = """
import os

from leeward import App

app = App("instances")
made = []


@app.warm
def opened():
    made.append(os.getpid())
    return os.getpid()


@app.function()
def look(payload, context):
    return {
        "pid": os.getpid(),
        "opened": opened(),
        "made": made,
        "made_at_load": at_load,
        "cold": context.cold_start,
    }
"""
ENTRY = """
from instances import app, made
import instances

lambda_handler = app.handler("aws")
instances.at_load = list(made)
"""
SMALL = """
import sys

from leeward import App

app = App("small")


@app.function()
def loaded(payload):
    return sorted(sys.modules)


@app.on_event("orders")
def created(event): ...
"""
SECONDS = 60.0
"""For two processes to load an app; they take a tenth of one."""


def code(folder: Path) -> Path:
    """Deploy the app; its entry file notes what there is when it has been loaded."""
    made = deploy(folder / "code", "aws", {"instances.py": APP}, "instances")
    (made / "handler.py").write_text(ENTRY)
    return made


@pytest.mark.parametrize(
    ("kind", "early"),
    [("on-demand", True), ("provisioned-concurrency", True), ("snap-start", False), (None, False)],
)
def test_nothing_is_made_before_a_snapshot(tmp_path: Path, kind: str | None, early: bool) -> None:
    """Every copy would have the same; else it is made while the function loads, before a call."""
    told = {} if kind is None else {"AWS_LAMBDA_INITIALIZATION_TYPE": kind}
    with DirectLambda(code(tmp_path), told) as function:
        for cold in (True, False):
            found = function.invoke(None, function="look").value
            pid = found["pid"]
            assert (found["opened"], found["made"], found["cold"]) == (pid, [pid], cold)
            assert found["made_at_load"] == ([pid] if early else [])


@contextmanager
def workers(folder: Path) -> Iterator[Any]:
    """Start an instance of two workers; give what calls it."""
    variables = {"AWS_LAMBDA_MAX_CONCURRENCY": "2"}
    function = Function(
        "look", "handler.lambda_handler", SECONDS, environment=variables, code=code(folder)
    )
    instance = Environment(function, {})

    def look() -> Any:
        call = Invocation("req", function, "arn", Kind.SYNC, b"null")
        return json.loads(instance.run(call, lambda: None).document)

    try:
        yield look
    finally:
        instance.close()


def test_each_worker_of_an_instance_makes_what_its_own_calls_share(tmp_path: Path) -> None:
    """The runtime forks them, and each loads the app: nothing goes from one to another."""
    found: dict[int, list[bool]] = {}
    deadline = time.monotonic() + SECONDS
    with workers(tmp_path) as look:
        while len(found) < 2 and time.monotonic() < deadline:
            told = look()
            found.setdefault(told["pid"], []).append(told["cold"])
            assert (told["opened"], told["made"]) == (told["pid"], [told["pid"]])
    assert len(found) == 2
    assert all(colds == [True, *[False] * (len(colds) - 1)] for colds in found.values())


def test_a_function_starts_without_what_other_kinds_of_events_need(tmp_path: Path) -> None:
    """Neither events nor dead letters for a call; the first event of a kind loads its own."""
    more = {"leeward.adapter", "leeward.app.dead_letters", "leeward.cloudevents"}
    code = deploy(tmp_path / "code", "aws", {"small.py": SMALL}, "small")
    with DirectLambda(code) as function:
        assert not more & set(function.invoke(1, function="loaded").value)
        assert function.invoke({"a": 1}, function="created").error is None
        assert more & set(function.invoke(1, function="loaded").value)

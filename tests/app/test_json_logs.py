"""Logs as JSON: the schema, what each cloud wants besides, and what no line may have."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from leeward import App, Context
from leeward.app.handlers import answer
from leeward.app.telemetry import JsonFormatter, write_logs_as_json
from leeward.app.triggers import Delivery, LogStyle, Platform
from leeward.logs import log_event
from leeward.testing import FakeClock
from leeward.watching import trace_ids

CANARY = "canary-8e03"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """Collect what loggers of the tests write, read again from JSON."""
    found: list[dict[str, Any]] = []
    formatter = JsonFormatter("shop", LogStyle("timestamp", lambda call: {"own": call.call_id}))

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = formatter.format(record)
            assert "\n" not in text
            found.append(json.loads(text))

    collector = Collector()
    logger = logging.getLogger("leeward")
    logger.addHandler(collector)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield found
    logger.propagate = True
    logger.removeHandler(collector)
    logger.setLevel(logging.NOTSET)


def test_a_line_says_where_it_was_logged(lines: list[dict[str, Any]]) -> None:
    """The call, its trace, whether it is the first; and the facts of leeward's own events."""
    app = App("shop")

    @app.function()
    def handle(given: object, context: Context) -> None:
        context.logger.info("an order of %d lines", 3)
        log_event("leeward.tests", "warning", "happened", count=2, where=None)

    for attempt in (1, None):
        delivery = Delivery(b"{}", "call", "key", 5.0, attempt, TRACE)
        answer(app.handlers["handle"], delivery, Platform("nimbus", "north", FakeClock()))
    first, second, again, _ = lines
    common = {
        "service.name": "shop",
        "faas.name": "handle",
        "faas.invocation_id": "call",
        "cloud.region": "north",
        "trace_id": TRACE[3:35],
        "span_id": TRACE[36:52],
        "own": "call",
    }
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        **common,
        "severity": "INFO",
        "level": "INFO",
        "message": "an order of 3 lines",
        "logger": "leeward.app.handle",
        "faas.coldstart": True,
        "leeward.attempt": 1,
    }
    assert (second["leeward.count"], second["leeward.where"], second["severity"]) == (
        2,
        None,
        "WARNING",
    )
    assert second["message"] == "happened count=2 where=None"
    assert (again["faas.coldstart"], "leeward.attempt" in again) == (False, False)


def test_a_line_has_no_text_of_an_exception(lines: list[dict[str, Any]]) -> None:
    """Its class, and the places in the code; nothing of its causes either."""
    logger = logging.getLogger("leeward.tests")
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise ValueError(CANARY) from error
    except ValueError:
        logger.exception("it failed")
    (line,) = lines
    assert line["exception.type"] == "ValueError"
    assert "test_json_logs.py" in line["exception.stacktrace"][0]
    assert CANARY not in json.dumps(line)


def test_whatever_is_logged_is_a_line(lines: list[dict[str, Any]]) -> None:
    """Arguments that do not fit, values that JSON lacks, line breaks."""
    logger = logging.getLogger("leeward.tests")
    logger.warning("a\nb \u2028")
    logger.warning("x %(a)s", {"a": object()})
    assert lines[0]["message"] == "a\nb \u2028"
    assert lines[1]["leeward.a"] == "<object>"
    assert "faas.name" not in lines[0]
    loop: list[object] = []
    loop.append(loop)
    more = {"order": "42", "lines": [1, {"a": None}], "level": "own", "nan": float("nan")}
    logger.warning("%(a)r", {"a": float("inf")}, extra={**more, "loop": loop, "odd": {(1,): 1}})
    found = {name: lines[2][name] for name in (*more, "extra.level", "loop", "odd", "leeward.a")}
    assert found == {
        "order": "42",
        "lines": [1, {"a": None}],
        "level": "WARNING",
        "extra.level": "own",
        **dict.fromkeys(("nan", "leeward.a"), "<float>"),
        "loop": "<list>",
        "odd": "<dict>",
    }
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "%d", ("y",), None)
    assert json.loads(JsonFormatter("shop", LogStyle()).format(record))["message"] == "%d"


def test_a_traceparent_is_read_or_ignored() -> None:
    """By its own grammar: somebody else has written it."""
    assert trace_ids(TRACE) == (TRACE[3:35], TRACE[36:52], True)
    assert trace_ids(f"{TRACE[:-1]}0-more") == (TRACE[3:35], TRACE[36:52], False)
    for wrong in (None, "", "x", TRACE.upper(), TRACE[:-1], f"{TRACE}x", f"{TRACE}\n"):
        assert trace_ids(wrong) is None


def test_setting_up_keeps_the_platforms_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another formatter; INFO is the least, unless the logger has a level of its own."""
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging, "getLogger", lambda: root)
    write_logs_as_json("shop", LogStyle())
    (handler,) = root.handlers
    assert isinstance(handler.formatter, JsonFormatter)
    assert root.level == logging.INFO
    root.setLevel(logging.ERROR)
    write_logs_as_json("shop", LogStyle())
    assert (root.handlers, root.level) == ([handler], logging.ERROR)

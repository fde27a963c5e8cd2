"""Metrics in CloudWatch's embedded metric format, as a line of the log for each run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leeward import App
from leeward.errors import ConfigError
from leeward.testing import Deployed

CANARY = "canary-8e03"


def shop() -> App:
    app = App("shop")

    @app.function()
    def pay(order: dict[str, Any]) -> None:
        if order.get("fail"):
            raise ValueError(CANARY)

    @app.on_message("parcels")
    def send(parcel: dict[str, Any]) -> None: ...

    return app


def test_each_run_is_a_line_of_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    """Counted and timed, for app and handler; nothing of what came with the call is in it."""
    deployed = Deployed(shop(), "aws", emf="Shop/Orders")
    deployed.call("pay", {CANARY: 1}, idempotency_key=CANARY)
    deployed.call("pay", {"fail": CANARY})
    deployed.message("send", {})
    text = capsys.readouterr().out
    assert CANARY not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(each["service.name"], each["faas.name"]) for each in lines] == [
        ("shop", "pay"),
        ("shop", "pay"),
        ("shop", "send"),
    ]
    counted = [
        (each["faas.invocations"], each["faas.errors"], each["faas.coldstarts"]) for each in lines
    ]
    assert counted == [(1, 0, 1), (0, 1, 0), (1, 0, 0)]
    assert [each.get("error.type") for each in lines] == [None, "ValueError", None]
    for each in lines:
        (told,) = each["_aws"]["CloudWatchMetrics"]
        assert (told["Namespace"], told["Dimensions"]) == (
            "Shop/Orders",
            [["service.name", "faas.name"]],
        )
        assert isinstance(each["_aws"]["Timestamp"], int)
        assert {metric["Name"]: metric["Unit"] for metric in told["Metrics"]} == {
            "faas.invocations": "Count",
            "faas.errors": "Count",
            "faas.coldstarts": "Count",
            "faas.invoke_duration": "Seconds",
        }
        assert all(0 <= each[metric["Name"]] < 60 for metric in told["Metrics"])


def test_without_a_namespace_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    """And one that CloudWatch does not take is refused when the handler is made."""
    Deployed(shop(), "aws").call("pay", {})
    assert capsys.readouterr().out == ""
    for name in ("", "a b", "x" * 257):
        with pytest.raises(ConfigError, match="namespace of the metrics"):
            shop().handler("aws", emf=name)

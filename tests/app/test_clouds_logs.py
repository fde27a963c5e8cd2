"""Logs as JSON behind each cloud's own runtime: a line for each record, with the cloud's names."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers.aws.direct import DirectLambda
from tests.servers.azure.worker_process import FunctionsWorker
from tests.servers.deploying import deploy
from tests.servers.google.framework import FunctionsFramework
from tests.servers.installed import NotInstalled, executable

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
APP = """
from leeward import App, Context

app = App("logs", json_logs=True)


@app.on_message("parcels")
def send(parcel: dict, context: Context) -> None:
    context.logger.info("a parcel")
    try:
        raise ValueError("canary-8e03")
    except ValueError:
        context.logger.exception("lost")
"""


def lines_of(log: str) -> list[dict[str, Any]]:
    """Read the lines that are JSON of leeward's."""
    every = [json.loads(line) for line in log.splitlines() if line.startswith('{"severity"')]
    found = [each for each in every if each["logger"] == "leeward.app.send"]
    assert "canary-8e03" not in log
    assert [each["message"] for each in found] == ["a parcel", "lost"]
    return found


def code(folder: Path, provider: str) -> Path:
    """Write what is deployed."""
    return deploy(folder / "code", provider, {"logs.py": APP}, "logs")


def test_on_lambda(tmp_path: Path) -> None:
    """With ``timestamp`` and ``requestId``."""
    record = {
        "messageId": "m",
        "body": "{}",
        "eventSource": "aws:sqs",
        "eventSourceARN": "x:parcels",
    }
    record["messageAttributes"] = {"traceparent": {"stringValue": TRACE}}  # type: ignore[assignment]
    with DirectLambda(code(tmp_path, "aws")) as opened:
        assert opened.invoke({"Records": [record]}).value == {"batchItemFailures": []}
        first, _ = lines_of(opened.stop())
    assert (first["requestId"], first["trace_id"]) == ("req-1/m", TRACE[3:35])
    assert first["timestamp"].endswith("Z")


def test_on_cloud_run(tmp_path: Path) -> None:
    """With the names of Cloud Logging; the trace has the project in it."""
    environment = {"GOOGLE_CLOUD_PROJECT": "demo"}
    with FunctionsFramework(code(tmp_path, "google"), environment=environment) as opened:
        with closing(http.client.HTTPConnection(*opened.address, timeout=30)) as wire:
            wire.request("POST", "/send", b"{}", {"traceparent": TRACE})
            assert wire.getresponse().status == 204
        first, _ = lines_of(opened.log())
    names = "logging.googleapis.com/"
    assert first[f"{names}trace"] == f"projects/demo/traces/{TRACE[3:35]}"
    assert (first[f"{names}spanId"], first[f"{names}trace_sampled"]) == (TRACE[36:52], True)
    assert first[f"{names}labels"] == {"execution_id": first["faas.invocation_id"]}


@pytest.mark.vendors
def test_on_azure(tmp_path: Path) -> None:
    """The worker passes the text on; the ids are those of Application Insights."""
    try:
        executable("azure-functions-runtime", "python")
    except NotInstalled:
        pytest.skip("Microsoft's own worker needs Python 3.13")
    with FunctionsWorker(code(tmp_path, "azure"), {}, runtime=True) as worker:
        function, _ = worker.functions()  # beside it, the one for health
        worker.by_queue(function, b"{}", {"Id": "m", "DequeueCount": "1"}, trace=TRACE)
        first, _ = lines_of(worker.log())
    assert (first["operation_Id"], first["InvocationId"]) == (
        TRACE[3:35],
        first["faas.invocation_id"],
    )

"""An instance of Azure Functions that was started before it had an app: a placeholder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.servers.answering import Executed
from tests.servers.azure.worker_process import FunctionsWorker, Route
from tests.servers.deploying import deploy
from tests.servers.installed import NotInstalled, executable

APP = """
import os

from leeward import App, Client

app = App("instances")


@app.warm
def cloud():
    return Client(app=app)


@app.function()
def look(payload, context):
    return {
        "targets": [each.name for each in cloud().targets()],
        "variables": {each: os.environ.get(each) for each in ("PLACEHOLDER", "OWN")},
        "region": context.region,
        "is_limited": 5 < context.remaining() <= 20,
        "cold": context.cold_start,
    }
"""


def test_a_placeholder_becomes_the_app_with_its_own_settings(tmp_path: Path) -> None:
    """Variables, region, time limit and configuration are the app's: none was read too early."""
    try:
        executable("azure-functions-runtime", "python")
    except NotInstalled:
        pytest.skip("Microsoft's own worker needs Python 3.13")
    code = deploy(tmp_path / "code", "azure", {"instances.py": APP}, "instances")
    (code / "host.json").write_text('{"version": "2.0", "functionTimeout": "00:00:20"}')
    (code / "leeward.toml").write_text('cloud_provider = "local:a,local:b"\n')
    before = {"PLACEHOLDER": "1", "REGION_NAME": "nowhere"}
    after = {"OWN": "1", "REGION_NAME": "westeurope"}
    with FunctionsWorker(code, before, runtime=True, specialised=after) as worker:
        (function,) = (each for each in worker.functions() if each.name == "look")
        request = Executed("POST", "/api/look", (), b"null")
        told = []
        for _ in range(2):
            answer = worker.by_http(function, request, "https://x/api/look", Route({}, {}))
            assert answer.status == 200, answer.body
            told.append(json.loads(answer.body))
    first, second = told
    assert (first.pop("cold"), second.pop("cold")) == (True, False)
    assert first == second
    assert first == {
        "targets": ["local:a", "local:b"],
        "variables": {"PLACEHOLDER": None, "OWN": "1"},
        "region": "westeurope",
        "is_limited": True,
    }

"""``leeward edge``: from a file of rules to what a cloud takes; nothing is asked or deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Leeward

RULES = """
[[rules]]
name = "closed"
path = "/admin/*"
deny = true

[[rules]]
name = "german"
path = "/hello"
countries = ["DE"]
redirect = "/hallo"
set_request_headers = {}

[[rules]]
name = "api"
path = "/v1/*"
rewrite = "/api/*"
set_request_headers = { X-Version = "1" }
remove_response_headers = []
"""


@pytest.fixture
def rules(bare: Path) -> str:
    """Give a file of rules."""
    (bare / "edge.toml").write_text(RULES)
    return "edge.toml"


def shown(leeward: Leeward, *args: str, code: int = 0) -> Any:
    """Return the JSON that a command writes."""
    ran = leeward(*args, "--json")
    assert ran.code == code, ran.err
    return json.loads(ran.out if code == 0 else ran.err)


def test_check_says_which_edge_can_take_the_rules(leeward: Leeward, rules: str) -> None:
    """And why another cannot; it is no failure of the file."""
    found = {each["edge"]: each for each in shown(leeward, "edge", "check", rules)["edges"]}
    assert {name: each["ok"] for name, each in found.items()} == {
        "aws": True,
        "azure": True,
        "google": False,
    }
    assert "'german'" in found["google"]["why"]
    assert "google" in leeward("edge", "check", rules).out


def test_check_shows_what_becomes_of_a_request(leeward: Leeward, rules: str) -> None:
    """By the path, with its query, and the country."""
    command = ("edge", "check", rules, "--path")
    assert shown(leeward, *command, "/hello?a=1", "--country", "DE")["location"] == "/hallo?a=1"
    assert shown(leeward, *command, "/hello")["rule"] == ""
    assert shown(leeward, *command, "/admin/x")["status"] == 403
    text = leeward(*command, "/v1/7").out
    assert "/api/7" in text
    assert "X-Version: 1" in text
    assert shown(leeward, *command, "v1", code=2)["error"]["type"] == "InvalidRequest"


def test_export_writes_files_and_shows_commands(leeward: Leeward, rules: str) -> None:
    """Into the folder that is named."""
    data = shown(leeward, "edge", "export", rules, "--to", "aws", "--out", "deploy")
    assert data["files"] == ["deploy/edge.viewer-request.js"]
    assert "handler(event)" in Path(data["files"][0]).read_text()
    assert data["commands"][0]["text"].startswith("aws cloudfront create-function")
    refused = shown(leeward, "edge", "export", rules, "--to", "google", code=2)
    assert "'german'" in refused["error"]["message"]
    unknown = shown(leeward, "edge", "export", rules, "--to", "nimbus", code=2)
    assert "aws, azure, google" in unknown["error"]["message"]

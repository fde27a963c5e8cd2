"""The page on the edge says what the rules mean, and what the commands take."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leeward.cli.app import app
from leeward_deploy.edge.rules import KEYS, Request, answer_of, rules_of
from tests.docs.test_pages import DOCS, blocks, table

PAGE = DOCS / "edge.md"


def test_the_requests_of_the_page_become_what_it_says() -> None:
    """By the rules that stand there."""
    (text,) = blocks(PAGE, "toml")
    rules = rules_of(tomllib.loads(text))
    for path, country, told in table("edge.md", "path | country | result"):
        plain, _, query = path.strip("`").partition("?")
        answer = answer_of(rules, Request(plain, query, country if len(country) == 2 else ""))
        parts = (str(answer.status or ""), answer.location or answer.path)
        assert " ".join(part for part in parts if part) == told.replace("`", "")


def test_the_page_names_every_key() -> None:
    """And no other."""
    rows = table("edge.md", "key | meaning")
    told = {
        word for row in rows for word in row[0].replace("`", "").replace(" = true", "").split(", ")
    }
    assert told == set(KEYS)


def test_the_commands_of_the_page_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As they stand there."""
    monkeypatch.chdir(tmp_path)
    (rules,) = blocks(PAGE, "toml")
    Path("edge.toml").write_text(rules)
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    assert len(lines) == 5
    for line in lines:
        ran = CliRunner().invoke(app, shlex.split(line)[1:])
        assert ran.exit_code == 0, ran.stderr
    assert {path.name for path in Path("deploy").iterdir()} == {
        "edge.viewer-request.js",
        "edge.viewer-response.js",
        "edge.azure.json",
        "edge.google.json",
        "modules",
    }

"""Logs of Azure Functions in a workspace: what is asked of Log Analytics, and its answers.

No stand-in has Log Analytics: the answers here are those that its reference documents.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from leeward.adapter import TargetConfig
from leeward.calls.looks import LogLine, LogPage, ReadLogs
from leeward.errors import ConfigError, Outcome
from leeward_azure.functions.logs import logs
from leeward_azure.identity.credentials import Bearer
from leeward_azure.settings.options import settings_from
from leeward_azure.settings.services import Logs
from leeward_contract_tests.rows import each_row
from tests.azure.playing import answer, headers_of, play

WORKSPACE = Logs("https://api.loganalytics.io", "0b5e")
CALL = ReadLogs('char"ge', 1_800_000_000.0, 1_800_000_600.0, most=2)
COLUMNS = [
    {"name": name, "type": kind}
    for name, kind in (
        ("TimeGenerated", "datetime"),
        ("_ItemId", "string"),
        ("SeverityLevel", "int"),
        ("Text", "string"),
    )
]


def page(*rows: list[Any]) -> Any:
    """Return the body of an answer."""
    return {"tables": [{"name": "PrimaryResult", "columns": COLUMNS, "rows": list(rows)}]}


def read(call: ReadLogs, *answers: Any) -> Any:
    """Play the plan, with a token."""
    return play(logs(WORKSPACE)["read_logs"], call, *answers, credential=Bearer("token"))


def test_traces_and_exceptions_of_one_function_are_asked_for() -> None:
    """Its name is a text of Kusto's, whatever stands in it."""
    rows = [
        ["2027-01-15T08:00:01.25Z", "a", 1, "hello"],
        ["2027-01-15T08:00:02Z", "b", 3, "ValueError: no\n[]"],
    ]
    played = read(CALL, answer(page(*rows)))
    assert played.result.value == LogPage(
        (
            LogLine("a", 1_800_000_001.25, "hello", "INFO"),
            LogLine("b", 1_800_000_002.0, "ValueError: no\n[]", "ERROR"),
        ),
        "1800000002.0",
    )
    (sent,) = played.sent
    assert sent.origin + sent.target == "https://api.loganalytics.io/v1/workspaces/0b5e/query"
    assert headers_of(sent)["authorization"] == "Bearer token"
    query = json.loads(sent.body)["query"]
    assert 'OperationName =~ "char\\"ge"\n' in query
    assert "TimeGenerated >= datetime(2027-01-15T08:00:00.000000Z)" in query
    assert "| take 2" in query


def test_the_next_page_begins_at_the_last_line() -> None:
    """There is no token for it; a page that is not full is the last one."""
    played = read(CALL._replace(errors=True, cursor="1800000002.5"), answer(page()))
    assert played.result.value == LogPage(())
    query = json.loads(played.sent[0].body)["query"]
    assert "datetime(2027-01-15T08:00:02.500000Z)" in query
    assert "and SeverityLevel >= 3" in query


@each_row(
    "status, code, outcome",
    [
        (404, "WorkspaceNotFoundError", Outcome.NOT_FOUND),
        (403, "InsufficientAccessError", Outcome.AUTH),
        (400, "BadArgumentError", Outcome.CALLER),
        (429, "ThrottledError", Outcome.REJECTED),
    ],
)
def test_a_refusal_says_what_to_do(status: int, code: str, outcome: Outcome) -> None:
    """By its status, and the code in the body."""
    result = read(CALL, answer({"error": {"code": code, "message": "no"}}, status)).result
    assert (result.outcome, result.code) == (outcome, code)


def test_the_workspace_is_a_setting() -> None:
    """In a sovereign cloud that one's Log Analytics is asked."""

    def settings(**options: Any) -> Any:
        return settings_from(TargetConfig("azure", "azure", None, options, {}))

    common = {"function_url": "https://shop.azurewebsites.net", "function_key": "k"}
    assert settings(**common).logs is None
    assert settings(**common, log_workspace_id="0b5e").logs == WORKSPACE
    china = {"authority_host": "login.chinacloudapi.cn", "log_workspace_id": "0b5e"}
    assert settings(**common, **china).logs.origin == "https://api.loganalytics.azure.cn"
    with pytest.raises(ConfigError, match="log_workspace_id"):
        settings(**common, log_workspace_id="https://x")

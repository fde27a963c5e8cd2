"""Logs of functions in Cloud Logging: what is asked, and its answers.

No stand-in has Cloud Logging: the answers here are those that its reference documents.
"""

from __future__ import annotations

import json
from typing import Any

from leeward.calls.looks import LogLine, LogPage, ReadLogs
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_google.functions.logs import logs
from tests.google.playing import answer, play, refusal

CALL = ReadLogs('char"ge', 1_800_000_000.0, 1_800_000_600.0)


def read(call: ReadLogs, *answers: Any) -> Any:
    """Play the plan."""
    return play(logs("https://logging.googleapis.com", "shop-1")["read_logs"], call, *answers)


def test_both_generations_of_a_function_are_asked_for() -> None:
    """Its name is a text of the query language's, whatever stands in it."""
    entries: list[dict[str, Any]] = [
        {
            "insertId": "a",
            "timestamp": "2027-01-15T08:00:01.123456789Z",
            "severity": "ERROR",
            "jsonPayload": {"message": "no", "leeward.at": "shop.py:1 f"},
        },
        {"insertId": "b", "timestamp": "2027-01-15T08:00:02Z", "textPayload": "hello"},
        {
            "insertId": "c",
            "timestamp": "2027-01-15T08:00:02.5Z",
            "severity": "DEFAULT",
            "textPayload": "x",
        },
    ]
    played = read(CALL, answer({"entries": entries, "nextPageToken": "t"}))
    lines = played.result.value.lines
    assert [(line.id, line.level) for line in lines] == [("a", "ERROR"), ("b", ""), ("c", "")]
    assert [line.time for line in lines] == [1_800_000_001.123456, 1_800_000_002, 1_800_000_002.5]
    assert json.loads(lines[0].text) == entries[0]["jsonPayload"]
    assert played.result.value.cursor == "t"
    (sent,) = played.sent
    assert sent.origin + sent.target == "https://logging.googleapis.com/v2/entries:list"
    body = json.loads(sent.body)
    assert body["resourceNames"] == ["projects/shop-1"]
    assert body["orderBy"] == "timestamp asc"
    assert body["filter"] == (
        'timestamp>="2027-01-15T08:00:00.000000Z" AND timestamp<"2027-01-15T08:10:00.000000Z" AND '
        '((resource.type="cloud_run_revision" AND resource.labels.service_name="char\\"ge") OR '
        '(resource.type="cloud_function" AND resource.labels.function_name="char\\"ge"))'
    )


def test_a_page_goes_on_where_the_last_one_ended() -> None:
    """And nobody has to read through what is no error."""
    played = read(CALL._replace(cursor="t", errors=True), answer({}))
    assert played.result.value == LogPage(())
    body = json.loads(played.sent[0].body)
    assert body["pageToken"] == "t"
    assert body["filter"].endswith(" AND severity>=ERROR")


def test_an_entry_without_text_is_the_request() -> None:
    """As Cloud Run writes one for each request."""
    entry = {"insertId": "a", "timestamp": "2027-01-15T08:00:02Z", "httpRequest": {"status": 200}}
    value = read(CALL, answer({"entries": [entry]})).result.value
    assert value.lines == (LogLine("a", 1_800_000_002.0, '{"status":200}'),)


@each_row(
    "status, word, outcome",
    [(403, "PERMISSION_DENIED", Outcome.AUTH), (429, "RESOURCE_EXHAUSTED", Outcome.REJECTED)],
)
def test_a_refusal_says_what_to_do(status: int, word: str, outcome: Outcome) -> None:
    """As of any other API of Google's."""
    assert read(CALL, refusal(word, status)).result.outcome is outcome

"""What the runner and the server of the index measure, on clients whose behaviour is known."""

from __future__ import annotations

import json
import struct
import sys
from io import BytesIO
from typing import Any

import pytest

from index import __main__ as runner
from index import page
from index.server import WAYS, Authority
from index.stores import PROTOCOLS, _bson
from leeward_ran import doubts

LOST = [way for way in WAYS if way != "refused"]

ONCE = """
import json, urllib.request
body = json.dumps({"amount": 1}).encode()
json.load(urllib.request.urlopen("http://bank.example/charges", body, 30))
"""

AGAIN = """
import http.client, json, time, urllib.request
for left in (2, 1, 0):
    headers = {"Idempotency-Key": KEY}
    request = urllib.request.Request("https://bank.example/charges", b"{}", headers)
    try:
        json.load(urllib.request.urlopen(request, timeout=600))
        break
    except (OSError, http.client.HTTPException):
        if not left:
            raise
        time.sleep(3600)
"""

PATIENT = ONCE.replace(", 30", "")


def _sdk(program: str, **row: Any) -> runner.Sdk:
    authority = Authority() if "https:" in program else None
    row |= {"program": program, "package": "pytest", "kind": "fake"}
    return runner.Sdk("fake", row, sys.executable, authority)


def _run(program: str, way: str, plan: str = "all") -> dict[str, Any]:
    return runner.run_once(_sdk(program), way, plan)


@pytest.mark.parametrize("way", LOST)
def test_a_client_that_calls_once_has_one_effect(way: str) -> None:
    """Its exception is what the program got, and nothing is proved of a call that was done."""
    found = _run(ONCE, way)
    assert (found["tries"], found["effects"], found["key"]) == (1, 1, "")
    assert found["raised"]
    assert found["ran"] == "maybe"


def test_where_nobody_listens_nothing_is_done() -> None:
    """A client is refused each time that it looks the name up."""
    found = _run(AGAIN.replace("KEY", "'1'"), "refused")
    assert (found["tries"], found["done"], found["effects"]) == (3, 0, 0)
    assert found["raised"] == "urllib.error.URLError"


def test_without_a_loss_the_program_ends_well() -> None:
    """By TLS, with a certificate for the name that it asks for."""
    found = _run(AGAIN.replace("KEY", "'1'"), "")
    assert (found["tries"], found["raised"]) == (1, "")


@pytest.mark.parametrize(
    ("key", "effects", "shown"),
    [
        ("'1'", 1, "idempotency-key"),
        ("str(left)", 3, "idempotency-key (another for each try)"),
    ],
)
def test_tries_with_the_same_key_are_one_effect(key: str, effects: int, shown: str) -> None:
    """With another key for each try they are several; waits of an hour pass at once."""
    found = _run(AGAIN.replace("KEY", key), "reset")
    assert (found["tries"], found["effects"], found["key"]) == (3, effects, shown)


def test_only_the_first_answers_are_lost() -> None:
    """As many as are asked for, so the second try ends well."""
    found = _run(AGAIN.replace("KEY", "str(left)"), "cut", "once")
    assert (found["tries"], found["effects"], found["raised"]) == (2, 2, "")


@pytest.mark.parametrize("way", LOST)
def test_a_call_may_be_done_and_then_nobody_listens(way: str) -> None:
    """The last failure is a refused connection, whatever became of the first call."""
    found = _run(AGAIN.replace("KEY", "str(left)"), way, "gone")
    assert (found["tries"], found["raised"]) == (1, "urllib.error.URLError")


def test_a_time_limit_is_known_and_not_waited_for() -> None:
    """It is written down as it was set."""
    found = _run(AGAIN.replace("KEY", "'1'"), "silence")
    assert (found["tries"], found["limit"]) == (3, 600)


def test_a_client_without_a_time_limit_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended some time after its call, and its row says so."""
    monkeypatch.setattr(runner, "PATIENCE", 1)
    found = _run(PATIENT, "silence")
    assert (found["raised"], found["effects"]) == ("never returns", 1)


def test_requests_without_an_effect_are_answered() -> None:
    """Logins and reads get their answer, are not counted, and are not lost."""
    login = "import urllib.request as u; u.urlopen('http://bank.example/login', b'{}', 30).read()"
    sdk = _sdk(login, others={"POST /login": '{"token": "1"}'})
    found = runner.run_once(sdk, "reset", "all")
    assert (found["done"], found["raised"]) == (0, "")


def test_a_program_that_fails_by_itself_is_not_measured() -> None:
    """A row with a mistake shows by its program's exception when nothing is lost."""
    with pytest.raises(RuntimeError, match="nothing was lost, and yet"):
        runner.measure(_sdk("1 / 0"))


INSERT = bytes(5) + _bson({"insert": "c"}) + b"\x12txnNumber\0\7" + bytes(7)
COMMANDS = {
    "redis": b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n",
    "postgres": struct.pack("!ii", 9, 196608) + b"\0Q\0\0\0\x0bCOMMIT\0",
    "mongo": struct.pack("<4i", len(INSERT) + 16, 1, 0, 2013) + INSERT,
}


@pytest.mark.parametrize("protocol", COMMANDS)
def test_a_write_of_a_store_is_an_effect(protocol: str) -> None:
    """The last command is one, and MongoDB's has a key."""
    steps = [*PROTOCOLS[protocol](BytesIO(COMMANDS[protocol]))]
    assert steps[-1][1] == ("txnNumber: 0700000000000000" if protocol == "mongo" else "")
    assert all(key is None for _, key in steps[:-1])


def test_a_row_has_all_ways() -> None:
    """With all answers lost, and with one where the call is sent again."""
    result = runner.measure(_sdk(AGAIN.replace("KEY", "str(left)")))
    assert [*result["runs"]] == [
        "refused",
        *(way + plan for way in LOST for plan in ("", ", once", ", gone")),
    ]
    assert page.is_double(result["runs"])


def test_the_page_has_what_was_measured() -> None:
    """``make docs`` writes its tables."""
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.write_tables(text, runner.read_results()) == text


def test_ran_explains_itself_by_what_was_measured() -> None:
    """``make docs`` writes its file; its answers do not depend on it."""
    assert json.loads(page.HABITS.read_text("utf-8")) == page.habits_of(
        runner.read_results(), runner.read_table()
    )


def test_code_that_calls_once_is_believed_where_it_was_read() -> None:
    """Where nobody listens the answer is no; where a call was done before, it is not."""
    rows = {name for name, row in runner.read_sdks().items() if "once" in row}
    results = {name: runner.read_results()[name]["runs"] for name in rows}
    assert {name: runs["refused"]["ran"] for name, runs in results.items()} == dict.fromkeys(
        rows, "no"
    )
    done = [run for runs in results.values() for run in runs.values() if run["effects"]]
    assert {run["ran"] for run in done} <= {"maybe", ""}


@pytest.mark.parametrize("name", ["Pusher.trigger_batch", "Pusher.trigger"])
def test_other_code_of_its_distribution_is_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that nobody has read may send several requests."""
    monkeypatch.setattr(doubts, "_habits", lambda: {"pusher": runner.read_sdks()["pusher"]})
    assert doubts._calls_once("pusher", f"pusher.pusher:{name}") is (name == "Pusher.trigger")
    assert not doubts._calls_once("pusher", "")


def test_every_row_is_measured_and_every_result_has_a_row() -> None:
    """At least forty of them."""
    assert {*runner.read_results()} == {*runner.read_sdks()}
    assert len(runner.read_results()) >= 40


def test_ran_was_never_wrong() -> None:
    """It says no only where nothing was done, and yes only where something was."""
    wrong = [
        (name, way)
        for name, result in runner.read_results().items()
        for way, run in result["runs"].items()
        if (run["ran"] == "no" and run["effects"]) or (run["ran"] == "yes" and not run["effects"])
    ]
    assert wrong == []

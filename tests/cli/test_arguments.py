from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Leeward
from tests.cli.provider import Script

Scripting = Callable[..., Script]


def test_json_comes_from_a_file(leeward: Leeward, scripted: Scripting, bare: Path) -> None:
    """``@order.json`` is what stands in that file, a byte order mark or not."""
    (bare / "order.json").write_text('{"id": "ü"}', encoding="utf-8-sig")
    script = scripted()
    assert leeward("invoke", "f", "@order.json").code == 0
    assert script.call.payload == '{"id":"ü"}'.encode()


def test_json_comes_from_the_standard_input(leeward: Leeward, scripted: Scripting) -> None:
    """``-`` is what is piped in."""
    script = scripted()
    assert leeward("invoke", "f", "-", stdin="[1, 2]\n").code == 0
    assert script.call.payload == b"[1,2]"


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("invoke", "f", "hello"), "PAYLOAD is not JSON: Expecting value at line 1, column 1"),
        (("invoke", "f", '{"a": NaN}'), "PAYLOAD is not JSON: NaN is not JSON"),
        (("invoke", "f", "["), "PAYLOAD is not JSON"),
        (("invoke", "f", "[" * 100_000), "PAYLOAD is not JSON: nested too deep"),
        (("invoke", "f", "@latin.json"), "PAYLOAD is not JSON: not UTF-8"),
        (("invoke", "f", "@absent.json"), "PAYLOAD names the file 'absent.json'"),
        (("publish", "b", "t", "{"), "DATA is not JSON"),
        (("publish", "b", '{"a": 1}'), "the type stands before the data"),
        (("publish", "b", "@data.json"), "the type stands before the data"),
        (("publish", "b", "t", "--time", "soon"), "--time is not an ISO 8601 time; write it like"),
        (
            ("publish", "b", "t", "--time", "2026-01-31T12:00:00"),
            "--time has no time zone; write it",
        ),
        (("store", "t", "[]"), "ITEM must be a JSON object"),
        (("store", "t", '{"id": "1", "b": {"$bytes": "?"}}'), "ITEM cannot be read: $bytes"),
        (("load", "t", "a=1", "b"), "KEY has several words, and one of them is not field=value"),
        (("load", "t", "{1}"), "KEY is not JSON"),
        (("load", "t", "a=1", "b=2"), "key must have exactly the fields ['id']"),
        (("invoke", "f", "--timeout", "0"), "timeout is out of range"),
        (("invoke", "f", "--timeout", "soon"), "'soon' is not a number of seconds; write it"),
        (
            ("store", "t", '{"id": "1"}', "--expires-in", "x"),
            "'x' is not a number of seconds; write",
        ),
        (("invoke", "f", "--effect", "harmless"), "'harmless'; it must be one of read_only, idem"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(
    leeward: Leeward, scripted: Scripting, bare: Path, args: tuple[str, ...], complaint: str
) -> None:
    """It ends with 2 and says what is wrong; the target hears nothing."""
    (bare / "latin.json").write_bytes(b'"\xfc"')
    script = scripted()
    done = leeward(*args)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert script.driver is None or not script.driver.calls


def test_what_is_not_json_is_not_repeated(leeward: Leeward) -> None:
    """A payload may be a secret: the message names the place, not the text."""
    assert "hunter2" not in leeward("invoke", "f", '{"password": "hunter2"').err

"""No text that a caller hands in can break a header, a log line or a terminal.

Control characters, line separators and lone surrogates are refused in names, ids, idempotency keys,
revisions and the attributes of events. The values of an item's key are data: they travel in bodies
as JSON, or escaped (`leeward._items.names`), and in no message; there only a lone surrogate is
refused, which no store can keep.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leeward import Client, Config, ConfigError, Event, InvalidRequest, LeewardError
from leeward.calls import Delete, Load, Store
from leeward.config import TableConfig, load_config
from leeward.text import is_printable
from leeward_contract_tests.rows import each_row
from tests.scripted import APP_ERROR, Scripted

pytestmark = pytest.mark.threat("S9")

WORST = ["\r\nX-Evil: 1", "\n", "\0", "\x1b[2J", "\x7f", "\x85", "\x9b31m", "\u2028", "\u2029"]
CONTROL = st.sampled_from(
    [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]
)
SURROGATE = st.integers(0xD800, 0xDFFF).map(chr)
AROUND = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8)

Put = Callable[[Client, Any], object]

DOORS: dict[str, Put] = {
    "invoke function": lambda c, text: c.invoke(text),
    "invoke effect": lambda c, text: c.invoke("f", effect=text),
    "invoke idempotency_key": lambda c, text: c.invoke("f", idempotency_key=text),
    "enqueue function": lambda c, text: c.enqueue(text),
    "enqueue effect": lambda c, text: c.enqueue("f", effect=text),
    "enqueue idempotency_key": lambda c, text: c.enqueue("f", idempotency_key=text),
    "publish_event bus": lambda c, text: c.publish_event(text, "t"),
    "publish_event type": lambda c, text: c.publish_event("b", text),
    "publish_event subject": lambda c, text: c.publish_event("b", "t", subject=text),
    "publish_event id": lambda c, text: c.publish_event("b", "t", id=text),
    "publish_event ordering_key": lambda c, text: c.publish_event("b", "t", ordering_key=text),
    "publish_events bus": lambda c, text: c.publish_events(text, [Event("t")]),
    "event type": lambda c, text: c.publish_events("b", [Event(text)]),
    "event id": lambda c, text: c.publish_events("b", [Event("t", id=text)]),
    "event source": lambda c, text: c.publish_events("b", [Event("t", source=text)]),
    "event subject": lambda c, text: c.publish_events("b", [Event("t", subject=text)]),
    "event ordering_key": lambda c, text: c.publish_events("b", [Event("t", ordering_key=text)]),
    "extension": lambda c, text: c.publish_events("b", [Event("t", extensions={"a": text})]),
    "extension name": lambda c, text: c.publish_events("b", [Event("t", extensions={text: "a"})]),
    "store_data table": lambda c, text: c.store_data(text, {"id": "1"}),
    "store_data if_revision": lambda c, text: c.store_data("t", {"id": "1"}, if_revision=text),
    "load_data table": lambda c, text: c.load_data(text, "1"),
    "delete_data table": lambda c, text: c.delete_data(text, "1"),
    "delete_data if_revision": lambda c, text: c.delete_data("t", "1", if_revision=text),
}
"""Every argument of every door that is a name, an id, or an attribute."""

KEYS: dict[str, Put] = {
    "store_data item": lambda c, text: c.store_data("t", {"id": text}),
    "load_data key": lambda c, text: c.load_data("t", text),
    "load_data key in a mapping": lambda c, text: c.load_data("t", {"id": text}),
    "delete_data key": lambda c, text: c.delete_data("t", text),
    "a pair's second": lambda c, text: c.load_data("pairs", {"a": "1", "b": text}),
}
CONFIG = Config(tables={"pairs": TableConfig(key=("a", "b"))})


def _client(driver: Scripted) -> Client:
    return Client(driver, config=CONFIG)


def _refused(put: Put, text: str) -> None:
    """Check that `text` is refused before any I/O, with a message that is one harmless line."""
    driver = Scripted("fake")
    with _client(driver) as client, pytest.raises(InvalidRequest) as caught:
        put(client, text)
    assert driver.calls == []
    assert is_printable(str(caught.value))
    assert is_printable(caught.value.field or "")


@each_row("put", DOORS)
def test_the_worst_is_refused_at_every_door(put: Put) -> None:
    """A header, a NUL, a terminal's escape, at the beginning, inside and at the end."""
    for bad in WORST:
        for text in (bad, f"{bad}a", f"a{bad}b", f"a{bad}"):
            _refused(put, text)


@given(st.sampled_from(sorted(DOORS)), AROUND, CONTROL | SURROGATE, AROUND)
def test_no_control_character_or_surrogate_passes_a_door(
    door: str, before: str, bad: str, after: str
) -> None:
    """Wherever it stands."""
    _refused(DOORS[door], before + bad + after)


@given(st.sampled_from(sorted(DOORS)), st.text(max_size=20))
@example("event subject", "\u200d\U0001f469\u200d\U0001f680")
def test_what_passes_a_door_is_printable(door: str, text: str) -> None:
    """Any text is either refused or harmless, and so is the message about it."""
    driver = Scripted("fake")
    with _client(driver) as client:
        message = _message_of(DOORS[door], client, text)
    assert is_printable(message)
    assert is_printable(text) or driver.calls == []


def _message_of(put: Put, client: Client, text: str) -> str:
    try:
        put(client, text)
    except LeewardError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("put", KEYS.values(), ids=KEYS)
@given(before=AROUND, bad=CONTROL, after=AROUND)
def test_a_key_of_an_item_is_data(put: Put, before: str, bad: str, after: str) -> None:
    """It reaches the driver as it is, and no message of an error repeats it."""
    text = before + bad + after
    driver = Scripted("fake", APP_ERROR)
    with _client(driver) as client, pytest.raises(Exception, match="fake") as caught:
        put(client, text)
    (call,) = driver.calls
    assert isinstance(call, Load | Store | Delete)
    assert text in call.key.values
    assert is_printable(str(caught.value))
    assert is_printable(repr(call))


@pytest.mark.parametrize("put", KEYS.values(), ids=KEYS)
@given(before=AROUND, bad=SURROGATE, after=AROUND)
def test_a_lone_surrogate_is_no_part_of_a_key(put: Put, before: str, bad: str, after: str) -> None:
    """No store can keep it."""
    _refused(put, before + bad + after)


@pytest.mark.parametrize(
    "toml",
    [
        'cloud_provider = "aws\\nx"',
        'source = "a\\u001bb"',
        '[functions.f.names]\naws = "a\\r\\nb"',
        '[functions.f.names]\n"aws\\n" = "a"',
        '[tables.t]\nhome = "aws\\n"',
        '[targets."aws\\n"]\na = 1',
        '"a\\nb" = 1',
        '[functions."a\\nb"]\neffect = "none"',
    ],
)
def test_a_configuration_cannot_forge_a_message(toml: str, tmp_path: Path) -> None:
    """A control character is refused, or shown as an escape."""
    path = tmp_path / "leeward.toml"
    path.write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load_config(file=path, env={})
    assert is_printable(str(caught.value))

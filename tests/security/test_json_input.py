"""JSON that people hand in: what is deep, double, endless or no JSON is refused, with a message."""

from __future__ import annotations

from typing import Any

import pytest

from leeward import Client, InvalidRequest
from leeward.cli.arguments import item_argument, json_argument, key_argument
from tests.scripted import Scripted

pytestmark = pytest.mark.threat("S14")

NOT_TAKEN = {
    "NaN": '{"a": NaN}',
    "infinity": '{"a": [-Infinity]}',
    "beyond a double": '{"a": 1e999}',
    "a number too long": f'{{"a": {"9" * 5000}}}',
    "a name twice": '{"a": 1, "a": 2}',
    "a name twice inside": '{"a": {"b": [{"c": 1, "c": 1}]}}',
    "a name twice by an escape": '{"a": 1, "\\u0061": 2}',
    "half a surrogate pair": '{"a": "\\ud800"}',
    "half a pair in a name": '{"\\udc00": 1}',
    "lists too deep": f'{{"a": {"[" * 150}{"]" * 150}}}',
    "maps too deep": '{"a":' * 150 + "1" + "}" * 150,
    "lists near the end of the stack": f'{{"a": {"[" * 700}{"]" * 700}}}',
    "maps near the end of the stack": '{"a":' * 700 + "1" + "}" * 700,
    "lists beyond the stack": f'{{"a": {"[" * 100_000}{"]" * 100_000}}}',
    "maps beyond the stack": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "cut": '{"a": [1',
    "two values": '{"a": 1} {"a": 2}',
    "a comment": '{"a": 1 /* one */}',
    "an encoding of its own": '{"a": 1}\x00',
}


def _do(door: str, text: str, client: Client) -> None:
    match door:
        case "invoke":
            client.invoke("f", json_argument(text, "payload"))
        case "publish_event":
            client.publish_event("b", "t", json_argument(text, "data"))
        case "store_data":
            item: dict[str, Any] = item_argument(text)
            client.store_data("t", {"id": "1", **item})


@pytest.mark.parametrize("door", ["invoke", "publish_event", "store_data"])
def test_what_is_no_good_json_is_refused(door: str, subtests: pytest.Subtests) -> None:
    """At the command line or at the door behind it, before any I/O, and without a traceback."""
    for kind, text in NOT_TAKEN.items():
        if (kind, door) == ("beyond a double", "store_data"):
            continue  # an item's numbers are decimal, and this one is a fine decimal
        driver = Scripted("fake")
        with subtests.test(kind):
            with Client(driver) as client, pytest.raises(InvalidRequest) as caught:
                _do(door, text, client)
            assert driver.calls == []
            assert len(str(caught.value)) < 400


@pytest.mark.parametrize("kind", ["a name twice", "NaN", "cut", "lists beyond the stack"])
def test_a_key_is_read_as_strictly(kind: str) -> None:
    """It may be given as a JSON object as well."""
    with pytest.raises(InvalidRequest):
        key_argument([NOT_TAKEN[kind]])

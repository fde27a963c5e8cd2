"""Rows that another program has written, or that are damaged: none of them stops the others."""

import logging
from typing import Any

import pytest

from leeward.local import Local
from tests.local.calls import PATIENT, event, publish, until

pytestmark = [pytest.mark.row(12), pytest.mark.threat("S19")]

GOOD = {
    "bus": "'orders'",
    "subscriber": "'s'",
    "idempotency_key": "'k'",
    "document": """'{"specversion": "1.0", "type": "t", "id": "odd", "source": "s"}'""",
}

BURIED = {
    "attempts that are a text": {"attempts": "'many'"},
    "attempts that are bytes": {"attempts": "x'ff'"},
    "attempts that are broken text": {"attempts": "CAST(x'ff' AS TEXT)"},
    "attempts that are a fraction": {"attempts": "1.5"},
    "fewer attempts than none": {"attempts": "-9"},
    "attempts without end": {"attempts": "9223372036854775807"},
    "a time that is a text": {"due": "'soon'"},
    "a time that is bytes": {"due": "x'00'"},
    "a time that is broken text": {"due": "CAST(x'ff' AS TEXT)"},
    "a time that never comes": {"due": "9e999"},
    "a document that is no text": {"document": "x'ff'"},
    "a document that is broken text": {"document": "CAST(x'ff' AS TEXT)"},
    "a key that is broken text": {"idempotency_key": "CAST(x'ff' AS TEXT)"},
}
FAILED = {
    "a document that is no JSON": {"document": "'{'"},
    "a document that is no object": {"document": "7"},
    "a document that is some bytes": {"document": "x'7b7d'"},
    "a document without an end": {"document": f"'{'[' * 100_000}'"},
    "an event without a type": {"document": """'{"specversion": "1.0"}'"""},
}


def add(cloud: Local, **columns: str) -> None:
    """Write a row as another program would; values are SQL."""
    row = GOOD | columns
    connection: Any = cloud.native("tables")
    names, values = ", ".join(row), ", ".join(row.values())
    connection.execute(f"INSERT INTO deliveries ({names}) VALUES ({values})")
    connection.commit()
    connection.close()


def names_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the names of the events that were logged."""
    own = (each for each in caplog.records if each.name == "leeward.delivery")
    return [each.getMessage().split()[0] for each in own]


@pytest.mark.parametrize("columns", [*BURIED.values(), *FAILED.values()], ids=[*BURIED, *FAILED])
def test_an_odd_row_is_buried_and_the_others_are_delivered(
    cloud: Local, columns: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """The loop goes on, the dead letter can be read, and the log says so without its content."""
    seen: list[str | None] = []
    add(cloud, **columns)
    cloud.subscribe("orders", name="s")(lambda each: seen.append(each.id))
    with caplog.at_level(logging.DEBUG, "leeward"):
        cloud.perform(publish(event("1")), 5)
        cloud.wait_idle(PATIENT)
        cloud.perform(publish(event("2")), 5)
        cloud.wait_idle(PATIENT)
    assert seen == ["1", "2"]
    (letter,) = cloud.dead_letters()
    assert (letter.bus, letter.subscription) == ("orders", "s")
    buried = columns in BURIED.values()
    assert (letter.error == "UnreadableRow") is buried
    logged = [] if buried else ["handler_failed"] * 5
    until(lambda: names_in(caplog) == [*logged, "dead_lettered"])

"""The page that follows one call is true, and the call stays short."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import pytest

from leeward import Client
from leeward.values import Item
from tests.docs.one_call import aws_client, follow
from tests.house.workspace import ROOT

MOST_CALLS: Final = 111
MOST_FILES: Final = 27
MOST_CALLS_OF_AN_ORDER: Final = 140
"""Bounds: what `store_data` may enter of Python functions and of leeward's files, for an item with
nothing but its key, and for an order with two lines. Lower them whenever a figure falls."""

MINIMAL: Final[Item] = {"id": "42"}

ORDER: Final[Item] = {
    "id": "42",
    "total": Decimal("29.80"),
    "lines": [
        {"sku": "a-1", "quantity": 2, "price": Decimal("9.90")},
        {"sku": "b-2", "quantity": 1, "price": Decimal("10.00")},
    ],
}

PAGE = (ROOT / "docs/one-call.md").read_text(encoding="utf-8")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Open a client on AWS whose credentials stand in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    with aws_client() as client:
        yield client


def test_the_page_names_the_files_that_the_call_enters(client: Client) -> None:
    """In the order of the first entry. A failure prints the list to put there."""
    found = follow(client, MINIMAL).files
    listed = re.findall(r"^\d+\. `([^`]+)`", PAGE, re.MULTILINE)
    assert listed == found, "\n".join(["the call enters:", *found])


def test_the_page_counts_its_files() -> None:
    """The numbers on the page are those of a list: 1, 2, 3."""
    numbers = [int(number) for number in re.findall(r"^(\d+)\. `", PAGE, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("item", "most_calls"),
    [(MINIMAL, MOST_CALLS), (ORDER, MOST_CALLS_OF_AN_ORDER)],
    ids=["minimal item", "order with two lines"],
)
def test_a_call_stays_short(
    client: Client, item: Item, most_calls: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """It enters no more functions and files than the bounds allow; the figures are printed."""
    trace = follow(client, item)
    with capsys.disabled():
        sys.stdout.write(f"\nstore_data: {trace.calls} calls, {len(trace.files)} files\n")
    assert trace.calls <= most_calls
    if item is MINIMAL:
        assert len(trace.files) <= MOST_FILES

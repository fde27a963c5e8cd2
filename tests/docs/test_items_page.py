"""The page on items shows what the code makes of the item on it."""

from __future__ import annotations

import json
import re
from decimal import Decimal, Rounded
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter.items import Profile, decode, encode, escape_key, native_expiry
from leeward_aws.tables.profile import DYNAMODB
from leeward_azure.tables.documents import COSMOS
from leeward_google.tables.documents import FIRESTORE

PAGE = (Path(__file__).parents[2] / "docs" / "items.md").read_text(encoding="utf-8")

EXPIRES = 1777716000.0
"""2026-05-02 10:00 UTC, as the page has it."""

WRITTEN = EXPIRES - 24 * 3600


def item() -> dict[str, Any]:
    """Give the item of the page."""
    space: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], space)
    found: dict[str, Any] = space["item"]
    return found


def document(profile: Profile) -> dict[str, Any]:
    """Give the native document of it, whole, with what the profile's adapter adds."""
    native = encode(item(), profile, write_id="01J0W", expires_at=EXPIRES)
    expiry = native_expiry(profile, EXPIRES, WRITTEN)
    assert expiry is not None
    own = {"id": escape_key(item()["id"])} if profile is COSMOS else {}
    return native | dict([expiry]) | own


def printed(native: dict[str, Any]) -> str:
    """Give a document as the page prints it: a line for each attribute."""
    lines = (
        f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in native.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def shown_text(heading: str) -> str:
    """Give all that stands below a heading of the page."""
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def shown(heading: str) -> str:
    """Give the document below a heading of the page."""
    return shown_text(heading).partition("```json\n")[2].partition("```")[0]


CLOUDS = {
    "AWS: DynamoDB": DYNAMODB,
    "Azure: Cosmos DB": COSMOS,
    "Google Cloud: Firestore": FIRESTORE,
}


@pytest.mark.parametrize("heading", CLOUDS)
def test_the_documents_of_the_page_are_those_of_the_code(heading: str) -> None:
    """Character by character; a failure prints the one to put there."""
    assert shown(heading) == printed(document(CLOUDS[heading]))


@pytest.mark.parametrize("heading", CLOUDS)
def test_the_documents_of_the_page_give_the_item_back(heading: str) -> None:
    """Types included, and with the expiry that the page names."""
    found = decode(json.loads(shown(heading)), CLOUDS[heading])
    assert repr(found.item) == repr(item() | {"at": found.item["at"]})
    assert found.item["at"].isoformat() == item()["at"].isoformat()
    assert (found.foreign, found.expires_at) == (False, EXPIRES)


def test_large_numbers_are_strings_on_dynamodb_as_the_page_says() -> None:
    """From 1E+38 up, because boto3 refuses them as DynamoDB answers with them: written out."""
    assert "leeward stores numbers from 1E+38 up as strings" in " ".join(
        shown_text("AWS: DynamoDB").split()
    )
    largest, too_large, too_small = Decimal("9." + "9" * 37 + "E+37"), 10**38, Decimal("9.9E-129")
    held = encode({"n": [largest, too_large, too_small]}, DYNAMODB, write_id="w", expires_at=None)
    assert [list(number) for number in held["n"]["L"]] == [["N"], ["S"], ["S"]]
    deserialize = import_module("boto3.dynamodb.types").TypeDeserializer().deserialize
    assert deserialize({"N": format(largest, "f")}) == largest
    with pytest.raises(Rounded):  # once it no longer does, hold as many as the service does
        deserialize({"N": str(too_large)})


def test_the_ids_of_the_page_are_those_of_the_code() -> None:
    """Each key of the table has the id beside it."""
    below = PAGE.partition("| key | id |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.*) \| `(.*)` \|$", below, re.MULTILINE)
    assert rows
    for key, name in rows:
        assert escape_key(*(re.findall("`([^`]*)`", key) or [""])) == name


def test_every_name_of_the_provider_is_on_the_page() -> None:
    """Those of Cosmos DB, which a program may well want to use."""
    for name in COSMOS.system_names:
        assert f"`{name}`" in PAGE

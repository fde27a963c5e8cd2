from __future__ import annotations

import locale
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.adapter.service import ahead_of, http_date
from leeward.errors import ConfigError
from leeward_azure.identity.credentials import AccountKey, Bearer, SasToken
from leeward_azure.identity.signing import Signed, cosmos_headers
from leeward_contract_tests.rows import each_row
from tests.azure import oracle
from tests.azure.playing import KEY, LATER, MIDNIGHT, NOW

READ = Signed("GET", "docs", "dbs/shop/colls/orders/docs/42")

NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="/\\?#"),
    min_size=1,
    max_size=12,
).filter(lambda name: name.strip(" .") == name)


# Of eight characters, azure-cosmos looks whether they are the id of a resource, and may stumble.
DATABASES = NAMES.filter(lambda name: len(name) != 8)
KEYS = st.binary(min_size=1, max_size=64).map(lambda raw: b64encode(raw).decode())


@given(KEYS, DATABASES, NAMES)
def test_a_key_signs_as_azure_cosmos_does(key: str, database: str, table: str) -> None:
    """Whatever the names hold: they are signed as they are."""
    sent = oracle.by_cosmos(key, MIDNIGHT, lambda of, _: of(database, table).read_item("a~2f", "x"))
    signed = Signed("GET", "docs", f"dbs/{database}/colls/{table}/docs/a~2f")
    assert dict(cosmos_headers(signed, AccountKey(key), NOW)) == {
        "x-ms-date": sent.headers["x-ms-date"],
        "Authorization": sent.headers["authorization"],
    }


def test_a_signature_holds_for_what_was_signed() -> None:
    """Another verb, link, second or key gives another one."""
    others = [
        cosmos_headers(READ, KEY, NOW),
        cosmos_headers(READ._replace(method="DELETE"), KEY, NOW),
        cosmos_headers(READ._replace(kind="colls"), KEY, NOW),
        cosmos_headers(READ._replace(link="dbs/shop/colls/orders/docs/43"), KEY, NOW),
        cosmos_headers(READ, KEY, NOW + 1),
        cosmos_headers(READ, AccountKey("b3RoZXI="), NOW),
    ]
    assert len({headers[1] for headers in others}) == 6
    assert cosmos_headers(READ, KEY, NOW + 0.9) == others[0]


def test_tokens_go_out_as_cosmos_takes_them() -> None:
    """An Entra token as it is, a resource token percent-encoded."""
    assert cosmos_headers(READ, Bearer("a.b-c_d"), NOW) == (
        ("x-ms-date", MIDNIGHT),
        ("Authorization", "type=aad&ver=1.0&sig=a.b-c_d"),
    )
    assert cosmos_headers(READ, SasToken("type=resource&ver=1&sig=a/b+c=="), NOW)[1] == (
        "Authorization",
        "type%3Dresource%26ver%3D1%26sig%3Da%2Fb%2Bc%3D%3D",
    )


@each_row("key", ["no base64!", "c2Vj cmV0", "c2Vjc", "schlüssel", "c2VjcmV0\n"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    """Before anything is sent, and without a word of it in the message or behind it."""
    with pytest.raises(ConfigError, match="not base64") as raised:
        cosmos_headers(READ, AccountKey(key), NOW)
    assert key.strip() not in str(raised.value)
    assert raised.value.__context__ is None


def test_dates_are_english() -> None:
    """Whatever language the process speaks."""
    before = locale.setlocale(locale.LC_TIME)
    assert (http_date(int(NOW)), http_date(int(NOW) + 3600)) == (MIDNIGHT, LATER)
    assert locale.setlocale(locale.LC_TIME) == before


@each_row(
    "text",
    [
        *("", "now", "Thu, 32 Jan 2026 00:00:00 GMT", "Thu, 01 Foo 2026 00:00:00 GMT"),
        *("2026-01-01T00:00:00Z", "Thu, 01 Jan 2026 00:00:00 CET", "Thu, 01 Jan 2026 25:00:00 GMT"),
    ],
)
def test_what_is_no_date_tells_nothing(text: str) -> None:
    """A clock is not set by it."""
    assert ahead_of(text, NOW) is None

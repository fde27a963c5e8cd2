"""The provider's own expiry is garbage collection: never early, and no part of the item."""

from typing import Any

from leeward.adapter.items import EMBEDDED, Profile, decode, encode
from leeward.adapter.items import native_expiry as expiry
from leeward_aws.tables.profile import DYNAMODB
from leeward_azure.tables.documents import COSMOS
from leeward_contract_tests.rows import each_row
from leeward_google.tables.documents import FIRESTORE
from tests.items.exactness import assert_exact
from tests.items.respelling import PROFILES

NOW = 1_700_000_000.0


@each_row(
    "profile, expires_at, attribute",
    [
        (DYNAMODB, NOW + 0.25, ("_leeward_expires", {"N": "1700003601"})),
        (DYNAMODB, NOW, ("_leeward_expires", {"N": "1700003600"})),
        (FIRESTORE, NOW + 0.25, ("_leeward_expires", {"timestampValue": "2023-11-14T23:13:21Z"})),
        (COSMOS, NOW + 59.5, ("ttl", 3660)),
        (COSMOS, NOW + 60, ("ttl", 3660)),
        (COSMOS, NOW + 0.001, ("ttl", 3601)),
        (COSMOS, NOW, ("ttl", 3600)),
        (COSMOS, NOW - 5000, ("ttl", 1)),
        (COSMOS, NOW + 2**31 - 3601, ("ttl", 2**31 - 1)),
        (COSMOS, NOW + 2**31, None),
        (EMBEDDED, NOW + 60, None),
        (DYNAMODB, None, None),
        (FIRESTORE, None, None),
        (COSMOS, None, None),
        (FIRESTORE, 253402300799.5, None),
        (FIRESTORE, 1e300, None),
    ],
)
def test_native_expiry(profile: Profile, expires_at: float | None, attribute: Any) -> None:
    """An hour late and rounded up, in the provider's own form; none where it cannot be told."""
    assert expiry(profile, expires_at, NOW) == attribute


@each_row("profile", PROFILES)
def test_native_expiry_is_no_part_of_the_item(profile: Profile) -> None:
    """With the provider's own expiry set, moved or gone, the item is the same and not foreign."""
    item = {"a": 1.5, "ttl": 3, "_leeward_expires": "mine"}
    native = encode(item, profile, write_id="w", expires_at=NOW)
    for lifetime in (10, 20):
        name, value = expiry(profile, NOW + lifetime, NOW) or ("_leeward_expires", native["a"])
        decoded = decode({**native, name: value}, profile)
        assert_exact(decoded.item, item)
        assert not decoded.foreign
        assert decoded.expires_at == NOW

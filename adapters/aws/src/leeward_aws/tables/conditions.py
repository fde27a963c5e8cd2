"""What revision an item in DynamoDB has, and the conditions under which it is written.

DynamoDB has no revisions of its own. An item as leeward wrote it has its write id for one, and a
condition compares that. Another program's change is noticed if it has replaced the item, or has
changed leeward's own attribute; an update that leaves that attribute alone is not.

An item that another program has written, or changed, has a digest of everything in it for a
revision. No condition can compare a digest, so the plan first reads the item, compares, and then
writes under the condition that each attribute is still what was read. Between the two, a matter of
milliseconds, only an attribute that another program adds goes unnoticed: DynamoDB has no condition
on an item as a whole.

DynamoDB shows expired items until it collects them, days later. Conditions take them for absent.

Source: "Condition and filter expressions, operators, and functions" in DynamoDB's developer guide.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from leeward.adapter.items import RESERVED, Decoded, digest_of, encode_value
from leeward_aws.tables.profile import DYNAMODB

FOREIGN: Final = "foreign:"
"""Before the digest. No write id of leeward's begins so."""

MOST_COMPARED: Final = 100
"""Attributes of a foreign item in one condition, with leeward's own the first. An expression may
have 4 KB and 300 operators; of a larger item the rest is compared by the digest alone."""

Native: TypeAlias = dict[str, Any]
"""An item in DynamoDB's JSON."""

Condition: TypeAlias = dict[str, Any]
"""The members of a request that make up its condition."""

_OURS: Final = {"#l": RESERVED}
_WITH_WRITE_ID: Final = {**_OURS, "#w": "w", "#e": "e"}
_NOT_EXPIRED: Final = "(attribute_not_exists(#l.#e) OR #l.#e > :now)"


def revision_of(native: Native, decoded: Decoded) -> str:
    """Return the revision of an item, decoded already."""
    if decoded.write_id and not decoded.foreign:
        return decoded.write_id
    return FOREIGN + (decoded.digest or digest_of(native, DYNAMODB))


def is_absent(key: str, now: float) -> Condition:
    """Return the condition that no item is there, or an expired one.

    Args:
        key: the native name of an attribute that every item has.
        now: Unix seconds.
    """
    return {
        "ConditionExpression": "attribute_not_exists(#k) OR #l.#e <= :now",
        "ExpressionAttributeNames": {**_OURS, "#e": "e", "#k": key},
        "ExpressionAttributeValues": {":now": _number(now)},
    }


def has_write_id(write_id: str, now: float) -> Condition:
    """Return the condition that the item is that of this write, and not expired at `now`."""
    return {
        "ConditionExpression": f"#l.#w = :w AND {_NOT_EXPIRED}",
        "ExpressionAttributeNames": _WITH_WRITE_ID,
        "ExpressionAttributeValues": {":w": {"S": write_id}, ":now": _number(now)},
    }


def is_unchanged(native: Native) -> Condition:
    """Return the condition that the attributes are what they were when `native` was read."""
    names = [RESERVED, *(name for name in native if name != RESERVED)][:MOST_COMPARED]
    terms = [
        f"#n{number} = :v{number}" if name in native else f"attribute_not_exists(#n{number})"
        for number, name in enumerate(names)
    ]
    return {
        "ConditionExpression": " AND ".join(terms),
        "ExpressionAttributeNames": {f"#n{number}": name for number, name in enumerate(names)},
        "ExpressionAttributeValues": {
            f":v{number}": native[name] for number, name in enumerate(names) if name in native
        },
    }


def _number(seconds: float) -> Any:
    return encode_value(DYNAMODB.numbers.hold(seconds), DYNAMODB)

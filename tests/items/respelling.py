"""What providers do to a document between a write and a read, without changing its meaning."""

import json
from decimal import Decimal
from typing import Any

from leeward.adapter.items import EMBEDDED, Profile
from leeward_aws.tables.profile import DYNAMODB
from leeward_azure.tables.documents import COSMOS
from leeward_google.tables.documents import FIRESTORE

PROFILES = [DYNAMODB, COSMOS, FIRESTORE, EMBEDDED]


def through_json(native: Any) -> Any:
    """Send a document through strict JSON text."""
    return json.loads(json.dumps(native, allow_nan=False))


def respell(native: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """Give the document as the provider could give it back."""
    respelled = _RESPELL[profile.name](native)
    assert isinstance(respelled, dict)
    return respelled


def _reversed(members: dict[str, Any], respell_one: Any) -> dict[str, Any]:
    return {name: respell_one(members[name]) for name in reversed(members)}


def _dynamodb(native: dict[str, Any]) -> dict[str, Any]:
    return _reversed(native, _attribute_value)


def _attribute_value(native: dict[str, Any]) -> dict[str, Any]:
    ((kind, value),) = native.items()
    if kind == "N":  # written out, without zeros at the end
        text = format(Decimal(value), "f")
        return {"N": text.rstrip("0").rstrip(".") if "." in text else text}
    if kind == "L":
        return {"L": [_attribute_value(inner) for inner in value]}
    return {"M": _dynamodb(value)} if kind == "M" else native


def _cosmos(native: dict[str, Any]) -> dict[str, Any]:
    system = {"id": "42", "_rid": "r==", "_self": "dbs/x", "_etag": '"0"', "_ts": 1700000000}
    respelled = json.loads(_json_text(native))
    assert isinstance(respelled, dict)
    return {**system, **respelled, "_attachments": "attachments/", "_lsn": 7, "ttl": 60}


def _json_text(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{json.dumps(name)}:{_json_text(value[name])}" for name in reversed(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json_text, value)) + "]"
    return _double_text(value) if type(value) in (int, float) else json.dumps(value)


def _double_text(value: Any) -> str:
    double = float(value)
    if not double.is_integer():
        return format(double, ".17g")
    # All the digits, or an exponent where an integer was written.
    return str(int(double)) if isinstance(value, float) else format(double, ".16e")


def _firestore(native: dict[str, Any]) -> dict[str, Any]:
    return _reversed(native, _typed_value)


def _typed_value(native: dict[str, Any]) -> dict[str, Any]:
    ((kind, value),) = native.items()
    if kind == "doubleValue" and value.is_integer():
        return {kind: int(value)}
    if kind == "timestampValue":  # always nanoseconds
        whole, _, digits = value.removesuffix("Z").partition(".")
        return {kind: f"{whole}.{digits:0<9}Z"}
    if kind == "arrayValue":
        return {
            kind: {"values": list(map(_typed_value, value["values"]))} if value["values"] else {}
        }
    if kind == "mapValue":
        return {kind: {"fields": _firestore(value["fields"])} if value["fields"] else {}}
    return native


def _embedded(native: dict[str, Any]) -> dict[str, Any]:
    respelled = json.loads(json.dumps(native, sort_keys=True, indent=1))
    assert isinstance(respelled, dict)
    return respelled


_RESPELL = {
    DYNAMODB.name: _dynamodb,
    COSMOS.name: _cosmos,
    FIRESTORE.name: _firestore,
    EMBEDDED.name: _embedded,
}

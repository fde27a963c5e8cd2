"""What stands in the table for a key and a payload: ids and digests, the same on every cloud.

The same JSON comes as text on one cloud and as decoded numbers on another, and a handler may ask
for Decimal where another has float. So values are brought to JSON in one spelling first.

Only what identifies an event, a message or an object counts: nothing that changes when it is
wrapped in another way, delivered or published again, moved back, or traced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from enum import Enum
from functools import cache
from hashlib import sha256
from os import environ
from typing import TYPE_CHECKING, Any, Final

from leeward.app.triggers import Message, ObjectEvent
from leeward.errors import ConfigError
from leeward.values import Event

if TYPE_CHECKING:
    from leeward.app.context import Context as HandlerContext

HEX_DIGITS: Final = 32  # 128 bits
REF_DIGITS: Final = 12  # hex digits by which messages and logs name a record

LONGEST_READABLE: Final = 128
"""Characters: a key up to this length stands in the table as it is, for operators."""

VARIABLE: Final = "LEEWARD_KEYS_SECRET"  # the variable with the secret of `record_id`
SHORTEST_SECRET: Final = 32  # characters: 128 bits in hex

_VERSION: Final = "2:"
"""Prefix of the digest of an event or a message. An earlier version had none, and its digest
changed with each delivery."""

WIRE: Final = "3:"
"""Prefix of the digest of a payload from the wire, keyed or not. Earlier versions took arguments
of the handler, which change with its annotations."""

_WHOLE: Final = (Event, Message, ObjectEvent)  # what an app is delivered as a whole

_EMPTY_HASH: Final = sha256()
"""OpenSSL looks its algorithm up for each new hash, and not for a copy."""

_SCALARS: Final = frozenset({str, int, float, bool, bytes, type(None)})
"""Types that a table keeps."""


def secret_in(env: Mapping[str, str]) -> bytes:
    """Return the secret that the environment has for `record_id`; empty for none.

    Raises:
        ConfigError: it is so short that it can be guessed.
    """
    secret = env.get(VARIABLE, "")
    if 0 < len(secret) < SHORTEST_SECRET:
        raise ConfigError(
            f"{VARIABLE} must have at least {SHORTEST_SECRET} characters; take random ones"
        )
    return secret.encode(errors="surrogateescape")


@cache
def own_secret() -> bytes:
    """Return the secret of this process; the environment is slow to read on each call."""
    return secret_in(environ)


def record_id(function: str, key: str, principal: str | None = None, secret: bytes = b"") -> str:
    """Return under which id a table keeps the record of a key.

    Args:
        function: the name of its records.
        key: as the call has it.
        principal: its owner, who meets no record of another one; None if all callers share keys.
        secret: makes a keyed digest of the key. Without one a short key stands in the table as it
            is, for operators.
    """
    if secret or principal is not None:
        owned = f":{key}" if principal is None else f"{len(principal)}:{principal}{key}"
        if secret:
            return f"{function}:hmac:{keyed_digest(owned, secret)}"
        return f"{function}:principal:{digest_of_text(owned)}"
    readable = len(key) <= LONGEST_READABLE and key.isascii() and key.isprintable()
    if readable and " " not in key and not key.startswith(("sha256:", "principal:", "hmac:")):
        return f"{function}:{key}"
    return f"{function}:sha256:{digest_of_text(key)}"


def record_ref(id: str) -> str:
    """Return the name of a record for messages and logs; it holds nothing of the key."""
    return digest_of_text(id)[:REF_DIGITS]


def keyed_digest(text: str, secret: bytes) -> str:
    """Return a digest that nobody can compute without the secret."""
    from hmac import digest

    return digest(secret, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:HEX_DIGITS]


def digest_of_text(text: str) -> str:
    """Return the digest of a text, in hex."""
    hashed = _EMPTY_HASH.copy()
    hashed.update(text.encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:HEX_DIGITS]


def digest_of(arguments: Mapping[str, Any]) -> str:
    """Return the digest of a payload: hex, after the prefix of its version, if any.

    Raises:
        ConfigError: a value has no spelling; the message names its type.
    """
    about = {name: _identity(value) for name, value in arguments.items()}
    try:
        text = _encoder()(about)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"a call with an idempotency key is compared by its payload, and this one cannot be "
            f"compared ({type(error).__name__}); take JSON, dataclasses, Decimal, datetime or UUID"
        ) from None  # the error may hold a part of the payload
    is_new = any(isinstance(value, _WHOLE[:2]) for value in arguments.values())
    return f"{_VERSION if is_new else ''}{digest_of_text(text)}"


def payload_digest(arguments: Mapping[str, Any], over_wire: HandlerContext | None = None) -> str:
    """Return the same of what came `over_wire`, else of the arguments, keyed with the secret."""
    if over_wire is not None:
        came = over_wire.wire and over_wire.wire[1].input
        arguments = {"": came if isinstance(came, _WHOLE) else over_wire.payload}
    digest, secret = digest_of(arguments), own_secret()
    text = keyed_digest(digest, secret) if secret else digest
    return text if over_wire is None else f"{WIRE}{text.removeprefix(_VERSION)}"


def is_same(kept: str, claimed: str) -> bool:
    """Return whether two digests may be of one payload.

    Digests of two versions cannot be compared, and `kept` is empty where the payload was not known.
    Then the key alone makes the call a repeat.
    """
    if not kept or kept == claimed:
        return True
    return kept.rpartition(":")[0] != claimed.rpartition(":")[0]


def _identity(value: Any) -> Any:
    """Return what identifies an event, a message or an object; any other value as it is.

    A message is its body, because queue, id and attributes change when it moves or is sent again.
    An object is its place and version.
    """
    if isinstance(value, Event):
        return {"event": [value.source, value.id, value.type, value.data]}
    if isinstance(value, Message):
        return {"message": value.body}
    return value[:3] if isinstance(value, ObjectEvent) else value


@cache
def _encoder() -> Callable[[Any], str]:
    """Return one encoder for all: making one costs more than a small payload does."""
    from json import JSONEncoder

    without_blanks = (",", ":")
    return JSONEncoder(
        sort_keys=True, separators=without_blanks, ensure_ascii=False, default=_json_of
    ).encode


def _json_of(value: Any) -> Any:
    """Return JSON for a `value` of a type that JSON lacks."""
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | bytearray):
        return {"bytes": value.hex()}
    if hasattr(value, "isoformat"):
        return {"time": value.isoformat()}
    if isinstance(value, set | frozenset):
        return {"set": sorted(map(_encoder(), value))}
    fields = fields_of(value)
    if fields is not None:
        return fields
    if isinstance(value, Enum):
        return value.value
    from uuid import UUID

    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def _number(value: Decimal) -> Any:
    """Return a Decimal as the number that `json` would read."""
    if value.is_finite() and value.as_tuple().exponent == 0:
        return int(value)
    near = float(value)
    if Decimal(repr(near)) == value:
        return near
    exact = Context(prec=max(1, len(value.as_tuple().digits)), Emin=MIN_EMIN, Emax=MAX_EMAX)
    return {"decimal": str(value.normalize(exact))}  # the program's own context may round


def keepable_of(result: Any) -> Any:
    """Return a result as a table can keep it: plain data, which is what goes over the wire too.

    Dataclasses, structs and models become dicts, and tuples lists. Other values are left as they
    are; the table may refuse them.
    """
    try:
        return _plain(result)
    except Exception:  # noqa: BLE001 - the code of somebody else's class; or a list in itself
        return object()  # which no table takes, so that the record is written without it


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {name: _plain(inner) for name, inner in value.items()}
    if kind is list or kind is tuple:
        return [_plain(element) for element in value]
    fields = fields_of(value)
    return value if fields is None else {name: _plain(one) for name, one in fields.items()}


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass, a struct of msgspec or a model of pydantic; else None."""
    for names in ("__dataclass_fields__", "__struct_fields__"):
        fields = getattr(value, names, None)
        if fields is not None:
            return {name: getattr(value, name) for name in fields}
    dump = getattr(value, "model_dump", None)
    return dump() if callable(dump) else None

"""A digest of what a call is about, the same on every cloud that hands the call over.

The same JSON comes as text on one cloud and as decoded numbers on another, and a handler may ask
for Decimal where another has float. So values are brought to JSON in one spelling first.

Of an event, a message and an object only that counts which says what it is: nothing that changes
when it is wrapped otherwise, delivered or published again, moved back, or traced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import cache
from hashlib import sha256
from typing import Any, Final

from leeward.app.triggers import Message, ObjectEvent
from leeward.errors import ConfigError
from leeward.values import Event

_AS_THEY_ARE = frozenset({str, int, float, bool, bytes, type(None)})


def plain_of(value: Any) -> Any:
    """Return `value` with dicts for dataclasses, structs and models, and lists for tuples.

    What else it holds is left as it is; the table may refuse it.
    """
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is dict:
        return {name: plain_of(each) for name, each in value.items()}
    if kind is list or kind is tuple:
        return [plain_of(each) for each in value]
    fields = fields_of(value)
    return value if fields is None else {name: plain_of(each) for name, each in fields.items()}


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass, a struct of msgspec or a model of pydantic; else None."""
    for names in ("__dataclass_fields__", "__struct_fields__"):
        fields = getattr(value, names, None)
        if fields is not None:
            return {name: getattr(value, name) for name in fields}
    dump = getattr(value, "model_dump", None)
    return dump() if callable(dump) else None


HEX_DIGITS: Final = 32
"""128 bits."""

_VERSION: Final = "2:"
"""How the digest of an event or a message begins. An earlier version made it without, and of what
comes and goes with a delivery, too."""

_UNFED: Final = sha256()
"""OpenSSL looks its algorithm up for each new hash, and not for a copy."""


def digest_of(arguments: Mapping[str, Any]) -> str:
    """Return the digest of what a call is about: hex, behind the version of its making, if any.

    Args:
        arguments: of the handler, by name.

    Raises:
        ConfigError: something in it has no spelling; the message names its type.
    """
    about = {name: _identity(value) for name, value in arguments.items()}
    try:
        text = _spelled(about)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"a call with an idempotency key is compared by its payload, and this one cannot be "
            f"compared ({type(error).__name__}); take JSON, dataclasses, Decimal, datetime or UUID"
        ) from None  # the error may hold a part of the payload
    is_new = any(isinstance(each, Event | Message) for each in arguments.values())
    return f"{_VERSION if is_new else ''}{digest_of_text(text)}"


def is_same(kept: str, claimed: str) -> bool:
    """Return whether two digests are of one payload, as far as that can be told.

    Digests of two versions cannot be compared: then the key alone says that it is a repeat.
    """
    return kept == claimed or kept.startswith(_VERSION) != claimed.startswith(_VERSION)


def digest_of_text(text: str) -> str:
    """Return the digest of a text, in hex."""
    hashed = _UNFED.copy()
    hashed.update(text.encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:HEX_DIGITS]


def _identity(value: Any) -> Any:
    """Return what makes an event, a message or an object the same one; anything else as it is.

    Of a message that is the body: queue, id and attributes are others when it moves or is sent
    again. Of an object it is which one, and its version: what else is told of one write differs.
    """
    if isinstance(value, Event):
        return {"event": [value.source, value.id, value.type, value.data]}
    if isinstance(value, Message):
        return {"message": value.body}
    return value[:3] if isinstance(value, ObjectEvent) else value


def _plain(value: Any) -> Any:
    """Return `value`, which JSON does not know, as something that it does."""
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | bytearray):
        return {"bytes": value.hex()}
    if hasattr(value, "isoformat"):
        return {"time": value.isoformat()}
    if isinstance(value, set | frozenset):
        return {"set": sorted(_spelled(each) for each in value)}
    for read in _READERS:
        found = read(value)
        if found is not None:
            return found
    raise TypeError(type(value).__name__)


def _number(value: Decimal) -> Any:
    """Return what JSON's own decoder makes of a number that another one reads as a Decimal."""
    if value.is_finite() and value.as_tuple().exponent == 0:
        return int(value)
    near = float(value)
    if Decimal(repr(near)) == value:
        return near
    exact = Context(prec=max(1, len(value.as_tuple().digits)), Emin=MIN_EMIN, Emax=MAX_EMAX)
    return {"decimal": str(value.normalize(exact))}  # the program's own context may round


def _enumerated(value: Any) -> Any:
    from enum import Enum

    return value.value if isinstance(value, Enum) else None


def _uuid(value: Any) -> Any:
    from uuid import UUID

    return str(value) if isinstance(value, UUID) else None


_READERS: Final[tuple[Callable[[Any], Any], ...]] = (fields_of, _enumerated, _uuid)


@cache
def _encoder() -> Callable[[Any], str]:
    """Return one encoder for all: making one costs more than a small payload does.

    `json.JSONEncoder.encode` makes anew, each time, the encoder in C that does the work where there
    is one (CPython). This one does not look for cycles: a payload that has one is nested too deep.
    """
    from json import JSONEncoder, encoder

    plain = JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    in_c = getattr(encoder, "c_make_encoder", None)
    if in_c is None:
        return plain.encode
    spell = encoder.encode_basestring
    chunks = in_c(None, _plain, spell, None, ":", ",", True, False, True)
    return lambda value: "".join(chunks(value, 0))


def _spelled(value: Any) -> str:
    return _encoder()(value)

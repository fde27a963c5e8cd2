"""What differs between the providers' data models, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from leeward.items.numbers import DoubleModel, NumberModel
from leeward.values import NOTHING


class TypedJson(NamedTuple):
    """A JSON in which each value is an object of one member, named for its type: ``{"S": "a"}``.

    Attributes:
        write: for the type of each plain value that the profile holds, the member's name, and what
            makes its value of the plain one, or of a list or dict of native ones; None where that
            is written as it is.
        same: for the names of members whose values are read as they are, the type that these must
            have; among them may be those of lists and dicts, which have native values inside.
        read: for the names of all others that the provider documents, what makes the plain value,
            or the list or dict of native ones. Raises `UnreadableItem`, ValueError or TypeError.
        kept: for the names of members that no plain value is written as, what makes the value that
            is written again of the one that was read, and of its plain value; it returns None where
            the plain value says as much.
    """

    write: Mapping[type, tuple[str, Callable[[Any], Any] | None]]
    same: Mapping[str, type]
    read: Mapping[str, Callable[[Any], Any]]
    kept: Mapping[str, Callable[[Any, Any], Any]] = NOTHING


class Profile(NamedTuple):
    """One provider's data model.

    Attributes:
        name: for people.
        numbers: which numbers are held exactly.
        typed_json: the provider's own JSON; None where a document is made of plain values.
        binary: whether bytes are a type of its own; else they are base64.
        timestamps: whether moments in UTC, to the microsecond, are; else they are ISO 8601.
        nested_lists: whether a list may stand directly in a list.
        dunder_names_reserved: whether names of the form ``__x__`` are the provider's.
        system_names: top-level names that are the provider's; ignored where they come back.
        expiry: how the provider is told what it may collect: Unix seconds, a timestamp, or seconds
            to live from the write on; None where it collects nothing.
    """

    name: str
    numbers: NumberModel
    typed_json: TypedJson | None = None
    binary: bool = False
    timestamps: bool = False
    nested_lists: bool = True
    dunder_names_reserved: bool = False
    system_names: frozenset[str] = frozenset()
    expiry: Literal["epoch", "timestamp", "ttl"] | None = None


EMBEDDED: Final = Profile("embedded", DoubleModel(integers=None, decimals=False))
"""Plain JSON, as Python reads and writes it: integers of any size, Decimals as text."""

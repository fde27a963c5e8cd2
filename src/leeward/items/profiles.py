"""What differs between the providers' data models, as data.

Each trait is what the provider documents, made narrower where its own SDK reads less than the
service stores.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, Protocol

from leeward.items import dynamodb, firestore, jsonform
from leeward.items.numbers import DecimalModel, DoubleModel, NumberModel


class Wire(Protocol):
    """A provider's own JSON for one value; modules such as `leeward.items.firestore` fulfil it."""

    def write(self, value: Any, /) -> Any:
        """Return the native JSON of a plain value, of the types that the profile holds."""

    def read(self, native: Any, /) -> Any:
        """Return the plain value of native JSON, also of what only other programs write."""


class Profile(NamedTuple):
    """One provider's data model.

    Attributes:
        name: for people.
        wire: how plain values are spelled.
        numbers: which numbers are held exactly.
        binary: whether bytes are a type of its own; else they are base64.
        timestamps: whether moments in UTC, to the microsecond, are; else they are ISO 8601.
        nested_lists: whether a list may stand directly in a list.
        dunder_names_reserved: whether names of the form ``__x__`` are the provider's.
        system_names: top-level names that are the provider's; ignored where they come back.
        expiry: how the provider is told what it may collect: Unix seconds, a timestamp, or seconds
            to live from the write on; None where it collects nothing.
    """

    name: str
    wire: Wire
    numbers: NumberModel
    binary: bool = False
    timestamps: bool = False
    nested_lists: bool = True
    dunder_names_reserved: bool = False
    system_names: frozenset[str] = frozenset()
    expiry: Literal["epoch", "timestamp", "ttl"] | None = None


DYNAMODB: Final = Profile(
    name="DynamoDB",
    wire=dynamodb,
    # The service takes 38 digits and 1E-130 to 9.99E+125. It writes large numbers out, and boto3
    # refuses to read more than 38 digits, zeros included, or below 1E-128: one such number would
    # make the whole item unreadable to it.
    numbers=DecimalModel(integers=range(1 - 10**38, 10**38), digits=38, exponents=range(-128, 38)),
    binary=True,
    expiry="epoch",
)

COSMOS: Final = Profile(
    name="Cosmos DB",
    wire=jsonform,
    numbers=DoubleModel(integers=range(-(2**53), 2**53 + 1), decimals=True),
    system_names=frozenset({"id", "ttl", "_etag", "_ts", "_rid", "_self", "_attachments", "_lsn"}),
    expiry="ttl",
)

FIRESTORE: Final = Profile(
    name="Firestore",
    wire=firestore,
    numbers=DoubleModel(integers=range(-(2**63), 2**63), decimals=True),
    binary=True,
    timestamps=True,
    nested_lists=False,
    dunder_names_reserved=True,
    expiry="timestamp",
)

EMBEDDED: Final = Profile(
    name="embedded",
    wire=jsonform,
    numbers=DoubleModel(integers=None, decimals=False),
)

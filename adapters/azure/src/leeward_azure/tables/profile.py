"""Cosmos DB's data model: plain JSON, with the numbers of JavaScript."""

from __future__ import annotations

from typing import Final

from leeward.adapter.items import DoubleModel, Profile

COSMOS: Final = Profile(
    name="Cosmos DB",
    numbers=DoubleModel(integers=range(-(2**53), 2**53 + 1), decimals=True),
    system_names=frozenset({"id", "ttl", "_etag", "_ts", "_rid", "_self", "_attachments", "_lsn"}),
    expiry="ttl",
)

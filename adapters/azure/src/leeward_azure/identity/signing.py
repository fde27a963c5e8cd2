"""How a request to Cosmos DB proves who sends it, as a pure function of a credential and a time.

A key signs the verb, the kind of resource, its link and the time. The link is signed as it is and
sent percent-encoded. Body and other headers are not signed.

Source: "Access control on Azure Cosmos DB resources" in Cosmos DB's REST reference. What it leaves
open is done as azure-cosmos does it.
"""

from __future__ import annotations

import hmac
from binascii import Error, a2b_base64, b2a_base64
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from leeward.adapter.http_dates import http_date
from leeward.adapter.text import percent_encode
from leeward.errors import ConfigError
from leeward_azure.identity.credentials import AccountKey, Bearer, Credential

Headers: TypeAlias = tuple[tuple[str, str], ...]

_UNQUOTED: Final = "-_.!~*'()"
"""Besides letters and digits; azure-cosmos leaves these."""

_BASE64: Final = str.maketrans({"+": "%2B", "/": "%2F", "=": "%3D"})
"""Percent-encodes base64."""


class Signed(NamedTuple):
    """What a signature is good for.

    Attributes:
        method: upper case.
        kind: of the resource that the request is about.
        link: of that resource, or of the one that holds it: ``dbs/shop/colls/orders``, not encoded.
    """

    method: str
    kind: Literal["docs", "colls"]
    link: str


def cosmos_headers(signed: Signed, credential: Credential, now: float) -> Headers:
    """Return the headers `x-ms-date` and `Authorization`.

    Args:
        signed: what is asked.
        credential: whose word it is; as a `SasToken`, a resource token of Cosmos.
        now: Unix seconds, by the service's clock; it takes a date up to 15 minutes off.

    Raises:
        ConfigError: the account key is not base64.
    """
    date = http_date(int(now))
    if isinstance(credential, AccountKey):
        key = _decode_key(credential.key)
        text = f"{signed.method.lower()}\n{signed.kind}\n{signed.link}\n{date.lower()}\n\n"
        digest = hmac.digest(key, text.encode(), "sha256")
        signature = b2a_base64(digest, newline=False).decode("ascii")
        proof = f"type%3Dmaster%26ver%3D1.0%26sig%3D{signature.translate(_BASE64)}"
    elif isinstance(credential, Bearer):
        proof = f"type=aad&ver=1.0&sig={credential.token}"
    else:
        proof = percent_encode(credential.token, _UNQUOTED)
    return (("x-ms-date", date), ("Authorization", proof))


# An old key is pushed out by new ones; it is in memory with the credential anyway.
@lru_cache(maxsize=8)
def _decode_key(key: str) -> bytes:
    try:
        return a2b_base64(key.encode(), strict_mode=True)
    except (Error, UnicodeEncodeError):
        pass
    # Out here, because the errors above carry the key, and would go along as the context.
    raise ConfigError("the key of the Cosmos account is not base64: copy it again")

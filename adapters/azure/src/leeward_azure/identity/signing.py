"""How a request to Cosmos DB, or to Azure Storage, proves who sends it: of a credential and a time.

For Cosmos DB a key signs the verb, the kind of resource, its link and the time. The link is signed
as it is and sent percent-encoded. Body and other headers are not signed. For blobs and queues the
key signs verb, headers, path and query.

Sources: "Access control on Azure Cosmos DB resources" in Cosmos DB's REST reference, and where that
leaves something open, azure-cosmos; "Authorize with Shared Key" in the reference of Azure Storage.
"""

from __future__ import annotations

import hmac
from binascii import Error, a2b_base64, b2a_base64
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from leeward.adapter.service import http_date
from leeward.adapter.wire import Request
from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward.text import percent_encode
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


VERSION: Final = "2021-12-02"
"""Of the API; any since 2017-11-09 takes tokens of Entra, and emulators lag behind."""

_IN_ORDER: Final = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type"),
    *("date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
"""Headers whose values are signed, each in its place."""


def signed_storage(account: str, request: Request, credential: Credential, now: float) -> Request:
    """Return `request` with version, date and proof; a shared access signature is in its URL.

    Args:
        account: the storage account's name.
        request: its target percent-encoded.
        credential: whose word it is.
        now: Unix seconds, by the service's clock; it takes a date up to 15 minutes off.
    """
    dated = (("x-ms-date", http_date(int(now))), ("x-ms-version", VERSION))
    request = request._replace(headers=request.headers + dated)
    if isinstance(credential, AccountKey):
        from urllib.parse import unquote

        values = {name.lower(): value for name, value in request.headers}
        if request.body:
            values["content-length"] = str(len(request.body))
        lines = [request.method, *(values.get(name, "") for name in _IN_ORDER)]
        lines += [f"{name}:{values[name]}" for name in sorted(values) if name.startswith("x-ms-")]
        path, _, query = request.target.partition("?")
        lines.append(f"/{account}{path}")
        for name, _, value in sorted(part.partition("=") for part in query.split("&") if part):
            lines.append(f"{name}:{unquote(value)}")
        text = "\n".join(lines)
        digest = hmac.digest(_decode_storage_key(credential.key), text.encode(), "sha256")
        signature = b2a_base64(digest, newline=False).decode("ascii")
        proof = f"SharedKey {account}:{signature}"
    elif isinstance(credential, Bearer):
        proof = f"Bearer {credential.token}"
    else:
        return request
    return request._replace(headers=(*request.headers, ("Authorization", proof)))


# Settings let nothing else through than base64.
@lru_cache(maxsize=8)
def _decode_storage_key(key: str) -> bytes:
    return a2b_base64(key)

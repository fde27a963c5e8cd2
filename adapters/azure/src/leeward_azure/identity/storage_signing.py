"""How a request to Blob storage proves who sends it: the key signs verb, headers, path and query.

Source: "Authorize with Shared Key" in the reference of Azure Storage.
"""

from __future__ import annotations

import hmac
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from typing import Final

from leeward.adapter.http_dates import http_date
from leeward.adapter.wire import Request
from leeward_azure.identity.credentials import AccountKey, Bearer, Credential

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
        digest = hmac.digest(_decode_key(credential.key), text.encode(), "sha256")
        signature = b2a_base64(digest, newline=False).decode("ascii")
        proof = f"SharedKey {account}:{signature}"
    elif isinstance(credential, Bearer):
        proof = f"Bearer {credential.token}"
    else:
        return request
    return request._replace(headers=(*request.headers, ("Authorization", proof)))


# Settings let nothing else through than base64.
@lru_cache(maxsize=8)
def _decode_key(key: str) -> bytes:
    return a2b_base64(key)

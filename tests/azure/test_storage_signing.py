"""Requests to Blob storage are signed as the vendor's own package signs them."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

from azure.core.rest import HttpRequest
from hypothesis import example, given
from hypothesis import strategies as st

from leeward._http.messages import Request
from leeward.text import percent_encode
from leeward_azure.identity.credentials import AccountKey, Bearer, SasToken
from leeward_azure.identity.signing import signed_storage
from tests.azure.playing import NOW

KEY = AccountKey("c2VjcmV0IG9mIHRoZSB0ZXN0cw==")

_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
_HEADERS = st.dictionaries(
    st.sampled_from(
        "If-Match If-None-Match x-ms-range Content-MD5 Content-Type x-ms-blob-type "
        "x-ms-meta-leeward_write x-ms-delete-snapshots Accept-Encoding".split()
    ),
    st.sampled_from(['"0x8D"', "*", "bytes=0-0", "a b"]),
)
_QUERIES = st.lists(
    st.tuples(st.sampled_from(["comp", "restype", "prefix", "marker", "maxresults"]), _TEXT),
    unique_by=lambda each: each[0],
    max_size=4,
)


def by_vendor(account: str, request: Request) -> str:
    """Give the header that azure-storage signs a request with."""
    theirs = HttpRequest(
        request.method,
        request.origin + request.target,
        headers=dict(request.headers),
        content=request.body or None,
    )
    if not request.body:
        theirs.headers.pop("Content-Length", None)
    policy: Any = import_module("azure.storage.queue._shared.authentication")
    context: Any = SimpleNamespace(transport=None)
    policy.SharedKeyCredentialPolicy(account, KEY.key).on_request(
        SimpleNamespace(http_request=theirs, context=context)
    )
    return str(theirs.headers["Authorization"])


@given(
    st.sampled_from(["PUT", "GET", "HEAD", "DELETE"]),
    _TEXT,
    _QUERIES,
    _HEADERS,
    st.binary(max_size=10),
)
@example("GET", "a b", [("comp", "list"), ("prefix", "2026/a b+c")], {}, b"")
@example("PUT", "\u00fc/x", [], {"If-None-Match": "*"}, b"body")
def test_a_request_is_signed_as_the_vendor_signs_it(
    method: str, name: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes
) -> None:
    """Names, parameters and headers of any kind; an emulator has the account in the path too."""
    told = "&".join(f"{each}={percent_encode(value)}" for each, value in query)
    path = f"/reports/{percent_encode(name, '-._~/')}"
    for prefix in ("", "/shop"):
        target = f"{prefix}{path}{'?' if told else ''}{told}"
        request = Request(
            method, "https://shop.blob.core.windows.net", target, tuple(headers.items()), body
        )
        signed = signed_storage("shop", request, KEY, NOW)
        plain = signed._replace(headers=signed.headers[:-1])
        assert dict(signed.headers)["Authorization"] == by_vendor("shop", plain)


def test_a_token_is_shown_and_a_signature_is_in_the_address() -> None:
    """With the version and the date, which the service wants of both."""
    request = Request("GET", "https://shop.blob.core.windows.net", "/reports/x")
    token = dict(signed_storage("", request, Bearer("token"), NOW).headers)
    assert token["Authorization"] == "Bearer token"
    sas = dict(signed_storage("", request, SasToken("sig=x"), NOW).headers)
    assert sas.keys() == {"x-ms-date", "x-ms-version"}

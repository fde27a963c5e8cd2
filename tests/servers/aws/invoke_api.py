"""Lambda's `Invoke`, up to where a function runs: what is in order, and what is refused.

Source: the API reference of Lambda, and the service model that botocore carries.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote
from uuid import uuid4

from tests.servers.answering import Executed
from tests.servers.aws.function import LATEST, Function, Invocation, Kind
from tests.servers.aws.refused import Refused

SYNC_BYTES: Final = 6_291_456
"""The limit of a payload, and of an answer too."""

ASYNC_BYTES: Final = 1_048_576

_CONTEXT_BYTES: Final = 3583
"""The limit of a client context in base64."""

_TARGET: Final = re.compile(r"/2015-03-31/functions/([^/?]+)/invocations(?:\?(.*))?")

_NAME: Final = re.compile(
    r"(?:arn:aws:lambda:([a-z0-9-]+):(\d{12}):function:|(\d{12}):function:)?"
    r"([A-Za-z0-9_-]{1,64})(?::(\$LATEST|[A-Za-z0-9_-]+))?"
)


class Place(NamedTuple):
    """Whose functions these are, and where."""

    account: str
    region: str


def read(request: Executed, functions: Mapping[str, Function], place: Place) -> Invocation:
    """Give the call that `request` asks for.

    Raises:
        Refused: as Lambda refuses it.
    """
    target = _TARGET.fullmatch(request.target)
    if target is None or request.method != "POST":
        raise Refused(404, "UnknownOperationException", "There is no such operation.")
    headers = {name.lower(): value for name, value in request.headers}
    kind = _kind(headers.get("x-amz-invocation-type", Kind.SYNC.value))
    (qualifier,) = parse_qs(target[2] or "").get("Qualifier", [None])
    function, arn = _found(unquote(target[1]), qualifier, functions, place)
    _check_payload(request.body, kind)
    context = headers.get("x-amz-client-context")
    return Invocation(
        request_id=str(uuid4()),
        function=function,
        arn=arn,
        kind=kind,
        payload=request.body or b"{}",
        client_context=_client_context(context) if context and kind is Kind.SYNC else None,
        trace=headers.get("x-amzn-trace-id"),
    )


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise Refused(
            400, "InvalidParameterValueException", f"Unknown invocation type: {text}"
        ) from None


def _found(
    reference: str, qualifier: str | None, functions: Mapping[str, Function], place: Place
) -> tuple[Function, str]:
    parts = _NAME.fullmatch(reference)
    if parts is None:
        raise Refused(400, "ValidationException", "FunctionName fails to satisfy its pattern.")
    region, account, partial_account, name, version = parts.groups()
    if version and qualifier and version != qualifier:
        raise Refused(
            400, "InvalidParameterValueException", "The qualifiers in name and query differ."
        )
    arn = f"arn:aws:lambda:{place.region}:{place.account}:function:{name}"
    version = version or qualifier
    if version:
        arn = f"{arn}:{version}"
    elsewhere = (region or place.region, account or partial_account or place.account) != (
        place.region,
        place.account,
    )
    if elsewhere or name not in functions or version not in (None, LATEST):
        raise Refused(404, "ResourceNotFoundException", f"Function not found: {arn}")
    return functions[name], arn


def _check_payload(payload: bytes, kind: Kind) -> None:
    limit = ASYNC_BYTES if kind is Kind.ASYNC else SYNC_BYTES
    if len(payload) > limit:
        raise Refused(
            413,
            "RequestEntityTooLargeException",
            f"{len(payload)} byte payload is too large for {kind.value} (limit {limit} bytes)",
        )
    try:
        json.loads(payload or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(
            400, "InvalidRequestContentException", "Could not parse request body into json"
        ) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _client_context(text: str) -> str:
    """Give a client context as JSON that a header can hold."""
    if len(text) > _CONTEXT_BYTES:
        raise Refused(
            400, "InvalidRequestContentException", "Client context is over the limit of its size"
        )
    try:
        return json.dumps(json.loads(binascii.a2b_base64(text, strict_mode=True)))
    except ValueError:
        raise Refused(
            400,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object",
        ) from None

"""What botocore would send for a call, to compare with. It has no types, so none leave here."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from leeward._http.messages import Request


class Sent(NamedTuple):
    """What counts of a request: headers by lower-case name, a JSON body as its value."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any


@cache
def _model(service: str) -> Any:
    return import_module("botocore.session").get_session().get_service_model(service)


def by_botocore(service: str, operation: str, parameters: dict[str, Any]) -> Sent:
    """Give what botocore makes of `parameters`; it refuses those that the model does not know."""
    model = _model(service)
    serializer = import_module("botocore.serialize").create_serializer(model.protocol)
    made = serializer.serialize_to_request(parameters, model.operation_model(operation))
    assert not made["query_string"]
    headers = {name.lower(): value for name, value in made["headers"].items()}
    return Sent(made["method"], made["url_path"], headers, _value(service, made["body"]))


def by_leeward(service: str, request: Request) -> Sent:
    """Give the same of a request of ours, without what signing has added."""
    headers = {name.lower(): value for name, value in request.headers}
    for name in ("x-amz-date", "x-amz-security-token", "authorization"):
        del headers[name]
    return Sent(request.method, request.target, headers, _value(service, request.body))


def _value(service: str, body: bytes) -> Any:
    return body if service == "lambda" else json.loads(body)

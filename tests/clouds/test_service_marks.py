"""A service's status is proof only with the service's own mark: gateways give the same ones.

Every service of every cloud goes through the same rows. A redirect may stand in the place of an
answer that came too late (nginx: ``error_page 504 =302``), after the work is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from leeward.adapter.service import Service
from leeward.adapter.wire import Response
from leeward.errors import Outcome
from leeward_aws.errors import SERVICES
from leeward_aws.service import endpoint_of
from leeward_azure.events.plans import EVENTS
from leeward_azure.functions.logs import LOGS
from leeward_azure.functions.messages import QUEUE
from leeward_azure.functions.service_bus import SERVICE as SERVICE_BUS
from leeward_azure.objects.plans import BLOB
from leeward_azure.tables.containers import COSMOS
from leeward_azure.workflows.runs import judge as judge_durable
from leeward_contract_tests.rows import each_row
from leeward_google.objects.plans import STORAGE
from leeward_google.service import GOOGLE
from tests.aws.playing import SETTINGS

Refusal = Callable[[Response], Any]


ANYWHERE = SETTINGS._replace(endpoints=dict.fromkeys(SERVICES, "https://aws.example"))


def _of(service: Service) -> Refusal:
    return lambda response: service.refusal(response, 0.0).outcome


OWN: Mapping[str, tuple[Refusal, dict[str, str] | None]] = {
    **{
        f"aws {name}": (
            _of(endpoint_of(name, ANYWHERE).service),
            {"x-amz-request-id" if name == "s3" else "x-amzn-requestid": "C8E2F1A09B7D3A55"},
        )
        for name in SERVICES
    },
    "azure cosmos": (_of(COSMOS), {"x-ms-activity-id": "8d0ef7a2"}),
    "azure event grid": (_of(EVENTS), {"x-ms-request-id": "8d0ef7a2"}),
    "azure logs": (_of(LOGS), {"x-ms-request-id": "8d0ef7a2"}),
    "azure queue": (_of(QUEUE), {"x-ms-request-id": "8d0ef7a2"}),
    "azure blob": (_of(BLOB), {"x-ms-request-id": "8d0ef7a2"}),
    "azure service bus": (_of(SERVICE_BUS), None),
    "azure durable functions": (lambda response: judge_durable(response).outcome, None),
    "google firestore, pub/sub": (_of(GOOGLE), None),
    "google storage": (_of(STORAGE), {"x-guploader-uploadid": "ABgVH8"}),
}
"""How each service judges a refusal, and its own mark; None for one that marks by codes alone."""

REDIRECTS = (301, 302, 303, 307, 308)
BODIES: tuple[object, ...] = (
    {"code": "TooBusy", "message": "x"},
    {"__type": "SomethingElse", "message": "x"},
    {"message": "Limit Exceeded"},
    {"error": {"code": "SomeCode", "message": "x", "errors": [{"reason": "someReason"}]}},
    {"error": {"code": 429, "status": "SOMETHING_ELSE"}},
    {"fault": {"faultstring": "x", "detail": {"errorcode": "policies.ratelimit.QuotaViolation"}}},
    b"<html>429</html>",
    b"<Error><Code>TooBusy</Code></Error>",
)


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@each_row("name", list(OWN))
def test_a_refusal_without_the_services_mark_proves_nothing(name: str) -> None:
    """Whatever JSON it has, with whatever code; so the write is read back, or stays unknown."""
    judge, mark = OWN[name]
    for body in map(_bytes, BODIES):
        for status in (*REDIRECTS, 413, 429, 502, 503, 504):
            if mark is None and (name, body[:7]) == ("azure service bus", b"<Error>"):
                continue  # its own answers are of this form
            headers = {"location": "https://sorry.example/", "content-type": "application/json"}
            assert judge(Response(status, headers, body)) is Outcome.AMBIGUOUS, (status, body)


@each_row("name", list(OWN))
def test_no_redirect_proves_anything(name: str) -> None:
    """Not even with the mark: a code that the table knows may say where the thing is."""
    judge, mark = OWN[name]
    for status in REDIRECTS:
        assert judge(Response(status, {**(mark or {}), "location": "/"})) is Outcome.AMBIGUOUS


@each_row("name", [name for name, (_, mark) in OWN.items() if mark is not None])
def test_with_its_mark_a_service_throttles_before_anything_runs(name: str) -> None:
    """And refuses what is too large, though the code is not known."""
    judge, mark = OWN[name]
    assert mark is not None
    assert judge(Response(429, mark, b'{"code":"New"}')) is Outcome.REJECTED
    assert judge(Response(413, mark, b'{"code":"New"}')) is Outcome.CALLER

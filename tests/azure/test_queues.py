from __future__ import annotations

import base64
from typing import Any
from xml.etree import ElementTree

import pytest
from azure.core.credentials import AzureSasCredential
from azure.core.pipeline.transport import HttpTransport
from azure.storage.queue import QueueServiceClient, TextBase64EncodePolicy
from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import Failure, Response
from leeward.adapter.plans import CLOCK_SKEW, STALE_CREDENTIALS
from leeward.calls import TOO_LARGE, Enqueue, Look, LookResult
from leeward.calls.looks import BACKLOG
from leeward.errors import Outcome
from leeward_azure.errors import DISABLED, QUEUE, judge_queue
from leeward_azure.functions.messages import queues
from leeward_azure.identity.credentials import Bearer, SasToken
from leeward_azure.identity.signing import VERSION
from leeward_azure.looks import queues as looks
from leeward_azure.settings.services import Queues
from leeward_contract_tests.rows import each_row
from tests.azure.playing import KEY, LATER, answer, headers_of, play

SHOP = Queues("https://shop.queue.core.windows.net", "", "shop", {"SendReceipt": "receipts"}, "k")
EMULATOR = Queues("http://127.0.0.1:10001", "/devstoreaccount1", "devstoreaccount1", {}, "k")
CALL = Enqueue("send-receipt", b'{"order":"42"}', "key-1")
STORED = answer(b"<QueueMessagesList/>", 201)


def enqueue(*answers: Response | Failure, configured: Queues = SHOP, **options: Any) -> Any:
    return play(queues(configured)["enqueue"], CALL, *answers, **options)


def test_what_waits_is_in_the_metadata_of_the_queue() -> None:
    """About how many; another service tells it to its own monitor alone."""
    look: Any = Look("send-receipt", BACKLOG, is_queue=True)
    planner = looks(SHOP)[BACKLOG]
    played = play(planner, look, answer(b"", x_ms_approximate_messages_count="7"))
    assert played.result.value == LookResult(waiting=7)
    assert played.sent[0].target == "/send-receipt?comp=metadata"
    gone = play(planner, look, answer(b"", 404, x_ms_error_code="QueueNotFound")).result
    assert gone.outcome is Outcome.NOT_FOUND
    bus = play(planner, look._replace(name="servicebus:payments")).result
    assert bus.value == LookResult(None, "Service Bus tells it to Azure Monitor alone")


# What goes out.


class _Stop(Exception):
    pass


class _Catch(HttpTransport):  # type: ignore[type-arg]
    """Takes the request of the vendor's client, and sends nothing."""

    def send(self, request: Any, **_: Any) -> Any:
        self.request = request
        raise _Stop

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def by_vendor(configured: Queues, credential: Any, queue: str, payload: bytes) -> Any:
    """Give the request that azure-storage-queue makes for the same message."""
    catch = _Catch()
    client = QueueServiceClient(
        configured.origin + configured.path,
        credential,
        transport=catch,
        api_version=VERSION,
        retry_total=0,
    )
    policy = TextBase64EncodePolicy()
    with pytest.raises(_Stop):
        client.get_queue_client(queue, message_encode_policy=policy).send_message(payload.decode())
    return catch.request


def _without_declaration(xml: Any) -> str:
    text = xml.decode() if isinstance(xml, bytes) else xml
    return ElementTree.canonicalize(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from([0, 1]))
def test_the_message_is_the_vendors(text: str, which: int) -> None:
    """Path and document are those of azure-storage-queue with base64, on Azure and emulators."""
    configured = (SHOP, EMULATOR)[which]
    payload = text.encode()
    plan = queues(configured)["enqueue"]
    (request,) = play(plan, CALL._replace(payload=payload), STORED).sent
    key = {"account_name": configured.account, "account_key": KEY.key}
    theirs = by_vendor(configured, key, "send-receipt", payload)
    assert theirs.method == request.method
    assert theirs.url == request.origin + request.target
    assert _without_declaration(request.body) == _without_declaration(theirs.content)
    assert base64.b64decode(ElementTree.fromstring(request.body)[0].text or "") == payload


@pytest.mark.parametrize("configured", [SHOP, EMULATOR])
def test_the_signature_is_the_vendors(configured: Queues) -> None:
    """For our headers and body, azure-storage-queue computes the same signature."""
    from azure.core.pipeline import PipelineContext, PipelineRequest
    from azure.core.pipeline.transport import HttpRequest
    from azure.storage.queue._shared.authentication import SharedKeyCredentialPolicy

    (request,) = enqueue(STORED, configured=configured).sent
    headers = dict(request.headers)
    ours = headers.pop("Authorization")
    theirs = HttpRequest("POST", request.origin + request.target, headers)
    theirs.headers["Content-Length"] = str(len(request.body))
    wrapped = PipelineRequest(theirs, PipelineContext(None))
    policy: Any = SharedKeyCredentialPolicy
    policy(configured.account, KEY.key).on_request(wrapped)
    assert ours == theirs.headers["Authorization"]
    assert ours.startswith(f"SharedKey {configured.account}:")


def test_the_date_is_the_services_own() -> None:
    """A clock that is known to be wrong is corrected."""
    (request,) = enqueue(STORED, learnt={CLOCK_SKEW: 3600.0}).sent
    assert headers_of(request)["x-ms-date"] == LATER


def test_a_token_and_a_signature() -> None:
    """A token of Entra is a bearer's; a shared access signature is in the URL, and nowhere else."""
    (request,) = enqueue(STORED, credential=Bearer("canary")).sent
    assert headers_of(request)["authorization"] == "Bearer canary"
    assert headers_of(request)["x-ms-version"] == VERSION
    signed = SHOP._replace(account="", key=None, sas="sv=1&sig=canary%2B")
    (request,) = enqueue(STORED, configured=signed, credential=SasToken("sv=1&sig=canary%2B")).sent
    theirs = by_vendor(signed, AzureSasCredential("sv=1&sig=canary%2B"), "send-receipt", b"x")
    assert theirs.url == request.origin + request.target
    assert "authorization" not in headers_of(request)
    assert "canary" not in repr(signed)


# What comes back.


ROWS: dict[str, tuple[int, Outcome, str | None]] = {
    "AccountBeingCreated": (409, Outcome.REJECTED, None),
    "ServerBusy": (503, Outcome.REJECTED, None),
    "InternalError": (500, Outcome.AMBIGUOUS, None),
    "OperationTimedOut": (500, Outcome.AMBIGUOUS, None),
    "AccountIsDisabled": (403, Outcome.UNUSABLE, DISABLED),
    "QueueDisabled": (409, Outcome.UNUSABLE, DISABLED),
    "AuthenticationFailed": (403, Outcome.AUTH, STALE_CREDENTIALS),
    "InvalidAuthenticationInfo": (401, Outcome.AUTH, STALE_CREDENTIALS),
    "NoAuthenticationInformation": (401, Outcome.AUTH, STALE_CREDENTIALS),
    "AuthorizationFailure": (403, Outcome.AUTH, None),
    "AuthorizationPermissionMismatch": (403, Outcome.AUTH, None),
    "AuthorizationProtocolMismatch": (403, Outcome.AUTH, None),
    "AuthorizationResourceTypeMismatch": (403, Outcome.AUTH, None),
    "AuthorizationServiceMismatch": (403, Outcome.AUTH, None),
    "AuthorizationSourceIPMismatch": (403, Outcome.AUTH, None),
    "FeatureVersionMismatch": (409, Outcome.AUTH, None),
    "InsufficientAccountPermissions": (403, Outcome.AUTH, None),
    "KeyBasedAuthenticationNotPermitted": (403, Outcome.AUTH, None),
    "QueueBeingDeleted": (409, Outcome.NOT_FOUND, None),
    "QueueNotFound": (404, Outcome.NOT_FOUND, None),
    "ResourceNotFound": (404, Outcome.NOT_FOUND, None),
    "MessageTooLarge": (400, Outcome.CALLER, TOO_LARGE),
    "RequestBodyTooLarge": (413, Outcome.CALLER, TOO_LARGE),
    **dict.fromkeys(
        """
            ConditionHeadersNotSupported InvalidHeaderValue InvalidHttpVerb InvalidInput
            InvalidMarker InvalidMd5 InvalidQueryParameterValue InvalidResourceName InvalidUri
            InvalidXmlDocument InvalidXmlNodeValue Md5Mismatch MissingContentLengthHeader
            MissingRequiredHeader MissingRequiredQueryParameter MissingRequiredXmlNode
            MultipleConditionHeadersNotSupported OutOfRangeInput OutOfRangeQueryParameterValue
            RequestUrlFailedToParse ResourceTypeMismatch UnsupportedHeader UnsupportedHttpVerb
            UnsupportedQueryParameter UnsupportedXmlNode
            """.split(),
        (400, Outcome.CALLER, None),
    ),
}


def test_an_error_with_a_code() -> None:
    """The code decides, whatever the status, and each that the table has is expected above."""
    judged = {
        code: judge_queue(Response(status, {"x-ms-error-code": code}))
        for code, (status, *_) in ROWS.items()
    }
    assert {code: each.meaning for code, each in judged.items()} == {
        code: (outcome, reason) for code, (_, outcome, reason) in ROWS.items()
    }
    assert [each.code for each in judged.values()] == list(ROWS)
    assert set(ROWS) == set(QUEUE)


@each_row(
    "status, outcome, reason",
    [
        (307, Outcome.AMBIGUOUS, None),
        (400, Outcome.AMBIGUOUS, None),
        (401, Outcome.AUTH, STALE_CREDENTIALS),
        (403, Outcome.AUTH, None),
        (404, Outcome.NOT_FOUND, None),
        (409, Outcome.AMBIGUOUS, None),
        (413, Outcome.CALLER, TOO_LARGE),
        (429, Outcome.REJECTED, None),
        (500, Outcome.AMBIGUOUS, None),
        (502, Outcome.AMBIGUOUS, None),
        (503, Outcome.AMBIGUOUS, None),
        (504, Outcome.AMBIGUOUS, None),
    ],
)
def test_an_error_without_a_code(status: int, outcome: Outcome, reason: str | None) -> None:
    """A status counts where it alone is proof; the rest is AMBIGUOUS."""
    judged = judge_queue(Response(status, {"x-ms-request-id": "1"}))
    assert (judged.meaning, judged.code) == ((outcome, reason), f"http.{status}")


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_an_error_that_is_not_the_services(status: int) -> None:
    """Without the service's id of the request, a refusal may be any proxy's."""
    assert judge_queue(Response(status)).meaning.outcome is Outcome.AMBIGUOUS


def test_the_largest_payload_fits_a_message() -> None:
    """48 KiB are 64 KiB in base64, which is what a message may hold."""
    from leeward_azure.driver import LIMITS

    plan = queues(SHOP)["enqueue"]
    (request,) = play(plan, CALL._replace(payload=b"x" * LIMITS.queued_bytes), STORED).sent
    assert len(ElementTree.fromstring(request.body)[0].text or "") == 64 * 1024

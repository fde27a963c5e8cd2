"""Storage queues: queue a call of a function that a queue triggers.

The payload goes as base64, because the Functions host expects that of a queue's messages
(``messageEncoding`` in host.json). There are no headers beside a message: a function that is to
know an idempotency key must find it in its payload. A message may be delivered more than once.

A key signs the verb, some headers and the path. Sources: "Put Message" and "Authorize with Shared
Key" in the reference of Azure Storage.
"""

from __future__ import annotations

import hmac
from binascii import a2b_base64, b2a_base64
from functools import lru_cache, partial
from typing import Final, NamedTuple

from leeward.adapter import Enqueue
from leeward.adapter.exchange import by_headers, exchange, read_answer
from leeward.adapter.http_dates import http_date
from leeward.adapter.plans import Plan, Planner, View
from leeward.adapter.text import masked
from leeward.adapter.wire import Request
from leeward.errors import InvalidRequest
from leeward_azure.errors import judge_queue
from leeward_azure.exchange import service_of
from leeward_azure.identity.credentials import AccountKey, Bearer, Credential, ServiceCredential
from leeward_azure.identity.signing import Headers
from leeward_azure.settings.services import Queues, is_queue_name

QUEUE: Final = service_of(ServiceCredential("queue"), judge_queue, "x-ms-request-id", dated=True)

VERSION: Final = "2021-12-02"
"""Of the API; any since 2017-11-09 takes tokens of Entra, and emulators lag behind."""

CONTENT_TYPE: Final = "application/xml"


class SignedQueueCall(NamedTuple):
    """What a signature is good for.

    Attributes:
        account: the storage account's name.
        path: of the request, without query.
        length: of its body, in bytes.
        verb: of it.
        query: what stands behind the path, not yet encoded.
    """

    account: str
    path: str
    length: int
    verb: str = "POST"
    query: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return masked(self, "account path length verb")


def queues(configured: Queues) -> dict[str, Planner]:
    """Return the planner of ``enqueue``."""
    return {"enqueue": partial(enqueue, configured)}


def enqueue(configured: Queues, call: Enqueue, view: View) -> Plan:
    """Queue a call. Queue storage answers 201 once it has stored the message.

    Raises:
        InvalidRequest: the function's queue cannot be one; before anything is sent.
    """
    path = f"{configured.path}/{queue_of(call.function, configured)}/messages"
    text = b2a_base64(call.payload, newline=False)
    body = b"<QueueMessage><MessageText>%b</MessageText></QueueMessage>" % text
    target = f"{path}?{configured.sas}" if configured.sas else path
    headers = (("Content-Type", CONTENT_TYPE),)
    request = Request("POST", configured.origin, target, headers, body)
    proof = partial(queue_headers, SignedQueueCall(configured.account, path, len(body)))
    answer = yield from exchange(QUEUE, request, view, authorize=by_headers(proof))
    return read_answer(QUEUE, answer, status=201)


def queue_headers(signed: SignedQueueCall, credential: Credential, now: float) -> Headers:
    """Return the headers of version, date and proof; a shared access signature is in the URL.

    Args:
        signed: what is asked.
        credential: whose word it is.
        now: Unix seconds, by the service's clock; it takes a date up to 15 minutes off.
    """
    date = http_date(int(now))
    headers = (("x-ms-date", date), ("x-ms-version", VERSION))
    if isinstance(credential, AccountKey):
        signature = _signature(_decode_key(credential.key), signed, date)
        return (*headers, ("Authorization", f"SharedKey {signed.account}:{signature}"))
    if isinstance(credential, Bearer):
        return (*headers, ("Authorization", f"Bearer {credential.token}"))
    return headers


def _signature(key: bytes, signed: SignedQueueCall, date: str) -> str:
    # In the places between stand headers that are not sent, the one for a date among them.
    length, kind = (signed.length, CONTENT_TYPE) if signed.length else ("", "")
    text = (
        f"{signed.verb}\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\n"
        f"x-ms-date:{date}\nx-ms-version:{VERSION}\n/{signed.account}{signed.path}"
    )
    text += "".join(f"\n{name}:{value}" for name, value in sorted(signed.query))
    digest = hmac.digest(key, text.encode(), "sha256")
    return b2a_base64(digest, newline=False).decode("ascii")


# Settings let nothing else through than base64.
@lru_cache(maxsize=8)
def _decode_key(key: str) -> bytes:
    return a2b_base64(key)


def queue_of(function: str, configured: Queues) -> str:
    """Return the queue of a function; raise `InvalidRequest` if it cannot have one."""
    queue = configured.names.get(function, function)
    if not is_queue_name(queue):
        raise InvalidRequest(
            f"function {function!r} cannot name a queue, which has 3 to 63 of a-z, 0-9 and single "
            "hyphens inside; name its queue in queues",
            field="function",
        )
    return queue

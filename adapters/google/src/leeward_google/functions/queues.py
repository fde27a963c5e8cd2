"""Queue a call of a function: as a message of Pub/Sub, or as a task of Cloud Tasks.

A function that Pub/Sub triggers is given the message: the payload is its data, and the idempotency
key an attribute. Pub/Sub does not know a message that came before, and delivers one at least once.

A task of Cloud Tasks is the very request that `invoke` would send, with a token that Cloud Tasks
fetches for it. It is named after the function and the idempotency key, so that Cloud Tasks itself
refuses it the second time, for an hour or more after it is done: then the first one was accepted,
and so is the call. The name is a digest, because names in a row would slow the queue down.

Sources: `projects.topics.publish` in Pub/Sub's REST reference;
`projects.locations.queues.tasks.create` in that of Cloud Tasks, and `Task.name` there.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Generator
from functools import partial
from typing import Any, Final

from leeward.adapter import Enqueue, Result, json_text
from leeward.adapter.exchange import UNDECODABLE, ambiguous, exchange, object_of
from leeward.adapter.http_functions import Address
from leeward.adapter.json_text import Undecodable
from leeward.adapter.plans import Learn, Need, Plan, Planner, Step, View
from leeward.adapter.wire import Request, Response
from leeward.envelope import IDEMPOTENCY_KEY, TRACEPARENT
from leeward.errors import InvalidRequest
from leeward_google.exchange import EMULATOR, GOOGLE, JSON
from leeward_google.functions.addresses import (
    KEPT,
    FunctionUrl,
    address_in,
    audience_of,
    check_name,
)
from leeward_google.settings.services import Functions, Tasks, Topics, is_topic_name

KEY: Final = IDEMPOTENCY_KEY.lower()
"""The attribute of a message with the idempotency key."""

_EXISTS: Final = "ALREADY_EXISTS"

_URL_OF: Final = "url of "
"""What a function's address is remembered under begins so; the function's name follows."""


def topics(configured: Topics, project: str) -> dict[str, Planner]:
    """Return the planner of ``enqueue`` by Pub/Sub, with the topics of `project`."""
    return {"enqueue": partial(enqueue_message, configured, project)}


def tasks(configured: Tasks, functions: Functions) -> dict[str, Planner]:
    """Return the planner of ``enqueue`` by Cloud Tasks."""
    return {"enqueue": partial(enqueue_task, configured, functions)}


def enqueue_message(configured: Topics, project: str, call: Enqueue, view: View) -> Plan:
    """Publish one message to the topic of a function.

    Raises:
        InvalidRequest: the function's topic cannot be one; before anything is sent.
    """
    topic = topic_of(call.function, configured)
    attributes = {"content-type": "application/json", KEY: call.idempotency_key}
    if call.trace is not None:
        attributes[TRACEPARENT] = call.trace
    body = {"messages": [{"data": _base64(call.payload), "attributes": attributes}]}
    target = f"/v1/projects/{project}/topics/{topic.replace('%', '%25')}:publish"
    request = Request("POST", configured.origin, target, JSON, json_text.encode(body))
    service = EMULATOR if configured.emulator else GOOGLE
    response, refusal = yield from exchange(service, request, view)
    return refusal or _conclude(response, "messageIds")


def enqueue_task(configured: Tasks, functions: Functions, call: Enqueue, view: View) -> Plan:
    """Create one task that calls a function.

    Raises:
        InvalidRequest: the name cannot be a function's; before anything is sent.
    """
    check_name(call.function, functions)
    address = yield from _address(call.function, functions, view)
    body = {"task": _task(configured, functions, call, address)}
    target = f"/v2/{configured.queue}/tasks"
    request = Request("POST", configured.origin, target, JSON, json_text.encode(body))
    response, refusal = yield from exchange(GOOGLE, request, view)
    if refusal is not None and refusal.code == _EXISTS:
        return Result.ok(None)
    return refusal or _conclude(response, "name")


def topic_of(function: str, configured: Topics) -> str:
    """Return the topic of a function; raise `InvalidRequest` if it cannot have one."""
    topic = configured.names.get(function, function)
    if not is_topic_name(topic):
        raise InvalidRequest(
            f"function {function!r} cannot be the name of a Pub/Sub topic, and has none in "
            "enqueue_topics; call it by another, or give it a topic there",
            field="function",
        )
    return topic


def _address(function: str, functions: Functions, view: View) -> Generator[Step, Any, Address]:
    """Return the address of a function; one that was looked up is kept for a while.

    It is kept among what was learnt, and not asked for again: a second run of the plan, with
    another token, ends at anything that it is given for the second time.
    """
    address = address_in(function, functions)
    if address is not None:
        return address
    known: tuple[Address, float] | None = view.learnt.get(_URL_OF + function)
    if known is not None and view.now < known[1]:
        return known[0]
    found: Address = yield Need(FunctionUrl(function))
    yield Learn(_URL_OF + function, (found, view.now + KEPT))
    return found


def _task(
    configured: Tasks, functions: Functions, call: Enqueue, address: Address
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "url": address.origin + address.target,
        "httpMethod": "POST",
        "headers": {
            "Content-Type": "application/json",
            IDEMPOTENCY_KEY: call.idempotency_key,
            **({} if call.trace is None else {TRACEPARENT: call.trace}),
        },
        "body": _base64(call.payload),
    }
    if configured.account is not None:
        request["oidcToken"] = {
            "serviceAccountEmail": configured.account,
            "audience": audience_of(address, functions),
        }
    return {"name": f"{configured.queue}/tasks/{_name_of(call)}", "httpRequest": request}


def _name_of(call: Enqueue) -> str:
    from hashlib import sha256

    return sha256(f"{call.function}\n{call.idempotency_key}".encode()).hexdigest()


def _conclude(response: Response, member: str) -> Result[Any]:
    """Take a success for one only if it names what was made."""
    try:
        if not object_of(response).get(member):
            raise Undecodable(f"the answer has no {member}")
    except Undecodable as error:
        return ambiguous(response, UNDECODABLE, error)
    return Result.ok(None)


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")

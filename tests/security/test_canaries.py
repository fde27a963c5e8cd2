"""Payloads, keys, tokens and addresses reach no log, warning, stream, repr or message.

Of an idempotency key, an event's id and a revision this is not said: they are there to be told.
What a function of the same process raised stays the cause of the exception, with its own message:
it is the caller's own.
"""

from __future__ import annotations

import gc
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from leeward import Client, Config, Event
from leeward._delivery import dispatcher
from leeward._http.messages import Failure, Request
from leeward._http.options import TransportOptions
from leeward._http.threads import CurlTransport
from leeward._operations import events, functions, operations
from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.adapter._plan_run import result_of
from leeward.calls import Call, Result
from leeward.errors import LeewardError, Outcome
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward_aws.driver import open_driver
from tests.http.wire import Peer, Script, Wire, answer, hang, once

pytestmark = pytest.mark.threat("S8")

CANARY = "c4n4ry"
ITEM = {"id": CANARY, "name": CANARY, "raw": CANARY.encode(), "nested": [{"a": CANARY}]}

HOME = Config(data_target="local")

Do = Callable[[Client], object]

GOOD: dict[str, Do] = {
    "invoke": lambda c: c.invoke("echo", {"a": CANARY}),
    "invoke that raises": lambda c: c.invoke("raise", {"a": CANARY}),
    "invoke of what is not there": lambda c: c.invoke("missing", CANARY),
    "enqueue": lambda c: c.enqueue("echo", [CANARY]),
    "publish": lambda c: c.publish_event(
        "orders", "order.created", {"a": CANARY}, subject=CANARY, ordering_key=CANARY
    ),
    "publish many": lambda c: c.publish_events(
        "orders", [Event("a", CANARY.encode(), extensions={"tenant": CANARY})] * 3
    ),
    "store": lambda c: c.store_data("orders", ITEM),
    "store if absent": lambda c: c.store_data("orders", ITEM, if_absent=True),
    "store if unchanged": lambda c: c.store_data("orders", ITEM, if_revision="r1"),
    "load": lambda c: c.load_data("orders", CANARY),
    "delete": lambda c: c.delete_data("orders", CANARY),
    "delete if unchanged": lambda c: c.delete_data("orders", CANARY, if_revision="r1"),
}

NAIVE = datetime.fromisoformat("2026-01-01T00:00:00")
CUT = f"{CANARY}\ud800"
LONG = CANARY * 100_000
WRONG: dict[str, Do] = {
    "payload with a surrogate": lambda c: c.invoke("echo", {"a": CUT}),
    "payload of a type": lambda c: c.invoke("echo", {"a": {CANARY}}),
    "payload of bytes": lambda c: c.enqueue("echo", CANARY.encode()),
    "payload too large": lambda c: c.enqueue("echo", LONG),
    "key with a surrogate": lambda c: c.load_data("orders", CUT),
    "key too long": lambda c: c.load_data("orders", LONG),
    "key in bytes": lambda c: c.load_data("orders", CANARY.encode()),  # type: ignore[call-overload]
    "key of other fields": lambda c: c.delete_data("orders", {"other": CANARY}),
    "item too large": lambda c: c.store_data("orders", {"id": "1", "a": LONG}),
    "item of a type": lambda c: c.store_data("orders", {"id": "1", "a": {CANARY}}),
    "item without key": lambda c: c.store_data("orders", {"a": CANARY}),
    "naive time": lambda c: c.publish_event("orders", "a", CANARY, time=NAIVE),
    "subject with a line break": lambda c: c.publish_event("orders", "a", subject=f"{CANARY}\n"),
    "subject too long": lambda c: c.publish_event("orders", "a", subject=CANARY * 300),
    "ordering key with NUL": lambda c: c.publish_event("orders", "a", ordering_key=f"{CANARY}\0"),
    "data of a type": lambda c: c.publish_event("orders", "a", {CANARY}),
    "data too large": lambda c: c.publish_event("orders", "a", LONG),
    "extension of bytes": lambda c: c.publish_events(
        "orders",
        [Event("a", extensions={"b": CANARY.encode()})],  # type: ignore[dict-item]
    ),
    "extension with a line break": lambda c: c.publish_events(
        "orders", [Event("a", extensions={"b": f"{CANARY}\r\n"})]
    ),
    "idempotency key with a line break": lambda c: c.invoke("echo", idempotency_key=f"{CANARY}\n"),
}


@pytest.fixture
def told(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[list[str]]:
    """Give a list for what a test hears; at the end no canary is in it, or in any stream or log."""
    heard: list[str] = []
    caplog.set_level(logging.DEBUG)
    gc.freeze()  # what other tests have left is looked for by nobody, and there is much of it
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield heard
        gc.collect()
    heard += [str(each.message) for each in seen]
    heard += [caplog.text, *(str(vars(record)) for record in caplog.records), *capfd.readouterr()]
    assert heard
    assert [text for text in heard if CANARY in text] == []


def _did(do: Do, client: Client, told: list[str], *, chain: bool = True) -> BaseException | None:
    """Do it, and note how its result or its exception would look wherever it is written."""
    try:
        result = do(client)
    except LeewardError as error:
        told += [repr(error), str(error), repr(error.attempts), repr(vars(error))]
        told += traceback.format_exception(error, chain=chain)
        return error
    told += [repr(result), str(result), f"{result}"]
    return None


@pytest.fixture
def local() -> Iterator[FaultyDriver]:
    """Return an embedded target that is closed in the end."""
    cloud = _cloud()
    yield FaultyDriver(cloud)
    cloud.close()


def _cloud() -> Local:
    """Return an embedded target with functions that take what they are given, or fail over it."""
    cloud = Local(clock=FakeClock())
    cloud.function("echo")(lambda payload: payload)
    cloud.function("raise")(_raise)
    cloud.subscribe("orders")(_raise)
    return cloud


def _raise(payload: object) -> None:
    raise ValueError(f"cannot do it with {payload}")


@pytest.mark.parametrize("fault", [None, *Fault], ids=str)
def test_the_embedded_target_tells_nothing(
    told: list[str], monkeypatch: pytest.MonkeyPatch, fault: Fault | None
) -> None:
    """Whatever becomes of a call, and also what the target remembers of it is masked."""
    monkeypatch.setattr(dispatcher, "GRACE", 0.1)  # for a delivery that fails again and again
    for do in GOOD.values():
        local = FaultyDriver(_cloud())
        order = [local, FaultyDriver(Local("local:b"))]
        with Client(order, config=HOME, clock=FakeClock()) as client:
            client.store_data("orders", ITEM)
            if fault is not None:
                local.fail(fault)
            _did(do, client, told, chain=False)
            told.append(repr(client.targets()))
        told.append(repr(local.calls))


@pytest.mark.parametrize("do", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_not_repeated(local: FaultyDriver, told: list[str], do: Do) -> None:
    """The message names the field and the remedy, and not what stood in it."""
    with Client(local) as client:
        assert _did(do, client, told) is not None
    assert local.calls == []


def _cut(peer: Peer) -> None:
    peer.read()
    peer.send(f"HTTP/1.1 200 OK\r\nX-A: {CANARY}\r\nContent-Length: 999\r\n\r\n{CANARY}".encode())


def _says(status: int, body: str = CANARY) -> Script:
    head = f"HTTP/1.1 {status} {CANARY}\r\nX-Token: {CANARY}\r\nLocation: http://x/?{CANARY}\r\n"
    return answer(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())


def _reset(peer: Peer) -> None:
    peer.read()
    peer.reset()


SCRIPTS: dict[str, Script] = {
    **{str(status): _says(status) for status in (200, 302, 400, 401, 403, 404, 409, 429, 500, 503)},
    "cut": _cut,
    "reset": _reset,
    "closed": Peer.close,
    "garbage": once(f"{CANARY} no http\r\n\r\n".encode()),
    "no gzip": once(
        f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n{CANARY}".encode()
    ),
    "headers without end": once(f"HTTP/1.1 200 OK\r\nX-A: {CANARY}".encode()),
    "silence": hang,
}


class _Sending(Driver):
    """A target over the wire that puts canaries wherever a request has room for them."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._transport = CurlTransport(TransportOptions())
        self.heard: list[str] = []

    target = "fake"
    capabilities = frozenset(Capability)
    limits = Limits()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        request = Request(
            "POST",
            self._origin,
            f"/{CANARY}?token={CANARY}",
            (("Authorization", f"Bearer {CANARY}"), ("X-Key", CANARY)),
            repr(call).encode() + CANARY.encode(),
        )
        answer = self._transport.send(request, min(timeout, 0.3))
        self.heard += [repr(request), repr(answer), repr(call)]
        if isinstance(answer, Failure):
            return result_of(answer)
        if answer.status == 200 and call.verb == "invoke":
            return Result.ok(answer.body.decode())
        return Result(Outcome.AMBIGUOUS, code="fake")

    def describe(self) -> Mapping[str, str]:
        return {}

    def native(self, service: str) -> object:
        return service

    def close(self) -> None:
        self._transport.close()


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_wire_tells_nothing(told: list[str], script: Script) -> None:
    """Whatever a server answers, with its native cause."""
    with Wire(script) as wire:
        driver = _Sending(wire.origin())
        with Client(driver) as client:
            for do in (GOOD["invoke"], GOOD["load"]):
                _did(do, client, told)
    told += driver.heard


FAULT = f'{{"errorType": "ValueError", "errorMessage": "{CANARY}", "stackTrace": []}}'
AWS_ERRORS = [
    *("AccessDeniedException", "ConditionalCheckFailedException", "ExpiredTokenException"),
    *("InvalidSignatureException", "ResourceNotFoundException", "ThrottlingException"),
    *("ValidationException", "SomethingNew"),
]
AWS_SCRIPTS: dict[str, Script] = {
    **{each: SCRIPTS[each] for each in ("302", "401", "cut", "reset", "silence")},
    "function error": answer(
        f"HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\nContent-Length: {len(FAULT)}"
        f"\r\n\r\n{FAULT}".encode()
    ),
    **{
        code: _says(400, f'{{"__type": "ns#{code}", "message": "{CANARY}", "Item": "{CANARY}"}}')
        for code in AWS_ERRORS
    },
}


@pytest.mark.parametrize("script", AWS_SCRIPTS.values(), ids=AWS_SCRIPTS)
def test_aws_tells_nothing(told: list[str], script: Script) -> None:
    """Whatever its errors are called, and whatever of the request its messages repeat.

    test_clouds_tell_nothing.py has the other statuses, and the test above the other ends of a
    connection: what AWS has of its own is here.
    """
    env = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_SESSION_TOKEN": CANARY,
    }
    with Wire(script) as wire:
        options = {"endpoint_url": wire.origin()}
        config = TargetConfig("aws:us-east-1", "aws", "us-east-1", options, env)
        told.append(repr(config))
        with Client(open_driver(config)) as client:
            for do in GOOD.values():
                _did(partial(_soon, do), client, told)
            told.append(repr(client.targets()))


def _soon(do: Do, client: Client) -> object:
    """Do it with a deadline that a silent server may let pass."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (functions, events, operations):
            for seconds in [each for each in vars(module) if each.endswith("_TIMEOUT")]:
                patch.setattr(module, seconds, 0.2)
        return do(client)


def test_a_server_that_cannot_be_reached_tells_nothing(told: list[str]) -> None:
    """No connection, no name, no TLS."""
    with Wire(hang) as wire:
        gone, plain = wire.origin(), wire.origin("https")
        for origin in ("http://nobody.onion", plain):
            with Client(_Sending(origin)) as client:
                _did(GOOD["invoke"], client, told)
    with Client(_Sending(gone)) as client:
        assert _did(GOOD["invoke"], client, told) is not None


def test_the_search_finds_a_canary(told: list[str]) -> None:
    """What a person asks for by name is there, so an empty search is no proof by accident."""
    with Client(Local()) as client:
        client.store_data("orders", ITEM, timeout=5.0)
        record = client.load_data("orders", CANARY)
    assert record is not None
    assert CANARY in str(record.item)
    told.append(repr(record))

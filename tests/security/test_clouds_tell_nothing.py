"""What a cloud answers reaches no log, stream, warning or message: of each adapter, at DEBUG."""

from __future__ import annotations

from functools import partial

import pytest

from leeward import Client, Config
from leeward.registry import open_target
from leeward.testing import FakeClock
from leeward_contract_tests.rows import each_row
from tests.http.wire import Wire, answer
from tests.security.test_canaries import CANARY, GOOD, _did, _soon
from tests.security.test_canaries import told as told  # noqa: PLC0414 - a fixture
from tests.security.test_reachable import _targets

pytestmark = pytest.mark.threat("S8")

SIGNED = f"https://x.example/?sig={CANARY}&X-Amz-Signature={CANARY}"
SAYS = (
    f'{{"code": "Odd", "message": "{SIGNED}", "Message": "Bearer {CANARY}", "detail": '
    f'"{CANARY}", "error": {{"code": "Odd", "status": "ODD", "message": "{CANARY}"}}}}'
)
BODIES = {
    "as JSON": SAYS,
    "as XML": f"<?xml version='1.0'?><Error><Code>Odd</Code><Message>{SIGNED}</Message></Error>",
    "as a page": f"<html><h1>{CANARY}</h1>{SIGNED}</html>",
    "cut": SAYS[:40],
}


@pytest.mark.parametrize("name", _targets("http://127.0.0.1:1"))
@each_row("status", [200, 403, 500])
def test_no_word_of_a_cloud_is_passed_on(told: list[str], name: str, status: int) -> None:
    """However it says it, in which status, and in whichever header; but for its code, a word."""
    for body in BODIES.values():
        head = (
            f"HTTP/1.1 {status} {CANARY}\r\nX-Token: {CANARY}\r\nWWW-Authenticate: {CANARY}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with Wire(answer(f"{head}{body}".encode())) as wire:
            driver = open_target(_targets(wire.origin())[name])
            with Client(driver, config=Config(), clock=FakeClock()) as client:
                for do in GOOD.values():
                    _did(partial(_soon, do), client, told)
                told.append(repr(client.targets()))

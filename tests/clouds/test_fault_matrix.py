"""Faults of the wire, over TLS, by thread and by event loop: what each verb makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.adapter import TargetConfig
from leeward.adapter.opening import PlanDriver
from leeward.errors import Outcome
from leeward.registry import open_target
from tests.clouds.wires import CALLS, WIRES, placed
from tests.servers.answering import AnsweringServer
from tests.servers.faultproxy import FaultProxy, toxics
from tests.servers.matrix import DRIP, WAYS, Row, Way, cases, check_kept_connection, check_row
from tests.servers.secured import authority, ca_file, proxy

__all__ = ["authority", "ca_file", "proxy"]

REDIRECT = ("invoke", "redirect(http://127.0.0.1:9/)")

MATRIX = [
    pytest.param(target, *case.values, way, id=f"{target}-{case.id}-{way.__name__}")
    for target, wire in WIRES.items()
    for case in cases(CALLS, wire.whole, {REDIRECT: wire.redirect} if wire.redirect else {})
    for way in (WAYS if case.values[0] == "invoke" else WAYS[:1])
]
"""Both ways end in one exchange, which `tests/http` has: one verb shows that a loop reaches it."""


@pytest.fixture
def target(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def upstream(target: str) -> Iterator[AnsweringServer]:
    with AnsweringServer(WIRES[target].answer) as server:
        yield server


@pytest.fixture
def driver(target: str, proxy: FaultProxy, ca_file: Path) -> Iterator[PlanDriver]:
    wire = WIRES[target]
    provider, _, region = target.partition(":")
    trust = {"AWS_CA_BUNDLE": str(ca_file)} if provider == "aws" else {}
    options = placed({**wire.options, **wire.keys}, proxy.url)
    if not trust:
        options["ca_bundle"] = str(ca_file)
    env = placed({**wire.env, **wire.key_env}, proxy.url) | trust
    driver = open_target(TargetConfig(target, provider, region or None, options, env))
    assert isinstance(driver, PlanDriver)
    yield driver
    driver.close()


@pytest.mark.parametrize(("target", "verb", "row", "way"), MATRIX, indirect=["target"])
def test_a_verb_under_a_fault(
    target: str, proxy: FaultProxy, driver: PlanDriver, verb: str, row: Row, way: Way
) -> None:
    """One attempt is one request at most, its outcome is what is proved, and nothing stays open."""
    check_row(row, proxy, driver, WIRES[target].call(verb), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target", WIRES, indirect=True)
def test_a_request_on_a_dying_connection_is_sent_once(
    target: str, proxy: FaultProxy, driver: PlanDriver, way: Way
) -> None:
    """A server that executes and closes a kept connection without an answer sees it once."""
    call = WIRES[target].call("invoke")
    check_kept_connection(proxy, driver, (call, call), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target", ["azure:west"], indirect=True)
def test_an_answer_without_a_body_has_come_with_its_head(
    proxy: FaultProxy, driver: PlanDriver, way: Way
) -> None:
    """A delete is answered by a 204, which has no body: no slow byte of one is waited for."""
    row = Row(toxics.slow_drip_body(DRIP), Outcome.OK, 1, 1)
    check_row(row, proxy, driver, CALLS["delete"], way)

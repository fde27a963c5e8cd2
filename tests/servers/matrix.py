"""The fault matrix: what each toxic must end in, whatever the cloud and the verb.

The wire knows no verbs. So each adapter goes through every row with one verb, and through the
telling rows with every verb: an answer is judged by the verb's own plan.

Source of the outcomes: the design's table of error classes. A request that may have arrived proves
nothing, and a handshake that failed proves that nothing was sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import pytest

from leeward.adapter import Driver
from leeward.adapter.opening import PlanDriver
from leeward.calls import Call, Result
from leeward.errors import Outcome
from tests.servers.faultproxy import FaultProxy, toxics
from tests.servers.faultproxy.proxy import Toxic

HANGS = 0.6
"""Seconds that a call is given where its answer never comes."""

ANSWERS = 30.0
"""Seconds that it is given where it does."""

FAR_TOO_LONG = 20.0
"""Seconds. Where a deadline of `HANGS` is not kept, much more than this passes."""

SOME = 0.05
DRIP = 1.0


class Row(NamedTuple):
    """One toxic.

    Attributes:
        toxic: what is done to the connection, or to the one request.
        outcome: how the attempt must end.
        requests: how many the client may send: one, or none.
        forwarded: how often the work is then done.
        timeout: seconds that the attempt is given.
        code: of the result, where it must be a certain one.
    """

    toxic: Toxic
    outcome: Outcome
    requests: int = 1
    forwarded: int = 0
    timeout: float = ANSWERS
    code: str | None = None


ROWS = (
    Row(toxics.refuse(), Outcome.NOT_SENT, 0),
    Row(toxics.reset_on_connect(), Outcome.NOT_SENT, 0),
    Row(toxics.black_hole_on_connect(), Outcome.NOT_SENT, 0, 0, HANGS, "connect_timeout"),
    Row(toxics.tls_garbage(), Outcome.NOT_SENT, 0),
    Row(toxics.tls_bad_cert(), Outcome.NOT_SENT, 0),
    Row(toxics.tls_expired(), Outcome.NOT_SENT, 0),
    Row(toxics.tls_wrong_host(), Outcome.NOT_SENT, 0),
    Row(toxics.black_hole(), Outcome.AMBIGUOUS, 1, 0, HANGS, "deadline"),
    Row(toxics.reset_before_headers(), Outcome.AMBIGUOUS),
    Row(toxics.reset_after_request(), Outcome.AMBIGUOUS, 1, 1),
    Row(toxics.answer_lost(), Outcome.AMBIGUOUS, 1, 1),
    Row(toxics.drop_after(0), Outcome.AMBIGUOUS, 1, 1),
    Row(toxics.drop_after(30), Outcome.AMBIGUOUS, 1, 1),
    Row(toxics.truncate_body(), Outcome.AMBIGUOUS, 1, 1),
    Row(toxics.slow_drip_headers(DRIP), Outcome.AMBIGUOUS, 1, 1, HANGS, "deadline"),
    Row(toxics.slow_drip_body(DRIP), Outcome.AMBIGUOUS, 1, 1, HANGS, "deadline"),
    Row(toxics.latency(SOME), Outcome.OK, 1, 1),
    Row(toxics.duplicate(), Outcome.OK, 1, 2),
    Row(toxics.redirect("http://127.0.0.1:9/"), Outcome.AMBIGUOUS),
    Row(toxics.status(500), Outcome.AMBIGUOUS),
    Row(toxics.status(502), Outcome.AMBIGUOUS),
    Row(toxics.status(504), Outcome.AMBIGUOUS),
)
"""Over TLS. `drop_after(30)` cuts inside the headers of any answer."""

TELLING = ("refuse", "answer_lost", "redirect(http://127.0.0.1:9/)", "status(500)")
"""Toxics of which every plan hears in another way: a failure that proves that nothing was sent,
one that proves nothing, and two answers that the plan itself has to judge."""


def cases(
    verbs: Iterable[str],
    whole: str,
    otherwise: Mapping[tuple[str, str], Outcome] = MappingProxyType({}),
) -> list[Any]:
    """Return what a test of `verb` and `row` is parametrized with.

    Args:
        verbs: all that the adapter has; each goes through the rows of `TELLING`.
        whole: the verb that goes through all rows.
        otherwise: the outcome where a verb and a toxic end in another one than the row says.
    """
    rows = {row.toxic.name: row for row in ROWS}
    return [
        pytest.param(
            verb,
            rows[name]._replace(outcome=otherwise.get((verb, name), rows[name].outcome)),
            id=f"{verb}-{name}",
        )
        for verb in verbs
        for name in (rows if verb == whole else TELLING)
    ]


Way: TypeAlias = Callable[..., list[Result[Any]]]
"""How calls are put to a driver, one after the other; it is closed afterwards."""


def by_thread(driver: Driver, *calls: Call, timeout: float) -> list[Result[Any]]:
    """Put them as `leeward.Client` does."""
    results = [driver.perform(call, timeout) for call in calls]
    driver.close()
    return results


def by_event_loop(driver: Driver, *calls: Call, timeout: float) -> list[Result[Any]]:
    """Put them as `leeward.AsyncClient` does."""

    async def awaited() -> list[Result[Any]]:
        results = [await driver.perform_async(call, timeout) for call in calls]
        await driver.close_async()
        return results

    return asyncio.run(awaited())


WAYS = (by_thread, by_event_loop)


def in_flight(driver: PlanDriver) -> int:
    """Count the permits that the transports of `driver` have lent."""
    wire: Any = driver._wire
    transports = [wire.threads, *wire._loops.values()]
    return sum(each.in_flight for each in transports if each is not None)


def load(driver: PlanDriver, call: Call) -> None:
    """Import what `call` needs: that is no part of an attempt which `HANGS` is meant for."""
    inside: Any = driver
    inside._plans[call.verb]
    inside._wire.transport()


def check_row(row: Row, proxy: FaultProxy, driver: PlanDriver, call: Call, way: Way) -> None:
    """Let `row` happen to one call of `driver`, which goes through `proxy`."""
    load(driver, call)
    proxy.inject(row.toxic, times=None if row.toxic == toxics.refuse() else 1)
    began = time.monotonic()
    (result,) = way(driver, call, timeout=row.timeout)
    passed = time.monotonic() - began
    seen = proxy.requests
    assert result.outcome is row.outcome, result
    assert len(seen) == row.requests
    assert sum(request.forwarded for request in seen) == row.forwarded
    assert row.code in (None, result.code)
    assert row.timeout > HANGS or passed < FAR_TOO_LONG
    assert in_flight(driver) == 0
    proxy.wait_idle()


def check_kept_connection(
    proxy: FaultProxy, driver: PlanDriver, calls: tuple[Call, Call], way: Way
) -> None:
    """Let the answer to the second call be lost on the connection that the first one has left.

    That is where libcurl by itself would send the request again, and have the work done twice.
    """
    proxy.inject(toxics.latency(0), times=1)
    proxy.inject(toxics.answer_lost(), times=1)
    results = way(driver, *calls, timeout=ANSWERS)
    assert [result.outcome for result in results] == [Outcome.OK, Outcome.AMBIGUOUS]
    assert [request.forwarded for request in proxy.requests] == [1, 1]
    proxy.wait_idle()

"""One function that runs once for each key, its records on every provider's own table."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from leeward import Client, DedupUnavailable
from leeward.app.idempotency import RepeatRefused, effect, idempotent
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests import Faults, contract_config, faults_of
from leeward_contract_tests.fixtures import ITEMS
from leeward_integrations.wsgi import IdempotencyKeys
from tests.clouds.places import Place
from tests.integrations.test_idempotency_key import RUNS, send_wsgi, wsgi_app


class Declined(Exception):
    """Nothing has run."""


class Bank:
    """A function that charges, and what it has charged."""

    def __init__(self, client: Client) -> None:
        self.charges: list[str] = []
        self.clock = FakeClock()
        guard = idempotent(
            table=ITEMS,
            key="order",
            lease=30,
            effects="marked",
            failures={Declined: "release"},
            client=client,
            clock=self.clock,
        )
        self.charge: Callable[..., Any] = guard(self._charge)

    def _charge(self, order: str, how: str = "") -> dict[str, Any]:
        if how == "declined":
            raise Declined
        if how == "dies":
            raise SystemExit
        effect()
        self.charges.append(order)
        if how == "lost":
            raise ConnectionError
        return {"order": order, "number": len(self.charges)}

    def five_at_once(self, order: str) -> list[object]:
        """Deliver one key five times; return results, and refusals."""
        together = Barrier(5)

        def deliver(_number: int) -> object:
            together.wait(60)
            try:
                return self.charge(order)
            except RepeatRefused as error:
                return error.reason

        with ThreadPoolExecutor(5) as pool:
            return list(pool.map(deliver, range(5)))


@pytest.mark.parametrize("provider", ["local", "aws", "azure", "google"])
def test_one_run_for_each_key(place: Callable[[str], Place], provider: str) -> None:
    """Replays, lost answers of the effect and of the table, five at once, release, takeover."""
    there = place(provider)
    driver = FaultyDriver(there.open())
    faults: Faults = there.cloud.faults() if there.cloud else faults_of(driver)
    kept, lost, free, dead, many, away = (uuid4().hex for _ in range(6))
    with Client(driver, config=contract_config()) as client:
        bank = Bank(client)
        with faults.lose_answers(1):
            first = bank.charge(kept)
        assert [bank.charge(kept) for _ in range(2)] == [first, first]
        with pytest.raises(ConnectionError):
            bank.charge(lost, "lost")
        with pytest.raises(RepeatRefused, match="may have had its effect"):
            bank.charge(lost, "lost")
        with pytest.raises(Declined):
            bank.charge(free, "declined")
        assert bank.charge(free)["number"] == 3
        with pytest.raises(SystemExit):
            bank.charge(dead, "dies")
        bank.clock.advance(31)
        with pytest.raises(SystemExit):  # it runs again: no effect had begun
            bank.charge(dead, "dies")
        given = bank.five_at_once(many)
        assert bank.charge(many) in given
        with faults.refuse(), pytest.raises(DedupUnavailable):
            bank.charge(away)
    assert bank.charges == [kept, lost, free, many]


def test_an_answer_is_kept_whole_in_the_table_of_a_cloud(place: Callable[[str], Place]) -> None:
    """The middleware of web frameworks gives it to a repeat, with its headers."""
    RUNS.clear()
    with place("aws").client() as client:
        app = IdempotencyKeys(wsgi_app, table=ITEMS, client=client, principal=None)
        key = uuid4().hex
        first = send_wsgi(app, "/charge", key=key)
        assert send_wsgi(app, "/charge", key=key) == first
        assert send_wsgi(app, "/charge", key=key, body=b"other").status == 422
    assert RUNS == ["/charge"]

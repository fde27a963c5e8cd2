"""A payment over real sockets: AWS's and Google's own runtimes, one table of keys, lost answers."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

from leeward import Client, Config, OutcomeUnknown
from leeward.config import FunctionConfig
from leeward.errors import Attempt, Outcome
from leeward.testing import FakeClock
from leeward.values import Effect, InvokeResult
from leeward_contract_tests.contracts.observations import eventually
from tests.clouds.places import Place
from tests.house.workspace import ROOT
from tests.servers.aws.function import Function
from tests.servers.deploying import deploy
from tests.servers.faultproxy import FaultProxy, toxics
from tests.servers.google.cloud_run import Service
from tests.servers.google.framework import FunctionsFramework

SHOP = ROOT / "tests/app/payments/shop.py"
CALLS = 40
"""Of each kind."""

NAMES = ("pay", "pay-unsafe")

CONFIG = Config(
    functions={
        "pay": FunctionConfig(Effect.KEYED, True, timeout=30.0),
        "pay-unsafe": FunctionConfig(Effect.UNSAFE, timeout=30.0),
    }
)


class Waiting(FakeClock):
    """Waits for something that happens, however long that takes."""

    def __init__(self) -> None:
        super().__init__()
        self.until: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        """Let time pass, and wait."""
        self.until()
        super().sleep(seconds)


class Shop:
    """A client over both clouds, the proxies before them, and what the bank has done."""

    def __init__(
        self, client: Client, clock: Waiting, proxies: tuple[FaultProxy, ...], bank: Path
    ) -> None:
        self.client = client
        self.clock = clock
        self.proxies = proxies
        self._bank = bank

    def break_wire(self, random: Random) -> None:
        """Let the next one to three answers of either cloud be lost, its work done, or none.

        So much later that neither cloud is still let rest for what was lost before.
        """
        self.clock.advance(600.0)
        for proxy in self.proxies:
            proxy.heal()
            lost = random.choice(
                [
                    None,
                    toxics.answer_lost(),
                    toxics.reset_after_request(),
                    toxics.drop_after(20),
                    toxics.reset_before_headers(),
                ]
            )
            if lost is not None:
                proxy.inject(lost, random.choice([1, 1, 2, 3]))

    def charges(self) -> Counter[str]:
        """Return how often money has moved, for each order."""
        bank = sqlite3.connect(self._bank)
        found = Counter[str](id for (id,) in bank.execute("SELECT id FROM charges"))
        bank.close()
        return found


@pytest.fixture(scope="module")
def shop(place: Callable[[str], Place], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("payments")
    bank = sqlite3.connect(folder / "bank.sqlite3")
    bank.execute("CREATE TABLE charges (id TEXT)")
    bank.close()
    environment = {
        "KEYS": str(folder / "keys.sqlite3"),
        "BANK": str(folder / "bank.sqlite3"),
    }
    modules = {"shop.py": SHOP.read_text(encoding="utf-8")}
    aws, google = place("aws"), place("google")
    code = deploy(folder / "aws", "aws", modules, "shop")
    aws.cloud.functions.deploy(
        *(
            Function(name, "handler.lambda_handler", 30.0, environment=environment, code=code)
            for name in NAMES
        )
    )
    with ExitStack() as stack:
        code = deploy(folder / "google", "google", modules, "shop")
        runtime = stack.enter_context(FunctionsFramework(code, "main", "http", environment))
        for name in NAMES:
            google.cloud.deploy(name, Service(runtime, f"/{name}"))
        drivers = [aws.open(), google.open()]
        clock = Waiting()
        client = stack.enter_context(Client(drivers, config=CONFIG, clock=clock))
        proxies = (aws.cloud.proxies["lambda"], google.cloud.proxies["cloud_run"])
        for proxy in proxies:
            stack.callback(proxy.heal)
        yield Shop(client, clock, proxies, folder / "bank.sqlite3")


def test_a_keyed_payment_is_charged_once_on_whichever_cloud(shop: Shop) -> None:
    """Its answers are lost after it ran, it moves to the other cloud, and nobody pays twice."""
    random, moved = Random(11), 0
    for number in range(CALLS):
        shop.break_wire(random)
        order = f"keyed-{number}"
        value, attempts = _paid(shop, order)
        assert value == 1
        moved += len({each.target for each in attempts}) > 1
    charges = shop.charges()
    assert {charges[f"keyed-{number}"] for number in range(CALLS)} == {1}
    assert moved > 2


@pytest.mark.parametrize("number", [0, 1], ids=["aws", "google"])
def test_a_repeat_waits_for_the_run_under_way(shop: Shop, number: int, tmp_path: Path) -> None:
    """It is told to, asks again, and gets the first one's result; the target is well."""
    target = shop.client.targets()[number].name
    for proxy in shop.proxies:
        proxy.heal()
    shop.clock.advance(600.0)
    go, started = tmp_path / "go", tmp_path / "started"
    order = {"id": target, "wait_for": str(go), "started": str(started)}

    def pay() -> InvokeResult:
        return shop.client.invoke("pay", order, idempotency_key=target, targets=[target])

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(pay)
        assert eventually(lambda: started.exists() or first.done(), bool, 30.0)

        def end_first() -> None:
            go.touch()
            first.result(timeout=30)

        shop.clock.until = end_first
        repeat = pay()
        shop.clock.until = lambda: None
    assert (first.result().value, repeat.value, shop.charges()[target]) == (1, 1, 1)
    assert [each.outcome for each in repeat.attempts] == [Outcome.AMBIGUOUS, Outcome.OK]
    assert {each.state for each in shop.client.targets()} == {"closed"}


def _paid(shop: Shop, order: str) -> tuple[Any, tuple[Attempt, ...]]:
    """Pay, and again with the same key where nobody knows."""
    for _ in range(5):
        try:
            result = shop.client.invoke("pay", {"id": order}, idempotency_key=order)
        except OutcomeUnknown:
            continue
        return result.value, result.attempts
    raise AssertionError("no answer after five calls")


def test_an_unsafe_payment_is_never_sent_again(shop: Shop) -> None:
    """What may have run goes nowhere else; whoever cannot know is told so."""
    random, unknown, paid = Random(12), 0, 0
    for number in range(CALLS):
        shop.break_wire(random)
        order = f"unsafe-{number}"
        try:
            attempts = shop.client.invoke("pay-unsafe", {"id": order}).attempts
            paid += 1
        except OutcomeUnknown as error:
            attempts = error.attempts
            unknown += 1
        assert Outcome.AMBIGUOUS not in {each.outcome for each in attempts[:-1]}
    charges = shop.charges()
    assert max(charges[f"unsafe-{number}"] for number in range(CALLS)) == 1
    assert min(paid, unknown) > 4

"""Ready-made probes: what they ask, and when they say that nothing was done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from leeward import AsyncClient, ConfigError, Context
from leeward.adapter.wire import Response
from leeward.app.context import call_within
from leeward.app.idempotency import (
    CannotTell,
    Done,
    NotDone,
    current_run,
    event_probe,
    http_probe,
    idempotent,
    item_probe,
)
from leeward.app.signatures import IDEMPOTENCY
from leeward.local import Local
from leeward_contract_tests import LoopbackCloud
from leeward_contract_tests.rows import each_row
from tests.app.idempotent.shop import ORDER, Shop, context

Settle = Callable[..., Any]

NO_CALL: Any = None
"""What a probe is given where no call asks."""


class Bank(LoopbackCloud):
    """A service with payments, which shows each only after it was asked a number of times.

    Attributes:
        payments: by key.
        asked: targets and headers of the requests.
        status: of its next answers; None to look into `payments`.
        hidden: requests until the payments show.
    """

    def __init__(self) -> None:
        self.payments: dict[str, Any] = {}
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.status: int | None = None
        self.hidden = 0
        self.body = b""
        super().__init__()

    def too_many_requests(self) -> Response:
        return Response(429, {}, b"")

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        self.asked.append((method, target, headers))
        self.hidden -= 1
        if self.status is not None:
            return Response(self.status, {"location": f"{self.url}/payments/k"}, self.body)
        payment = None if self.hidden >= 0 else self.payments.get(target.rpartition("/")[2])
        if payment is None:
            return Response(404, {}, b"{}")
        return Response(200, {}, json.dumps(payment).encode())


def is_missing(found: Any) -> bool:
    """Return whether a 404 is about the payment, and not about the path."""
    code: str = found["error"]["code"]
    return code == "resource_missing"


@pytest.fixture
def bank() -> Iterator[Bank]:
    bank = Bank()
    yield bank
    bank.stop()


def test_an_item_shows_that_the_effect_took_place(shop: Shop) -> None:
    """Its key is the call's, or made of key, context and notes; a field of it is the result."""
    found = {"id": "pay-42", "number": 7}
    shop.client.store_data("payments", found)

    def of(key: str, _context: Context | None, notes: tuple[str, ...]) -> str | None:
        return f"{notes[0]}-{key}" if notes else None

    def ask(key: str, result: Any = None, notes: tuple[str, ...] = ("pay",)) -> Any:
        probe = item_probe("payments", key=of, result=result, client=shop.client)
        return probe(key, call, notes)

    call = context(shop.clock)
    assert item_probe("payments", client=shop.client)("pay-42", call, ()) == Done(None)
    assert ask("42", "number") == Done(7)
    assert ask("42", "no such field") == Done(None)
    assert ask("42", lambda item: [item["id"]]) == Done(["pay-42"])
    assert ask("43") == NotDone()
    assert ask("42", notes=()) == CannotTell()


def test_an_item_is_read_by_the_client_of_the_app(shop: Shop) -> None:
    """Unless there is none."""

    class Clients:
        def client(self) -> Any:
            return shop.client

    shop.client.store_data("payments", {"id": "42"})
    call = context(shop.clock, clients=Clients())
    assert item_probe("payments")("42", call, ()) == Done(None)
    with pytest.raises(ConfigError, match="needs a client"):
        item_probe("payments")("42", NO_CALL, ())


def test_an_event_that_nobody_has_seen_may_still_come(shop: Shop) -> None:
    """So a receiver's table proves that it was published, and never that it was not."""
    shop.client.store_data("seen", {"id": "e-1", "at": "noon"})
    probe, call = event_probe("seen", result="at", client=shop.client), context(shop.clock)
    assert probe("42", call, ("other", "e-1")) == Done("noon")
    assert probe("42", call, ("e-2",)) == CannotTell()
    assert probe("42", call, ()) == CannotTell()


def test_an_awaited_client_is_awaited(shop: Shop) -> None:
    """The probe of a coroutine function may use one."""

    async def run() -> None:
        async with AsyncClient(Local("local:a")) as client:
            await client.store_data("payments", {"id": "42"})
            probe = item_probe("payments", client=client)
            assert await probe("42", context(shop.clock), ()) == Done(None)
            assert await probe("43", context(shop.clock), ()) == NotDone()

    asyncio.run(run())


def test_a_get_request_shows_that_the_effect_took_place(bank: Bank, shop: Shop) -> None:
    """The key, or the last note, is in its URL; headers are made when it is sent."""
    bank.payments["k%201"] = {"id": "pi_1"}
    url = f"{bank.url}/payments/{{key}}"
    call = context(shop.clock)
    probe = http_probe(url, settled_after=0, headers=lambda: {"Authorization": "Bearer s"})
    assert probe("k 1", call, ()) == Done({"id": "pi_1"})
    ((method, target, headers),) = bank.asked
    assert (method, target, headers["authorization"]) == ("GET", "/payments/k%201", "Bearer s")
    noted = http_probe(f"{bank.url}/payments/{{note}}", settled_after=0)
    assert noted("k", call, ("first", "k 1")) == Done({"id": "pi_1"})
    assert noted("k", call, ()) == CannotTell()
    assert noted("k", call, ("{key}",)) == NotDone()
    assert bank.asked[-1][1] == "/payments/%7Bkey%7D"


def test_what_an_answer_means_may_be_read_from_it(bank: Bank, shop: Shop) -> None:
    """A list, say, in which the key has to be looked for."""
    bank.payments["list"] = {"data": [{"id": "pi_1", "key": "k"}]}

    def read(found: Any, key: str) -> Any:
        ids = [each["id"] for each in found["data"] if each["key"] == key]
        return Done(ids[0]) if ids else NotDone()

    probe = http_probe(f"{bank.url}/x/{{key}}/list", settled_after=0, read=read)
    assert probe("k", context(shop.clock), ()) == Done("pi_1")
    assert probe("other", context(shop.clock), ()) == NotDone()


@each_row(
    "body, absent, answer",
    [
        (b'{"error":{"code":"resource_missing"}}', None, NotDone()),
        (b'{"error":{"code":"resource_missing"}}', is_missing, NotDone()),
        (b'{"error":{"code":"no_such_path"}}', is_missing, CannotTell()),
        (b"<html>404</html>", None, CannotTell()),
        (b'"404"', None, CannotTell()),
        (b"", None, CannotTell()),
    ],
)
def test_nothing_is_there_by_the_words_of_the_service(
    bank: Bank, shop: Shop, body: bytes, absent: Any, answer: Any
) -> None:
    """A page of a proxy, or an answer about the path, says nothing of the payment."""
    bank.status, bank.body = 404, body
    probe = http_probe(f"{bank.url}/payments/{{key}}", settled_after=0, absent=absent)
    assert probe("k", context(shop.clock), ()) == answer


def test_nothing_done_is_said_at_the_second_look(bank: Bank, shop: Shop) -> None:
    """A service may show late what it did, so the probe waits; without that time it cannot tell."""
    probe = http_probe(f"{bank.url}/payments/{{key}}", settled_after=5)
    bank.payments["late"], bank.hidden = {"id": "pi_1"}, 1
    began = shop.clock.monotonic()
    assert probe("late", context(shop.clock), ()) == Done({"id": "pi_1"})
    assert shop.clock.monotonic() == began + 5
    assert probe("never", context(shop.clock), ()) == NotDone()
    assert len(bank.asked) == 4
    short = Context("f", "", 1, shop.clock.monotonic() + 5, shop.clock)
    assert probe("never", short, ()) == CannotTell()
    slow = http_probe(f"{bank.url}/payments/{{key}}", settled_after=10)
    assert slow("never", NO_CALL, ()) == CannotTell(), "without a call there are ten seconds"


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 403, 409, 410, 429, 500, 503])
def test_other_answers_tell_nothing(bank: Bank, shop: Shop, status: int) -> None:
    """Nor is a redirect followed, which would take the headers elsewhere."""
    bank.status, bank.payments["k"] = status, {"id": "pi_1"}
    probe = http_probe(f"{bank.url}/payments/{{key}}", settled_after=0)
    assert probe("k", context(shop.clock), ()) == CannotTell()
    assert len(bank.asked) == 1


def test_what_is_no_answer_tells_nothing(bank: Bank, shop: Shop) -> None:
    """A probe that raises tells nothing: not JSON, too much of it, nobody there."""

    @idempotent(
        table="keys",
        key="order.id",
        probe=http_probe(f"{bank.url}/payments/{{key}}", settled_after=0),
        client=shop.client,
        clock=shop.clock,
        name="charge",
    )
    def charge(order: dict[str, Any]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        charge(ORDER)
    settle: Settle = getattr(charge, IDEMPOTENCY).settle
    shop.clock.advance(100)
    for body in (b"<html>", b'"' + b"x" * 1024 * 1024 + b'"'):
        bank.status, bank.body = 200, body
        assert settle(1.0, (ORDER,), context(shop.clock))["reason"] == "cannot_tell"
    with bank.refuse():
        assert settle(1.0, (ORDER,), context(shop.clock))["reason"] == "cannot_tell"
    bank.body = b'{"id":"pi_1"}'
    said = settle(1.0, (ORDER,), context(shop.clock))
    assert (said["verdict"], said["result"]) == ("ran", {"id": "pi_1"})


def options(shop: Shop, bank: Bank) -> dict[str, Any]:
    """Return how a function is decorated whose probe asks the bank for what it has noted."""
    return {
        "table": "keys",
        "key": "order.id",
        "name": "pay",
        "lease": 30.0,
        "effects": "marked",
        "clock": shop.clock,
        "probe": http_probe(f"{bank.url}/payments/{{note}}", settled_after=1),
    }


@each_row("probe", [item_probe("payments"), http_probe("https://b.example/{key}", settled_after=0)])
def test_a_probe_that_looks_a_key_up_alone_is_refused_where_keys_are_apart(probe: Any) -> None:
    """It would find what another principal has done with the same key."""
    with pytest.raises(ConfigError, match="two principals may have the same key"):
        idempotent(table="keys", key="order", principal="platform", probe=probe)(_order)
    mine = (
        item_probe("payments", key=lambda key, context, _: f"{context}/{key}"),
        http_probe("https://b.example/{principal}/{key}", settled_after=0),
        http_probe("https://b.example/{note}", settled_after=0),
    )
    for each in (*mine, lambda *_: CannotTell()):
        idempotent(table="keys", key="order", principal="platform", probe=each)(_order)
    idempotent(table="keys", key="order", principal=None, probe=probe)(_order)


def _order(order: str) -> str:
    return order


@pytest.mark.threat("S17")
def test_a_stranger_learns_nothing_of_a_key_that_is_not_its_own(shop: Shop) -> None:
    """Its probe finds the key, and does not say whose it is."""

    def find(key: str, _context: Context, _notes: object) -> Done | NotDone:
        return Done(f"charged for {key}") if shop.charges else NotDone()

    @idempotent(
        table="keys",
        key="order",
        principal="platform",
        probe=find,
        client=shop.client,
        clock=shop.clock,
        name="pay",
    )
    def pay(order: str) -> str:
        shop.charges.append(order)
        return f"charged for {order}"

    def told(principal: str, age: float | None) -> dict[str, Any]:
        asker = context(shop.clock)
        asker.principal = principal
        answer: dict[str, Any] = getattr(pay, IDEMPOTENCY).settle(age, ("42",), asker)
        return answer

    alice = context(shop.clock)
    alice.principal = "alice"
    assert call_within(alice, pay, "42") == "charged for 42"
    assert told("alice", None)["result"] == "charged for 42"
    for age, reason in ((None, "no_record"), (100 * 86_400.0, "expired")):
        answer = told("bob", age)
        assert (answer["verdict"], answer["reason"], "result" in answer) == (
            *("unknown", reason, False),
        )


@pytest.mark.threat("S17")
@each_row("text", ["..", ".", "%2e%2e", "%252E.", "a/../b", r"a\..\b"])
def test_no_key_leads_out_of_its_path(bank: Bank, text: str) -> None:
    """However often a proxy decodes it."""
    probe = http_probe(f"{bank.url}/payments/{{key}}", settled_after=0)
    with pytest.raises(ValueError, match="leads elsewhere"):
        probe(text, NO_CALL, ())
    assert bank.asked == []


def test_a_probe_asks_for_the_key_of_a_principal(bank: Bank, shop: Shop) -> None:
    """Where nobody is identified, it cannot tell."""
    probe = http_probe(f"{bank.url}/{{principal}}/{{key}}", settled_after=0)
    call = context(shop.clock)
    assert probe("42", call, ()) == CannotTell()
    call.principal = "alice"
    probe("42", call, ())
    assert [target for _, target, _ in bank.asked] == ["/alice/42"]


def test_a_probe_settles_what_a_run_has_noted(bank: Bank, shop: Shop) -> None:
    """The run notes where to look before its effect, and its unknown end is settled."""

    @idempotent(client=shop.client, **options(shop, bank))
    def pay(order: dict[str, Any]) -> None:
        run = current_run()
        assert run is not None
        run.note("pi_1")
        run.begin()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        pay(ORDER)
    shop.clock.advance(31)
    said = getattr(pay, IDEMPOTENCY).settle(1.0, (ORDER,), context(shop.clock))
    assert (said["verdict"], said["voids"]) == ("not_run", 1)
    assert [target for _, target, _ in bank.asked] == ["/payments/pi_1"] * 2


@pytest.mark.parametrize("text", ["", "a" * 256, "half \ud83e", "a\0b", "a\nb", 7])
def test_a_note_that_no_table_keeps_is_refused_by_name(shop: Shop, text: Any) -> None:
    """It is not told as a run that another one has taken over."""
    failures = []

    @idempotent(table="keys", key="order.id", name="noting", client=shop.client, clock=shop.clock)
    def pay(order: dict[str, Any]) -> str:
        run = current_run()
        assert run is not None
        try:
            run.note(text)
        except ConfigError as error:
            failures.append(str(error))
        return "paid"

    assert pay(ORDER) == "paid"
    assert failures == ["a note must be a text of 1 to 255 printable characters"]


def test_the_same_probe_serves_a_coroutine_function(bank: Bank, shop: Shop) -> None:
    """It is asked on a thread of its own, and the event loop goes on."""

    async def run() -> Any:
        async with AsyncClient(shop.table, clock=shop.clock) as client:

            @idempotent(client=client, **options(shop, bank))
            async def pay(order: dict[str, Any]) -> None:
                run = current_run()
                assert run is not None
                await run.note_async("pi_1")
                await run.begin_async()
                raise ConnectionError

            with pytest.raises(ConnectionError):
                await pay(ORDER)
            shop.clock.advance(31)
            return await getattr(pay, IDEMPOTENCY).settle(1.0, (ORDER,), context(shop.clock))

    bank.payments["pi_1"] = {"paid": True}
    said = asyncio.run(run())
    assert (said["verdict"], said["result"]) == ("ran", {"paid": True})


@each_row(
    "url, settled_after, message",
    [
        ("ftp://bank/{key}", 0, "https"),
        ("bank/{key}", 0, "https"),
        ("https://{key}/", 0, "behind the name"),
        ("https://bank/payments", 0, "{key} or {note}"),
        ("https://bank/{key}", -1, "settled_after"),
        ("https://bank/{key}", float("inf"), "settled_after"),
        ("https://bank/{key}", True, "settled_after"),
        ("https://bank/{key}", "5", "settled_after"),
    ],
)
def test_a_probe_that_could_ask_nobody_is_refused(
    url: str, settled_after: Any, message: str
) -> None:
    """When it is made, not at three in the morning."""
    with pytest.raises(ConfigError, match=message):
        http_probe(url, settled_after=settled_after)

"""A backup of a table of keys is restored: what was called since its time is not denied."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from leeward import App, Client, Promise, Verdict
from leeward.app import idempotent
from leeward.local import Local
from tests.backup.conftest import World
from tests.registers import LONG


def _open(world: World, stack: ExitStack, charged: list[str]) -> Client:
    """Return a client that runs an app with an idempotent function, as a new process does."""
    app = App("shop")

    @app.function(effect="keyed")
    @idempotent(table="keys", principal=None, keep=30 * 86_400.0, clock=world.clock)
    def charge(order: dict[str, Any]) -> str:
        charged.append(order["id"])
        return f"charged {order['id']}"

    local = Local(path=world.folder / "db.sqlite3", clock=world.clock)
    return stack.enter_context(Client(local, app=app, clock=world.clock))


def _pay(client: Client, id: str) -> Any:
    return client.invoke("charge", {"id": id}, idempotency_key=id).value


def _verdict(world: World, client: Client, id: str, age: float) -> tuple[Verdict, str | None]:
    sent = world.clock.now() - age
    found = client.settle(id, function="charge", payload={"id": id}, sent=sent, targets="local")
    return found.verdict, found.reason


@pytest.mark.parametrize("mode", ["empty", "missing", "overwrite"])
def test_a_call_since_the_time_of_a_backup_of_its_key_is_not_denied(
    world: World, mode: str
) -> None:
    """Nor one whose key the table has lost, with its register left; what it has kept is known."""
    charged: list[str] = []
    with ExitStack() as stack:
        client = _open(world, stack, charged)
        _pay(client, "before")
        world.clock.advance(LONG)
        backups = world.backups(client, "keys")
        made = backups.create()
        world.clock.advance(60.0)
        for id in ("since", "lost"):
            _pay(client, id)
        world.clock.advance(60.0)
        for id in ("before", "lost", *(("since",) if mode == "empty" else ())):
            client.delete_data("keys", f"shop/charge:{id}")
        restored = backups.restore(made.id, mode=mode)
        assert restored.promise in (Promise.VERIFIED, Promise.RESTORED)
        new = _open(world, stack, charged)
        assert _verdict(world, new, "before", 120.0 + LONG)[0] is Verdict.RAN
        assert _pay(new, "before") == "charged before"
        since = (Verdict.UNKNOWN, "too_new") if mode == "empty" else (Verdict.RAN, None)
        assert _verdict(world, new, "since", 60.0) == since
        assert _verdict(world, new, "lost", 60.0) == (Verdict.UNKNOWN, "too_new")
        world.clock.advance(LONG)
        assert _verdict(world, new, "never", 1.0)[0] is Verdict.NOT_RUN
    assert charged == ["before", "since", "lost"]

"""What a spool keeps has an owner: a client publishes its own alone, where its writer may."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from leeward import App, Client
from leeward._delivery.relay import SPOOL, SpoolStatus, WaitingCall, own_name, read_name, row_of
from leeward.adapter import Driver
from leeward.config import Config, GroupConfig
from leeward.stores import Owner, Recipient
from leeward_contract_tests.rows import each_row
from tests.local.calls import PATIENT, event, publish
from tests.spool import ledger


def _open(folder: Path, *names: str, stage: str | None = None, **more: Any) -> Client:
    """Open a client of targets that write what they take into a folder of their name."""
    drivers: list[Driver] = []
    for name in names:
        (folder / name).mkdir(exist_ok=True)
        drivers.append(ledger.RecordingDriver(name, folder / name))
    deploy = {} if stage is None else {"stage": stage}
    config: Config = ledger.config_of(folder)._replace(deploy=deploy, **more)
    return Client(drivers, config=config, app=None)


def _status(client: Client) -> list[SpoolStatus]:
    return list(ledger.spool_of(client).status())


def _keep(folder: Path, client: Client, *names: str, **options: Any) -> None:
    """Publish an event while the targets are down; they are up again then."""
    for name in names:
        ledger.begin_outage(folder / name, "refuse")
    client.publish_event(ledger.BUS, "counted", "k 1", **options)
    client.close()
    for name in names:
        ledger.end_outage(folder / name)


def _look(client: Client) -> None:
    """Let the relay look for what it may publish, and publish it."""
    relay = ledger.spool_of(client).relay
    looks = relay.activity().looks
    relay.wake()
    until = time.monotonic() + PATIENT
    while relay.activity().looks < looks + 2 or any(
        each.waiting and each.owner is None for each in _status(client)
    ):
        assert time.monotonic() < until
        relay.wake()
        time.sleep(0.02)


def _taken(folder: Path, *names: str) -> list[int]:
    return [len(ledger.taken_in(folder / name)) for name in names]


OTHERS: dict[str, dict[str, Any]] = {
    "another stage": {"names": ("alpha", "beta"), "stage": "test"},
    "no stage": {"names": ("alpha", "beta")},
    "another order": {"names": ("gamma",), "stage": "prod"},
}


@each_row("other", OTHERS)
def test_what_another_owner_keeps_is_left_to_it(
    other: dict[str, Any], tmp_path_factory: Any
) -> None:
    """Its client says so, and whose it is; one of the same stage takes it, at the same targets."""
    folder: Path = tmp_path_factory.mktemp("owners")
    names = ("alpha", "beta")
    _keep(folder, _open(folder, *names, stage="prod"), *names)
    with _open(folder, *other["names"], stage=other.get("stage")) as client:
        _look(client)
        (status,) = _status(client)
        assert (status.name, status.waiting) == (ledger.BUS, 1)
        assert str(status.owner) == "stage prod, targets alpha,beta"
        assert ledger.spool_of(client).relay.discard(SPOOL) == 0
    assert sum(_taken(folder, *other["names"])) == 0
    with _open(folder, "gamma", "beta", stage="prod") as client:  # its next version
        _look(client)
        assert _status(client) == []
    assert _taken(folder, "gamma", "beta") == [0, 1]


def test_a_later_event_of_a_key_waits_behind_that_of_another_order(tmp_path: Path) -> None:
    """The version before had other targets, and its event waits."""
    _keep(tmp_path, _open(tmp_path, "alpha", "beta"), "alpha", "beta", ordering_key="k")
    ledger.begin_outage(tmp_path / "beta", "refuse")
    with _open(tmp_path, "beta") as client:
        client.publish_event(ledger.BUS, "counted", "k 2", ordering_key="k")
        (status,) = _status(client)
        assert status.waiting == 2
        ledger.end_outage(tmp_path / "beta")
        _look(client)
    assert [number for _, _, number in ledger.taken_in(tmp_path / "beta")] == [1, 2]


def test_an_event_of_a_group_goes_to_its_targets_alone(tmp_path: Path) -> None:
    """Although the whole order is up when it is relayed by a version without the group."""
    groups = {"europe": GroupConfig(buses=(ledger.BUS,), targets=("beta",))}
    _keep(tmp_path, _open(tmp_path, "alpha", "beta", groups=groups), "alpha", "beta")
    with _open(tmp_path, "alpha", "beta") as client:
        _look(client)
    assert _taken(tmp_path, "alpha", "beta") == [0, 1]


def test_a_row_of_a_version_without_owners_is_anybodys(tmp_path: Path) -> None:
    """Whoever comes first publishes it, as before."""
    with _open(tmp_path, "alpha", stage="prod") as client:
        row = row_of(Recipient(SPOOL, ledger.BUS), WaitingCall(publish(event(data="k 1")), (), 9e9))
        ledger.spool_of(client).relay.store.add([row], PATIENT)
        _look(client)
    assert _taken(tmp_path, "alpha") == [1]


KEPT: dict[str, tuple[Owner, bool]] = {
    "the same": (Owner("shop", "prod", ("a", "b")), True),
    "another order of the same": (Owner("shop", "prod", ("b", "a")), True),
    "one of its targets": (Owner("shop", "prod", ("b", "c")), True),
    "any target": (Owner("shop", "prod"), True),
    "without an app": (Owner(None, "prod", ("a",)), True),
    "another app": (Owner("mail", "prod", ("a",)), False),
    "another stage": (Owner("shop", "test", ("a",)), False),
    "no stage": (Owner("shop", None, ("a",)), False),
    "other targets": (Owner("shop", "prod", ("c",)), False),
}


@each_row("kept", KEPT)
def test_who_may_take_what_is_kept(kept: tuple[Owner, bool]) -> None:
    """Stage and app are the same, and a target is there; a name says whose it is."""
    owner, may_take = kept
    assert Owner("shop", "prod", ("a", "b")).may_take(owner) is may_take
    for name in ("orders", "orders (new)", "orders ()", "a\n(app b)"):
        assert read_name(own_name(name, owner)) == (name, owner)
    assert read_name("orders (new)") == ("orders (new)", None)
    assert own_name("orders", Owner()) == "orders"


def test_a_client_of_an_app_has_its_name(tmp_path: Path) -> None:
    """And a client without one has none."""
    (tmp_path / "alpha").mkdir()
    drivers: list[Driver] = [ledger.RecordingDriver("alpha", tmp_path / "alpha")]
    config = ledger.config_of(tmp_path)._replace(prefix="shop-prod-")
    with Client(drivers, config=config, app=App("shop")) as client:
        owner = ledger.spool_of(client).relay.owner
    assert owner == Owner("shop", "shop-prod", ("alpha",))

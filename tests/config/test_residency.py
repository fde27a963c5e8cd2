"""Every place that keeps what has a residency is inside of it, or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward import App, Client, ConfigError
from leeward.adapter import Limits
from leeward.app.idempotency import idempotent
from leeward.calls import Enqueue, Publish
from leeward.config import (
    BusConfig,
    Config,
    FunctionConfig,
    GroupConfig,
    LimitConfig,
    SpoolConfig,
    TableConfig,
    WorkerConfig,
)
from leeward.local import Local
from leeward.outbox import OutboxSettings
from leeward.worker import Worker
from leeward.workflow import Flow, Ref, workflow
from leeward_backup.backups import Backups
from leeward_contract_tests.rows import each_row

HERE, THERE = "local:here", "local:there"
BASE = Config(
    residency={HERE: "eu", THERE: "us"},
    groups={
        "g": GroupConfig(
            functions=("charge",), buses=("orders",), targets=(HERE,), residency=("eu",)
        )
    },
    tables={"people": TableConfig(home=HERE, residency=("eu",))},
    workflow_target=HERE,
    data_target=THERE,
)


@workflow("booking")
def booking(w: Flow, order: Ref) -> None:
    """A step that has a residency."""
    w.step("charge", order)


def _app(table: str) -> App:
    app = App("shop")

    @app.function(name="charge", effect="keyed")
    @idempotent(table=table, key="id", principal=None)
    def charge(id: str) -> str:
        return id

    return app


def _open(app: App | None = None, **changes: Any) -> Client:
    drivers = [Local(HERE), Local(THERE)]
    return Client(drivers, config=BASE._replace(**changes), app=app, workflows=[booking])


def _publish(on_all_down: Any) -> None:
    with _open(spool=SpoolConfig(target=THERE)) as client:
        client.publish_event("others", "made")
        client.publish_event("orders", "made", on_all_down=on_all_down)


def _start(target: str) -> None:
    with _open(workflow_target=target) as client:
        client.list_runs()


def _work(target: str) -> None:
    app = App("shop")
    app.function(name="charge")(lambda order: order)
    app.workflows.append(booking)
    config = BASE._replace(workflow_target=target)
    Worker(app, [Local(HERE), Local(THERE)], config=config).drain()


def _write(database: str, call: Any) -> None:
    settings = OutboxSettings(BASE, database, None, Limits())
    settings.with_own_name(call)


def _back_up(store_at: str, folder: Path) -> None:
    with _open(data_target=store_at) as client:
        client.store_data("people", {"id": "1"})
        Backups(client, "people", "backups", work=folder).create()


EVENT: Any = Publish("orders", ())
CALL = Enqueue("charge", b"{}", "k")
SPOOLS = {"orders": BusConfig(on_all_down="spool")}

PLACES: dict[str, tuple[Callable[[str, Path], object], str, str]] = {
    "spool": (
        lambda at, _: _open(buses=SPOOLS, spool=SpoolConfig(target=at)),
        "spool.target",
        "orders",
    ),
    "spool of a call": (
        lambda at, _: _publish("spool" if at == THERE else "raise"),
        "spool.target",
        "orders",
    ),
    "payloads of unknown calls": (
        lambda at, _: _open(unknowns="unknowns", unknowns_payload=True, data_target=at),
        "unknowns_payload",
        "charge, orders",
    ),
    "records of a key": (
        lambda at, _: _open(_app("keys"), data_target=at),
        "tables.keys.home",
        "charge",
    ),
    "runs": (lambda at, _: _start(at), "workflow_target", "charge"),
    "runs of a worker": (lambda at, _: _work(at), "workflow_target", "charge"),
    "an event of an outbox": (lambda at, _: _write(at, EVENT), "targets", "orders"),
    "a call of an outbox": (lambda at, _: _write(at, CALL), "targets", "charge"),
    "a backup": (_back_up, "buckets.backups", "people"),
}


@each_row("kept", PLACES)
def test_what_is_kept_elsewhere_is_refused_with_field_and_remedy(
    kept: tuple[Callable[[str, Path], object], str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """And at a target of the residency it is not."""
    act, field, names = kept
    folder = tmp_path_factory.mktemp("kept")
    act(HERE, folder)
    with pytest.raises(ConfigError) as refusal:
        act(THERE, folder)
    told = str(refusal.value)
    assert told.startswith(field)
    assert f"belongs to {names}, which [" in told
    assert "keeps in eu, and its target 'local:there' is in us; choose a target there" in told


def test_all_mistakes_come_at_once() -> None:
    """A home, a spool and payloads; each with its own remedy."""
    with pytest.raises(ConfigError) as refusal:
        _open(
            tables={"people": TableConfig(home=THERE, residency=("eu",))},
            buses=SPOOLS,
            spool=SpoolConfig(target=THERE),
            unknowns="unknowns",
            unknowns_payload=True,
        )
    told = str(refusal.value).split("; ")
    starts = [each.partition(" ")[0] for each in told]
    assert [each for each in starts if each in ("tables.people.residency", "spool.target")]
    for words in ("give the table another home", "set `path` instead", "or leave it out"):
        assert words in str(refusal.value)


def test_a_file_is_where_the_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else knows where that is; [residency] may say it."""
    monkeypatch.chdir(tmp_path)
    config = BASE._replace(residency={"north": "eu"}, tables={}, workflow_target="local")
    groups = {"g": GroupConfig(functions=("charge",), targets=("north",), residency=("eu",))}
    config = config._replace(groups=groups, data_target=None)
    with Client(Local("north"), config=config, workflows=[booking]) as client:
        assert client.list_runs() == []
    config = config._replace(residency={"north": "eu", "local": "us"})
    with (
        Client(Local("north"), config=config, workflows=[booking]) as client,
        pytest.raises(ConfigError, match=r"workflow_target.*'local' is in us"),
    ):
        client.list_runs()


TEXT: Any = "eu"
"""In the place of several names."""


@each_row(
    "config, key",
    [
        (Config(order=TEXT), "order"),
        (Config(tables={"t": TableConfig(key=TEXT)}), "tables.t.key"),
        (Config(tables={"t": TableConfig(residency=TEXT)}), "tables.t.residency"),
        (Config(groups={"g": GroupConfig(("f",), residency=TEXT)}), "groups.g.residency"),
        (Config(groups={"g": GroupConfig(TEXT)}), "groups.g.functions"),
        (Config(groups={"g": GroupConfig(("f",), TEXT)}), "groups.g.buses"),
        (Config(groups={"g": GroupConfig(("f",), targets=TEXT)}), "groups.g.targets"),
        (Config(functions={"f": FunctionConfig(marks=TEXT)}), "functions.f.marks"),
        (Config(functions={"f": FunctionConfig(shared_dedup=TEXT)}), "functions.f.shared_dedup"),
        (Config(dead_letters={"dead": TEXT}), "dead_letters.dead"),
        (Config(worker=WorkerConfig(limits={"x": LimitConfig(2, TEXT)})), "worker.limits.x.handl"),
    ],
)
def test_a_text_is_not_read_as_its_letters(config: Config, key: str) -> None:
    """Written in Python, where no reader of a file has seen it."""
    for targets in ("local", Local()):
        with pytest.raises(ConfigError, match=rf"^{key}.* in the Config is a text; write a tuple"):
            Client(targets, config=config)

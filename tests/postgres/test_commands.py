"""``leeward postgres schema``: printed, applied, applied under load, and refused."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from leeward.calls import Look, Publish
from leeward.calls.looks import TABLE
from leeward.cli.app import app
from leeward.cloudevents import mint
from leeward.errors import Outcome
from leeward.leases.rules import Room
from leeward.stores import AttemptFailure, LeaseEnd, NewRow, Recipient
from leeward.values import Event
from leeward_postgres import schema
from leeward_postgres.checks import look
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import VERSION, data, schema_sql
from tests.postgres.opening import SECONDS, config_for, store_of
from tests.postgres.server import PASSWORD, Server

Run = Callable[..., Any]


@pytest.fixture
def run(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line beside a configuration of the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLOUD_PROVIDER", raising=False)
    locked = server.url.replace("leeward@", f"locked:{PASSWORD}@")
    (tmp_path / "leeward.toml").write_text(
        f'cloud_provider = "postgres"\n[tables.orders]\n'
        f'[targets.postgres]\nurl = "{server.url}"\nschema = "applied"\n'
        f'[targets."postgres:locked"]\nurl = "{locked}"\n'
        '[targets."postgres:absent"]\nurl = "postgresql://x@127.0.0.1:1/x"\n',
        encoding="utf-8",
    )
    return lambda *words: CliRunner().invoke(app, words)


def test_the_schema_is_printed(run: Run) -> None:
    """As SQL that psql takes; nothing is connected to."""
    result = run("postgres", "schema")
    assert (result.exit_code, result.stdout.strip()) == (0, schema_sql("applied").strip())
    told = json.loads(run("postgres", "schema", "--target", "postgres:absent", "--json").stdout)
    assert (told["schema"], told["applied"], told["version"]) == ("leeward", False, VERSION)


def test_the_schema_is_applied_as_often_as_one_likes(run: Run, server: Server) -> None:
    """Then the target works."""
    for _ in range(2):
        result = run("postgres", "schema", "--apply")
        assert (result.exit_code, "applied" in result.stdout) == (0, True)
    with closing(open_driver(config_for(server.url, schema="applied"))) as driver:
        assert driver.perform(store_of("t", "k", 1), SECONDS).outcome is Outcome.OK


def test_the_schema_is_applied_under_load(run: Run, server: Server) -> None:
    """Beside a transaction that reads for long, and while writes go on."""
    assert run("postgres", "schema", "--apply").exit_code == 0
    over = threading.Event()
    outcomes = set()

    def write() -> None:
        with closing(open_driver(config_for(server.url, schema="applied"))) as driver:
            while not over.is_set():
                outcomes.add(driver.perform(store_of("load", "k", 1), SECONDS).outcome)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with psycopg.connect(server.url) as reader:
            reader.execute("SELECT count(*) FROM applied.items")
            codes = [run("postgres", "schema", "--apply").exit_code for _ in range(5)]
    finally:
        over.set()
        writer.join()
    assert (codes, outcomes) == ([0] * 5, {Outcome.OK})


def test_what_goes_wrong_is_said_without_a_secret(run: Run) -> None:
    """With the server's words, or that nobody answers."""
    denied = run("postgres", "schema", "--target", "postgres:locked", "--apply")
    assert denied.exit_code != 0
    assert "permission denied" in denied.stderr
    absent = run("postgres", "schema", "--target", "postgres:absent", "--apply")
    assert "nothing was applied" in absent.stderr
    assert PASSWORD not in denied.output + absent.output
    assert "name one with --target" in run("postgres", "schema", "--target", "aws").stderr


def test_a_schema_in_use_is_applied_later(run: Run, server: Server) -> None:
    """What has written to it may be a long transaction; the message names the remedy."""
    assert run("postgres", "schema", "--apply").exit_code == 0
    with psycopg.connect(server.url) as connection:
        connection.execute("LOCK TABLE applied.items IN ROW EXCLUSIVE MODE")
        result = run("postgres", "schema", "--apply")
    assert result.exit_code != 0
    assert "run this again" in " ".join(result.stderr.split())


def test_doctor_says_what_the_server_promises(run: Run, server: Server) -> None:
    """A table is there once the schema is; a server that may lose commits is a fault."""
    assert run("postgres", "schema", "--apply").exit_code == 0
    with psycopg.connect(server.url, autocommit=True) as connection:
        checked = run("doctor")
        assert "is there" in checked.stdout
        connection.execute("ALTER ROLE leeward SET synchronous_commit = off")
        try:
            lossy = run("doctor")
        finally:
            connection.execute("ALTER ROLE leeward RESET synchronous_commit")
    assert "synchronous_commit = off" in lossy.stdout
    assert lossy.exit_code == 9


def test_doctor_does_not_blame_the_network_for_a_schema_that_is_not_there(
    run: Run, server: Server
) -> None:
    """The message has the remedy."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS applied CASCADE")
    checked = run("doctor")
    assert checked.exit_code == 9
    assert "leeward postgres schema --apply" in checked.stdout
    assert "the network and a proxy" not in " ".join(checked.stdout.split())


def test_a_look_tells_of_standbys_that_lag() -> None:
    """A failover to one may lose what was committed; with none there is nothing to tell."""
    told = []
    for standbys, asynchronous in ((2, 1), (2, 0), (0, 0)):
        plan = look(Look("t", TABLE))
        next(plan)
        with pytest.raises(StopIteration) as end:
            plan.send([(0.0, standbys, asynchronous, "", "on")])
        told.append(end.value.value.value.why)
    assert told[0].startswith("1 of 2 standbys are asynchronous")
    assert told[1:] == ["", ""]


def test_version_1_is_upgraded_beside_a_reader(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had no queues; until then this client refuses it, and names the command."""
    with monkeypatch.context() as old:
        old.setattr(schema, "_PARTS", (data,))
        old.setattr(schema, "VERSION", 1)
        first = schema_sql("applied")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS applied CASCADE;{first}".encode())
    publish = Publish("orders", (mint(Event("t"), id="1", source="/s", now=time.time()),))
    with closing(open_driver(config_for(server.url, schema="applied"))) as driver:
        refusal = driver.perform(publish, SECONDS)
        assert (refusal.outcome, refusal.reason) == (Outcome.UNUSABLE, "schema")
        assert "leeward postgres schema --apply" in (refusal.message or "")
        with psycopg.connect(server.url) as reader:
            reader.execute("SELECT count(*) FROM applied.items")
            assert run("postgres", "schema", "--apply").exit_code == 0
        assert driver.perform(publish, SECONDS).outcome is Outcome.OK


def test_a_later_schema_gets_no_older_functions(run: Run, server: Server) -> None:
    """Whoever applies it with an earlier leeward-postgres is told to upgrade that."""
    assert run("postgres", "schema", "--apply").exit_code == 0
    later = f"UPDATE applied.version SET version = {VERSION + 1}"
    mark = "CREATE OR REPLACE FUNCTION applied.prune() RETURNS void LANGUAGE sql AS 'SELECT'"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"{later}; {mark}".encode())
        refusal = run("postgres", "schema", "--apply")
        kept = "SELECT prosrc FROM pg_proc WHERE oid = 'applied.prune'::regproc"
        assert connection.execute(kept).fetchall() == [("SELECT",)]
        connection.execute("DROP SCHEMA applied CASCADE")
    assert refusal.exit_code != 0
    assert "upgrade leeward-postgres" in " ".join(refusal.stderr.split())


def test_dead_letters_are_listed_redriven_and_deleted(run: Run, server: Server) -> None:
    """As those of the embedded target, without a queue to name."""
    assert run("postgres", "schema", "--apply").exit_code == 0
    recipient, failure = Recipient("", "mails"), AttemptFailure("ValueError", "m", False, "spent")
    with closing(open_driver(config_for(server.url, schema="applied"))) as driver:
        stores = driver.stores()
        assert stores is not None
        store = stores.deliveries
        store.add([NewRow(recipient, None, key, f'"{key}"') for key in "abc"], 5)
        taken = store.take([recipient], time.time, Room(9, 9)).rows
        store.finish([LeaseEnd(row, failure) for row in taken], time.time())
        listed = json.loads(run("dlq", "show", "--json").stdout)["dead_letters"]
        told = [(each["queue"], each["error"], each["reason"], each["ran"]) for each in listed]
        assert told == [("mails", "ValueError", "spent", "maybe")] * 3
        assert [each["body"] for each in listed] == ['"a"', '"b"', '"c"']
        first, second, third = (each["id"] for each in listed)
        some = json.loads(run("dlq", "list", "--limit", "2", "--json").stdout)
        assert [each["id"] for each in some["dead_letters"]] == [first, second]
        assert list(some["next"].values()) == [second]
        rest = json.loads(run("dlq", "list", "--after", second, "--json").stdout)
        assert [each["id"] for each in rest["dead_letters"]] == [third]
        assert rest["next"] == {}
        assert run("dlq", "redrive", "--id", first).exit_code == 0
        assert store.count_waiting([recipient]) == 0
        assert run("dlq", "redrive", "--id", first, "--force").exit_code == 0
        assert run("dlq", "delete", "--id", second, "--force").exit_code == 0
        assert [str(each.id) for each in store.dead_rows()] == [third]
        assert store.count_waiting([recipient]) == 1
    absent = run("dlq", "list", "--targets", "postgres:absent")
    assert absent.exit_code != 0
    assert "postgres:absent" in absent.output

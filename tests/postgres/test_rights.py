"""What other roles of the database can do: plant objects in `public`, and call functions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from leeward.calls import (
    Enqueue,
    Key,
    ListItems,
    Load,
    Look,
    Publish,
    Scan,
    SettleWrite,
)
from leeward.calls.looks import BUS
from leeward.calls.objects import DeleteObject, GetObject, HeadObject, ListObjects, PutObject
from leeward.cloudevents import mint
from leeward.entropy import new_id
from leeward.errors import Outcome
from leeward.leases.rules import Room
from leeward.stores import AttemptFailure, LeaseEnd, NewRow, Recipient, Stores
from leeward.testing import FakeClock
from leeward.values import Event
from leeward.workflow.embedded.journal import Journal
from leeward_postgres import connections
from leeward_postgres.checks import check_server
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import PATH, schema_sql
from tests.house.workspace import ROOT
from tests.postgres.journals import Journals
from tests.postgres.opening import SECONDS, config_for, delete_of, store_of
from tests.postgres.server import Server
from tests.workflow.journals import JournalContract

_OWN = "p.pronamespace = 'leeward'::regnamespace"

_PLANT = """
CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory; SET ROLE mallory;
DO $$ DECLARE
    v_types text[] := ARRAY['text', 'name', 'integer', 'bigint', 'numeric', 'double precision',
        'timestamptz', 'interval', 'jsonb', 'boolean', 'text[]', 'integer[]', 'bigint[]'];
    v_left text; v_right text; v_operator text; v_name text; v_arity integer;
BEGIN
    FOREACH v_left IN ARRAY v_types LOOP FOREACH v_right IN ARRAY v_types LOOP
        EXECUTE format('CREATE FUNCTION public.planted(%s, %s) RETURNS boolean LANGUAGE plpgsql '
            'AS ''BEGIN RAISE EXCEPTION ''''planted''''; END''', v_left, v_right);
        FOREACH v_operator IN ARRAY string_to_array('< > <= >= = <> + - * / || ->> ~', ' ') LOOP
            IF to_regoperator(format('pg_catalog.%s(%s,%s)', v_operator, v_left, v_right)) IS NULL
            THEN EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, '
                'FUNCTION = public.planted)', v_operator, v_left, v_right);
            END IF;
        END LOOP;
    END LOOP; END LOOP;
    FOR v_name, v_arity IN SELECT DISTINCT proname, nargs FROM pg_proc, unnest(ARRAY[1, 2, 3])
            AS nargs WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f'
            AND (provariadic <> 0 OR nargs = pronargs) AND proname IN (
                'format', 'to_jsonb', 'unnest', 'substr', 'left', 'lpad', 'to_hex', 'starts_with',
                'set_config', 'current_setting', 'split_part', 'octet_length', 'hashtext',
                'pg_advisory_xact_lock', 'pg_try_advisory_xact_lock', 'make_interval', 'random',
                'array_to_string', 'cardinality', 'pg_relation_size', 'json_build_object')
    LOOP
        FOREACH v_left IN ARRAY v_types LOOP
            v_right := array_to_string(array_fill(v_left, ARRAY[v_arity]), ',');
            IF to_regprocedure(format('pg_catalog.%s(%s)', v_name, v_right)) IS NULL
            THEN EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS text LANGUAGE plpgsql AS '
                '''BEGIN RAISE EXCEPTION ''''planted''''; END''', v_name, v_right);
            END IF;
        END LOOP;
    END LOOP;
END $$;
RESET ROLE;
"""
"""What is nearer to arguments of some types than what PostgreSQL itself has, and raises."""


@pytest.fixture(scope="module")
def planted() -> Iterator[Server]:
    """Start a server in whose `public` somebody has planted what leeward might call."""
    server = Server()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(_PLANT.encode())
        with pytest.raises(psycopg.errors.RaiseException, match="planted"):
            connection.execute("SELECT random() < 0.002")
        for _ in range(2):
            connection.execute(schema_sql("leeward").encode())
    yield server
    server.stop()


@pytest.fixture(params=["direct", "pooled"])
def url(planted: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return its address; connections may seem to lead through a pooler, and keep no settings."""
    if request.param == "pooled":
        monkeypatch.setattr(
            connections, "check_server", lambda schema, stage, _: check_server(schema, stage, -1)
        )
    return planted.url


def test_no_call_reaches_what_others_have_planted(url: str) -> None:
    """Of any verb, or of a worker."""
    with closing(open_driver(config_for(url))) as driver:
        stores = driver.stores()
        assert stores is not None
        _use_rows(stores)
        outcomes = {each.verb: driver.perform(each, SECONDS).outcome for each in _calls()}
        assert driver.look(Look("bus", BUS), SECONDS).outcome is Outcome.OK
    assert {verb: told for verb, told in outcomes.items() if told is not Outcome.OK} == {}


class TestPlantedJournal(JournalContract):
    """Runs beside what others have planted."""

    @pytest.fixture
    def journal(self, url: str) -> Iterator[Journal]:
        """Open an empty journal."""
        with closing(Journals(url)) as journals:
            yield journals.open(FakeClock())


def test_a_connection_keeps_a_fixed_search_path(planted: Server) -> None:
    """So does every function, those of earlier schemas too."""
    with closing(open_driver(config_for(planted.url))) as driver:
        assert driver.stores().deliveries.ask(  # type: ignore[union-attr]
            "SELECT current_setting('search_path')"
        ) == [(PATH,)]
    with psycopg.connect(planted.url, autocommit=True) as connection:
        open_ones = connection.execute(
            f"SELECT p.oid::regprocedure FROM pg_proc AS p WHERE {_OWN} "
            "AND coalesce(NOT proconfig @> %s, true)",
            ([f"search_path={PATH}"],),
        ).fetchall()
    assert open_ones == []


def test_who_may_only_read_calls_no_function(server: Server) -> None:
    """One of them has the rights of the schema's owner; and the page's grants are enough."""
    page = (ROOT / "docs/postgres.md").read_text(encoding="utf-8")
    grants = page.partition("```sql\nGRANT")[2].partition("```")[0]
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE shop LOGIN; CREATE ROLE looker LOGIN")
        connection.execute(f"GRANT{grants}".encode())
        connection.execute("GRANT USAGE ON SCHEMA leeward TO looker")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA leeward TO looker")
        connection.execute("SET ROLE looker")
        allowed = connection.execute(
            f"SELECT p.oid::regprocedure FROM pg_proc AS p "
            f"WHERE {_OWN} AND has_function_privilege(p.oid, 'EXECUTE')"
        ).fetchall()
        assert allowed == []
        with pytest.raises(InsufficientPrivilege):
            connection.execute("SELECT leeward.tend_rows(ARRAY['b'], ARRAY['s'])")
    with closing(open_driver(config_for(server.url.replace("leeward@", "shop@")))) as driver:
        stores = driver.stores()
        assert stores is not None
        _use_rows(stores)
        assert {driver.perform(each, SECONDS).outcome for each in _calls()} == {Outcome.OK}


def test_the_first_write_on_another_server_begins_anew(server: Server) -> None:
    """Registers of all tables go, once, and nothing else does; the role has no right to note it."""
    others = [(name, key) for name in ("keys", "other") for key in (":register", ":register;")]
    registers = [(name, ":register:a/b") for name in ("keys", "other")]
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(schema_sql("copy").encode())
        connection.execute("CREATE ROLE narrow LOGIN")
        for sql in (
            "USAGE ON SCHEMA copy",
            "SELECT ON ALL TABLES IN SCHEMA copy",
            "INSERT, UPDATE, DELETE ON copy.items, copy.writes",
            "EXECUTE ON ALL FUNCTIONS IN SCHEMA copy",
        ):
            connection.execute(f"GRANT {sql} TO narrow".encode())

        def rows() -> list[Any]:
            find = "SELECT name, key[1] FROM copy.items WHERE key[1] LIKE ':register%' ORDER BY 1"
            return connection.execute(find).fetchall()

        def store(url: str, *places: tuple[str, str]) -> None:
            with closing(open_driver(config_for(url, schema="copy"))) as driver:
                for name, key in places:
                    assert driver.perform(store_of(name, key, 1), SECONDS).outcome is Outcome.OK

        store(server.url, *registers, *others)
        connection.execute("UPDATE copy.version SET lineage = 'of another server'")
        store(server.url.replace("leeward@", "narrow@"), ("more", "k"))
        assert sorted(rows()) == sorted(others)
        store(server.url, *registers)
        store(server.url.replace("leeward@", "narrow@"), ("more", "k"))
        assert sorted(rows()) == sorted([*registers, *others])


def _calls() -> list[Any]:
    now = time.time()
    event = mint(Event("paid", {}), id=new_id(now), source="/s", now=now)
    put = PutObject("b", "o", b"x", sha256(b"x").hexdigest(), new_id(now))
    return [
        store_of("t", "k", 1),
        Load("t", Key(("id",), ("k",))),
        Scan("t"),
        ListItems("t", ("id", "at"), "k", "a", high="b"),
        delete_of("t", "k"),
        put,
        GetObject("b", "o", 0, 1),
        HeadObject("b", "o"),
        ListObjects("b", "o"),
        DeleteObject("b", "o", new_id(now)),
        SettleWrite("b", put),
        Publish("bus", (event,)),
        Enqueue("parcels", b"{}", new_id(now)),
    ]


def _use_rows(stores: Stores) -> None:
    rows, parcels = stores.deliveries, Recipient("", "parcels")
    assert stores.recipients is not None
    stores.recipients.claim("shop", {parcels: None, Recipient("bus", "seen"): "paid"})
    stores.recipients.list_takers()
    rows.add([NewRow(parcels, lane, "k", "{}") for lane in (None, "a", "a", "b")], SECONDS)
    taken = rows.take([parcels], lambda: 0.0, Room(9, 9)).rows
    assert taken
    ends = [LeaseEnd(taken[0]), LeaseEnd(taken[1], AttemptFailure("E", again=False))]
    rows.finish(ends, 0.0, taken[2:])
    rows.next_due([parcels], 0.0)
    rows.depths([parcels], 9)
    rows.measure(None)
    rows.redrive(rows.dead_rows()[0].id)
    rows.count_waiting([parcels])
    stores.schedules.begin("daily", 1.0, SECONDS, "@daily")
    stores.schedules.add("daily", 2.0, NewRow(parcels, None, "m", "{}"), SECONDS, 1.0)

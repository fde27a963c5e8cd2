"""Send requests with an `Idempotency-Key` to real frameworks on real servers; 1 if one ran twice.

python -m tests.integrations.web_trial [--environment web] [--store NAME ...] [--cases N]
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from tests.house.workspace import ROOT
from tests.integrations.web_apps import ASGI, WSGI
from tests.servers.process import ServerProcess

UNKNOWN: Final = "unknown"
"""Why a repeat is refused whose first request may have had its effect, or not."""

WORKERS: Final = "2"
SERVERS: Final = {
    "uvicorn": [*("uvicorn", "--factory", "tests.integrations.web_apps:open_asgi"),
                *("--workers", WORKERS, "--lifespan", "off", "--log-level", "critical")],
    "gunicorn": [*("gunicorn", "tests.integrations.web_apps:open_wsgi()", "--threads", "50"),
                 *("--workers", WORKERS, "--preload", "--log-level", "critical")],
}  # fmt: skip


class WebServer(ServerProcess):
    """A server with several processes, which run the shops.

    Args:
        program: of `SERVERS`.
        environment: with the frameworks, in ``.servers``.
        target: where the keys are, as a client takes it, and the variables that lead there.
        settings: the text of ``leeward.toml``.
    """

    HEALTH = "/"

    def __init__(
        self, program: str, environment: str, target: tuple[str, Mapping[str, str]], settings: str
    ) -> None:
        self._program = program
        self._libraries = next((ROOT / ".servers" / environment).glob("lib/python*/site-packages"))
        self._target, self._variables = target
        self._settings = settings
        self.folder = Path()

    def _command(self, port: int) -> list[str]:
        name, *arguments = SERVERS[self._program]
        listen = ["--bind", f"127.0.0.1:{port}"] if name == "gunicorn" else ["--port", str(port)]
        return [sys.executable, "-m", name, *arguments, *listen]

    def _environment(self, port: int, folder: str) -> Mapping[str, str]:
        self.folder = Path(folder)
        (self.folder / "leeward.toml").write_text(self._settings, encoding="utf-8")
        return {
            **self._variables,
            "PYTHONPATH": f"{self._libraries}:{ROOT}",
            "WEB_FOLDER": folder,
            "WEB_TARGET": self._target,
        }


class Answer(NamedTuple):
    """What a caller got; without an answer, the status is 0."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def reason(self) -> str | None:
        """Why a request is refused, and does not run."""
        document = json.loads(self.body) if self.status == 409 else {}
        said: str | None = document.get("reason")
        return said


class Shop:
    """The shop of one framework, by the requests that it takes.

    Attributes:
        name: of the framework.
        at_once: how many repeats come at one time.
    """

    def __init__(self, server: WebServer, name: str, at_once: int) -> None:
        self._server, self.name, self.at_once = server, name, at_once

    def send(
        self, path: str, key: str | None, body: bytes = b"{}", headers: Mapping[str, str] = {}
    ) -> Answer:
        """Send a request until the table can be reached, and return its answer."""
        given = {"x-framework": self.name, "content-type": "application/json", **headers}
        if key is not None:
            given["idempotency-key"] = key
        answer = self._ask(path, body, given)
        until = time.monotonic() + 30
        while answer.status == 503 and time.monotonic() < until:  # it did not run
            time.sleep(0.1)
            answer = self._ask(path, body, given)
        return answer

    def _ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection(*self._server.address, timeout=60)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            found = {name.lower(): text for name, text in response.getheaders()}
            return Answer(response.status, found, response.read())
        except (OSError, http.client.HTTPException):
            return Answer(0, {}, b"")
        finally:
            connection.close()

    def send_and_leave(self, path: str, key: str) -> None:
        """Send a request, and do not wait for its answer."""
        head = f"POST {path} HTTP/1.1\r\nhost: shop\r\nx-framework: {self.name}\r\n"
        head += f"idempotency-key: {key}\r\ncontent-type: application/json\r\n"
        with socket.create_connection(self._server.address) as plain:
            plain.sendall(f"{head}content-length: 2\r\n\r\n{{}}".encode())

    def allow(self, key: str) -> None:
        """Let the request end that waits."""
        (self._server.folder / f"{self.name} {key}").touch()

    def effects(self, key: str) -> int:
        """Return how often the request has had its effect."""
        file = self._server.folder / "effects"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return lines.count(f"{self.name} {key}")

    def wait_for_effect(self, key: str) -> None:
        """Wait until the request has had its effect."""
        wait_until(lambda: self.effects(key) > 0)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + 30
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.01)


def try_repeats(shop: Shop, key: str) -> None:
    """A repeat gets the first answer whole, other payloads and requests without a key nothing."""
    first, again = shop.send("/charge", key), shop.send("/charge", f'"{key}"')
    assert (first.status, first.headers.get("x-shop")) == (201, shop.name)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["x-shop"] == shop.name
    assert shop.send("/charge", key, b'{"n": 2}').status == 422
    assert shop.send("/refund", key).status == 422
    assert shop.send("/charge", None).status == 400
    assert shop.send("/charge", key, headers={"x-caller": "ann"}).status == 201
    assert shop.effects(key) == 2, "one for each caller"


def try_errors(shop: Shop, key: str) -> None:
    """An error is an answer; what a framework lets through has broken off."""
    assert shop.send("/422", key).status == shop.send("/422", key).status == 422
    assert shop.send("/raise", f"{key}-raise").status == 500
    again = shop.send("/raise", f"{key}-raise")
    assert again.status == 500 or again.reason == UNKNOWN
    assert shop.effects(key) == shop.effects(f"{key}-raise") == 1


def try_large(shop: Shop, key: str) -> None:
    """An answer that is too large to be kept reaches its caller once."""
    assert len(shop.send("/large", key).body) > 300_000
    until = time.monotonic() + 30.0
    while (late := shop.send("/large", key)).reason == "running":  # it came before its record
        assert time.monotonic() < until, late
    assert late.reason == "not_kept", late
    assert shop.effects(key) == 1


def try_running(shop: Shop, key: str) -> None:
    """A repeat that comes while the first runs is told to come later; a late one gets it."""
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(shop.send, "/wait", key)
        shop.wait_for_effect(key)
        early = shop.send("/wait", key)
        shop.allow(key)
    assert (early.status, early.reason) == (409, "running"), early
    assert int(early.headers["retry-after"]) > 0
    late = shop.send("/wait", key)
    assert (late.status, late.body) == (201, first.result().body)
    assert shop.effects(key) == 1


def try_left(shop: Shop, key: str) -> None:
    """A caller that left before the answer gets it by a repeat."""
    shop.send_and_leave("/wait", key)
    shop.wait_for_effect(key)
    shop.allow(key)
    wait_until(lambda: shop.send("/wait", key).status == 201)
    assert shop.effects(key) == 1


def try_at_once(shop: Shop, key: str) -> None:
    """Many at once, over several processes, have one effect."""
    with ThreadPoolExecutor(shop.at_once) as pool:
        answers = list(pool.map(lambda _: shop.send("/charge", key), range(shop.at_once)))
    assert {answer.status for answer in answers} <= {201, 409}, Counter(a.status for a in answers)
    assert len({answer.body for answer in answers if answer.status == 201}) == 1
    assert shop.send("/charge", key).status == 201
    assert shop.effects(key) == 1


def try_crash(shop: Shop, key: str) -> None:
    """Nobody knows what a request did whose process was killed: no repeat runs, early or late."""
    assert shop.send("/die", key).status == 0
    wait_until(lambda: shop.send("/die", key).reason == UNKNOWN)
    with ThreadPoolExecutor(5) as pool:
        late = list(pool.map(lambda _: shop.send("/die", key), range(5)))
    assert {answer.reason for answer in late} == {UNKNOWN}
    assert shop.effects(key) == 1


def try_settled(shop: Shop, key: str) -> None:
    """A key that was settled as not run refuses what comes late, and runs for who knows of it."""
    caller = {"x-caller": "ann"}  # only who has a name may ask
    asked = {"x-leeward-settle": "1000", "x-leeward-call": "mark", **caller}
    told = json.loads(shop.send("/charge", key, b'{"age": 1.5}', asked).body)
    assert told["verdict"] == "not_run"
    assert shop.send("/charge", key, headers=caller).status == 409
    assert shop.effects(key) == 0
    knows = {"x-leeward-voids": str(told["voids"]), **caller}
    assert shop.send("/charge", key, headers=knows).status == 201


TRIALS: Final = (
    *(try_repeats, try_errors, try_large, try_running, try_left),
    *(try_at_once, try_crash, try_settled),
)


@contextmanager
def open_sqlite() -> Iterator[tuple[tuple[str, Mapping[str, str]], str]]:
    """Keep the keys in a file, which all processes share."""
    with TemporaryDirectory() as folder:
        yield ("local", {}), f'[targets.local]\npath = "{folder}/keys.sqlite3"\n'


@contextmanager
def open_postgres() -> Iterator[tuple[tuple[str, Mapping[str, str]], str]]:
    """Keep the keys in PostgreSQL."""
    import psycopg

    from leeward_postgres.schema import schema_sql
    from tests.postgres.server import Server

    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
        settings = f'[targets.postgres]\nurl = "{server.url}"\nsslmode = "disable"\n'
        yield ("postgres", {}), settings
    finally:
        server.stop()


@contextmanager
def open_dynamodb() -> Iterator[tuple[tuple[str, Mapping[str, str]], str]]:
    """Keep the keys in what stands for DynamoDB."""
    from tests.servers.aws.clients import client
    from tests.servers.aws.keys import make_key
    from tests.servers.aws.ministack import Ministack

    with Ministack() as ministack:
        key = make_key(ministack, "*")
        dynamodb = client("dynamodb", ministack.url, "us-east-1", *key)
        dynamodb.create_table(
            TableName="keys",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        dynamodb.close()
        address = {"AWS_ENDPOINT_URL_DYNAMODB": ministack.url, "AWS_EC2_METADATA_DISABLED": "true"}
        yield ("aws:us-east-1", {**key.env, **address}), ""


STORES: Final[dict[str, Any]] = {
    "sqlite": open_sqlite,
    "postgres": open_postgres,
    "dynamodb": open_dynamodb,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.integrations.web_trial", description=__doc__)
    parser.add_argument("--environment", default="web", help="in .servers: web or web-before")
    parser.add_argument("--store", action="append", choices=STORES, help="only these")
    parser.add_argument("--cases", type=int, default=1, help="times that every trial is run")
    parser.add_argument("--at-once", type=int, default=100, help="repeats at one time")
    options = parser.parse_args(arguments)
    wrong = 0
    for store in options.store or STORES:
        for program, frameworks in (("uvicorn", ASGI), ("gunicorn", WSGI)):
            with (
                STORES[store]() as (target, settings),
                WebServer(program, options.environment, target, settings) as server,
            ):
                for name in frameworks:
                    wrong += try_all(Shop(server, name, options.at_once), store, options.cases)
    print(f"wrong: {wrong}")
    return 1 if wrong else 0


def try_all(shop: Shop, store: str, cases: int) -> int:
    """Run each trial some times; return how many failed."""
    wrong = 0
    for number in range(cases):
        for trial in TRIALS:
            try:
                trial(shop, f"{trial.__name__}-{number}")
            except (AssertionError, TimeoutError) as error:
                wrong += 1
                print(f"WRONG {shop.name}, {store}, {trial.__name__}: {error!r}", flush=True)
    print(f"{shop.name}, {store}: {len(TRIALS)} trials, {cases} times each", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())

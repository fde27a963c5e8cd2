"""The order shop gives the same answers in this process and behind each cloud's own runtime."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, FunctionError
from leeward.adapter import TargetConfig
from leeward.registry import open_target
from tests.house.workspace import ROOT
from tests.servers.aws.function import Function
from tests.servers.aws.invoke_api import Place
from tests.servers.aws.lambda_server import LambdaServer
from tests.servers.azure.functions_host import HOST_KEY, FunctionsHost
from tests.servers.deploying import deploy
from tests.servers.google.framework import FunctionsFramework
from tests.servers.installed import NotInstalled, executable
from tests.servers.loopback import PATIENCE

SHOP = ROOT / "examples/shop"
ORDER: dict[str, Any] = {
    "id": "42",
    "customer": "ada",
    "lines": [{"sku": "tea", "qty": 2}, {"sku": "cup", "qty": 1}],
    "total": "9.90",
}
DONE = {
    "id": "42",
    "status": "done",
    "total": "9.90",
    "charged": "9.90",
    "told": "ada: order 42 over 9.90 is on its way",
}
REUSED = (
    "the idempotency key of this call to 'shop/charge' belongs to another payload. "
    "It did not run; send the same payload, or another key"
)
FUNCTIONS = ("place-order", "get-order", "get-stock", "charge")


def settings(folder: Path) -> dict[str, str]:
    """Write where the shop's own client keeps its data; return the variables that say so."""
    file = folder / "leeward.toml"
    file.write_text(f'[targets.local]\npath = "{folder / "shop.sqlite3"}"\n')
    return {"CLOUD_PROVIDER": "local", "LEEWARD_CONFIG": str(file)}


def code(folder: Path, provider: str) -> Path:
    """Write what is deployed: the app, and the entry file of the example as it is."""
    modules = {name: (SHOP / name).read_text() for name in ("shop.py", "ordering.py")}
    made = deploy(folder / "code", provider, modules, "ordering")
    for name in ("handler.py", "function_app.py", "main.py"):
        text = (SHOP / name).read_text()
        assert len([line for line in text.splitlines() if line]) <= 3
        if (made / name).exists():
            (made / name).write_text(text)
    (made / "host.json").write_text((SHOP / "host.json").read_text())
    return made


@contextmanager
def in_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Run the shop here."""
    for name, value in settings(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(SHOP)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    shop: Any = import_module("shop")
    try:
        with Client(app=shop.app) as client:
            yield client
        shop.cloud().close()
    finally:
        del sys.modules["shop"]  # other tests have a module of this name


@contextmanager
def on_aws(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Client]:
    """Run the shop behind AWS's own runtime client, and call it over the wire."""
    made = code(folder, "aws")
    with LambdaServer(Place("000000000000", "us-east-1")) as server:
        server.deploy(
            *(
                Function(
                    name, "handler.lambda_handler", 30, environment=settings(folder), code=made
                )
                for name in FUNCTIONS
            )
        )
        env = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        options = {"region": "us-east-1", "endpoint_url": server.url}
        yield from _client("aws", options, env)


@contextmanager
def on_azure(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Client]:
    """Run the shop on the tests' Functions host, and call it over the wire."""
    with FunctionsHost(code(folder, "azure"), settings(folder)) as host:
        options = {"function_url": host.url, "function_key": HOST_KEY}
        yield from _client("azure", options, {})


@contextmanager
def on_microsofts_worker(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Client]:
    """Run the shop on Microsoft's own worker, behind the same host."""
    try:
        executable("azure-functions-runtime", "python")
    except NotInstalled:
        pytest.skip("Microsoft's own worker needs Python 3.13")
    with FunctionsHost(code(folder, "azure"), settings(folder), runtime=True) as host:
        options = {"function_url": host.url, "function_key": HOST_KEY}
        yield from _client("azure", options, {})


@contextmanager
def on_google(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Client]:
    """Run the shop on the functions-framework, and call it over the wire."""
    with FunctionsFramework(code(folder, "google"), environment=settings(folder)) as server:
        options = {
            "project": "demo",
            "function_url": f"{server.url}/{{name}}",
            "authenticate": False,
        }
        yield from _client("google", options, {})


def _client(provider: str, options: dict[str, Any], env: dict[str, str]) -> Iterator[Client]:
    config = TargetConfig(provider, provider, None, options, env)
    with Client(open_target(config)) as client:
        yield client


@pytest.mark.parametrize("place", [in_process, on_aws, on_azure, on_microsofts_worker, on_google])
def test_an_order_is_created_paid_and_told_of_once(
    place: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is placed; what is wrong with an order is told alike everywhere."""
    with ExitStack() as stack:
        client: Client = stack.enter_context(place(tmp_path, monkeypatch))
        for _ in range(2):
            answer = client.invoke("place-order", ORDER, effect="keyed", idempotency_key="42")
            assert answer.value == {"accepted": "42"}
        assert _eventually(lambda: client.invoke("get-order", {"id": "42"}).value) == DONE
        assert client.invoke("get-stock", {"sku": "tea"}).value == {"42": 2}
        payment = {"order": "42", "total": "9.90"}
        again = client.invoke("charge", payment, effect="keyed", idempotency_key="another")
        assert again.value == {"charged": "9.90"}
        assert client.invoke("get-order", {"id": "42"}).value == DONE
        wrong: list[tuple[str, Any, tuple[str, str | None]]] = [
            (
                "place-order",
                {**ORDER, "lines": []},
                ("Problem", "an order has at least one line, of at least one piece"),
            ),
            (
                "place-order",
                {**ORDER, "lines": [{"sku": 1}]},
                (
                    "InvalidInput",
                    "$.lines[0].sku must be str. $.lines[0].qty is missing; it must be int",
                ),
            ),
            (
                "charge",
                {**payment, "total": "99.00"},
                ("KeyReused", REUSED),
            ),
            ("get-order", {"id": "43"}, ("Problem", "there is no such order")),
            ("get-order", {}, ("KeyError", None)),
        ]
        for function, payload, told in wrong:
            with pytest.raises(FunctionError) as caught:
                client.invoke(function, payload, effect="read_only")
            error = caught.value
            assert (error.error_type, error.error_message or None) == told


def test_an_order_that_is_not_paid_times_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its payment is a dead letter of that step alone, and the schedule finds it."""
    from datetime import UTC, datetime, timedelta

    from leeward.testing import Deployed

    with in_process(tmp_path, monkeypatch) as client:
        shop: Any = import_module("shop")
        client.invoke("place-order", {**ORDER, "total": "0"})
        assert _eventually(lambda: _letters(client)) == [("take-payment", 2, "FunctionError")]
        schedule = Deployed(shop.app, "aws")
        now = datetime.now(UTC)
        for later, status in ((0, "created"), (31, "timed out")):
            assert not schedule.schedule("expire-orders", now + timedelta(minutes=later)).failed
            assert client.invoke("get-order", {"id": "42"}).value["status"] == status


def _letters(client: Client) -> list[tuple[str, int, str]]:
    found: Any = client.native("local", "dead_letters")
    return [(each.subscription, each.attempts, each.error) for each in found]


def _eventually(look: Callable[[], Any]) -> Any:
    """Look until there is something that does not change any more."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            found = look()
        except FunctionError:
            found = None
        if found and (not isinstance(found, dict) or found.get("status") == "done"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)

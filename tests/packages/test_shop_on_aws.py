"""The exported shop does its work on a server of AWS's APIs, each handler with its own role."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from leeward import Client, NotFound
from leeward.config import Config
from leeward_deploy.commands.package import PackageRequest, spec_of
from leeward_deploy.uv import PackageSource
from tests.packages.applied import apply, key_of
from tests.packages.exported import SHOP, config_of
from tests.packages.roots import NEEDS_CORE, Root
from tests.servers.aws.clients import client
from tests.servers.aws.keys import make_key
from tests.servers.aws.ministack import Ministack
from tests.servers.installed import executable

pytestmark = NEEDS_CORE

REGION = "us-east-1"

STAGE = '\n[deploy]\nprefix = "acme"\nstage = "test"\nlog_days = 7\ntags = { team = "orders" }\n'

HANDLER = """
import os, sys
sys.path[:0] = {paths}
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ[name] = os.environ["ROLE_" + name]
os.environ.pop("AWS_SESSION_TOKEN", None)
os.environ["LEEWARD_CONFIG"] = {config!r}
from ordering import app
lambda_handler = app.handler("aws")
"""
"""The server has one identity for all functions; here, each one has that of its role."""

ORDER = {
    "id": "42",
    "customer": "ada",
    "lines": [{"sku": "tea", "qty": 2}],
    "total": "12.50",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ministack, Config]]:
    """Give the server with the stack of a stage, and the configuration of callers."""
    folder = tmp_path_factory.mktemp("shop")
    there = executable("ministack", "python").resolve().name
    if there != f"python3.{sys.version_info.minor}":
        pytest.skip("the server's functions run on its own Python")
    with Ministack() as server:
        text = f'cloud_provider = "aws:{REGION}"\ndata_target = "aws:{REGION}"\n'
        text += f'[targets.aws]\nendpoint_url = "{server.url}"\n'
        text += (SHOP / "leeward.toml").read_text() + STAGE
        config = config_of(folder, text)
        request = PackageRequest(
            *("ordering:app", "aws", "3.13", "x86_64", SHOP, folder / "out", None, ()),
            PackageSource(),
            folder / "leeward.toml",
        )
        root, spec = Root("aws", folder), spec_of(request)[0]
        root.export(spec, text)
        root.apply()
        keys = {
            f"acme-test-{name}": {
                f"ROLE_{variable}": value
                for variable, value in key_of(server, root, REGION, name).env.items()
            }
            for name in spec.app.handlers
        }
        apply(server, root, package(folder), keys)
        yield server, config


def package(folder: Path) -> bytes:
    """Make the zip of every function: it finds leeward and the shop where they are."""
    paths = [SHOP, *(Path(each) for each in sys.path if each)]
    code = HANDLER.format(paths=[str(each) for each in paths], config=str(folder / "leeward.toml"))
    zipped = io.BytesIO()
    with ZipFile(zipped, "w") as archive:
        archive.writestr("handler.py", code)
    return zipped.getvalue()


def test_an_order_goes_through_with_least_rights(
    shop: tuple[Ministack, Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the call to the last notification, with names of a stage for queues, bus and tables."""
    server, config = shop
    for name, value in make_key(server, "lambda:InvokeFunction").env.items():
        monkeypatch.setenv(name, value)
    with Client(config=config) as cloud:
        accepted = cloud.invoke("place-order", ORDER, effect="keyed", idempotency_key="42")
        assert accepted.value == {"accepted": "42"}
        until = time.monotonic() + 60
        found: Any = {}
        while found.get("status") != "done":
            assert time.monotonic() < until, found
            time.sleep(0.3)
            try:
                found = cloud.invoke("get-order", {"id": "42"}, effect="read_only").value
            except NotFound as error:  # the order is in the queue
                found = {"error": str(error)}
    assert found["told"] == "ada: order 42 over 12.50 is on its way"
    with closing(client("sqs", server.url, REGION)) as queues:
        for url in queues.list_queues()["QueueUrls"]:
            assert "/acme-test-" in url, "both stages of an account are apart"
            counts = queues.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )["Attributes"]
            assert counts == {"ApproximateNumberOfMessages": "0"}, url

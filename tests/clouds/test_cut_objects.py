"""An object whose body is cut once on its way is read whole, on each cloud, however often."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, cast

import pytest

from leeward import AsyncClient, Client, Config
from leeward._operations import downloads
from leeward.calls import Call, Result
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from tests.aws.sources import KEYS, empty_home
from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.faultproxy.proxy import FaultProxy
from tests.servers.faultproxy.toxics import truncate_body

BODY = bytes(range(250)) * 4
TIMES = 12
"""More second tries than the budget of a target has."""


def _get(request: Executed) -> Answer:
    """Answer as each of the stores does, by range."""
    headers = {name.lower(): value for name, value in request.headers}
    begin, end = map(int, re.findall(r"\d+", headers.get("x-ms-range") or headers["range"]))
    piece = BODY[begin : end + 1]
    place = f"bytes {begin}-{begin + len(piece) - 1}/{len(BODY)}"
    own = {"etag": '"0x1"', "x-goog-generation": "1", "content-range": place}
    return Answer(206, tuple(own.items()), piece)


@each_row("took, seconds", [(2.0, [10.0, 8.0]), (10.0, [10.0])])
def test_a_second_read_has_what_is_left_of_the_time(
    took: float, seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are one call, with one deadline."""
    given, now = list[float](), [100.0]
    monkeypatch.setattr(downloads, "monotonic", lambda: now[0])

    def perform(_: Call, seconds: float) -> Result[Any]:
        given.append(seconds)
        now[0] += took
        return Result(Outcome.AMBIGUOUS, executed=True, attempts=(cast("Any", None),))

    downloads.Download("files", "a", 0, None, 10.0).ask(perform)
    assert given == seconds


@each_row("is_async", [False, True])
@each_row("cloud", ["aws", "azure", "google"])
def test_a_body_that_is_cut_is_asked_for_again(
    cloud: str, is_async: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first bytes, too: who has begun to answer is no target that a budget has to spare."""
    empty_home(monkeypatch, tmp_path)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(downloads, "PIECE_BYTES", 600)
    with AnsweringServer(_get) as server, FaultProxy(server.address) as proxy:
        url = proxy.url
        options = {
            "aws": {"region": "eu-west-1", "endpoint_url": url},
            "azure": {
                "storage_connection_string": f"AccountName=a;AccountKey=a2V5;BlobEndpoint={url}/a"
            },
            "google": {"project": "shop-1", "storage_endpoint": url, "access_token": "t"},
        }
        config = Config(options={cloud: options[cloud]})

        async def read() -> None:
            async with AsyncClient(cloud, config=config) as client:
                for _ in range(TIMES):
                    proxy.inject(truncate_body(), times=1)
                    found = await client.get_object("files", "a")
                    assert found is not None
                    proxy.inject(truncate_body(), times=1)
                    assert await found.read() == BODY

        if is_async:
            asyncio.run(read())
            return
        with Client(cloud, config=config) as client:
            for _ in range(TIMES):
                proxy.inject(truncate_body(), times=1)
                found = client.get_object("files", "a")
                assert found is not None
                proxy.inject(truncate_body(), times=1)
                assert found.read() == BODY

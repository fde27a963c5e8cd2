"""One call of the client on AWS, followed through Python: which files it enters, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import leeward
import leeward_aws
from leeward import Client, Config
from leeward.config import TargetName
from leeward.values import Item
from tests.profiling import functions_entered
from tests.servers.answering import Answer, AnsweringServer

TARGET = "aws:us-east-1"

ROOTS = {
    Path(leeward.__file__).parent: "src/leeward",
    Path(leeward_aws.__file__).parent: "adapters/aws/src/leeward_aws",
}
"""Folders whose files count, and how the page writes them."""

WARM_UP = 20
"""Calls beforehand, which load modules, resolve the credentials and open the connection."""


class Trace(NamedTuple):
    """What one call crossed.

    Attributes:
        calls: how many Python functions were entered, those of the standard library too; a
            generator counts each time that it is resumed.
        files: leeward's files, in the order in which they were first entered.
    """

    calls: int
    files: list[str]


@contextmanager
def aws_client() -> Iterator[Client]:
    """Open a client on a server that takes every write, as DynamoDB answers it."""
    body = b"{}"
    headers = (
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amzn-RequestId", "6d1d9a3c-2ad5-4d3e-9d5c-0f6a3a2b8c11"),
        ("x-amz-crc32", str(crc32(body))),
    )
    with AnsweringServer(Answer(200, headers, body)) as server:
        options = {TARGET: {"endpoint_url": server.url}}
        config = Config(order=(TargetName("aws", "us-east-1"),), options=options)
        with Client(config=config) as client:
            yield client


def follow(client: Client, item: Item) -> Trace:
    """Return the trace of one `store_data` of `item`, after some that warm up."""
    for _ in range(WARM_UP):
        client.store_data("orders", item)
    work = partial(client.store_data, "orders", item)
    entered = [code.co_filename for code in functions_entered(work)]
    return Trace(len(entered), list(dict.fromkeys(filter(None, map(_named, entered)))))


def _named(file: str) -> str | None:
    """Return a file as the page writes it; None if it is not leeward's."""
    for root, name in ROOTS.items():
        if Path(file).is_relative_to(root):
            return f"{name}/{Path(file).relative_to(root).as_posix()}"
    return None

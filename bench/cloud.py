"""The stand-in for AWS that both sides are measured against, and how each side gets there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest import mock

from boto3.session import Session  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from certifi import where
from trustme import CA

from bench.work import REGION, TABLE
from leeward import AsyncClient, Client

WIDEST = 64
"""Calls under way at once, at most."""


class Cloud(NamedTuple):
    """A server that is running.

    Attributes:
        plain: its URL.
        tls: the same over TLS.
        late: plain, and every answer takes 5 ms.
        ca_file: certificates to trust: the usual ones, for they cost time, and the server's.
        process: the server's id.
    """

    plain: str
    tls: str
    late: str
    ca_file: str
    process: int

    def environment(self, url: str) -> dict[str, str]:
        """Give the variables by which either side, in a process of its own, finds `url`."""
        passed_on = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return passed_on | {
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": url,
            "AWS_CA_BUNDLE": self.ca_file,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }


@contextmanager
def running() -> Iterator[Cloud]:
    """Start the server, and stop it in the end. Meanwhile both sides find credentials."""
    with TemporaryDirectory() as directory:
        authority = CA()
        issued = authority.issue_cert("127.0.0.1")
        certificate, ca_file = Path(directory, "server.pem"), Path(directory, "ca.pem")
        issued.private_key_and_cert_chain_pem.write_to_path(certificate)
        ca_file.write_bytes(Path(where()).read_bytes() + authority.cert_pem.bytes())
        with _process(certificate) as (process, (plain, tls, late)):
            cloud = Cloud(
                f"http://127.0.0.1:{plain}",
                f"https://127.0.0.1:{tls}",
                f"http://127.0.0.1:{late}",
                str(ca_file),
                process,
            )
            with mock.patch.dict(os.environ, cloud.environment(cloud.plain)):
                yield cloud


@contextmanager
def _process(certificate: Path) -> Iterator[tuple[int, list[str]]]:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.server", certificate],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.pid, server.stdout.readline().split()
        server.communicate()  # its input ends, and with it the server


@contextmanager
def one_core(cloud: Cloud) -> Iterator[None]:
    """Keep this thread and the server on one core meanwhile, where the system can do that.

    On loopback a request that goes to another core has to wake it, at the sender's expense, and
    whether it does is the scheduler's whim. Nobody wakes a cloud.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    for process in (0, cloud.process):
        os.sched_setaffinity(process, {min(cores)})
    try:
        yield
    finally:
        for process in (0, cloud.process):
            os.sched_setaffinity(process, cores)


def client(cloud: Cloud, url: str) -> Client:
    """Open leeward on `url`."""
    with mock.patch.dict(os.environ, cloud.environment(url)):
        return Client(f"aws:{REGION}")


def async_client(cloud: Cloud, url: str) -> AsyncClient:
    """Open leeward on `url`, to be awaited."""
    with mock.patch.dict(os.environ, cloud.environment(url)):
        return AsyncClient(f"aws:{REGION}")


def boto3_client(cloud: Cloud, url: str, service: str) -> Any:
    """Open boto3's client of `service` on `url`, with room for `WIDEST` connections."""
    with mock.patch.dict(os.environ, cloud.environment(url)):
        return Session().client(service, config=Config(max_pool_connections=WIDEST))


def boto3_table(cloud: Cloud, url: str) -> Any:
    """Open boto3's resource of the table on `url`."""
    with mock.patch.dict(os.environ, cloud.environment(url)):
        return Session().resource("dynamodb").Table(TABLE)

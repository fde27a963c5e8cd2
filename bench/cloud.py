"""The stand-in for a cloud that both sides are measured against."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from certifi import where
from trustme import CA

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


@contextmanager
def running(provider: str) -> Iterator[Cloud]:
    """Start the server that answers as `provider` does, and stop it in the end."""
    with TemporaryDirectory() as directory:
        authority = CA()
        issued = authority.issue_cert("127.0.0.1")
        certificate, ca_file = Path(directory, "server.pem"), Path(directory, "ca.pem")
        issued.private_key_and_cert_chain_pem.write_to_path(certificate)
        ca_file.write_bytes(Path(where()).read_bytes() + authority.cert_pem.bytes())
        with serving("bench.server", provider, str(certificate)) as (process, (plain, tls, late)):
            yield Cloud(
                f"http://127.0.0.1:{plain}",
                f"https://127.0.0.1:{tls}",
                f"http://127.0.0.1:{late}",
                str(ca_file),
                process,
            )


@contextmanager
def serving(module: str, *arguments: str) -> Iterator[tuple[int, list[str]]]:
    """Run a server of ours in a process of its own; give the process's id and its ports."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.pid, server.stdout.readline().split()
        server.communicate()  # its input ends, and with it the server


@contextmanager
def one_core(*servers: int) -> Iterator[None]:
    """Keep this thread and the servers on one core meanwhile, where the system can do that.

    On loopback a request that goes to another core has to wake it, at the sender's expense, and
    whether it does is the scheduler's whim. Nobody wakes a cloud.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    for process in (0, *servers):
        os.sched_setaffinity(process, {min(cores)})
    try:
        yield
    finally:
        for process in (0, *servers):
            os.sched_setaffinity(process, cores)

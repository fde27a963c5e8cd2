"""A child of a fork leaves the connections of its parent alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
import trustme

from tests.http.certificates import tls_context
from tests.http.wire import LIMIT, OK, Wire, answer

pytestmark = pytest.mark.threat("S22")

CHILD = """
import os, sys, threading, warnings
from leeward._http.threads import CurlTransport
from leeward._http.messages import Request, Response
from leeward._http.options import TransportOptions

warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point here
origin, ca_file = sys.argv[1:]
transport = CurlTransport(TransportOptions(ca_file=ca_file, max_in_flight=1))

def send():
    response = transport.send(Request("POST", origin, "/", (), b"x"), 20)
    assert isinstance(response, Response), response

send()
pool = transport._pool
held = threading.Event()
forked = threading.Event()

def hold():  # another thread is at work, lock and place in hand, at the moment of the fork
    with pool._lock:
        pool._busy["lease"] = pool._make(origin, transport._options)
        held.set()
        forked.wait(20)
        del pool._busy["lease"]

thread = threading.Thread(target=hold)
thread.start()
held.wait(20)
pid = os.fork()
if pid == 0:
    assert (transport.kept, transport.in_flight) == (0, 0)
    send()
    send()
    sys.exit(0)  # with all the freeing that comes at the end of an interpreter
forked.set()
thread.join()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
send()
"""


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_child_starts_with_an_empty_pool(ca: trustme.CA, ca_file: str, scheme: str) -> None:
    """It opens its own connection, and the parent's works on after the child has ended."""
    context = tls_context(ca.issue_cert("127.0.0.1")) if scheme == "https" else None
    with Wire(answer(OK), tls=context) as wire:
        arguments = [sys.executable, "-c", CHILD, wire.origin(scheme), ca_file]
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=LIMIT * 3, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert (len(wire.requests), wire.connections) == (4, 2)

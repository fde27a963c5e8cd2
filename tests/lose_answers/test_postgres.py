"""What psycopg's connections are like when they go through the relay."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.lose_answers.conftest import Seen
from tests.postgres.server import PASSWORD, Server
from tests.servers.certificates import Authority

pytestmark = pytest.mark.vendors


def carry(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Speak TLS with a client, as a server does that insists on it, and pass on what is inside."""
    with client, suppress(OSError):
        assert client.recv(8)[4:] == (80877103).to_bytes(4)
        client.sendall(b"S")
        server = socket.create_connection(("127.0.0.1", port))
        with server, context.wrap_socket(client, server_side=True) as inside:
            while True:
                for ready in select.select([inside, server], [], [])[0]:
                    inside.settimeout(0)
                    try:
                        data = ready.recv(65536)
                    except ssl.SSLWantReadError:
                        continue
                    finally:
                        inside.settimeout(None)
                    if not data:
                        return
                    (server if ready is inside else inside).sendall(data)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a server."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def secure(server: Server, tmp_path: Path) -> Iterator[str]:
    """Return the address of the server behind TLS, without what a client demands of it."""
    authority = Authority()
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    context = authority.server_context()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(
                        target=carry, args=(client, context, server.port), daemon=True
                    ).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.url.replace(str(server.port), str(listener.getsockname()[1]))
        listener.shutdown(socket.SHUT_RDWR)


ROWS = """
import psycopg

@pytest.fixture(scope="module")
def shared():
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE t (i int)")
        yield connection

def test_write(shared):
    shared.execute("INSERT INTO t VALUES (1)")

def test_write_again(shared):
    shared.execute("INSERT INTO t VALUES (2)")

def test_own():
    with psycopg.connect(URL) as connection:
        connection.execute("CREATE TEMPORARY TABLE rows (i int)")

def test_cancel(shared):
    timer = __import__("threading").Timer(0.1, shared.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        shared.execute("SELECT pg_sleep(20)")
"""


@pytest.mark.parametrize("mode", ["plain", "prefer", "verify-full"])
def test_a_suite_goes_on_with_and_without_tls(
    run_suite: Callable[..., Seen], server: Server, secure: str, tmp_path: Path, mode: str
) -> None:
    """A connection that tests share is not broken; what is cancelled ends; a password is found."""
    url = server.url if mode == "plain" else secure
    port = url.rpartition(":")[2].partition("/")[0]
    (tmp_path / "pass").write_text(f"127.0.0.1:{port}:*:locked:{PASSWORD}\n", encoding="utf-8")
    (tmp_path / "pass").chmod(0o600)
    url += f"?sslmode={mode.replace('plain', 'prefer')}&user=locked&passfile={tmp_path}/pass"
    if mode == "verify-full":
        url += f"&sslrootcert={tmp_path}/authority.pem"
    seen = run_suite(f"URL = {url!r}\n{ROWS}", "--lose-answers-modes=reset")
    assert "4 passed" in seen.output
    if mode == "plain":
        assert seen.report["lost"] == 1
        assert sum(seen.report["left_out"].values()) == 2
    else:  # only libpq verifies as libpq does
        assert seen.report["lost"] == 0
        assert seen.report["unread"] == ["PostgreSQL over TLS"]


ASK = """
import socket, sys
asking = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
asking.sendall(bytes.fromhex("0000000804d2162f"))
print(asking.recv(1))
"""
"""A question for TLS, which a server answers with one byte."""


def test_the_relay_takes_connections_of_this_process_only(
    run_suite: Callable[..., Seen], server: Server
) -> None:
    """Who finds its port reaches no server by it."""
    tests = f"""
import socket, subprocess, sys
import psycopg

ASK = {ASK!r}

def test_own():
    with psycopg.connect({server.url!r}) as connection:
        port = connection.info.port
        connection.execute("CREATE TEMPORARY TABLE rows (i int)")
    assert port != {server.port}
    asked = subprocess.run([sys.executable, "-c", ASK, str(port)], capture_output=True, check=False)
    assert asked.stdout in (b"b''\\n", b"")
"""
    seen = run_suite(tests, "--lose-answers-modes=reset")
    assert "1 passed" in seen.output, seen.output

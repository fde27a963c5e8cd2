"""What a server has to show of itself before it is told anything.

The wheel's PostgreSQL can do no TLS, so what shows the certificate stands before it.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter import Driver, TargetConfig
from leeward.calls import Result
from leeward.errors import Outcome
from leeward_contract_tests.rows import each_row
from leeward_postgres.driver import open_driver
from tests.postgres.opening import SECONDS, store_of
from tests.postgres.server import DATABASE, PASSWORD, USER, Server
from tests.servers.certificates import Authority, Certificate

_REQUESTS = {80877103: b"S", 80877104: b"N"}
"""Of TLS, and of GSSAPI: https://www.postgresql.org/docs/current/protocol-message-formats.html"""


class TlsFront:
    """Stands before a server, and shows a certificate.

    Args:
        server: that it stands before.
        context: with the certificate; None for a server without TLS.

    Attributes:
        told: how many clients have said who they are.
    """

    def __init__(self, server: Server, context: ssl.SSLContext | None) -> None:
        self._server = server
        self._context = context
        self.told = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take nobody any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            answer = b"N"
            while answer == b"N":
                head = client.recv(8)
                if len(head) < 8:
                    return
                answer = _REQUESTS[struct.unpack("!II", head)[1]]
                if self._context is None:
                    answer = b"N"
                client.sendall(answer)
            assert self._context is not None
            with self._context.wrap_socket(client, server_side=True) as inside:
                self._pass_on(inside)

    def _pass_on(self, client: ssl.SSLSocket) -> None:
        first = client.recv(65536)
        if not first:
            return
        self.told += 1
        with socket.create_connection(("127.0.0.1", self._server.port)) as server:
            server.sendall(first)
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    to = server if ready is client else client
                    chunk = ready.recv(65536)
                    while client.pending():
                        chunk += client.recv(65536)
                    if not chunk:
                        return
                    to.sendall(chunk)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return who vouches for the server."""
    return Authority()


@pytest.fixture
def trusted(authority: Authority, tmp_path: Path) -> str:
    """Return the file with its certificate."""
    path = tmp_path / "authority.pem"
    path.write_bytes(authority.pem)
    return str(path)


@contextmanager
def _open(front: TlsFront, *, trust_env: bool = True, **options: str) -> Iterator[Driver]:
    """Open a target whose role has a password."""
    url = f"postgresql://{USER}@127.0.0.1:{front.port}/{DATABASE}"
    given = {"url": url, "password": PASSWORD, **options}
    config = TargetConfig("postgres", "postgres", None, given, {}, trust_env=trust_env)
    with closing(open_driver(config)) as driver:
        yield driver


def _store(driver: Driver, key: str) -> Result[Any]:
    return driver.perform(store_of("tls", key, 1), SECONDS)


@each_row(
    "shown, words",
    [
        (Certificate.GOOD, None),
        (Certificate.WRONG_HOST, "the server's certificate is not accepted"),
        (Certificate.SELF_SIGNED, "the server's certificate is not accepted"),
        (Certificate.EXPIRED, "the server's certificate is not accepted"),
        (None, "the server has no TLS"),
    ],
)
def test_a_server_that_does_not_prove_who_it_is_is_told_nothing(
    server: Server,
    authority: Authority,
    trusted: str,
    monkeypatch: pytest.MonkeyPatch,
    shown: Certificate | None,
    words: str | None,
) -> None:
    """Neither the role nor its password; in the hardened mode no variable changes that."""
    monkeypatch.setenv("PGSSLMODE", "disable")
    context = None if shown is None else authority.server_context(shown)
    for options in ({"sslmode": "verify-full"}, {"trust_env": False}):
        with (
            closing(TlsFront(server, context)) as front,
            _open(front, sslrootcert=trusted, **options) as driver,
        ):
            result = _store(driver, "42")
        if words is None:
            assert (result.outcome, front.told) == (Outcome.OK, 1)
        else:
            assert (result.outcome, result.code) == (
                Outcome.NOT_SENT,
                "tls" if context else "no_tls",
            )
            assert words in (result.message or "")
            assert front.told == 0


def test_the_hardened_mode_trusts_the_system_where_no_file_is_named(
    server: Server, authority: Authority
) -> None:
    """Which knows nothing of an authority of one's own."""
    with (
        closing(TlsFront(server, authority.server_context())) as front,
        _open(front, trust_env=False) as driver,
    ):
        assert _store(driver, "42").code == "tls"
    assert front.told == 0

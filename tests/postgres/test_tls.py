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
        heard: what they have said without TLS, or over the TLS of a `stranger`.
    """

    def __init__(
        self, server: Server, context: ssl.SSLContext | None, *, stranger: bool = False
    ) -> None:
        self._server = server
        self._context = context
        self._is_stranger = stranger
        self.told = 0
        self.heard = b""
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
                answer = _REQUESTS.get(struct.unpack("!II", head)[1], b"")
                if self._context is None and answer:
                    answer = b"N"
                client.sendall(answer)
            if not answer:
                self._ask(client, head)
                return
            assert self._context is not None
            with self._context.wrap_socket(client, server_side=True) as inside:
                if self._is_stranger:
                    self._ask(inside, inside.recv(8))
                else:
                    self._pass_on(inside)

    def _ask(self, client: socket.socket, first: bytes) -> None:
        """Ask for the password as it is, which libpq then sends."""
        self.told += bool(first)
        self.heard += first + client.recv(65536)
        client.sendall(b"R" + struct.pack("!II", 8, 3))
        self.heard += client.recv(65536)

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
def _open(
    front: TlsFront, *, host: str = "127.0.0.1", trust_env: bool = True, **options: Any
) -> Iterator[Driver]:
    """Open a target whose role has a password."""
    url = f"postgresql://{USER}@{host}:{front.port}/{DATABASE}"
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


_FAR = "127.1"
"""Leads to this machine, and does not look so: it stands for a host of somebody else."""


@pytest.mark.threat("S3")
@each_row("shown", (None, Certificate.SELF_SIGNED, Certificate.WRONG_HOST))
def test_no_password_leaves_for_a_server_that_is_not_verified(
    server: Server, authority: Authority, trusted: str, shown: Certificate | None
) -> None:
    """By default. Who gives it up by its name has the password heard: so the test would hear it."""
    context = None if shown is None else authority.server_context(shown)
    heard: dict[str, bytes] = {}
    less: dict[str, Any] = {"sslmode": "prefer", "gives_up": "encryption"}
    for name, options in {"default": {}, "given up": less}.items():
        with (
            closing(TlsFront(server, context, stranger=True)) as front,
            _open(front, host=_FAR, sslrootcert=trusted, **options) as driver,
        ):
            result = _store(driver, "42")
            assert result.outcome is Outcome.NOT_SENT, name
            heard[name] = front.heard
    assert heard["default"] == b""
    assert PASSWORD.encode() in heard["given up"]

"""Who calls, and who answers: tokens that change, and certificates on both sides (mTLS)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from leeward import App, AuthError, Client
from leeward.app.serving import serve_functions
from leeward.config import Config
from leeward.errors import ConfigError, Outcome
from leeward_contract_tests.contracts.calls import SECONDS, invoke
from tests.urls.served import ANYWHERE, client_of, target


def shop() -> App:
    """Return an app with one function."""
    app = App("shop")
    app.function(name="charge")(lambda order: {"paid": order})
    return app


@pytest.mark.threat("S7")
def test_a_token_in_a_file_may_change(tmp_path: Path) -> None:
    """A call that is refused with the old one is made again with the new one, once."""
    file = tmp_path / "token"
    file.write_text("first\n")
    with (
        serve_functions(shop(), ANYWHERE, token=["first"]) as old,
        client_of(old.url, token_file=str(file)) as client,
    ):
        assert client.invoke("charge", 1).value == {"paid": 1}
        old._tokens = (b"second",)
        with pytest.raises(AuthError, match="did not run"):
            client.invoke("charge", 2)
        file.write_text("second\n")
        assert client.invoke("charge", 3).value == {"paid": 3}
        file.unlink()
        assert client.invoke("charge", 4).value == {"paid": 4}, "the one at hand still holds"
        old._tokens = (b"third",)
        with pytest.raises(AuthError) as raised:
            client.invoke("charge", 5)
        assert "second" not in str(raised.value)


@pytest.mark.threat("S6")
def test_a_token_is_sent_to_the_urls_of_its_target_alone() -> None:
    """Each target of an order has its own."""
    with (
        serve_functions(shop(), ANYWHERE, token="for-a") as first,
        serve_functions(shop(), ANYWHERE, token="for-b") as second,
    ):
        sections = {
            "http:a": {"url": f"{first.url}/{{function}}", "token": "for-a"},
            "http:b": {"url": f"{second.url}/{{function}}", "token": "for-b"},
        }
        with Client("http:a,http:b", config=Config(options=sections)) as client:
            assert client.invoke("charge", 1).target == "http:a"
            first.close()
            assert client.invoke("charge", 1).target == "http:b"


class Handler(BaseHTTPRequestHandler):
    """Answers every call with the name in the caller's certificate."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a call."""
        self.rfile.read(int(self.headers["content-length"]))
        connection: Any = self.connection
        certificate = connection.getpeercert()
        names = ",".join(name for _, name in certificate.get("subjectAltName", ()))
        body = f'"{names}"'.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Log nothing."""


class Quiet(ThreadingHTTPServer):
    """A server that prints nothing of callers which it turns away."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return who vouches for both sides."""
    return trustme.CA()


@pytest.fixture
def bank(authority: trustme.CA) -> Iterator[str]:
    """Serve calls of callers that `authority` vouches for; return the URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def files(folder: Path, authority: trustme.CA, name: str) -> dict[str, Any]:
    """Write a certificate, its key and the authority; return the options that name them."""
    issued = authority.issue_cert(name)
    paths = {each: folder / f"{name}.{each}" for each in ("certificate", "key", "authority")}
    issued.cert_chain_pems[0].write_to_path(paths["certificate"])
    issued.private_key_pem.write_to_path(paths["key"])
    authority.cert_pem.write_to_path(paths["authority"])
    return {
        "client_certificate": str(paths["certificate"]),
        "client_key": str(paths["key"]),
        "ca_bundle": str(paths["authority"]),
    }


def test_a_caller_shows_its_certificate(bank: str, authority: trustme.CA, tmp_path: Path) -> None:
    """With its key in a file of its own, or in the same file."""
    options = files(tmp_path, authority, "shop.example")
    with client_of(bank, **options) as client:
        assert client.invoke("who", 1).value == "shop.example"
    both = tmp_path / "both.pem"
    parts = [Path(options["client_certificate"]), Path(options.pop("client_key"))]
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    with client_of(bank, **options | {"client_certificate": str(both)}) as client:
        assert client.invoke("who", 1).value == "shop.example"


def test_a_caller_without_a_certificate_is_not_answered(
    bank: str, authority: trustme.CA, tmp_path: Path
) -> None:
    """Nothing is taken for an answer. With TLS 1.3 a server refuses when the call is on its way."""
    options = files(tmp_path, authority, "shop.example")
    for wrong in ({"ca_bundle": options["ca_bundle"]}, files(tmp_path, trustme.CA(), "a.example")):
        wrong["ca_bundle"] = options["ca_bundle"]
        driver = target(url=f"{bank}/{{function}}", **wrong)
        result = driver.perform(invoke("who", 1), SECONDS)
        assert result.outcome in (Outcome.NOT_SENT, Outcome.AMBIGUOUS)
        driver.close()


@pytest.mark.threat("S3")
def test_nothing_is_sent_where_tls_fails(bank: str, authority: trustme.CA, tmp_path: Path) -> None:
    """To a server that nobody vouches for; so an unsafe call may go to the next one."""
    options = files(tmp_path, authority, "shop.example")
    other = files(tmp_path, trustme.CA(), "other.example")
    driver = target(url=f"{bank}/{{function}}", **options | {"ca_bundle": other["ca_bundle"]})
    result = driver.perform(invoke("who", 1), SECONDS)
    assert (result.outcome, result.reason) == (Outcome.NOT_SENT, "tls")
    driver.close()
    for wrong in ("client_key", "client_certificate"):
        with pytest.raises(ConfigError, match="a certificate and its key"):
            target(url=f"{bank}/{{function}}", **options | {wrong: other["client_key"]})

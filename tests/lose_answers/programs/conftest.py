"""A shop that sells by HTTP, TLS and the calls of AWS, in the process of its clients; and rows."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any, ClassVar

import pytest
import trustme


class Shop(BaseHTTPRequestHandler):
    """Answers to what a client asks."""

    protocol_version = "HTTP/1.1"
    names: ClassVar[set[str]] = set()
    lock = Lock()

    def do_GET(self) -> None:
        """Say what was sold."""
        self.answer(200 if self.path.rpartition("/")[2] in self.names else 404, {})

    do_HEAD = do_OPTIONS = do_GET

    def do_POST(self) -> None:
        """Sell."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            order = json.loads(body)
        except ValueError:
            order = {}
        name = order.get("name") if isinstance(order, dict) else None
        with self.lock:
            is_new = name not in self.names
            if name:
                self.names.add(name)
        if not is_new:
            self.answer(400, {"__type": "ExecutionAlreadyExists"})
        elif b"Action=Publish" in body:
            self.answer(200, "<PublishResponse><PublishResult/></PublishResponse>")
        elif "chat" in self.path:
            self.answer(200, {"id": "1", "object": "chat.completion", "choices": []})
        else:
            self.answer(200, {"MessageId": "1", "executionArn": "a", "startDate": 1})

    do_PUT = do_DELETE = do_POST

    def answer(self, status: int, content: dict[str, Any] | str) -> None:
        """Send an answer."""
        text = content if isinstance(content, str) else json.dumps(content)
        body = b"" if self.command == "HEAD" else text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


class Server(ThreadingHTTPServer):
    """Says nothing about clients that go away."""

    def handle_error(self, *_: Any) -> None:
        """Write nothing."""


def serving(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve, and yield the address."""
    server = Server(("127.0.0.1", 0), Shop)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"{'https' if context else 'http'}://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def shop() -> Iterator[str]:
    """Return the address of a shop."""
    yield from serving()


@pytest.fixture(autouse=True)
def _forget() -> None:
    Shop.names.clear()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, trustme.CA]:
    """Return the file of an authority, and the authority."""
    path, authority = tmp_path_factory.mktemp("tls") / "ca.pem", trustme.CA()
    authority.cert_pem.write_to_path(path)
    return path, authority


@pytest.fixture(scope="session")
def secure_shop(authority: tuple[Path, trustme.CA]) -> Iterator[str]:
    """Return the address of a shop behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[1].issue_cert("localhost").configure_cert(context)
    yield from serving(context)


@pytest.fixture
def trusted(authority: tuple[Path, trustme.CA]) -> str:
    """Return the file of the authority that is trusted."""
    return str(authority[0])


@pytest.fixture
def trust(trusted: str) -> ssl.SSLContext:
    """Return a context that trusts the authority."""
    return ssl.create_default_context(cafile=trusted)


@pytest.fixture
def aws(shop: str) -> Callable[..., Any]:
    """Return what opens a client of a service."""
    import boto3
    from botocore.config import Config

    def open_client(service: str, **retries: Any) -> Any:
        return boto3.client(
            service,
            region_name="eu-west-1",
            endpoint_url=shop,
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries=retries, read_timeout=5),
        )

    return open_client


@pytest.fixture
def rows() -> str:
    """Return the address of a database with an empty table."""
    import psycopg

    url = os.environ["LOSE_ANSWERS_POSTGRES"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS charges")
        connection.execute("CREATE TABLE charges (id int UNIQUE, amount int)")
        connection.execute("INSERT INTO charges VALUES (0, 0)")
    return url

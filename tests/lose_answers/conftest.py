"""A suite of a user, run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SUITE = """
import http.client
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest


class Bank(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def bank():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bank)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def charge(port, attempts, path="/charges"):
    for attempt in range(attempts):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", path, b"5")
            return connection.getresponse().read()
        except OSError:
            if attempt == attempts - 1:
                raise
            time.sleep(30)
        finally:
            connection.close()


"""


class Seen(NamedTuple):
    """What a suite showed.

    Attributes:
        report: of `--lose-answers-json`.
    """

    status: int
    output: str
    report: dict[str, Any]


@pytest.fixture
def run_suite(tmp_path: Path) -> Callable[..., Seen]:
    """Return what runs tests that are given as text, after `SUITE`."""

    def run(tests: str, *options: str, ini: str = "") -> Seen:
        (tmp_path / "test_bank.py").write_text(SUITE + tests, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}\n", encoding="utf-8")
        path = tmp_path / "seen.json"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "leeward_lose_answers.plugin"),
                *("--lose-answers", "--lose-answers-times=99", f"--lose-answers-json={path}"),
                *options,
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return Seen(done.returncode, done.stdout + done.stderr, report)

    return run

"""The browser of the tests, at a console that listens."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from leeward_dev.server import PageServer, address_of_console, listen, pages_of_console
from leeward_dev.sources import Sources
from tests.console.visitor import TOKEN
from tests.house.workspace import ROOT

FOLDER = ROOT / ".servers/browser"


class Browser:
    """A browser with one page; each method is a command of ``tests/browser/drive.mjs``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, command: str, *arguments: Any) -> Any:
        """Do something, and return what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the browser has ended"}
        assert "error" not in answer, f"{command} {arguments}: {answer['error']}"
        return answer["value"]

    def wait_for(self, text: str) -> None:
        """Wait until the page says something."""
        self("wait", f"document.body.innerText.includes({json.dumps(text)})")

    def tab_to(self, label: str, most: int = 60) -> None:
        """Move the focus by the keyboard alone to what has this label."""
        focus = "document.activeElement"
        for _ in range(most):
            self("press", "Tab")
            if self("run", f"{focus}.getAttribute('aria-label') || {focus}.innerText") == label:
                return
        raise AssertionError(f"the focus does not come to {label!r}")


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser, and end it."""
    node = ROOT / ".servers/nodejs/bin"
    env = {**os.environ, "PATH": f"{node}:{os.environ['PATH']}", "TMPDIR": str(FOLDER / "tmp")}
    with subprocess.Popen(
        ["node", str(ROOT / "tests/browser/drive.mjs"), str(FOLDER)],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Browser(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


@contextmanager
def served(sources: Sources) -> Iterator[str]:
    """Let a console listen, and return its address with the token."""
    sockets = listen(0)
    port = sockets[0].getsockname()[1]
    server = PageServer(pages_of_console(sources, TOKEN), sockets, drain=1)
    server.start()
    try:
        yield address_of_console(port, TOKEN)
    finally:
        server.close(5.0)

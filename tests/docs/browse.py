"""Look at the built site in a real browser: three widths, and a newcomer's searches.

python -m tests.docs.browse docs/_build/html
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import quote

ROOT: Final = Path(__file__).resolve().parents[2]
BROWSER: Final = ROOT / ".servers/browser"

WIDTHS: Final = {"phone": 360, "laptop": 1280, "screen": 1920}
"""Pixels."""

PAGES: Final = (
    *("index", "quickstart", "routing", "cli", "from-boto3"),
    *("reference", "reference/client", "reference/adapter"),
)

TALLEST: Final = 40_000
"""Pixels of a page at 1280: about 40 screens. Nobody scrolls through more."""

QUESTIONS: Final = {
    "install": ("quickstart",),
    "first app": ("quickstart", "tutorial"),
    "retry": ("routing", "outcomes"),
    "failover": ("routing",),
    "timeout": ("routing", "configuration"),
    "idempotency": ("idempotency",),
    "dead letters": ("dead-letters",),
    "unknown outcome": ("outcomes", "settle"),
    "test": ("testing",),
    "deploy lambda": ("deploy", "aws"),
    "cron schedule": ("functions",),
    "boto3": ("from-boto3",),
}
"""What a newcomer types, and the pages that answer it: one of them comes first."""

_LAYOUT: Final = """(() => {
  const shown = (selector) => {
    const element = document.querySelector(selector);
    if (!element) return false;
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.right > 0 && box.left < innerWidth;
  };
  return {
    height: document.documentElement.scrollHeight,
    overflow: document.documentElement.scrollWidth - innerWidth,
    contents: shown(".toc-drawer .toc-tree"),
    has_contents: !!document.querySelector(".toc-drawer .toc-tree"),
    menu: shown(".sidebar-drawer"),
    blocks: document.querySelectorAll(".highlight").length,
    buttons: document.querySelectorAll(".highlight .copy").length,
  };
})()"""

_RESULTS: Final = """[...document.querySelectorAll("#search-results li a")].slice(0, 5)
  .map((link) => new URL(link.href).pathname.slice(1).replace(".html", ""))"""

_SETTLED: Final = "#search-results p.search-summary:not(:empty)"


def visit(steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Do steps in the browser of the tests; return what they have found, and the errors."""
    node = ROOT / ".servers/nodejs/bin"
    env = {**os.environ, "PATH": f"{node}:{os.environ['PATH']}", "TMPDIR": str(BROWSER / "tmp")}
    done = subprocess.run(
        ["node", str(BROWSER / "visit.mjs")],
        input=json.dumps(steps),
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def handle(self) -> None:
        """Answer; a browser that goes on to the next page reads no more of this one."""
        with suppress(ConnectionError):
            super().handle()


@contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve the files of a folder on loopback; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def flaws_of_layout(width: str, page: str, seen: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a page at a width."""
    where = f"{page} at {WIDTHS[width]}"
    if seen["overflow"] > 0:
        yield f"{where}: {seen['overflow']} pixels do not fit"
    if seen["height"] > TALLEST and width != "phone":
        yield f"{where}: {seen['height']} pixels tall, at most {TALLEST}"
    if seen["buttons"] != seen["blocks"]:
        yield f"{where}: {seen['buttons']} of {seen['blocks']} blocks have a button that copies"
    is_wide = width != "phone"
    if is_wide and seen["has_contents"] and not seen["contents"]:
        yield f"{where}: its contents are hidden"
    if is_wide and not seen["menu"]:
        yield f"{where}: the menu is hidden"


def browse(site: Path) -> list[str]:
    """Return what is wrong with the site."""
    order = [(width, page) for width in WIDTHS for page in PAGES]
    with serve(site) as url:
        steps: list[dict[str, Any]] = [
            {"size": [WIDTHS[width], 900], "goto": f"{url}/{page}.html", "run": _LAYOUT}
            for width, page in order
        ]
        steps += [
            {
                "goto": f"{url}/search.html?q={quote(question)}",
                "wait": "#search-results li a",
                "run": f"new Promise((done) => setTimeout(() => done({_RESULTS}), 300))",
            }
            for question in QUESTIONS
        ]
        seen = visit(steps)
    flaws = list(seen["wrong"])
    for (width, page), each in zip(order, seen["found"], strict=False):
        flaws += flaws_of_layout(width, page, each)
    for (question, pages), found in zip(
        QUESTIONS.items(), seen["found"][len(order) :], strict=True
    ):
        if found[:1] == [] or found[0] not in pages:
            flaws.append(f"{question!r} finds {', '.join(found)}, not {' or '.join(pages)} first")
    return flaws


if __name__ == "__main__":
    flaws = browse(Path(sys.argv[1]))
    sys.exit("\n".join(flaws) or None)

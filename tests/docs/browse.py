"""Look at the built site in a real browser: three widths, and a newcomer's searches.

python -m tests.docs.browse docs/_build/html
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import quote

from tests.console.browser import browser

WIDTHS: Final = {"phone": 360, "laptop": 1280, "screen": 1920}
"""Pixels."""

PAGES: Final = (
    *("index", "quickstart", "routing", "cli", "from-boto3"),
    *("reference", "reference/client", "reference/adapter"),
)

TALLEST: Final = 40_000
"""Pixels of a page at 1280: about 40 screens. Nobody scrolls through more."""

QUESTIONS: Final = {
    "what is leeward": "index",
    "license": "index",
    "pricing": "index",
    "install": "quickstart",
    "first app": "quickstart",
    "retry": "routing",
    "failover": "routing",
    "timeout": "routing",
    "health check": "routing",
    "charged twice": "ran-twice",
    "duplicate": "ran-twice",
    "idempotency": "idempotency",
    "dead letters": "dead-letters",
    "unknown outcome": "outcomes",
    "exception": "outcomes",
    "test": "testing",
    "deploy lambda": "deploy",
    "terraform": "facts",
    "cron schedule": "functions",
    "boto3": "from-boto3",
    "celery": "from-celery",
    "tenacity": "from-tenacity",
    "powertools": "from-powertools",
    "run locally": "dev",
    "human in the loop": "approvals",
    "isolate": "configuration",
    "environment variable": "configuration",
    "fastapi": "idempotency-key",
    "webhook": "idempotency-key",
    "sqs": "aws",
    "dynamodb": "aws",
    "cosmos": "azure",
    "pubsub": "google",
    "postgres": "postgres",
    "docker": "containers",
    "kubernetes": "containers",
    "systemd": "containers",
    "deprecated": "stability",
    "rollback": "day-two",
    "upgrade": "day-two",
    "langgraph": "agents",
    "mcp": "agents",
    "requests": "what-ran",
    "saga": "workflows",
    "workflow": "workflows",
    "backup": "backup",
    "logs": "logging",
    "metrics": "telemetry",
    "console": "console",
    "asyncio": "async",
    "security": "security",
}
"""What a newcomer types, and the page that answers it and comes first."""

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


_DOTTED: Final = "Anchored content block not found."
"""Sphinx takes what follows a dot in the id of a name for a class, finds nothing, and shows the
beginning of the page. It says so if the page of such a hit has come before the next search."""

_IS_OVER: Final = """document.querySelector('#search-results li a') !== null
  || document.querySelector('#search-results')?.innerText.includes('did not match')"""


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
    flaws: list[str] = []
    with serve(site) as url, browser() as window:
        for width, pixels in WIDTHS.items():
            window("size", pixels, 900)
            for page in PAGES:
                window("open", f"{url}/{page}.html")
                flaws += flaws_of_layout(width, page, window("run", _LAYOUT))
        for question, answer in QUESTIONS.items():
            window("open", f"{url}/search.html?q={quote(question)}")
            window("wait", _IS_OVER)
            window("pause", 300)
            results = window("run", _RESULTS)
            if results[:1] != [answer]:
                outcome = f"{question!r} finds {', '.join(results) or 'nothing'}"
                flaws.append(f"{outcome}, not {answer} first")
        return flaws + [said for said in window("seen")["wrong"] if not said.startswith(_DOTTED)]


if __name__ == "__main__":
    flaws = browse(Path(sys.argv[1]))
    sys.exit("\n".join(flaws) or None)

"""Check every link of the built site that stays inside it: the page, and the place on the page.

Plain pages (`*.md`, `llms.txt`) are looked at for the page alone.

Sphinx checks what it resolves by itself. This looks at what a reader's browser gets.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """What one page links to, and the places on it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.places |= {name for name in (found.get("id"), found.get("name")) if name}
        for name in ("href", "src"):
            link = found.get(name)
            if link is not None:
                self.links.append(link)


def broken(site: Path) -> Iterator[str]:
    """Yield each link inside the site at `site` that leads nowhere."""
    pages = {
        path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
    }
    for path, page in sorted(pages.items()):
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{path.relative_to(site.resolve())}: {link}: no such page"
                continue
            places = pages[target].places if target in pages else {unquote(parts.fragment)}
            if parts.fragment and unquote(parts.fragment) not in places:
                yield f"{path.relative_to(site.resolve())}: {link}: no such place"
    for path in sorted([*site.rglob("*.md"), *site.glob("llms*.txt")]):
        text = re.sub(r"(?ms)^```.*?^```$", "", path.read_text(encoding="utf-8"))
        for link in dict.fromkeys(re.findall(r"\]\(([^)\s#:]+)(?:#[^)\s:]*)?\)", text)):
            if not (path.parent / link).is_file():
                yield f"{path.relative_to(site)}: {link}: no such page"


if __name__ == "__main__":
    found = list(broken(Path(sys.argv[1])))
    sys.exit("\n".join(found) or None)

"""Write the pages as plain text for assistants: `PAGE.md`, `llms.txt` and `llms-full.txt`.

They are made of the sources and the contents of the site, and stand beside its HTML.
The form of `llms.txt` is that of https://llmstxt.org.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

CONTENTS = re.compile(r"```\{toctree\}\n:maxdepth: 1\n:caption: (.+)\n\n((?:.|\n)*?)```")
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#:]+)(?=[)#])")


class Pages:
    """The pages in the folder `sources`; `render` returns the text of one with docstrings."""

    def __init__(self, sources: Path, render: Callable[[str], str]) -> None:
        self.sources, self.render = sources, render

    def files(self) -> dict[str, str]:
        """Return the text of each file, by its name on the site."""
        names = ["index", *(name for _, names in self.sections() for name in names)]
        pages = {f"{name}.md": self.text(name) for name in names}
        full = "\n\n".join(
            f"<!-- {name} -->\n\n{with_links_from(text, posixpath.dirname(name)).strip()}"
            for name, text in pages.items()
        )
        return {**pages, "llms.txt": self.overview(), "llms-full.txt": f"{full}\n"}

    def sections(self, page: str = "index", prefix: str = "") -> Iterator[tuple[str, list[str]]]:
        """Yield the captions of the contents of `page`, and the names of the pages in each."""
        for caption, lines in CONTENTS.findall(self.source(page)):
            yield prefix + caption, (names := lines.split())
            for name in names:
                yield from self.sections(name, f"{self.title(name)}: ")

    def overview(self) -> str:
        """Return `llms.txt`: title, summary, and links with a line on each."""
        slogan, what = list(paragraphs(self.source("index")))[:2]
        lines = [f"# {self.title('index')}", "", f"> {slogan} {what}", ""]
        lines += ["Every page is also a page of HTML: `.html` in place of `.md`."]
        lines += ["[llms-full.txt](llms-full.txt) holds all of them."]
        for caption, names in self.sections():
            lines += ["", f"## {caption}", "", *map(self.entry, names)]
        return "\n".join(lines) + "\n"

    def entry(self, name: str) -> str:
        """Return the link to a page, with its first sentences: one, or as many as are short."""
        line = ""
        for sentence in re.split(r"(?<=[.?!:]) ", next(paragraphs(self.source(name)), "")):
            if line and len(line + sentence) > 160:
                break
            line += f" {sentence}"
        return f"- [{self.title(name)}]({name}.md):{line.removesuffix(':')}"

    def text(self, name: str) -> str:
        """Return a page as Markdown, with links as contents; the site has its pictures."""
        source = self.source(name)
        if "```{eval-rst}" in source:
            return self.render(name)
        source = CONTENTS.sub(lambda found: self.links(found[1], found[2].split()), source)
        return re.sub(r"(!\[[^\]]*\]\()\w+/([^)]+)", r"\1_images/\2", source)

    def links(self, caption: str, names: list[str]) -> str:
        """Return a part of the contents as Markdown."""
        return "\n".join([f"## {caption}", "", *map(self.entry, names)])

    def title(self, name: str) -> str:
        """Return the heading of a page."""
        return self.source(name).partition("\n")[0].removeprefix("# ")

    def source(self, name: str) -> str:
        """Return what the page is made of."""
        return (self.sources / f"{name}.md").read_text(encoding="utf-8")


def paragraphs(source: str) -> Iterator[str]:
    """Yield the paragraphs of prose, each as a line without links and emphasis."""
    for block in FENCE.sub("", source).split("\n\n"):
        line = " ".join(block.split())
        if line and line[0] not in "#|-<!:":
            yield re.sub(r"\[([^\]]*)\]\([^)]*\)|\*+([^*]+)\*+", r"\1\2", line)


def with_links_from(text: str, folder: str) -> str:
    """Return the text of a page in `folder` with links that count from the folder above."""

    def from_above(link: re.Match[str]) -> str:
        return link[1] + posixpath.normpath(posixpath.join(folder, link[2]))

    parts = FENCE.split(text)
    return "".join(part if n % 2 else LINK.sub(from_above, part) for n, part in enumerate(parts))

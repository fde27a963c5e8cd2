"""A browser without a window: it sends requests to an ASGI app, and reads pages with a parser."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from starlette.types import ASGIApp, Message

from leeward_dev.console.guard import path_of_console
from leeward_dev.server import Guard, pages_of_console
from leeward_dev.sources import Sources

PORT = 8700
TOKEN = "the-token-of-the-address"
ORIGIN = f"http://127.0.0.1:{PORT}"
HOME = path_of_console(TOKEN)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def page(self) -> Reader:
        """Return the page, read."""
        return Reader(self.text)


class Form(NamedTuple):
    """A form of a page: where it goes, its fields as they are, and its buttons by their texts."""

    action: str
    fields: list[tuple[str, str]]
    buttons: dict[str, tuple[str, str]]


class Reader(HTMLParser):
    """A page, as far as the tests look at it.

    Attributes:
        tags: every element, with its attributes.
        forms: in order, but the search of each page.
        links: texts of links, with their addresses.
        text: all that is written.
        title: of the page.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self._texts: list[str] = []
        self._open: list[tuple[str, int, dict[str, str | None]]] = []
        self.title = ""
        self.feed(page)
        self.close()
        assert not self._open, f"an element was not closed: {self._open}"

    @property
    def text(self) -> str:
        """Return all that is written."""
        return "".join(self._texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "form" and attributes.get("role") != "search":
            self.forms.append(Form(attributes.get("action") or "", [], {}))
        if tag == "input" and self.forms and attributes.get("name"):
            is_box = attributes.get("type") == "checkbox"
            if not is_box or "checked" in attributes:
                self._fields.append((attributes["name"] or "", attributes.get("value") or ""))
        if tag not in ("input", "meta", "link", "br"):
            self._open.append((tag, len(self._texts), attributes))

    def handle_endtag(self, tag: str) -> None:
        """Note what stands in an element."""
        opened, begin, attributes = self._open.pop()
        assert opened == tag, f"{opened} was closed by {tag}"
        inner = "".join(self._texts[begin:])
        if tag == "a":
            self.links[inner] = attributes.get("href") or ""
        elif tag == "button" and self.forms:
            name, value = attributes.get("name") or "", attributes.get("value") or ""
            self.forms[-1].buttons[attributes.get("aria-label") or inner] = (name, value)
        elif tag == "textarea":
            self._fields.append((attributes.get("name") or "", inner.removeprefix("\n")))
            del self._texts[begin:]  # it is the person's own
        elif tag == "title" and not self.title:
            self.title = inner
        if tag in ("td", "dd", "dt", "li", "p", "th", "h1", "h2", "title"):
            self._texts.append("\n")

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self._texts.append(data)

    @property
    def _fields(self) -> list[tuple[str, str]]:
        return self.forms[-1].fields


class Visitor:
    """A person with a browser, at the console.

    Args:
        app: whatever answers.
        cookies: that the browser has.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.cookies: dict[str, str] = {}

    def send(
        self,
        method: str,
        address: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Answer:
        """Send a request, and follow what it leads to."""
        given = {"host": f"127.0.0.1:{PORT}", **(headers or {})}
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = asyncio.run(self._ask(method, address, body, given))
        for part in answer.headers.get("set-cookie", "").split("\n"):
            name, _, value = part.partition(";")[0].partition("=")
            if name:
                self.cookies[name] = value
        if follow and "refresh" in answer.headers:
            return self.get(answer.headers["refresh"].removeprefix("0; url="))
        if follow and answer.status == 303:
            return self.get(answer.headers["location"])
        return answer

    def get(self, address: str, **options: Any) -> Answer:
        """Open an address below the console, or a whole path."""
        return self.send("GET", address, **options)

    def post(self, address: str, fields: Sequence[tuple[str, str]], **options: Any) -> Answer:
        """Send a form, as a page of the console does."""
        own = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            **options.pop("headers", own),
        }
        return self.send(
            "POST", address, body=urlencode(fields).encode(), headers=headers, **options
        )

    def click(self, answer: Answer, button: str, given: Sequence[tuple[str, str]] = ()) -> Answer:
        """Press a button of a page, and return the page that comes then; a field that is given
        stands for that of the form."""
        for form in answer.page.forms:
            if button in form.buttons:
                names = {name for name, _ in given}
                fields = [field for field in form.fields if field[0] not in names]
                return self.post(form.action, [*fields, *given, form.buttons[button]])
        known = [button for form in answer.page.forms for button in form.buttons]
        raise AssertionError(f"there is no button {button!r}, but {known}")

    async def _ask(
        self, method: str, address: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        parts = urlsplit(address)
        path = parts.path if parts.path.startswith("/") else f"{HOME}/{parts.path}"
        path = path.replace("/./", "/")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [
                (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
            ],
            "server": ("127.0.0.1", PORT),
            "client": ("127.0.0.1", 50_000),
        }
        sent: list[Message] = []
        todo: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return todo.pop(0) if todo else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        start = sent[0]
        content = b"".join(message.get("body", b"") for message in sent[1:])
        got: dict[str, str] = {}
        for name, value in start["headers"]:
            key = name.decode()
            got[key] = f"{got[key]}\n{value.decode()}" if key in got else value.decode()
        return Answer(start["status"], got, content.decode())


def mounted(sources: Sources) -> ASGIApp:
    """Return a console as a server mounts it."""
    return Guard(pages_of_console(sources, TOKEN))


def visit(sources: Sources) -> Visitor:
    """Return a visitor who has opened the address with the token."""
    visitor = Visitor(mounted(sources))
    answer = visitor.get(f"{HOME}/?token={TOKEN}")
    assert answer.status == 200, answer.text
    return visitor

"""The console as an ASGI app: addresses, the pages that they show, and what a form does.

A form is sent by POST, does one thing, and leads back to a page that says what was done. So nothing
is done twice by a reload, and everything works without a script.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from importlib.resources import files
from threading import Lock
from time import time
from typing import Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from leeward.errors import InvalidRequest, LeewardError, NotFound
from leeward.leases.faults import DatabaseFault
from leeward.logs import failure_facts, log_event
from leeward_dev.console import (
    events,
    handlers,
    keys,
    letters,
    overview,
    runs,
    schedules,
    search,
    send,
    targets,
    unknown,
)
from leeward_dev.console.guard import SEAL, ConsoleGuard, is_same, seal_of
from leeward_dev.console.html import element
from leeward_dev.console.layout import Decision, Notice, Page, Visit, address, frame, is_shown
from leeward_dev.sources import Sources

MOST_BYTES: Final = 2 * 1024 * 1024
"""Of a form. An object put by hand is text, and a payload has at most 256 KiB on most targets."""
MOST_FIELDS: Final = 1_000
MOST_DECISIONS: Final = 100
"""Of the router that are shown."""
MOST_NOTICES: Final = 20
"""That wait for their page; a reload shows one again."""

SAID: Final = "said"
"""The field of an address that names a notice."""

PAGES: Final[Mapping[str, Callable[[Visit], Page]]] = {
    "": overview.show,
    "handlers": handlers.show,
    "queues": overview.show_queues,
    "letters": letters.show,
    "keys": keys.show,
    "unknown": unknown.show,
    "runs": runs.show,
    "schedules": schedules.show,
    "targets": targets.show,
    "events": events.show,
    "search": search.show,
    "send": send.show,
}

ACTIONS: Final[Mapping[str, Callable[[Visit], Notice | Page]]] = {
    "letters": letters.act,
    "keys": keys.act,
    "unknown": unknown.act,
    "runs": runs.act,
    "schedules": schedules.act,
    "targets": targets.act,
    "send": send.act,
}

FILES: Final = {"console.css": "text/css", "console.js": "text/javascript"}


def open_console(sources: Sources, *, token: str) -> ASGIApp:
    """Return the console, to be mounted at an address of its own.

    Args:
        sources: what it shows, and what it may do.
        token: who opens its address with ``?token=TOKEN`` is let in.
    """
    console = _Console(sources, seal_of(token))
    routes = [
        *(Route(f"/{name}", _serve_file(name, type)) for name, type in FILES.items()),
        Route("/{path:path}", console.answer, methods=["GET", "POST"]),
    ]
    return ConsoleGuard(Starlette(routes=routes), token)


def _serve_file(name: str, type: str) -> Callable[[Request], Response]:
    content = (files("leeward_dev.console") / name).read_bytes()
    return lambda _: Response(content, media_type=type)


class _Console:
    """Answers requests that may be answered.

    Args:
        sources: what is shown.
        seal: that a form has to have.
    """

    def __init__(self, sources: Sources, seal: str) -> None:
        self._sources = sources
        self._seal = seal
        self._notices = _Notices()
        self._decisions: deque[Decision] = deque(maxlen=MOST_DECISIONS)
        sources.client.listen(lambda event: self._decisions.append(Decision(time(), event)))

    async def answer(self, request: Request) -> Response:
        """Answer a request; what waits for targets waits on a thread."""
        path = request.path_params["path"]
        if path not in PAGES or not is_shown(self._sources, path):
            return self._respond(self._visit(request), _absent())
        if request.method != "POST":
            return await run_in_threadpool(self._show, self._visit(request))
        form = await _read_form(request)
        visit = self._visit(request, form)
        if form is None:
            return self._respond(visit, _refusal("This form is too large.", 413))
        if not is_same(visit.field(SEAL), self._seal):
            why = "This form is not one of this console's: load the page again, and send it anew."
            return self._respond(visit, _refusal(why, 403))
        if not self._sources.can_write or path not in ACTIONS:
            why = "This console only shows; start it with --write to change something."
            return self._respond(visit, _refusal(why, 403))
        return await run_in_threadpool(self._act, visit)

    def _visit(self, request: Request, form: Mapping[str, list[str]] | None = None) -> Visit:
        query = dict(request.query_params)
        notice = self._notices.find(query.pop(SAID, ""))
        path = request.path_params["path"]
        decisions = tuple(self._decisions)
        return Visit(self._sources, path, query, form or {}, self._seal, decisions, notice)

    def _show(self, visit: Visit) -> Response:
        try:
            page = PAGES[visit.path](visit)
        except Exception as error:  # noqa: BLE001 - a page says so, and the others go on
            page = _failure(error)
        return self._respond(visit, page)

    def _act(self, visit: Visit) -> Response:
        try:
            end = ACTIONS[visit.path](visit)
        except (LeewardError, DatabaseFault) as error:
            form = {name: values[-1] for name, values in visit.form.items() if name != SEAL}
            end = Notice(f"{error}", visit.query, is_good=False, form=form)
        except Exception as error:  # noqa: BLE001 - a page says so, and the others go on
            end = _failure(error)
        if isinstance(end, Page):
            return self._respond(visit, end)
        said = self._notices.add(end)
        return RedirectResponse(address(visit.path, **{**end.back, SAID: said}), 303)

    def _respond(self, visit: Visit, page: Page) -> Response:
        # Halves of characters, which no encoding has, are in forms alone: text spells them out.
        content = frame(visit, page).encode(errors="xmlcharrefreplace")
        return Response(content, page.status, media_type="text/html")


class _Notices:
    """What actions have done, until their page is shown; by names that nobody guesses."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Notice] = OrderedDict()
        self._lock = Lock()

    def add(self, notice: Notice) -> str:
        name = secrets.token_urlsafe(9)
        with self._lock:
            self._kept[name] = notice
            if len(self._kept) > MOST_NOTICES:
                self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> Notice | None:
        with self._lock:
            return self._kept.get(name)


async def _read_form(request: Request) -> dict[str, list[str]] | None:
    """Return the fields of a form; None for one that is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    fields: defaultdict[str, list[str]] = defaultdict(list)
    try:
        given = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        )
    except ValueError:
        return None
    for name, value in given:
        fields[name].append(value.replace("\r\n", "\n"))
    return fields


def _absent() -> Page:
    return Page("No such page", element("p", "There is nothing at this address."), status=404)


def _refusal(why: str, status: int) -> Page:
    return Page("Nothing was done", element("p", why, role="alert"), status=status)


def _failure(error: Exception) -> Page:
    """Return what is shown instead of a page: the text of an error that is leeward's, or a place.

    The text of any other may repeat a payload.
    """
    if isinstance(error, LeewardError | DatabaseFault):
        status = 404 if isinstance(error, NotFound) else 400
        status = status if isinstance(error, NotFound | InvalidRequest) else 503
        return Page("That did not work", element("p", f"{error}", role="alert"), status=status)
    facts = failure_facts(error)
    log_event("leeward.dev", "error", "console_failed", error=type(error).__name__, **facts)
    why = f"{type(error).__name__} at {facts.get('at', 'an unknown place')}"
    return Page("That did not work", element("p", why, role="alert"), status=500)

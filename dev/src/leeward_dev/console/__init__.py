"""The console: pages over what runs here."""

from __future__ import annotations

from hmac import compare_digest
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from leeward_dev.sources import Sources


def open_console(sources: Sources, *, token: str) -> ASGIApp:
    """Return the console as an ASGI app, to be mounted where its pages are to be."""

    def show(request: Request) -> HTMLResponse:
        if not compare_digest(request.query_params.get("token", "").encode(), token.encode()):
            return HTMLResponse("<!doctype html><title>leeward</title>", status_code=401)
        names = () if sources.app is None else sources.app.handlers
        rows = "".join(f"<li>{escape(name)}</li>" for name in names)
        return HTMLResponse(f"<!doctype html><title>leeward</title><ul>{rows}</ul>")

    return Starlette(routes=[Route("/", show)])

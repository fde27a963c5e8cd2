"""The same small shop in each web framework, guarded by `Idempotency-Key`, for a real server.

A request names its framework in the header ``x-framework``. An effect is a line in a file, so that
it outlives the process. `WEB_TARGET` says where the keys are, `WEB_FOLDER` where the files are.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leeward import AsyncClient, Client
from leeward_integrations import asgi, wsgi

SHORT_LEASE = 0.3
"""Seconds, for a request whose process will die."""

FOLDER = Path(os.environ.get("WEB_FOLDER", "."))
TARGET = os.environ.get("WEB_TARGET", "local")


class Broken(Exception):
    """Something in the app is wrong."""


def answer(framework: str, path: str, key: str) -> tuple[int, dict[str, Any]]:
    """Have the effect, and return status and document of the answer."""
    with (FOLDER / "effects").open("ab", buffering=0) as file:
        file.write(f"{framework} {key}\n".encode())
    if path == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/raise":
        raise Broken
    until = time.monotonic() + 20
    while (
        path == "/wait"
        and not (FOLDER / f"{framework} {key}").exists()
        and time.monotonic() < until
    ):
        time.sleep(0.005)
    status = int(path[1:]) if path[1:].isdigit() else 201
    return status, {"key": key, "text": "x" * 300_000 if path == "/large" else ""}


def starlette_app(**options: Any) -> Any:
    """Return the shop in Starlette."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def charge(request: Request) -> Response:
        await request.json()
        key = request.headers["idempotency-key"]
        status, document = answer("starlette", request.url.path, key)
        return JSONResponse(document, status, {"x-shop": "starlette"})

    app = Starlette(routes=[Route("/{path}", charge, methods=["POST"])])
    app.add_middleware(asgi.IdempotencyKeys, **options)
    return app


def fastapi_app(**options: Any) -> Any:
    """Return the shop in FastAPI; it runs on threads."""
    from fastapi import FastAPI, Header, Response

    app = FastAPI()
    app.add_middleware(asgi.IdempotencyKeys, **options)

    def charge(
        path: str, order: dict[str, Any], response: Response, idempotency_key: str = Header()
    ) -> dict[str, Any]:
        response.status_code, document = answer("fastapi", f"/{path}", idempotency_key)
        response.headers["x-shop"] = "fastapi"
        return document

    # Not by its decorator: annotations are texts here, and name what is imported above.
    charge.__annotations__ = {"path": str, "order": dict[str, Any], "response": Response,
                              "idempotency_key": str}  # fmt: skip
    app.post("/{path}")(charge)
    return app


def litestar_app(**options: Any) -> Any:
    """Return the shop in Litestar; it runs on threads."""
    from litestar import Litestar, Request, Response, post

    def charge(path: str, request: Any, data: dict[str, Any]) -> Any:
        status, document = answer("litestar", f"/{path}", request.headers["idempotency-key"])
        return Response(document, status_code=status, headers={"x-shop": "litestar"})

    charge.__annotations__ = {"path": str, "request": Request, "data": dict[str, Any],
                              "return": Response}  # fmt: skip
    handler = post("/{path:str}", sync_to_thread=True)(charge)
    return asgi.IdempotencyKeys(Litestar([handler]), **options)


def flask_app(**options: Any) -> Any:
    """Return the shop in Flask."""
    from flask import Flask, jsonify, request

    app = Flask("shop")

    def charge(path: str) -> Any:
        request.get_json()
        status, document = answer("flask", f"/{path}", request.headers["idempotency-key"])
        return jsonify(document), status, {"x-shop": "flask"}

    app.add_url_rule("/<path>", view_func=charge, methods=["POST"])
    app.wsgi_app = wsgi.IdempotencyKeys(app.wsgi_app, **options)
    return app


def django_app(**options: Any) -> Any:
    """Return the shop in Django."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpRequest, JsonResponse
    from django.urls import path as route

    def charge(request: HttpRequest, path: str) -> JsonResponse:
        json.loads(request.body)
        status, document = answer("django", f"/{path}", request.headers["idempotency-key"])
        return JsonResponse(document, status=status, headers={"x-shop": "django"})

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="k", ROOT_URLCONF=__name__)
        globals()["urlpatterns"] = [route("<str:path>", charge)]
    return wsgi.IdempotencyKeys(get_wsgi_application(), **options)


ASGI: dict[str, Callable[..., Any]] = {
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "litestar": litestar_app,
}
WSGI: dict[str, Callable[..., Any]] = {"flask": flask_app, "django": django_app}


def open_shops(makers: dict[str, Callable[..., Any]], client: Any) -> dict[tuple[str, bool], Any]:
    """Return the shop of each framework: one as it is, one whose leases are short."""
    options = {"table": "keys", "client": client, "required": True, "settles": True}
    return {
        (name, is_short): make(
            **options, name=name, lease=SHORT_LEASE if is_short else 60.0, principal=caller
        )
        for name, make in makers.items()
        for is_short in (False, True)
    }


def caller(scope: Any) -> str | None:
    """Return who calls, as a server would have checked it."""
    if "wsgi.version" in scope:
        named: str | None = scope.get("HTTP_X_CALLER")
        return named
    return dict(scope["headers"]).get(b"x-caller", b"").decode() or None


def open_asgi() -> Any:
    """Return an app of ASGI with the shops in it."""
    shops = open_shops(ASGI, AsyncClient(TARGET))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        headers = dict(scope["headers"])
        name = headers.get(b"x-framework", b"").decode()
        if name:
            await shops[name, scope["path"] == "/die"](scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


def open_wsgi() -> Any:
    """Return an app of WSGI with the shops in it."""
    shops = open_shops(WSGI, Client(TARGET))

    def app(environ: Any, start_response: Any) -> Any:
        name = environ.get("HTTP_X_FRAMEWORK")
        if name:
            return shops[name, environ["PATH_INFO"] == "/die"](environ, start_response)
        start_response("200 OK", [])
        return [b""]

    return app

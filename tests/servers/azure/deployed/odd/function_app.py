"""Functions that answer in odd ways, and one that tells what it was given."""

from __future__ import annotations

import json
import time

import azure.functions as func

app = func.FunctionApp()


@app.route("told/{kind}/{number?}")
def told(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Return what came besides the body, and the body as text."""
    document = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "params": dict(req.params),
        "route": dict(req.route_params),
        "body": req.get_body().decode(),
        "function": context.function_name,
    }
    return func.HttpResponse(json.dumps(document), mimetype="application/json")


@app.route()
def nothing(req: func.HttpRequest) -> None:
    """Return nothing."""


@app.route()
def text(req: func.HttpRequest) -> str:
    """Return text."""
    return "caf\u00e9"


@app.route()
def status(req: func.HttpRequest) -> func.HttpResponse:
    """Answer with the status and the header that the body names, and its text."""
    given = req.get_json()
    headers = {"x-leeward": "1"} if given.get("marked") else {}
    return func.HttpResponse(given.get("text", ""), status_code=given["status"], headers=headers)


@app.route()
def unfit(req: func.HttpRequest) -> object:
    """Return what is no answer."""
    return {1, 2}


@app.route(auth_level=func.AuthLevel.ANONYMOUS)
def open_to_all(req: func.HttpRequest) -> str:
    """Need no key."""
    return "open"


@app.route(auth_level=func.AuthLevel.ADMIN)
def for_the_master(req: func.HttpRequest) -> str:
    """Need the master key."""
    return "master"


@app.route(methods=["POST"])
async def sleep(req: func.HttpRequest) -> str:
    """Take the seconds that the body names."""
    time.sleep(req.get_json()["seconds"])  # noqa: ASYNC251 - a call has its own event loop
    return "woke"


@app.queue_trigger(arg_name="message", queue_name="odd", connection="AzureWebJobsStorage")
def stumble(message: func.QueueMessage) -> None:
    """Raise, whatever comes."""
    raise RuntimeError("on purpose")

"""Functions that do what functions should not, and one that tells what it was given."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import functions_framework  # type: ignore[import-not-found]  # of the environment it runs in


@functions_framework.http  # type: ignore[untyped-decorator]
def main(request: Any) -> Any:
    """Do what the first part of the path names."""
    return _FUNCTIONS[request.path.strip("/").partition("/")[0]](request)


@functions_framework.cloud_event  # type: ignore[untyped-decorator]
def told(event: Any) -> None:
    """Write down an event in the folder that the variable `FOLDER` names; fail if told to."""
    with Path(os.environ["FOLDER"], "events").open("a") as file:
        file.write(json.dumps({"attributes": _text(event.get_attributes()), "data": event.data}))
        file.write("\n")
    if "fail" in event.data["message"].get("attributes", {}):
        raise RuntimeError("on purpose")


def _context(request: Any) -> Any:
    """Return what came."""
    return {
        "method": request.method,
        "path": request.full_path.rstrip("?"),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": b64encode(request.get_data()).decode(),
    }


def _teapot(_request: object) -> Any:
    """Answer with a status and headers of its own."""
    return "short and stout", 418, {"x-leeward": "1"}


def _nothing(_request: object) -> None:
    """Return None, which is no answer."""


def _large(request: Any) -> str:
    """Return a text of so many bytes."""
    return "x" * int(request.args["bytes"])


def _sleep(request: Any) -> str:
    """Return late."""
    time.sleep(float(request.args["seconds"]))
    return "woke"


def _leave(_request: object) -> None:
    """End the process; gunicorn starts another."""
    os._exit(1)


_FUNCTIONS = {
    each.__name__.removeprefix("_"): each
    for each in (_context, _teapot, _nothing, _large, _sleep, _leave)
}


def _text(attributes: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in attributes.items()}

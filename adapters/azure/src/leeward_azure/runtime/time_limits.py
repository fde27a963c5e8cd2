"""How long a function may take: nothing in an invocation tells, so the app's own settings do.

Source: ``functionTimeout`` in the reference of host.json; "Azure Functions HTTP trigger" for the
230 seconds of the load balancer.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

HTTP_SECONDS: Final = 230.0
SECONDS: Final = 300.0
"""On the plan with the shortest limit, if nothing else is set."""
UNLIMITED: Final = 86_400.0
"""Seconds that stand for no limit."""

_FOLDER: Final = "AzureWebJobsScriptRoot"
_SETTING: Final = "AzureFunctionsJobHost__functionTimeout"
_TIME: Final = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")


@cache
def limit() -> float:
    """Return the seconds that an invocation may take.

    They are looked for at the first call: the variables of a process that was started in advance
    are replaced when it gets its app.
    """
    folder = Path(os.environ.get(_FOLDER) or Path.cwd())
    return limit_of(os.environ.get(_SETTING), folder / "host.json")


def limit_of(setting: str | None, host_json: Path) -> float:
    """Return the seconds of a limit: the setting's, else that of host.json, else the shortest."""
    text = setting or _read_timeout(host_json)
    if text == "-1":
        return UNLIMITED
    match = _TIME.fullmatch(text or "")
    if match is None:
        return SECONDS
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _read_timeout(host_json: Path) -> str | None:
    try:
        document: Any = json.loads(host_json.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None
    text = document.get("functionTimeout") if isinstance(document, dict) else None
    return text if isinstance(text, str) else None

"""The names under which Cloud Logging knows the fields of a line.

Sources: "Structured logging" and "Link log entries with traces" in its documentation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from leeward.app.kit import Context, trace_ids

_NAMES: Final = "logging.googleapis.com/"


def make_fields(call: Context) -> Mapping[str, Any]:
    """Return the fields of a line that is logged in a call.

    A trace has the project in its name, which the environment tells only where somebody has set it.
    """
    found: dict[str, Any] = {f"{_NAMES}labels": {"execution_id": call.call_id}}
    ids = trace_ids(call.trace)
    if ids is not None:
        project = os.environ.get("GOOGLE_CLOUD_PROJECT")
        found[f"{_NAMES}spanId"] = ids.span
        found[f"{_NAMES}trace_sampled"] = ids.sampled
        if project:
            found[f"{_NAMES}trace"] = f"projects/{project}/traces/{ids.trace}"
    return found

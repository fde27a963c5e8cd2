"""Headers that neither CloudFront Functions nor Lambda@Edge may change.

Source: "Restrictions on edge functions" in CloudFront's developer guide.
"""

from __future__ import annotations

import re
from typing import Final

_NEVER: Final = re.compile(
    r"connection|expect|keep-alive|proxy-.*|trailer|upgrade"
    r"|x-accel-(?:buffering|charset|limit-rate|redirect)|x-amz-cf-.*|x-amzn-.*|x-cache|x-edge-.*"
    r"|x-forwarded-proto|x-real-ip",
    re.IGNORECASE,
)

_AT: Final = {
    "request": ("content-length", "host", "transfer-encoding", "via"),
    "response": ("content-encoding", "content-length", "transfer-encoding", "warning", "via"),
}
"""Besides, in what a viewer sends and in what it gets."""


def is_forbidden(name: str, of: str) -> bool:
    """Return whether a header cannot be changed in a ``request`` or a ``response``."""
    return bool(_NEVER.fullmatch(name)) or name.lower() in _AT[of]

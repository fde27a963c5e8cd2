"""An answer that is none: told by the code that libcurl has for it, whoever has read it."""

from __future__ import annotations

from typing import Final

WRONG_PROTOCOL: Final = 1
NONSENSE: Final = 8
CUT: Final = 18
NOTHING_CAME: Final = 52
BAD_CHUNK: Final = 56
UNKNOWN_CODING: Final = 61
TOO_LARGE: Final = 63
ENDLESS_HEAD: Final = 100
"""From curl/curl.h."""


class Broken(Exception):
    """What came in is no answer, or not all of one.

    Attributes:
        code: libcurl's error code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

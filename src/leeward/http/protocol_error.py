"""What is wrong with an answer, by the number that libcurl has for the same fault."""

from __future__ import annotations

from typing import Final

WRONG_PROTOCOL: Final = 1
MALFORMED: Final = 8
CUT: Final = 18
NOTHING_CAME: Final = 52
BAD_CHUNK: Final = 56
UNKNOWN_CODING: Final = 61
TOO_LARGE: Final = 63
ENDLESS_HEAD: Final = 100
"""From curl/curl.h."""


class ProtocolError(Exception):
    """What came is not an answer, or not all of one.

    Attributes:
        code: libcurl's number.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

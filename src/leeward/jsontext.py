"""JSON as leeward writes it: compact, in UTF-8."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from leeward.values import Json


def encode(value: Json) -> bytes:
    """Write a value that has been checked."""
    return _encoder()(value).encode()


@cache
def _encoder() -> Callable[[Json], str]:
    """Give one encoder for all: making one costs more than a small document does.

    `JSONEncoder.encode` makes anew, each time, the encoder in C that does the work. So that one is
    kept here, where there is one (CPython), told the same things and not to look for cycles: a
    checked value has none.
    """
    from json import JSONEncoder, encoder

    plain = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    in_c = getattr(encoder, "c_make_encoder", None)
    if in_c is None:
        return plain.encode
    spell = encoder.encode_basestring
    chunks = in_c(None, plain.default, spell, None, ":", ",", False, False, False)
    return lambda value: "".join(chunks(value, 0))

"""Odd values, and what makes a good text or document a little wrong: by dice, so by a seed."""

from __future__ import annotations

import json
import random
from typing import Any, Final

TEXTS: Final = (
    "", " ", "0", "-1", "1e999", "NaN", "true", "local", "local:a", "aws", "azure", "google", "gcp",
    "aws:us-east-1", "aws:", ":", "a" * 300, "\u2028", "\x00", "\x1b[2J", "\r\nX: 1", "\ud800", "é",
    "https://x.example", "http://169.254.169.254/", "http://[::1]:1", "https://u:p@x", "../..", "%",
    "2026-01-01T00:00:00Z", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 400, "1E-999999999", "_leeward",
    "AccountName=a;AccountKey=a2V5", "AccountEndpoint=https://x;AccountKey=!", "a2V5", "json:dumps",
    "ns#ThrottlingException", "RESOURCE_EXHAUSTED", "projects/p/topics/t", "arn:aws:iam::1:role/x",
)  # fmt: skip

NUMBERS: Final = (0, -1, 1, 3, 2**31, 2**63, -(2**70), 0.1, -0.0, 1e300, 10**30)


def odd(dice: random.Random, depth: int = 3) -> Any:
    """Return any value of JSON, leaning towards the odd; texts may hold half a surrogate pair."""
    kind = dice.randrange(10 if depth else 6)
    if kind < 3:
        return dice.choice(TEXTS)
    if kind < 5:
        return dice.choice(NUMBERS)
    if kind == 5:
        return dice.choice((None, True, False, [], {}))
    if kind < 8:
        return [odd(dice, depth - 1) for _ in range(dice.randrange(4))]
    return {dice.choice(TEXTS): odd(dice, depth - 1) for _ in range(dice.randrange(4))}


def bent(dice: random.Random, value: Any) -> Any:
    """Return a document with one place of it changed, taken away, doubled, or buried."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        name = dice.choice(list(value))
        rest = {each: inner for each, inner in value.items() if each != name}
        return rest if dice.random() < 0.1 else {**rest, name: bent(dice, value[name])}
    if isinstance(value, list) and value and dice.random() < 0.85:
        place = dice.randrange(len(value))
        if dice.random() < 0.1:
            return value[:place] + value[place + 1 :] * 2
        return [*value[:place], bent(dice, value[place]), *value[place + 1 :]]
    match dice.randrange(4):
        case 0:
            return [value]
        case 1:
            return {dice.choice(TEXTS): value}
        case _:
            return odd(dice)


def torn(dice: random.Random, text: bytes) -> bytes:
    """Return bytes with some of them cut, doubled, exchanged, or something in between."""
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(text) + 1)
        to = min(len(text), at + dice.randrange(1, 12))
        between = dice.choice(TEXTS).encode(errors="surrogatepass")
        match dice.randrange(5):
            case 0:
                text = text[:at] + text[to:]
            case 1:
                text = text[:to] + text[at:]
            case 2:
                text = text[:at] + between + text[at:]
            case 3:
                text = text[:at] + bytes([dice.randrange(256)]) + text[to:]
            case _:
                text = text[:at]
    return text


def as_body(dice: random.Random, document: Any) -> bytes:
    """Return a document as a server sends it, sometimes torn; a str is sent as it is."""
    text = document if isinstance(document, str) else json.dumps(document)
    body = text.encode(errors="surrogatepass")
    return torn(dice, body) if dice.random() < 0.3 else body

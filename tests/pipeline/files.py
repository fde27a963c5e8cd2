"""Files for the pipeline of the examples, and what has to become of them."""

from __future__ import annotations

import json
from typing import Final

KNOWN: Final = {"tea": "drinks", "cup": "kitchen"}

POISON: Final = {
    "no_header": b"a;b\n1;2\n",
    "not_text": b"\xff\xfe\n",
    "line_too_long": b"store,sku,pieces,price\n" + b"x" * 70_000,
    "not_csv": b'store,sku,pieces,price\n"' + b"x,tea,1,1\n" * 20_000,
}
"""Files that nobody can read, by the reason that their dead letters tell."""


def poison_of(number: int) -> str | None:
    """Return why a file cannot be read, if it cannot: four of a hundred."""
    return dict(zip((11, 31, 51, 71), POISON, strict=True)).get(number % 100)


def body_of(number: int, version: int = 0) -> bytes:
    """Return a file, of which no two have one summary; each version is another one."""
    poison = poison_of(number)
    if poison is not None:
        return POISON[poison] + b"#%d" % version
    lines = [
        "store, SKU, pieces, price",
        f"berlin, TEA , {number + 1}, 1.50",
        "",
        f"berlin,cup,{version + 1},2",
        "berlin,hat,1,0.10",
        "berlin,tea,,",
        "berlin,tea,-1,1",
        "berlin,tea,1,NaN",
        "berlin,tea,1,2,3",
    ]
    return "\r\n".join(lines).encode()


def summary_of(number: int, version: int = 0) -> bytes:
    """Return the summary of a file, made without the pipeline."""
    tenths = (number + 1) * 15
    document = {
        "categories": {
            "drinks": {"pieces": number + 1, "revenue": f"{tenths // 10}.{tenths % 10}0"},
            "kitchen": {"pieces": version + 1, "revenue": str(2 * (version + 1))},
            "other": {"pieces": 1, "revenue": "0.10"},
        },
        "rejected": 4,
    }
    return json.dumps(document, sort_keys=True).encode()


def name_of(number: int) -> str:
    """Return the name of a file; its characters are such as notifications encode."""
    return f"in/2026-05/a b+c {number:05}.csv"


def output_of(number: int) -> str:
    """Return the name of its summary."""
    return f"processed/{name_of(number).removeprefix('in/')}.json"

"""A pipeline: files of sales arrive, and each becomes one summary, exactly once.

A file is a CSV in UTF-8, such as ``in/2026-05/berlin.csv``, with the columns store, sku, pieces and
price. It is read piece by piece, cleaned, enriched with the category of each thing, added up, and
written create-only as ``processed/2026-05/berlin.csv.json``, with the version of its source beside
it. So a file that is told of twice, or whose answer was lost, changes nothing the second time.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from leeward import App, Client, Conflict, Context, ObjectInfo, ObjectReader, OutcomeUnknown
from leeward.app import ObjectEvent, Problem

BUCKET = "sales"
ARRIVED = "in/"
PROCESSED = "processed/"
CATEGORIES = "reference/categories.json"
"""Category by sku; what is not in it is called ``other``."""

COLUMNS = ["store", "sku", "pieces", "price"]
LONGEST = 64 * 1024
"""Bytes of a line, or of a row over several. What has longer ones is not such a file, and would not
fit into memory."""
MOST = 10**9
"""Pieces, or a price, that nobody sells."""

app = App("pipeline")


class Sale(NamedTuple):
    """A line that makes sense."""

    sku: str
    pieces: int
    price: Decimal


def cloud() -> Client:
    """Return the client of this process, with the bucket."""
    return app.client()


@app.on_object(BUCKET, prefix=ARRIVED, writes=f"{BUCKET}/{PROCESSED}", timeout=120, retries=3)
def summarize(arrived: ObjectEvent, context: Context) -> None:
    """Make the summary of a file.

    Raises:
        Problem: the file will never make sense; or an answer was lost, and it is to be done again.
    """
    try:
        summarize_once(arrived, context)
    except OutcomeUnknown as error:
        # Whatever was written was written under its version, so it may well be tried again.
        raise Problem("an answer was lost", status=503, reason="answer_lost") from error


def summarize_once(arrived: ObjectEvent, context: Context) -> None:
    """Read a file, and write its summary."""
    reader = cloud().get_object(arrived.bucket, arrived.key)
    if reader is None or reader.info.revision != arrived.revision:
        context.logger.info("the file was replaced or deleted since: another event tells of that")
        return
    rows = rows_of(lines_of(reader))
    summary = aggregated(cleaned(rows), categories())
    context.check_deadline(needs=5)
    write(arrived, json.dumps(summary, sort_keys=True).encode())


def lines_of(reader: ObjectReader) -> Iterator[str]:
    """Yield the lines of a file, with no more in memory than a piece of it.

    Raises:
        Problem: it is not a text, or its lines are too long: it will never be.
    """
    rest = b""
    for piece in reader:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            yield _text(rest + piece[start:end])
            rest, start = b"", end + 1
        rest += piece[start:]
        if len(rest) > LONGEST:
            break
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    if len(line) > LONGEST:
        raise Problem("a line is too long", reason="line_too_long", retryable=False)
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise Problem("this is not UTF-8", reason="not_text", retryable=False) from None


def rows_of(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the rows of a file, after that which names its columns.

    Raises:
        Problem: that is not there, or the file is not CSV.
    """
    size = 0

    def counted() -> Iterator[str]:  # a quote that nothing closes makes one row of all the rest
        nonlocal size
        for line in lines:
            size += len(line)
            if size > LONGEST:
                raise csv.Error
            yield line

    rows = csv.reader(counted())
    try:
        header = [each.strip().lower() for each in next(rows, [])]
        if header != COLUMNS:
            raise Problem("the first line names other columns", reason="no_header", retryable=False)
        size = 0
        for row in rows:
            size = 0
            yield row
    except csv.Error as error:
        raise Problem("this is not CSV", reason="not_csv", retryable=False) from error


def cleaned(rows: Iterable[list[str]]) -> Iterator[Sale | None]:
    """Yield the sales of a file; None for a line that makes no sense."""
    for row in rows:
        if not row:
            continue
        try:
            _, sku, pieces, price = (each.strip() for each in row)
            sale = Sale(sku.lower(), int(pieces), Decimal(price))
        except (ValueError, InvalidOperation):
            yield None
        else:
            sound = sale.sku and 0 < sale.pieces < MOST
            sound = sound and sale.price.is_finite() and 0 <= sale.price < MOST
            yield sale if sound else None


def aggregated(sales: Iterable[Sale | None], known: dict[str, str]) -> dict[str, Any]:
    """Add sales up by category; what makes no sense is counted."""
    pieces: defaultdict[str, int] = defaultdict(int)
    revenue: defaultdict[str, Decimal] = defaultdict(Decimal)
    rejected = 0
    for sale in sales:
        if sale is None:
            rejected += 1
            continue
        category = known.get(sale.sku, "other")
        pieces[category] += sale.pieces
        revenue[category] += sale.pieces * sale.price
    found = {each: {"pieces": pieces[each], "revenue": str(revenue[each])} for each in pieces}
    return {"categories": found, "rejected": rejected}


def categories() -> dict[str, str]:
    """Return the category of each thing, by sku."""
    reader = cloud().get_object(BUCKET, CATEGORIES)
    return {} if reader is None else json.loads(reader.read())


def write(arrived: ObjectEvent, body: bytes) -> None:
    """Write a summary, unless it is there: of this version of its source, or of a later one."""
    name = f"{PROCESSED}{arrived.key.removeprefix(ARRIVED)}.json"
    source = {"source_version": arrived.version, "source_sequence": arrived.sequence or ""}
    known = {each: told for each, told in source.items() if told}
    there: ObjectInfo | None = None
    while True:
        revision = None if there is None else there.revision
        try:
            cloud().put_object(
                BUCKET,
                name,
                body,
                if_absent=there is None,
                if_revision=revision,
                metadata=known,
            )
        except Conflict:
            there = cloud().head_object(BUCKET, name)
            if there is not None and not is_newer(arrived, there):
                return
        else:
            return


def is_newer(arrived: ObjectEvent, there: ObjectInfo) -> bool:
    """Return whether a file was written after the one that a summary is of."""
    told = there.metadata
    if told.get("source_version") == arrived.version:
        return False
    return (arrived.sequence or "") > told.get("source_sequence", "")

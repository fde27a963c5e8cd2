"""``leeward object``: the objects of a bucket, from files and into files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from leeward.cli.arguments import argument, bytes_argument, flag, option, texts_argument
from leeward.cli.commands.verbs import IfRevision, Timeout
from leeward.cli.global_options import options_of
from leeward.cli.output.exit_codes import ABSENT
from leeward.cli.output.output import pour, write_file
from leeward.errors import InvalidRequest
from leeward.views import Column, Format, Report, Table
from leeward.views.answers import show_object, show_receipt

if TYPE_CHECKING:
    from leeward.client import Client
    from leeward.values.objects import ObjectInfo

Bucket: TypeAlias = Annotated[str, argument("Logical name of the bucket.", "BUCKET")]
Name: TypeAlias = Annotated[str, argument("Of the object, such as reports/may.csv.", "NAME")]


_OBJECTS = (
    Column("Name", "name", is_name=True),
    Column("Bytes", "size", Format.COUNT),
    Column("Revision", "revision"),
)


def put(
    context: typer.Context,
    bucket: Bucket,
    name: Name,
    file: Annotated[str, argument("Its bytes, or - for the standard input.", "FILE")],
    *,
    if_absent: Annotated[bool, flag("--if-absent", "Only if no object has this name.")] = False,
    if_revision: IfRevision = None,
    metadata: Annotated[
        list[str] | None, option("Stored with it; may be repeated.", "NAME=TEXT", "--metadata")
    ] = None,
    timeout: Timeout = None,
) -> Report:
    """Write a whole object in the bucket's home."""
    kept = texts_argument(metadata or (), "metadata")
    data = bytes_argument(file, "file")
    with options_of(context).client_of_data() as cloud:
        receipt = cloud.put_object(
            bucket,
            name,
            data,
            if_absent=if_absent,
            if_revision=if_revision,
            metadata=kept or None,
            timeout=timeout,
        )
    return show_receipt(receipt)


def get(
    context: typer.Context,
    bucket: Bucket,
    name: Name,
    *,
    out: Annotated[Path | None, option("Default: the standard output.", "FILE")] = None,
    start: Annotated[int, option("The first byte.", "NUMBER")] = 0,
    length: Annotated[int | None, option("Bytes, at most. Default: all.", "NUMBER")] = None,
    timeout: Timeout = None,
) -> Report | None:
    """Read an object, or a range of it; exit with 3 if there is none.

    The file appears when it is complete, and not before.
    """
    options = options_of(context)
    if out is None and options.output.is_for_programs:
        raise InvalidRequest(
            "--json writes one JSON object, which an object's bytes are not; say --out FILE",
            field="out",
        )
    standard_output = sys.stdout
    with options.client_of_data() as cloud:
        reader = cloud.get_object(bucket, name, start=start, length=length, timeout=timeout)
        if reader is None:
            return _absent(bucket, name)
        if out is None:
            pour(standard_output, reader)
            return None
        written = write_file(out, reader)
        return show_object(reader.info, file=str(out), written=written)


def show(context: typer.Context, bucket: Bucket, name: Name, *, timeout: Timeout = None) -> Report:
    """Show size, revision and metadata of an object; exit with 3 if there is none."""
    with options_of(context).client_of_data() as cloud:
        info = cloud.head_object(bucket, name, timeout=timeout)
    return _absent(bucket, name) if info is None else show_object(info)


def list_(
    context: typer.Context,
    bucket: Bucket,
    prefix: Annotated[str, argument("The beginning of their names.", "[PREFIX]")] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="At most so many.")] = 1000,
    timeout: Timeout = None,
) -> Report:
    """List the objects of a bucket, in the order of its target."""
    with options_of(context).client_of_data() as cloud:
        objects = [*islice(_list_all(cloud, bucket, prefix, timeout), limit + 1)]
    rows = [
        {name: getattr(each, name) for name in ("name", "size", "revision")}
        for each in objects[:limit]
    ]
    more = len(objects) > limit
    notes = ["There are more; say --limit NUMBER, or a longer prefix."] * more
    listed = Table(_OBJECTS, rows, "", "No objects.")
    return Report({"objects": rows, "more": more}, 0.0, [listed], notes)


def delete(
    context: typer.Context, bucket: Bucket, name: Name, *, timeout: Timeout = None
) -> Report:
    """Delete an object. A missing object is not an error."""
    with options_of(context).client_of_data() as cloud:
        return show_receipt(cloud.delete_object(bucket, name, timeout=timeout))


def _list_all(
    cloud: Client, bucket: str, prefix: str, timeout: float | None
) -> Iterator[ObjectInfo]:
    cursor = None
    while True:
        page = cloud.list_objects(bucket, prefix, cursor=cursor, timeout=timeout)
        yield from page.objects
        if (cursor := page.cursor) is None:
            return


def _absent(bucket: str, name: str) -> Report:
    data = {"found": False, "bucket": bucket, "name": name}
    return Report(data, notes=[f"{bucket!r} has no object {name!r}."], exit_code=ABSENT.code)

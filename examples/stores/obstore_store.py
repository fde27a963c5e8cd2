"""Objects by obstore: S3 and what speaks like it, Azure Blob storage, and memory.

    store = S3Store("acme-reports", region="eu-west-1", retry_config={"max_retries": 0})
    client = Client([ObstoreDriver("obstore", {"reports": store})])

A put is one request with its condition, which the store itself judges, and the write id and the
SHA-256 go along as attributes. Give each store no retries of its own, as above: leeward makes its
own, and looks between them whether the first has done its work.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from obstore.exceptions import (
    AlreadyExistsError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import GCSStore, HTTPStore, LocalStore

from leeward.adapter.objects import checksum_in
from leeward.calls import (
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    Piece,
    PutObject,
    Result,
)
from leeward.errors import ConfigError, Outcome

from .brought import PAGE_OBJECTS, BroughtDriver, another_object

THREADS: Final = 16
WRITE_ID: Final = "leeward_write"
CHECKSUM: Final = "leeward_sha256"


class ObstoreDriver(BroughtDriver):
    """Buckets, each a store of obstore's.

    Args:
        target: its name.
        buckets: the store of each.

    Raises:
        ConfigError: a store cannot keep what leeward needs.
    """

    def __init__(self, target: str, buckets: Mapping[str, Any]) -> None:
        for name, store in buckets.items():
            if isinstance(store, GCSStore | LocalStore | HTTPStore):
                raise ConfigError(
                    f"the bucket {name!r} of {target} is a {type(store).__name__}, which replaces "
                    "nothing under the condition of an ETag; use leeward's own adapter, or `local`"
                )
        super().__init__(target, {name: repr(store) for name, store in buckets.items()}, THREADS)
        self._stores = dict(buckets)

    def attempt(self, call: Any) -> Result[Any]:
        """Make one attempt: one request, and a look where that alone says too little."""
        store = self._stores[call.bucket]
        try:
            match call:
                case PutObject():
                    return _put(store, call)
                case GetObject():
                    return _get(store, call)
                case HeadObject():
                    return Result.ok(_look(store, call.name))
                case ListObjects():
                    return Result.ok(_list(store, call))
                case DeleteObject():
                    return _delete(store, call)
        except (PermissionDeniedError, UnauthenticatedError) as error:
            return Result(Outcome.AUTH, code=type(error).__name__, cause=error)
        raise AssertionError(f"{call.verb} is not a call of objects")


def _put(store: Any, call: PutObject) -> Result[Any]:
    mode: Any = "create" if call.if_absent else "overwrite"
    if call.if_revision is not None:
        mode = {"e_tag": call.if_revision}
    attributes = {**call.metadata, WRITE_ID: call.write_id, CHECKSUM: call.checksum}
    try:
        put = store.put(call.name, call.body, attributes=attributes, mode=mode, use_multipart=False)
    except (AlreadyExistsError, PreconditionError):
        # What is in the way may be what an earlier attempt wrote.
        found = _look(store, call.name)
        if found is not None and found.write_id == call.write_id:
            return Result.ok(found.revision)
        return another_object()
    return Result.ok(put["e_tag"])


def _get(store: Any, call: GetObject) -> Result[Any]:
    options: dict[str, Any] = {"range": (call.start, call.start + call.length)}
    if call.if_revision is not None:
        options["if_match"] = call.if_revision
    try:
        got = store.get(call.name, options=options)
        return Result.ok(Piece(bytes(got.bytes()), _found(got)))
    except PreconditionError:
        return another_object()
    except FileNotFoundError:
        return Result.ok(None) if call.if_revision is None else another_object()
    except GenericError:
        # So obstore says of a range behind the end, as of anything else.
        found = _look(store, call.name)
        if found is None or call.start < found.size:
            raise
        return Result.ok(Piece(b"", found))


def _look(store: Any, name: str) -> FoundObject | None:
    try:
        return _found(store.get(name, options={"head": True}))
    except FileNotFoundError:
        return None


def _list(store: Any, call: ListObjects) -> Listing:
    folder = call.prefix.rpartition("/")[0]  # obstore knows whole parts of names alone
    found: list[FoundObject] = []
    for chunk in store.list(folder or None, offset=call.cursor):
        for each in chunk:
            if len(found) == PAGE_OBJECTS:
                return Listing(tuple(found), found[-1].name)
            if each["path"].startswith(call.prefix):
                found.append(FoundObject(each["path"], each["size"], each["e_tag"]))
    return Listing(tuple(found))


def _delete(store: Any, call: DeleteObject) -> Result[Any]:
    with suppress(FileNotFoundError):
        store.delete(call.name)
    return Result.ok(None)


def _found(got: Any) -> FoundObject:
    meta, told = got.meta, dict(got.attributes)
    write_id, checksum = told.pop(WRITE_ID, None), checksum_in(told.pop(CHECKSUM, None))
    metadata = {name: value for name, value in told.items() if name.islower()}
    return FoundObject(meta["path"], meta["size"], meta["e_tag"], write_id, checksum, metadata)

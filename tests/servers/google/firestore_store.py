"""The documents of one Firestore database, and how they are changed: all at once, or not at all."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from tests.servers.google.firestore_values import check_document, check_name
from tests.servers.google.refused import Refused

_CHANGES: Final = 1000
"""Changes of documents that are remembered, for who asks about a moment before."""


class Store:
    """Documents by name, each a bare `Document` of Google's.

    Args:
        database: the name of the database in full.
        clock: Unix seconds.
    """

    def __init__(self, database: str, clock: Callable[[], float]) -> None:
        self.prefix = f"{database}/documents/"
        self._clock = clock
        self._types = import_module("google.cloud.firestore_v1.types")
        self._documents: dict[str, Any] = {}
        self._names: dict[str, list[str]] = {}  # in order, by what they begin with
        self._changes: deque[tuple[int, str, Any]] = deque(maxlen=_CHANGES)
        self._last = 0
        self._lock = threading.RLock()

    def now(self) -> Any:
        """Give the time, a bare `Timestamp`, which never is that of an earlier call."""
        with self._lock:
            self._last = max(self._last + 1, int(self._clock() * 1_000_000))
            moment = import_module("google.protobuf.timestamp_pb2").Timestamp()
            moment.FromMicroseconds(self._last)
            return moment

    def read(self, name: str) -> Any:
        """Return a document, or None."""
        check_name(name, self.prefix)
        with self._lock:
            return self._documents.get(name)

    def collection(self, parent: str, collection: str, moment: Any = None) -> list[Any]:
        """Give the documents right in a collection, in the order of their names.

        Args:
            parent: the name of what the collection is in.
            collection: its id.
            moment: a bare `Timestamp`: as they were then; now if None.
        """
        start = f"{parent}/{collection}/"
        with self._lock:
            if moment is None:
                return [self._documents[each] for each in self._names_in(start)]
            documents = dict(self._documents)
            for time, name, before in reversed(self._changes):
                if time <= moment.ToMicroseconds():
                    break
                if before is None:
                    documents.pop(name, None)
                else:
                    documents[name] = before
            names = [each for each in documents if each.startswith(start)]
            return [documents[n] for n in sorted(names) if "/" not in n.removeprefix(start)]

    def _names_in(self, start: str) -> list[str]:
        if start not in self._names:
            names = [each for each in self._documents if each.startswith(start)]
            # Code points have the same order as the bytes of their UTF-8.
            self._names[start] = sorted(n for n in names if "/" not in n.removeprefix(start))
        return self._names[start]

    def commit(self, writes: Sequence[Any]) -> tuple[list[Any], Any]:
        """Do all writes; give the update time of each, None for a deletion, and the time of all.

        Args:
            writes: bare `Write` messages.

        Raises:
            Refused: one cannot be done; then none is.
        """
        with self._lock:
            moment = self.now()
            before = {name: self._documents.get(name) for name in map(_name_of, writes)}
            try:
                return [self._write(each, moment) for each in writes], moment
            except BaseException:
                for name, document in before.items():
                    self._keep(name, document)
                raise

    def _keep(self, name: str, document: Any) -> None:
        """Have a document under a name from now on, or none."""
        self._changes.append((self._last, name, self._documents.get(name)))
        if (name in self._documents) != (document is not None):
            self._names.clear()
        if document is None:
            self._documents.pop(name, None)
        else:
            self._documents[name] = document

    def _write(self, write: Any, moment: Any) -> Any:
        operation = write.WhichOneof("operation")
        if operation not in {"update", "delete"} or write.update_transforms:
            raise Refused("UNIMPLEMENTED", "This stub knows updates and deletions only.")
        name = _name_of(write)
        check_name(name, self.prefix)
        before = self._documents.get(name)
        self._check(write, name, before)
        if operation == "delete":
            self._keep(name, None)
            return None
        return self._update(write, before, moment).update_time

    def _check(self, write: Any, name: str, before: Any) -> None:
        """Check the precondition of a write."""
        condition = write.current_document
        kind = condition.WhichOneof("condition_type")
        if kind == "exists" and condition.exists and before is None:
            raise Refused("NOT_FOUND", f"No document to update: {name}")
        if kind == "exists" and not condition.exists and before is not None:
            raise Refused("ALREADY_EXISTS", f"Document already exists: {name}")
        if kind != "update_time":
            return
        stored = before.update_time.ToMicroseconds() if before else 0
        if before is None or before.update_time != condition.update_time:
            raise Refused(
                "FAILED_PRECONDITION",
                f"the stored version ({stored}) does not match the required base version "
                f"({condition.update_time.ToMicroseconds()})",
            )

    def _update(self, write: Any, before: Any, moment: Any) -> Any:
        """Replace a document, or the fields that a mask names; nothing, if nothing differs."""
        after = self._types.Document.pb()()
        after.name = write.update.name
        if write.HasField("update_mask"):
            _merge(after.fields, before.fields if before else {}, write)
        else:
            copy_fields(after.fields, write.update.fields)
        check_document(after)
        after.create_time.CopyFrom(before.create_time if before else moment)
        after.update_time.CopyFrom(before.update_time if before else moment)
        if before is not None and after == before:
            return before
        after.update_time.CopyFrom(moment)
        self._keep(after.name, after)
        return after


def _name_of(write: Any) -> str:
    name: str = write.update.name or write.delete
    return name


def copy_fields(fields: Any, source: Mapping[str, Any], names: Iterable[str] | None = None) -> None:
    """Copy fields of a document, those of these names; all if None."""
    for name in source if names is None else names:
        if name in source:
            fields[name].CopyFrom(source[name])


def _merge(fields: Any, before: Mapping[str, Any], write: Any) -> None:
    """Take the fields that the mask names from the write, and the others from before."""
    copy_fields(fields, before)
    for path in write.update_mask.field_paths:
        name = simple_path(path)
        if name in fields:
            del fields[name]
        copy_fields(fields, write.update.fields, [name])


def simple_path(path: str) -> str:
    """Return the field that a path leads to; what is no plain name stands in backticks."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*", path):
        return path
    if re.fullmatch(r"`[^`\\]+`", path):
        return path[1:-1]
    raise Refused("UNIMPLEMENTED", "This stub knows no paths into maps.")

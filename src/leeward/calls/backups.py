"""The calls of backups and exports that a target's own service makes, and what comes back."""

from __future__ import annotations

from typing import Literal

from leeward.masking import show_only
from leeward.records import NamedTuple


@show_only("part verb")
class ReadExport(NamedTuple):
    """Read a part of a table's export that the target's own service has written. Nothing is sent.

    Attributes:
        part: ``begin`` for the name of the object with the summary, below the export's folder; or
            what `data` is: the ``summary``, whose value is an `ExportSummary`; the list of
            ``files``, a tuple of `ExportFile`; or whole lines of a file, the ``items``, a tuple of
            `Stored`.
        data: the bytes, unpacked.
    """

    part: Literal["begin", "summary", "files", "items"]
    data: bytes = b""
    verb: Literal["read_export"] = "read_export"


class ExportSummary(NamedTuple):
    """What the summary of an export says.

    Attributes:
        id: of the export, by the service's own name.
        time: of which all items are, in Unix seconds.
        items: how many.
        files: the name of the object that lists the files, below the export's folder.
    """

    id: str
    time: float
    items: int
    files: str


class ExportFile(NamedTuple):
    """A file of an export.

    Attributes:
        name: of the object, below the export's folder; packed as gzip does.
        items: how many lines it has.
    """

    name: str
    items: int


class StartNative(NamedTuple):
    """Ask the target's own service for a backup or an export of a table.

    The value is a `NativeJob`.

    Attributes:
        table: by the target's own name.
        kind: ``backup`` or ``export``.
        name: of the backup; of an export, what makes a repeated call the same one, where the
            service knows such a thing.
        bucket: where an export goes; empty for a backup.
        prefix: of the names of its objects.
    """

    table: str
    kind: Literal["backup", "export"]
    name: str
    bucket: str = ""
    prefix: str = ""
    verb: Literal["start_native"] = "start_native"


class LookNative(NamedTuple):
    """Look how far a backup or an export of the target's own has come. The value is a `NativeJob`.

    Attributes:
        id: of it, as `StartNative` has returned it.
    """

    id: str
    verb: Literal["look_native"] = "look_native"


class NativeJob(NamedTuple):
    """A backup or an export that the target's own service makes.

    Attributes:
        id: by the service's own name.
        state: ``running``, ``done`` or ``failed``.
        done: how much of it; None where the service does not say.
        total: of how much.
        told: where it is and what it can be restored into; or why it has failed.
    """

    id: str
    state: Literal["running", "done", "failed"]
    done: int | None = None
    total: int | None = None
    told: str = ""

"""Where the objects of one target lie; what keeps them is loaded and opened by the first call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leeward.adapter import Call, Result
from leeward.forking import ForkLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from leeward.local.objects import Objects
    from leeward.object_calls import PutObject


class ObjectsFolder:
    """The folder that is named, or one beside the target's file, or a temporary one.

    Attributes:
        path: the folder; None for a temporary one.
        announce: is told of each object before it is there.
    """

    def __init__(self, named: str | os.PathLike[str] | None, file: Path | None) -> None:
        self.path: Path | None = None
        self.announce: Callable[[PutObject], None] | None = None
        if named is not None:
            self.path = Path(named).absolute()
        elif file is not None:
            self.path = file.parent / f"{file.stem}-objects"
        self._objects: Objects | None = None
        self._remove: Callable[[], object] | None = None
        self._opening = ForkLock()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call on an object."""
        return (self._objects or self._opened()).perform(call, timeout)

    def has(self, bucket: str, name: str, write_id: str) -> bool:
        """Return whether there is an object, of this write."""
        return (self._objects or self._opened()).has(bucket, name, write_id)

    def close(self) -> None:
        """Take a temporary folder away."""
        with self._opening:
            if self._remove is not None:
                self._remove()

    def _opened(self) -> Objects:
        from leeward.local.objects import Objects

        with self._opening:
            if self._objects is None:
                self._objects = Objects(self.path or self._made(), self.announce)
            return self._objects

    def _made(self) -> Path:
        from tempfile import mkdtemp
        from weakref import finalize

        made = mkdtemp(prefix="leeward-objects-")
        self._remove = finalize(self, _remove_own, made, os.getpid())
        return Path(made)


def _remove_own(folder: str, owner: int) -> None:
    """Take away what this process has made; a child of a fork leaves its parent's alone."""
    from shutil import rmtree

    if os.getpid() == owner:
        rmtree(folder, ignore_errors=True)

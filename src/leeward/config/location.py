"""Where a value of a configuration stands, as messages name it."""

from __future__ import annotations

from typing import NamedTuple

from leeward.text import is_printable


class Location(NamedTuple):
    """A key of a configuration.

    Attributes:
        file: the path of the ``leeward.toml``; None for a `Config` that was made in Python.
        path: the dotted key, such as ``tables.orders.home``; empty for the whole.
    """

    file: str | None
    path: str = ""

    def child(self, key: str) -> Location:
        """Return the location of a key below this one."""
        bare = key.replace("_", "").replace("-", "").isalnum()
        quoted = key if bare else f'"{key}"' if is_printable(key) else repr(key)
        return Location(self.file, f"{self.path}.{quoted}" if self.path else quoted)

    def __str__(self) -> str:
        """Return ``tables.orders.home in leeward.toml``."""
        file = "the Config" if self.file is None else self.file
        return f"{self.path} in {file}" if self.path else file

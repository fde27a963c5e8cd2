"""What has been traced of a flow so far, and where the user wrote it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Final

from leeward.errors import ConfigError
from leeward.workflow.model import Attempt, Handler, Node

_PACKAGE: Final = str(PurePath(__file__).parent)
_CONTEXTLIB: Final = contextmanager.__code__.co_filename


class Trace:
    """The block that is open, and the lines of the nodes."""

    def __init__(self) -> None:
        self.block: list[Node] = []
        self._lines: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def add(self, node: Node) -> None:
        """Add a node to the open block."""
        self._lines[id(node)] = users_line()
        self.block.append(node)

    @contextmanager
    def collected(self) -> Iterator[list[Node]]:
        """Collect what is added inside the ``with``, in a block of its own."""
        outer, self.block = self.block, []
        try:
            yield self.block
        finally:
            self.block = outer

    def add_handler(self, id: str, handler: Handler) -> None:
        """Add a handler to the attempt `id`, which must be the last node of the open block.

        Raises:
            ConfigError: it is not.
        """
        last = self.last_attempt(id)
        node = last._replace(handlers=(*last.handlers, handler))
        self._lines[_identity(node)] = self._lines[_identity(last)]
        self.block[-1] = node

    def last_attempt(self, id: str) -> Attempt:
        """Return the last node of the open block, which must be the attempt `id`.

        Raises:
            ConfigError: it is not.
        """
        last = self.block[-1] if self.block else None
        if not isinstance(last, Attempt) or last.id != id:
            raise ConfigError(
                f"{users_line()}: `on` of {id!r} must come right behind its block, at its level"
            )
        return last

    def number(self, kind: str) -> str:
        """Return an id for the next node of a kind."""
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}-{number}"

    def line_of(self, node: Node | None) -> str | None:
        """Return the file and line in which a node was added; None if it was not."""
        return self._lines.get(_identity(node))


def users_line() -> str:
    """Return the user's file and line: those of the nearest caller outside of this package."""
    frame = sys._getframe(1)  # noqa: SLF001 - there is no other way to a caller that is cheap
    while frame.f_back is not None and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_ours(file: str) -> bool:
    return file == _CONTEXTLIB or file.startswith(_PACKAGE)


_identity = id
"""The built-in, where an argument is called `id`."""

"""What was made on a cloud, and how it goes away again, however the tests end."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self


class StillThere(Exception):
    """Something could not be removed; the message names all of it."""


class Undoing:
    """Removes what was made, the last first. Use it in a `with` statement.

    What could not be removed is told; at the end of a good run it raises `StillThere`, too.

    Args:
        tell: is handed a line for a person to read, for each thing that could not be removed.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._steps: list[tuple[str, Callable[[], object]]] = []

    def will_remove(self, what: str, remove: Callable[[], object]) -> None:
        """Note what is about to be made.

        Say it before: a request to make something may be carried out though no answer comes.

        Args:
            what: a name that a person can look for.
            remove: removes it, and does nothing where it is not there.
        """
        self._steps.append((what, remove))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = [what for what, remove in reversed(self._steps) if not self._removed(what, remove)]
        self._steps.clear()
        if left and error is None:
            raise StillThere(f"remove by hand: {', '.join(left)}")

    def _removed(self, what: str, remove: Callable[[], object]) -> bool:
        try:
            remove()
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest has to go all the same
            self._tell(f"could not remove {what}: {type(error).__name__}: {error}")
            return False
        return True

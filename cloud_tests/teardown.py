"""The removal of what was created on a cloud, however the tests end."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self


class StillThere(Exception):
    """Something could not be removed; the message names all of it."""


class Teardown:
    """Removes what was created, the last first. Use it in a `with` statement.

    What cannot be removed is announced; if the tests passed, `StillThere` is raised, too.

    Args:
        announce: called with a line of text for each thing that cannot be removed.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._steps: list[tuple[str, Callable[[], object]]] = []

    def register(self, what: str, remove: Callable[[], object]) -> None:
        """Register what is about to be created.

        Register it before: a request may succeed even if its answer is lost.

        Args:
            what: a name that a person can look for.
            remove: removes it, and does nothing if it is not there.
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
            self._announce(f"could not remove {what}: {type(error).__name__}: {error}")
            return False
        return True

"""The tables of a client, for parts of leeward that keep items of their own there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from leeward.values import Item, Record, StoreReceipt

if TYPE_CHECKING:
    from datetime import timedelta

    from leeward.operations.operations import Operations


class OwnTables:
    """The tables of a client, for those who ask for them through its operations."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def store_data(
        self,
        table: str,
        item: Item,
        *,
        if_absent: bool = False,
        if_revision: str | None = None,
        expires_in: float | timedelta | None = None,
    ) -> StoreReceipt:
        """Store an item."""
        call, seconds, finish = self._operations.store_data(
            table,
            item,
            if_absent=if_absent,
            if_revision=if_revision,
            expires_in=expires_in,
            timeout=None,
        )
        return finish(call, self._operations.router.perform(call, seconds))

    def load_data(self, table: str, key: str | Mapping[str, str]) -> Record | None:
        """Load an item."""
        call, seconds, finish = self._operations.load_data(table, key, None)
        return finish(call, self._operations.router.perform(call, seconds))

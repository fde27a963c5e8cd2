"""What leeward logs, for assertions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leeward.records import NamedTuple

if TYPE_CHECKING:
    from logging import LogRecord


class Logged(NamedTuple):
    """One event of a log.

    Attributes:
        logger: such as ``leeward.app``.
        level: such as ``WARNING``.
        event: its stable name; of a text that is not leeward's, its first word.
        facts: by name; empty for a text that is not leeward's.
    """

    logger: str
    level: str
    event: str
    facts: Mapping[str, Any]


@contextmanager
def recorded_logs() -> Iterator[list[Logged]]:
    """Record what is logged below ``leeward``, at every level; yield the list that it goes to."""
    import logging

    events: list[Logged] = []

    class Recorder(logging.Handler):
        """Keeps the records."""

        def emit(self, record: LogRecord) -> None:
            facts = dict(record.args) if isinstance(record.args, Mapping) else {}
            event = record.msg.partition(" ")[0] if isinstance(record.msg, str) else ""
            events.append(Logged(record.name, record.levelname, event, facts))

    logger, recorder = logging.getLogger("leeward"), Recorder()
    before = logger.level
    logger.addHandler(recorder)
    logger.setLevel(logging.DEBUG)
    try:
        yield events
    finally:
        logger.setLevel(before)
        logger.removeHandler(recorder)

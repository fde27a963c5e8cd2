"""Messages over workers and a server that are killed; ``tests.postgres.messages`` does many."""

from __future__ import annotations

from tests.postgres.messages import Size, prove


def test_every_message_ends_once_whoever_is_killed() -> None:
    """A few of what ``python -m tests.postgres.messages`` does with 20,000."""
    told: list[str] = []
    prove(Size(200, 4, 1), 7, told.append)
    assert told[0].startswith("200 messages, 4 kills of workers, 1 of the server: 0 lost")

"""`make bench` ends with one list: each row in which a peer is ahead."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from bench.figures import Unit, compare
from bench.report import Parts, show


def test_a_report_lists_at_its_end_each_row_in_which_a_peer_is_ahead() -> None:
    """Of costs the larger one is behind, of rates the smaller one; a gate changes nothing."""
    rows = {
        "handlers": [
            compare("record", [3.0], [2.0], gate=2, yardstick="powertools"),
            compare("event", [1.0], [2.0], gate=0.1, yardstick="powertools"),
        ],
        "postgres": [
            compare("messages", [90.0], [100.0], gate=0.5, unit=Unit.RATE, yardstick="pgmq"),
            compare("puts", [110.0], [100.0], gate=2, unit=Unit.RATE, yardstick="psycopg"),
        ],
    }
    assert _end_of(rows) == (
        "A peer is ahead in\n"
        "  handlers: record, 1.50 of powertools\n"
        "  postgres: messages, 0.90 of pgmq\n"
    )
    assert _end_of({"handlers": rows["handlers"][1:]}) == "No peer is ahead.\n"


def _end_of(rows: Parts) -> str:
    shown = StringIO()
    show(rows, Console(file=shown))
    return shown.getvalue().rpartition("\n\n")[2]

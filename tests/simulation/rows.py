"""One gate of the report: what was measured, and what it must reach."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One gate.

    Attributes:
        metric: what was measured.
        gate: what it must reach, in words.
        met: whether leeward does; None where it is only shown.
        measured: by router, in words; "" where it says nothing.
        remark: why it falls short, or how it was measured.
    """

    metric: str
    gate: str
    met: bool | None
    measured: dict[str, str]
    remark: str = ""

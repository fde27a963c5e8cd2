"""Rows beside which a claim is made, in every state that they may have."""

from __future__ import annotations

from typing import Final

from leeward.stores import Recipient

OWN: Final = Recipient("", "own")
"""Whose rows are claimed."""
WHOSE: Final = {"own": OWN.subscriber, "another's": "other"}
_BLOCKED: Final = "'lane ' || (n - 1) / 4"
STATES: Final = {
    "new": "0, 0, NULL, NULL",
    "to be tried again": "1, {now} - n / 1e6, NULL, NULL",
    "to be tried again later": "1, {now} + 50 + n / 1e6, NULL, NULL",
    "put off by a clock that was wrong": "1, {now} + 9000 + n / 1e6, NULL, NULL",
    "under way": "1, {now} + 3000 + n / 1e6, 'x', NULL",
    "unheard": "1, {now} - n / 1e6, 'x', NULL",
    "spent": "9, {now} - n / 1e6, 'x', NULL",
    "of one lane": "0, 0, NULL, 'lane'",
    "behind one under way": "0, CASE WHEN n = 1 THEN {now} + 3000 ELSE 0 END, "
    "CASE WHEN n = 1 THEN 'x' END, 'lane'",
    "behind one that is tried later": "0, CASE WHEN n = 1 THEN {now} + 50 ELSE 0 END, NULL, 'lane'",
    "of many lanes": "0, 0, NULL, 'lane ' || n",
    "behind what is under way": "0, CASE WHEN n % 4 = 1 THEN {now} + 3000 ELSE 0 END, "
    f"CASE WHEN n % 4 = 1 THEN 'x' END, {_BLOCKED}",
    "behind what is tried later": "0, CASE WHEN n % 4 = 1 THEN {now} + 50 ELSE 0 END, NULL, "
    f"{_BLOCKED}",
}
"""Attempts, due, lease and lane of the rows, in SQL; `n` is from 1, and `now` the time."""

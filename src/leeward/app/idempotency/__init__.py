"""Functions that run once for each key: see ``docs/idempotency.md``.

`record` decides, and is pure; `steps` says what to ask of the table, without I/O; `store` asks it
over a client; `decorator` puts all that around a function.
"""

from __future__ import annotations

from leeward.app.idempotency.decorator import idempotent
from leeward.app.idempotency.errors import (
    EarlierFailure,
    KeyMissing,
    KeyReused,
    LeaseLost,
    PrincipalMissing,
    RepeatRefused,
)
from leeward.app.idempotency.running import IdempotentRun, current_run, effect, effect_async
from leeward.app.idempotency.settling import CannotTell, Done, NotDone

__all__ = [
    "CannotTell",
    "Done",
    "EarlierFailure",
    "IdempotentRun",
    "KeyMissing",
    "KeyReused",
    "LeaseLost",
    "NotDone",
    "PrincipalMissing",
    "RepeatRefused",
    "current_run",
    "effect",
    "effect_async",
    "idempotent",
]

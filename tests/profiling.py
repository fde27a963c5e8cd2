"""What a piece of work costs in Python calls, which no machine's load changes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import CodeType, FrameType


def functions_entered(work: Callable[[], object]) -> list[CodeType]:
    """Run `work`; return the code of each Python function that was entered, in order.

    The garbage collector rests meanwhile: what it calls would count, and when it does, depends on
    all that ran before. Hypothesis, once used, has it call a function at each beginning and end.
    """
    entered: list[CodeType] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            entered.append(frame.f_code)

    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return entered

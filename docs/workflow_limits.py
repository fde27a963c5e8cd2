"""Write what the page on workflows has from the code: the table of limits, and the picture."""

from __future__ import annotations

import re
from pathlib import Path
from runpy import run_path

from leeward.values.runs import Run, RunEvent, RunState
from leeward.views.runs import picture_of
from leeward.workflow.limits import LIMITS

DOCS = Path(__file__).parent
PAGE = DOCS / "workflows.md"
PICTURE = DOCS / "_static" / "order-failed.svg"
HEADING = "| what | at most | because of | instead |\n|---|---|---|---|\n"

EVENTS = (
    ("validate-order", None),
    ("update-inventory", None),
    ("process-payment", "Call.Timeout"),
    ("process-payment/undo", None),
    ("update-inventory/undo", None),
    ("tell-failed", None),
)


def table() -> str:
    """Return the rows of the table of limits."""
    rows = (
        f"| {each.what} | {'' if each.most is None else each.most} | {each.engine} | "
        f"{each.instead} |"
        for each in LIMITS.values()
    )
    return "\n".join(rows) + "\n"


def picture() -> str:
    """Return the order of the examples, whose payment has timed out, as SVG."""
    order_flow = run_path(str(DOCS.parent / "examples" / "order_flow.py"))["order_flow"]
    events = tuple(
        RunEvent(path, 1, float(number), number + 0.5, error, error is not None)
        for number, (path, error) in enumerate(EVENTS)
    )
    run = Run("order", "order-42", "local", RunState.FAILED, None, 0.0, error="OrderFailed")
    return picture_of(order_flow, run._replace(events=events))


def main() -> None:
    """Write both."""
    text = PAGE.read_text(encoding="utf-8")
    head, heading, rest = text.partition(HEADING)
    rest = re.sub(r"\A(\|.*\n|LIMITS\n)+", "", rest)
    PAGE.write_text(f"{head}{heading}{table()}{rest}", encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Draw the pictures of ``docs/console.md``: ``python -m tests.console.pictures``.

They are what the browser of the tests shows of the shop of the tests.
"""

from __future__ import annotations

from contextlib import suppress
from time import sleep

from leeward import FunctionError
from tests.console.browser import browser, served
from tests.console.shop import opened
from tests.house.workspace import ROOT

FOLDER = ROOT / "docs/pictures"

WIDE = (1000, 560)
PHONE = (360, 640)

PICTURES = {
    "console-overview": (WIDE, "light", ""),
    "console-letters": (WIDE, "light", "letters"),
    "console-run": ((1000, 900), "dark", "runs?workflow=parcel&run=parcel-4711"),
    "console-phone": (PHONE, "dark", "letters"),
}
"""Size, colours and address, by the name of the file."""

STEPS = 8
"""Attempts, pauses and waits of a parcel until its last step has begun."""


def main() -> None:
    """Leave something to see, and take the pictures."""
    with browser() as window, opened() as shop, served(shop.sources()) as address:
        shop.fail_letter("41", "42")
        shop.fail_event("order-43")
        shop.leave_unknown("44")
        shop.client.start_workflow("order", {"id": "4711"}, id="order-4711")
        with suppress(FunctionError):
            shop.client.invoke("refund", {"id": "45"})
        shop.client.start_workflow("parcel", {"id": "4711"}, id="parcel-4711")
        while (run := shop.client.get_run("parcel", "parcel-4711")) and len(run.events) < STEPS:
            sleep(0.1)
        sleep(1)
        window("open", address)
        for name, (size, scheme, path) in PICTURES.items():
            window("scheme", scheme)
            window("size", *size)
            window("open", address.partition("?")[0] + path)
            window("picture", str(FOLDER / f"{name}.png"))


if __name__ == "__main__":
    main()

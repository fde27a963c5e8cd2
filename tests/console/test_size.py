"""Many letters, runs and records: pages stay small, and each letter is on one of them.

``python -m tests.console.measure`` does the same at full size, and measures time.
"""

from __future__ import annotations

from pathlib import Path

from tests.console.measure import cost_of, fill, paths
from tests.console.shop import opened
from tests.console.visitor import visit

LETTERS = 250
MOST = 2 * 1024 * 1024
"""Bytes of memory for a page; all payloads together have more."""


def test_pages_over_much_are_small_and_reach_all_of_it(tmp_path: Path) -> None:
    """No page takes the payloads into memory, and no page is as long as all of them."""
    with opened(tmp_path / "local.sqlite3") as shop:
        fill(shop, LETTERS, 60, 60, 1024 * 1024)
        visitor = visit(shop.sources())
        for path in paths(LETTERS):
            cost = cost_of(visitor, path)
            is_payload = "payload=yes" in path
            assert cost.memory < MOST * (4 if is_payload else 1), cost
            assert cost.size < 300_000, cost

        seen: list[str] = []
        address: str | None = "letters"
        while address is not None:
            page = visitor.get(address).page
            seen += [name for name in page.links if name.isdecimal()]
            address = page.links.get("Next page")
            assert "False" not in page.text
        assert seen == [str(number) for number in range(1, LETTERS + 1)]

        runs = [name for name in visitor.get("runs").page.links if name.startswith("r-")]
        runs += [name for name in visitor.get("runs?page=2").page.links if name.startswith("r-")]
        assert sorted(runs) == sorted(f"r-{number}" for number in range(60))

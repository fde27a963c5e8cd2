"""Write the table of settings in each adapter's page from the options that its code lists."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from leeward.adapter.options import table_of

DOCS = Path(__file__).parent


def main() -> None:
    """Write the tables of the pages that stand beside this file."""
    modules = {cloud: f"leeward_{cloud}.settings.options" for cloud in ("aws", "azure", "google")}
    modules |= {name: f"leeward_{name}.settings" for name in ("http", "postgres")}
    for provider, module in modules.items():
        page = DOCS / f"{provider}.md"
        table = table_of(import_module(module).OPTIONS)
        text = page.read_text(encoding="utf-8")
        head, heading, rest = text.partition("\n## Settings\n")
        before, _, after = re.split(r"(?m)((?:^\|.*\n)+)", rest, maxsplit=1)
        page.write_text(f"{head}{heading}{before}{table}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

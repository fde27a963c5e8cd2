"""Put the same handler to the same mishaps under each library, and print a table in Markdown.

python -m bench.idempotency [--json]
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser

from bench.idempotency.play import PYTHON, play_all, table


def main() -> None:
    """Play, and print."""
    parser = ArgumentParser(prog="python -m bench.idempotency", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if not PYTHON.exists():
        sys.exit("the other libraries are not installed: run make .servers/idempotency/.ready")
    found = play_all()
    print(json.dumps(found, indent=2) if options.json else table(found))


if __name__ == "__main__":
    main()

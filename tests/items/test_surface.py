"""What importing `leeward._items` costs."""

import subprocess
import sys


def _loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        check=True,
        text=True,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    return set(done.stdout.split())


def test_import_is_light() -> None:
    """Importing the package loads none of what only its use needs."""
    loaded = _loaded_by("import leeward._items")
    heavy = {"decimal", "json", "hashlib", "base64", "datetime", "leeward._items.encoding"}
    assert not loaded & heavy


def test_use_is_light() -> None:
    """Encoding an item loads what it needs and nothing that waits, logs or talks."""
    loaded = _loaded_by(
        "from leeward._items import EMBEDDED, encode\n"
        "encode({'a': 1.5}, EMBEDDED, write_id='w', expires_at=None)"
    )
    assert {"json", "hashlib"} <= loaded
    assert not loaded & {"asyncio", "logging", "socket", "ssl", "threading"}

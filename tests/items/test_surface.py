"""What `leeward._items` and `leeward.adapter.items` offer, and what importing them costs."""

import subprocess
import sys

import pytest

import leeward._items
from leeward.adapter import items


def test_every_public_name_is_there() -> None:
    """Each name of `__all__` is found, in the package where it says that it lives."""
    assert [name for name in leeward._items.__all__ if not hasattr(leeward._items, name)] == []
    assert [name for name in items.__all__ if not hasattr(items, name)] == []


def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as on any module."""
    with pytest.raises(AttributeError, match="enkode"):
        _ = leeward._items.enkode  # type: ignore[attr-defined]


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

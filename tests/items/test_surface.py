"""What `leeward.items` offers, and what importing it costs."""

import subprocess
import sys

import pytest

import leeward.items


def test_every_public_name_is_there() -> None:
    """Each name of `__all__` is found where the package says that it lives."""
    for name in leeward.items.__all__:
        assert getattr(leeward.items, name) is not None
    assert set(leeward.items.__all__) == set(leeward.items._HOME)


def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as on any module."""
    with pytest.raises(AttributeError, match="enkode"):
        _ = leeward.items.enkode  # type: ignore[attr-defined]


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
    loaded = _loaded_by("import leeward.items")
    assert not loaded & {"decimal", "json", "hashlib", "base64", "datetime", "leeward.items.codec"}


def test_use_is_light() -> None:
    """Encoding an item loads what it needs and nothing that waits, logs or talks."""
    loaded = _loaded_by(
        "from leeward.items import DYNAMODB, encode\n"
        "encode({'a': 1.5}, DYNAMODB, write_id='w', expires_at=None)"
    )
    assert {"json", "hashlib"} <= loaded
    assert not loaded & {"asyncio", "logging", "socket", "ssl", "threading"}

from __future__ import annotations

import subprocess
import sys

from tests.house.workspace import ROOT

LOUD = {"asyncio", "hashlib", "http", "importlib.metadata", "logging", "socket", "sqlite3", "ssl"}


def _loaded_by(statement: str) -> set[str]:
    """Give the modules that `statement` loads in a fresh interpreter without site-packages."""
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); before = set(sys.modules)\n"
        f"{statement}\n"
        "print(*(set(sys.modules) - before))"
    )
    child = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    return set(child.stdout.split())


def test_importing_the_client_loads_the_standard_library_only() -> None:
    """`from leeward import Client` needs no installed package."""
    tops = {name.partition(".")[0] for name in _loaded_by("from leeward import Client")}
    assert "leeward" in tops
    assert tops - {"leeward"} <= sys.stdlib_module_names


def test_importing_the_client_loads_nothing_loud() -> None:
    """`from leeward import Client` opens no road to the network, a database, or metadata."""
    assert _loaded_by("from leeward import Client") & LOUD == set()


def test_importing_the_package_loads_nothing_of_it() -> None:
    """`import leeward` loads the one module with the names; each name loads what it needs."""
    loaded = _loaded_by("import leeward")
    assert {name for name in loaded if name.startswith("leeward")} == {"leeward"}

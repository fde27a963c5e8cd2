"""What a program loads: the packages that are there once it has called every verb of a target."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def loaded(
    script: str, folder: Path, target: str, options: Mapping[str, str], env: Mapping[str, str]
) -> set[str]:
    """Run `script` in a process of its own; give the packages that are loaded at its end.

    Args:
        script: calls the verbs.
        folder: for its configuration.
        target: whose section of it holds `options`.
        options: of the target.
        env: its whole environment.
    """
    config = folder / "leeward.toml"
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in options.items())
    config.write_text(f'[targets."{target}"]\n' + "".join(lines))
    child = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}\n{LISTING}"],
        env={"LEEWARD_CONFIG": str(config), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return set(child.stdout.split())


LISTING = 'print(*{name.partition(".")[0] for name in sys.modules})'

"""functions-framework: Google's own runtime, serving one function in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.servers.installed import executable
from tests.servers.process import ServerProcess

DEPLOYED: Final = Path(__file__).with_name("deployed")
"""Folders with a ``main.py`` each. What is in them sees nothing else of this repository."""

_THREADS: Final = 64
"""How many requests run at a time; Cloud Run's own default is 80."""


class FunctionsFramework(ServerProcess):
    """Runs one function. It checks no token, and its path goes to the function as it is.

    Args:
        source: the folder of its ``main.py``.
        function: its name there.
        signature: ``http`` or ``cloudevent``.
        environment: variables of its own.
    """

    # Answered without the function: 404 by that for HTTP, 405 by that for events.
    HEALTH = "/robots.txt"

    def __init__(
        self,
        source: Path,
        function: str = "main",
        signature: str = "http",
        environment: Mapping[str, str] = {},
    ) -> None:
        self._source = source
        self._function = function
        self._signature = signature
        self._own = environment

    def ask(self, method: str, path: str) -> int:
        """Send a request without a body; give the status, but 200 if it says that it is there."""
        status = super().ask(method, path)
        return 200 if path == self.HEALTH and status in {404, 405} else status

    def _command(self, port: int) -> list[str]:
        return [
            str(executable("functions-framework", "functions-framework")),
            f"--source={self._source / 'main.py'}",
            f"--target={self._function}",
            f"--signature-type={self._signature}",
            "--host=127.0.0.1",
            f"--port={port}",
        ]

    def _environment(self, port: int, folder: str) -> Mapping[str, str]:
        return {
            "THREADS": str(_THREADS),
            "PYTHONDONTWRITEBYTECODE": "1",
            "K_SERVICE": self._function,
            **self._own,
        }

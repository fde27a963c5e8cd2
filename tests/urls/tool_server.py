"""An MCP server of the official SDK in a process of its own: a tool that writes down what it does.

PYTHONPATH=.servers/agents/lib/python3.11/site-packages python -m tests.urls.tool_server PORT FILE
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from leeward import Client
from leeward.local import Local
from leeward_integrations.mcp import once_tool
from leeward_integrations.once import once

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 30.0


class ToolServer:
    """A process that serves MCP, always at the same port.

    Args:
        environment: of the SDK, below ``.servers``.
        effects: the file in which its tool writes down what it does.
        answers: how it answers: ``json`` or ``events``.
    """

    def __init__(self, environment: str, effects: Path, answers: str) -> None:
        place = ROOT / ".servers" / environment / "lib/python3.11/site-packages"
        self._env = {**os.environ, "PYTHONPATH": str(place)}
        self._effects, self._answers, self._port = effects, answers, 0
        self.start()

    @property
    def url(self) -> str:
        """Return where it serves."""
        return f"http://127.0.0.1:{self._port}/mcp"

    @property
    def effects(self) -> list[str]:
        """Return what its tool has done."""
        return self._effects.read_text().split() if self._effects.exists() else []

    def start(self) -> None:
        """Start it, and wait until it serves."""
        command = [sys.executable, "-m", "tests.urls.tool_server"]
        command += [str(self._port), str(self._effects), self._answers]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env=self._env
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Kill it at once."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()


def serve(port: int, effects: Path, answers: str) -> None:
    """Serve until the process is killed."""
    uvicorn: Any = import_module("uvicorn")
    sdk: Any = import_module("mcp.server")
    is_new = hasattr(sdk, "MCPServer")
    server = (sdk.MCPServer if is_new else import_module("mcp.server.fastmcp").FastMCP)("tickets")

    def create_ticket(title: str) -> dict[str, str]:
        """Create a ticket."""
        if title == "refuse":
            raise ValueError("no such project")
        with effects.open("a") as file:
            file.write(f"{title}\n")
        return {"ticket": title}

    server.tool()(create_ticket)
    records = Client(Local(path=effects.with_suffix(".sqlite3")))

    @once_tool(server)
    @once(table="keys", client=records)
    def charge(order: str) -> str:
        create_ticket(order)
        return f"charged {order}"

    if is_new:
        app = server.streamable_http_app(json_response=answers == "json")
    else:
        server.settings.json_response = answers == "json"
        app = server.streamable_http_app()
    listener = socket.create_server(("127.0.0.1", port))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="critical")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])

"""Tools of MCP servers, with and without `once`: a charge whose answer is lost.

PYTHONPATH=.servers/agents/lib/python3.11/site-packages python -m tests.integrations.mcp_trial

It exits with 1 if a set-up charges otherwise, or tells its model something else. FastMCP's
middleware tries again within a request, the SDK's client with another one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Annotated, Any, Final

from leeward import Client
from leeward.app.idempotency import Done, NotDone
from leeward.local import Local
from leeward_integrations.mcp import once_tool
from leeward_integrations.once import call_key, once

ORDER: Final = "17"


class Shop:
    """A tool that charges and loses its first answers, and the records of `once`."""

    def __init__(self, losses: int) -> None:
        self.charges: list[str] = []
        self.keys: list[str] = []
        self.losses = losses
        self.client = Client(Local())

    def find(self, key: str, *_: object) -> Done | NotDone:
        """Find a charge: the probe."""
        return Done("charged") if key in self.keys else NotDone()

    def add_to(
        self, server: Any, *, guarded: bool, probed: bool, holds_context: bool, run_of: Any
    ) -> None:
        """Add the tool to a server; it may take the context of its request itself."""

        def charge(order: str) -> str:
            """Charge an order."""
            self.charges.append(order)
            self.keys.append(call_key() if guarded else "")
            if len(self.charges) <= self.losses:
                raise ConnectionError("the answer was lost")
            return "charged"

        limit = import_module("pydantic").Field(max_length=5)
        charge.__annotations__["order"] = Annotated[str, limit]
        if not guarded:
            server.tool(
                annotations=import_module("mcp.types").ToolAnnotations(destructiveHint=True)
            )(charge)
            return

        def hold(order: str, context: Any) -> str:
            """Charge an order."""
            return f"{charge(order)} by {type(context.request_context).__name__}"

        module = type(server).__module__
        root = "fastmcp" if module.startswith("fastmcp") else module.rpartition(".")[0]
        # As `Context[ServerSession, None]` is, it is a class of its own.
        own = type("Own", (import_module(root).Context,), {})
        hold.__name__, hold.__annotations__["context"] = "charge", own
        probe = self.find if probed else None
        tool = hold if holds_context else charge
        once_tool(server, run_of=run_of)(once(table="keys", client=self.client, probe=probe)(tool))


def fastmcp_server() -> Any:
    """Return a server of FastMCP that retries."""
    retries = import_module("fastmcp.server.middleware.error_handling").RetryMiddleware
    server = import_module("fastmcp").FastMCP("shop")
    server.add_middleware(retries(max_retries=1, base_delay=0.001))
    return server


@asynccontextmanager
async def fastmcp_client(server: Any) -> AsyncIterator[Callable[..., Any]]:
    """Open a client of FastMCP."""
    async with import_module("fastmcp").Client(server) as client:

        async def call(meta: Any, order: str) -> tuple[bool, str]:
            done = await client.call_tool(
                "charge", {"order": order}, raise_on_error=False, meta=meta
            )
            return done.is_error, done.content[0].text

        yield call


def sdk_server() -> Any:
    """Return a server of the official SDK."""
    sdk = import_module("mcp.server")
    if hasattr(sdk, "MCPServer"):
        return sdk.MCPServer("shop")
    return import_module("mcp.server.fastmcp").FastMCP("shop")


@asynccontextmanager
async def sdk_client(server: Any) -> AsyncIterator[Callable[..., Any]]:
    """Open a client of the official SDK."""
    sdk = import_module("mcp")
    if hasattr(sdk, "Client"):
        opened = sdk.Client(server, mode="legacy")
    else:
        memory = import_module("mcp.shared.memory")
        opened = memory.create_connected_server_and_client_session(server)
    async with opened as client:

        async def call(meta: Any, order: str) -> tuple[bool, str]:
            done = await client.call_tool("charge", {"order": order}, meta=meta)
            is_error = getattr(done, "isError", None) or getattr(done, "is_error", None)
            return bool(is_error), done.content[0].text

        yield call


async def play(
    library: str,
    metas: list[Any],
    *,
    guarded: bool,
    probed: bool = True,
    losses: int = 1,
    order: str = ORDER,
    holds_context: bool = False,
    run_of: Any = None,
) -> dict[str, Any]:
    """Call the tool once for each `_meta`; return the charges, and what was told."""
    shop = Shop(losses)
    server = fastmcp_server() if library == "fastmcp" else sdk_server()
    shop.add_to(server, guarded=guarded, probed=probed, holds_context=holds_context, run_of=run_of)
    opened = fastmcp_client if library == "fastmcp" else sdk_client
    told = []
    with shop.client:
        for part in metas:  # each is a session
            async with opened(server) as call:
                for meta in part:
                    told.append(await call(meta, order))
                    if library == "sdk" and told[-1][0]:  # this client tries again
                        told.append(await call(meta, order))
    return {"charges": len(shop.charges), "told": told}


def place(run: str, turn: int) -> dict[str, Any]:
    """Return where a client says that its call is."""
    return {"leeward/run": run, "leeward/turn": turn}


async def play_all() -> dict[str, Any]:
    """Play every set-up."""
    ended: dict[str, Any] = {}
    for library in ("fastmcp", "sdk"):
        retried: list[Any] = [[None]]
        resumed = [[place("r", 1)], [place("r", 1)]]
        ended |= {
            f"{library}, without": await play(library, retried, guarded=False),
            f"{library}, with": await play(library, retried, guarded=True),
            f"{library}, no probe": await play(library, retried, guarded=True, probed=False),
            f"{library}, two purchases": await play(
                library, [[place("r", 1), place("r", 2)]], guarded=True, losses=0
            ),
            f"{library}, resumed": await play(library, resumed, guarded=True, losses=0),
            f"{library}, two runs": await play(
                library, [[place("r", 1), place("s", 1)]], guarded=True, losses=0
            ),
            f"{library}, no turn": await play(library, [[{"leeward/run": "r"}]], guarded=True),
            f"{library}, own context": await play(
                library, resumed, guarded=True, losses=0, holds_context=True
            ),
            f"{library}, two sessions": await play(
                library,
                [[None], [None]],
                guarded=True,
                probed=False,
                run_of=lambda context: type(context.request_context).__name__,
            ),
            f"{library}, too long": await play(library, retried, guarded=True, order="1234567"),
        }
    return ended


ONCE: Final = {
    "with": (1, "charged"),
    "no probe": (1, "It is not known whether"),
    "resumed": (1, "charged"),
    "two purchases": (2, "charged"),
    "two runs": (2, "charged"),
    "two sessions": (1, "It is not known whether"),
    "no turn": (0, "send leeward/turn beside leeward/run"),
    "own context": (1, "charged by"),
    "too long": (0, "at most 5 characters"),
}
"""How often was charged in each set-up, and what the model was told at last."""


def main() -> int:
    """Play every set-up, and return the exit status."""
    ended, wrong = asyncio.run(play_all()), 0
    for library in ("fastmcp", "sdk"):
        wrong += ended[f"{library}, without"]["charges"] != 2
        for name, (charges, words) in ONCE.items():
            found = ended[f"{library}, {name}"]
            is_error, text = found["told"][-1]
            is_right = found["charges"] == charges and words in text
            if name == "no probe":  # it is an error to the model
                is_right = is_right and is_error
            wrong += not is_right
            print(f"{'ok   ' if is_right else 'WRONG'} {library}, {name}: {found}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())

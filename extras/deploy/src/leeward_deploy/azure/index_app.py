"""Index a function app with Microsoft's worker, and print what it finds.

It runs in an environment of the worker's, and imports nothing of leeward: the package has that.
The worker takes any namespace for the messages of its protocol, so bags of attributes stand for
them.

    python index_app.py FOLDER, the folder of function_app.py
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class Message:
    """A message of the protocol."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Messages:
    """The namespace of the messages; each is made when it is first asked for."""

    BindingInfo = type("BindingInfo", (Message,), {"in": 0, "out": 1, "inout": 2, "undefined": -1})
    StatusResult: Any = type("StatusResult", (Message,), {"Failure": 0, "Success": 1})

    def __getattr__(self, name: str) -> type[Message]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Message,), {})


async def _index(folder: str) -> list[str]:
    """Return the names of the functions; raise what the worker tells the host otherwise."""
    import azure_functions_runtime as worker  # type: ignore[import-not-found]

    async def ask(kind: str, **fields: Any) -> Any:
        inner = SimpleNamespace(**{kind: SimpleNamespace(**fields)})
        properties = {"host": "127.0.0.1", "protos": Messages()}
        return await getattr(worker, kind)(SimpleNamespace(request=inner, properties=properties))

    began = await ask("worker_init_request", capabilities={}, function_app_directory=folder)
    index = await ask("functions_metadata_request")
    for answer in (began, index):
        if answer.result.status != Messages.StatusResult.Success:
            raise RuntimeError(answer.result.exception.message)
    for result in index.function_metadata_results:
        loaded = await ask("function_load_request", function_id=result.function_id, metadata=result)
        if loaded.result.status != Messages.StatusResult.Success:
            raise RuntimeError(loaded.result.exception.message)
    return [result.name for result in index.function_metadata_results]


def main(folder: str) -> None:
    """Index the app of a folder, with the packages that stand in it."""
    sys.path.insert(0, str(Path(folder) / ".python_packages/lib/site-packages"))
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    sys.stdout.write("".join(f"found: {name}\n" for name in asyncio.run(_index(folder))))


if __name__ == "__main__":
    main(sys.argv[1])

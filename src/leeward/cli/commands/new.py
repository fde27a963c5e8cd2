"""``leeward new``: a small app with its tests, as a place to begin."""

from __future__ import annotations

import keyword
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

from leeward.cli.arguments import argument, option
from leeward.errors import InvalidRequest
from leeward.views import Report

APP: Final = '''"""A desk for tickets: what it does on every cloud, and in this process."""

from dataclasses import dataclass
from datetime import datetime

from leeward import App, Context, Event

app = App("{name}")


@dataclass
class Ticket:
    id: str
    text: str
    open: bool = True


@app.function(effect="idempotent")
def create_ticket(ticket: Ticket, context: Context) -> Ticket:
    """Keep a ticket, and publish that there is a new one."""
    item = {{"id": ticket.id, "text": ticket.text, "open": ticket.open}}
    context.client.store_data("tickets", item)
    context.client.publish_event("desk", "ticket.created", {{"id": ticket.id}})
    return ticket


@app.on_event("desk", "ticket.created")
def note_ticket(event: Event, context: Context) -> None:
    """Note that there is a new ticket; an event may come twice, and this does no harm then."""
    context.logger.info("a ticket was created")
    context.client.store_data("notes", {{"id": event.data["id"], "event": event.id}})


@app.on_schedule("0 6 * * *")
def greet(due: datetime, context: Context) -> None:
    """Run every day at 6:00 UTC."""
    context.logger.info("good morning")
'''

TESTS: Final = '''"""The app in this process: no account, no server, nothing left behind."""

from collections.abc import Iterator

import pytest
from leeward import Client, FunctionError
from leeward.local import Local

from {module} import Ticket, app, create_ticket


@pytest.fixture
def local() -> Local:
    return Local()


@pytest.fixture
def cloud(local: Local) -> Iterator[Client]:
    with Client(local, app=app) as client:
        yield client


def test_a_ticket_is_kept(cloud: Client) -> None:
    assert cloud.invoke(create_ticket, Ticket("7", "lost keys")).value == Ticket("7", "lost keys")
    record = cloud.load_data("tickets", "7", as_=Ticket)
    assert record is not None
    assert record.item == Ticket("7", "lost keys", open=True)


def test_a_new_ticket_is_noted(cloud: Client, local: Local) -> None:
    cloud.invoke("create-ticket", {{"id": "8", "text": "no light"}})
    local.wait_idle()
    assert cloud.load_data("notes", "8") is not None
    assert not local.dead_letters()


def test_a_ticket_without_a_text_is_refused(cloud: Client) -> None:
    with pytest.raises(FunctionError, match="InvalidInput") as refusal:
        cloud.invoke("create-ticket", {{"id": "9"}})
    assert refusal.value.ran == "no"
'''

SETTINGS: Final = """# CLOUD_PROVIDER=local runs the app in this process, with data in .leeward/.
[targets.local]
app = "{module}:app"

[tables.tickets]
key = "id"

[tables.notes]
key = "id"

[buses.desk]

[functions.create-ticket]
effect = "idempotent"
"""

PROJECT: Final = """[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["leeward"]

[dependency-groups]
dev = ["leeward[dev]", "mypy", "pytest"]

[tool.pytest.ini_options]
pythonpath = ["."]

[tool.mypy]
strict = true
"""

README: Final = """# {name}

```sh
pip install "leeward[dev]" pytest
pytest
leeward dev
```

In another terminal:

```sh
curl -d '{{"id": "7", "text": "lost keys"}}' localhost:8700/invoke/create-ticket
leeward load tickets 7
```

`{module}.py` is the app. `leeward dev` runs it while you change it. It runs on this machine, until
you set `CLOUD_PROVIDER`.
"""

FILES: Final = {
    "{module}.py": APP,
    "test_{module}.py": TESTS,
    "leeward.toml": SETTINGS,
    "pyproject.toml": PROJECT,
    ".gitignore": ".leeward/\n.venv/\n__pycache__/\n",
    "README.md": README,
}
"""The files by their names, with places for the names of the app and of its module."""

_NAME: Final = re.compile(r"(?=.{1,50}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")


def new(
    name: Annotated[str, argument("Of the app and of its folder.", "NAME")],
    *,
    folder: Annotated[Path | None, option("Default: ./NAME; made if need be.", "FOLDER")] = None,
) -> Report:
    """Make a small app: a function, a subscriber, a schedule, and tests that pass.

    Nothing that is there is changed.
    """
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(module) or find_spec(module) is not None:
        raise InvalidRequest(
            f"{name!r} cannot be the name of an app and of its module; use up to 50 lower-case "
            "letters, digits and single hyphens, and not the name of an installed module",
            field="name",
        )
    place = folder or Path(name)
    texts = {
        file.format(module=module): text.format(name=name, module=module)
        for file, text in FILES.items()
    }
    taken = [file for file in texts if (place / file).exists()]
    if taken:
        raise InvalidRequest(
            f"{place} has {', '.join(taken)} already, and nothing was written; choose another "
            "name, or --folder",
            field="name",
        )
    for file, text in texts.items():
        path = place / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            why = f"{path} cannot be written: {error.strerror}; choose another --folder"
            raise InvalidRequest(why, field="folder") from error
    done = f"made {place}: {', '.join(texts)}"
    following = f"next: cd {place}, run leeward dev, change {module}.py"
    return Report({"folder": str(place), "files": [*texts]}, 0.0, [done], [following])

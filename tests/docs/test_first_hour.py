"""A newcomer's first hour: real processes, a real browser, at most 40 commands and clicks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.console.browser import Browser, browser
from tests.dev.running import Dev, wait_until
from tests.packages.wheels import built, repacked

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]

MOST: Final = 40
"""Commands and clicks."""

HERE: Final = f"{sys.version_info[0]}.{sys.version_info[1]}"
TICKET: Final = {"id": "7", "text": "lost keys"}

NOTE: Final = '    context.logger.info("a ticket was created")\n'
MISTAKE: Final = '    context.logger.info("a ticket was created by " + event.data["owner"])\n'
EVENT: Final = '@app.on_event("desk", "ticket.created")\n'
AT_ONCE: Final = '@app.on_event("desk", "ticket.created", retries=0)\n'
"""What fails is a dead letter, without minutes of retries."""

REFUND: Final = '''

@app.function(effect="keyed")
@idempotent(table="keys", key="ticket.id", principal=None, lease=70)
def refund(ticket: Ticket) -> dict[str, str]:
    """Give the money back: the bank has done it, and its answer is lost."""
    raise ConnectionError("no answer")
'''


class Hour:
    """What somebody does in a folder; each command, change and click is counted.

    Args:
        folder: where the project will be.
        window: the browser.
    """

    def __init__(self, folder: Path, window: Browser) -> None:
        self.folder = folder
        self.steps: list[str] = []
        self._window = window
        self._env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CLOUD_", "LEEWARD_", "AWS_", "PYTEST_"))
        }

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command in the folder, and return what it writes."""
        self.steps.append(" ".join(words))
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def leeward(self, *words: str, code: int = 0) -> Any:
        """Run the command line, and return its JSON."""
        return json.loads(self.run("leeward", *words, "--json", code=code))

    def change(self, *pairs: tuple[str, str], dev: Dev | None = None) -> None:
        """Change the module of the app, as an editor does; wait until `dev` runs the new one."""
        module = self.folder / "help_desk.py"
        text = module.read_text(encoding="utf-8")
        for old, new in pairs:
            self.steps.append(f"edit {old.strip() or new.strip()[:40]}")
            assert text.count(old) == 1
            text = text.replace(old, new)
        before = 0 if dev is None else dev.lines
        module.write_text(text, encoding="utf-8")
        if dev is not None:
            dev.wait_for_line("help-desk runs at", after=before)

    def call(self, dev: Dev, name: str, payload: Any) -> Any:
        """Call a function as curl does, and return the answer."""
        self.steps.append(f"curl {name}")
        return dev.invoke(name, payload).value

    def click(self, role: str, name: str) -> None:
        """Click in the browser."""
        self.steps.append(f"click {name}")
        self._window("click", role, name)


@pytest.fixture
def hour(tmp_path: Path) -> Iterator[tuple[Hour, Browser]]:
    """Give an empty folder, and a browser."""
    with browser() as window:
        yield Hour(tmp_path, window), window


def test_a_newcomers_hour(hour: tuple[Hour, Browser], tmp_path: Path) -> None:
    """From nothing to a package, with a mistake, a dead letter and an unknown key on the way."""
    own, window = hour
    own.leeward("new", "help-desk")
    own.folder = tmp_path / "help-desk"
    own.run("pytest", "-q")
    handlers = own.leeward("app")["handlers"]
    assert {"create-ticket", "note-ticket", "greet"} == {each["name"] for each in handlers}
    dev = Dev(own.folder)
    own.steps.append("leeward dev")
    try:
        assert own.call(dev, "create-ticket", TICKET)["text"] == "lost keys"
        _a_change_is_loaded(own, dev)
        _a_letter_is_found_by_its_frame_and_moved_back(own, dev, window)
        _a_key_is_settled(own, dev)
        assert own.leeward("status")["wrong"] == 0
        own.steps.append("Ctrl-C")
        assert dev.end() == 0
    finally:
        dev.kill()
    own.change((REFUND, ""))
    own.run("pytest", "-q")
    _it_is_packaged_and_exported(own, tmp_path)
    print("\n".join(own.steps))  # noqa: T201 - shown where the test fails
    assert len(own.steps) <= MOST


def _a_change_is_loaded(own: Hour, dev: Dev) -> None:
    """The app is loaded again by itself; the next call has the change."""
    louder = "    return Ticket(ticket.id, ticket.text.upper())\n"
    own.change(("    return ticket\n", louder), dev=dev)
    assert own.call(dev, "create-ticket", TICKET)["text"] == "LOST KEYS"
    own.change((louder, "    return ticket\n"), dev=dev)


def _a_letter_is_found_by_its_frame_and_moved_back(own: Hour, dev: Dev, window: Browser) -> None:
    """The log names file, line and function; the console moves the letter back by a click."""
    own.change((NOTE, MISTAKE), (EVENT, AT_ONCE), dev=dev)
    before = dev.lines
    own.call(dev, "create-ticket", {"id": "8", "text": "no light"})
    failure = dev.wait_for_line('"note-ticket"', "KeyError", after=before)
    lines = (own.folder / "help_desk.py").read_text(encoding="utf-8").splitlines(keepends=True)
    (frame,) = failure["frames"]
    assert frame.endswith(f"/help_desk.py:{lines.index(MISTAKE) + 1} note_ticket")
    dev.wait_for_line("dead_lettered", after=before)
    (letter,) = own.leeward("dlq", "list")["dead_letters"]
    assert (letter["handler"], letter["error"]) == ("note-ticket", "KeyError")
    assert own.leeward("status", code=9)["facts"][0]["values"]["dead"] == 1
    own.change((MISTAKE, NOTE), (AT_ONCE, EVENT), dev=dev)
    own.steps.append("open the console")
    window("open", dev.console)
    own.click("link", "Dead letters")
    own.click("button", f"Redrive letter {letter['id']}")
    window.wait_for("Are you sure?")  # it may have run
    own.click("button", "Redrive")
    window.wait_for("1 letter moved back.")
    wait_until(partial(_is_noted, own))
    own.steps.append("leeward load notes 8")


def _is_noted(own: Hour) -> bool:
    command = [sys.executable, "-m", "leeward", "load", "notes", "8"]
    done = subprocess.run(command, cwd=own.folder, capture_output=True, check=False)
    return done.returncode == 0


def _a_key_is_settled(own: Hour, dev: Dev) -> None:
    """A call whose outcome nobody knows is refused again until somebody has looked."""
    first, next_ = "from leeward import App, Context, Event\n", "\n\n@app.on_event("
    added = (first, f"{first}from leeward.app import idempotent\n"), (next_, REFUND + next_)
    own.change(*added, dev=dev)
    assert own.call(dev, "refund", TICKET)["errorType"] == "ConnectionError"
    assert own.call(dev, "refund", TICKET)["errorType"] == "RepeatRefused"
    (key,) = own.leeward("keys", "list", "keys", "--state", "unknown")["keys"]
    result = ("ran", key["version"], "--result", '{"refunded": "7"}')
    own.leeward("keys", "settle", "keys", key["record"], *result)
    assert own.call(dev, "refund", TICKET) == {"refunded": "7"}


def _it_is_packaged_and_exported(own: Hour, tmp_path: Path) -> None:
    """The wheels are those of this tree, because none is released."""
    links = tmp_path / "links"
    links.mkdir()
    built(links)
    site = Path(sys.prefix) / f"lib/python{HERE}/site-packages"
    repacked(site, {"pycurl"}, links, "manylinux2014_x86_64")  # as old as any Lambda's
    python = ("--python", HERE, "--find-links", str(links), "--no-index")
    packed = own.leeward("package", "help_desk:app", "--target", "aws", *python)
    assert (own.folder / packed["zip"]).stat().st_size > 100_000
    own.run("leeward", "--targets", "aws:us-east-1", "export", "terraform", "help_desk:app")
    assert (own.folder / "infrastructure/aws").is_dir()

"""The commands of the page's image and unit run: well while they work, and drained by SIGTERM."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from leeward.local import Local
from tests.docs.test_pages import blocks
from tests.house.workspace import ROOT
from tests.servers.process import held_port
from tests.worker.places import PATIENT, Place, until

PAGE = ROOT / "docs/containers.md"


def command_of(block: str) -> list[str]:
    """Return the command of a Dockerfile or a unit, without its program."""
    if found := re.search(r"^CMD (\[.*\])$", block, re.MULTILINE):
        return [str(word) for word in json.loads(found[1])][1:]
    found = re.search(r"^ExecStart=(.*)$", block, re.MULTILINE)
    assert found is not None
    return shlex.split(found[1])[1:]


@pytest.mark.parametrize("kind", ["dockerfile", "ini"])
def test_a_command_of_the_page_runs_and_drains(kind: str, tmp_path: Path) -> None:
    """What is under way at SIGTERM ends; then the exit code is 0."""
    tmp_path.chmod(0o700)
    file = tmp_path / "shop.sqlite3"
    place = Place(tmp_path, "local", {"path": str(file)}, Local(path=file))
    place.add([{"id": 1, "waits": True}])
    with held_port() as serving, held_port() as held:
        health = str(held.getsockname()[1])
        tried = {"8080": str(serving.getsockname()[1]), "8081": health, "postgres": "local"}
        command = command_of(*blocks(PAGE, kind))
        words = [re.sub("|".join(tried), lambda old: tried[old[0]], each) for each in command]
        worker = subprocess.Popen(
            [sys.executable, "-m", "leeward", *words],
            cwd=tmp_path,
            env=os.environ | {"LEEWARD_CONFIG": "leeward.toml", "LEEWARD_WORKER_TOKEN": "t" * 32},
            stderr=subprocess.DEVNULL,
        )
        try:
            place.wait_for("begin", 1)
            until(lambda: is_well(health))
            worker.send_signal(signal.SIGTERM)
            place.open_gate()
            assert worker.wait(PATIENT) == 0
        finally:
            worker.kill()
            worker.wait()
    assert len(place.ledger("end")) == 1
    place.close()


def is_well(port: str) -> bool:
    """Return whether the health address answers 200."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
            return bool(answer.status == 200)
    except URLError:
        return False


def test_the_platforms_wait_longer_than_the_worker_drains() -> None:
    """Else what it works on would be killed."""
    text = PAGE.read_text(encoding="utf-8")
    (drain,) = {int(each) for each in re.findall(r"--drain\"?,? \"?(\d+)", text)}
    waits = r"(?:TimeoutStopSec=|--stop-timeout |terminationGracePeriodSeconds: )(\d+)"
    found = [int(each) for each in re.findall(waits, text)]
    assert len(found) == 3
    assert min(found) >= drain + 5

"""The command as it is installed: few runs, each for what only a process shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.workspace import ROOT

COMMAND = str(Path(sys.executable).parent / "leeward")


def _run(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *args], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.usefixtures("bare")
def test_an_item_outlives_the_process() -> None:
    """One process stores, another loads, and what is loaded can be piped back in."""
    assert _run("store", "orders", '{"id": "42", "total": 9.90}').returncode == 0
    loaded = _run("load", "orders", "42")
    assert (loaded.returncode, loaded.stdout) == (0, '{\n  "id": "42",\n  "total": 9.90\n}\n')
    again = _run("store", "orders", "-", stdin=loaded.stdout)
    assert (again.returncode, "\x1b" in again.stdout + again.stderr) == (0, False)


def test_ctrl_c_while_commands_are_loaded_shows_no_traceback(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading them takes most of a second; nothing has begun."""
    (bare / "typer.py").write_text("raise KeyboardInterrupt")
    monkeypatch.setenv("PYTHONPATH", str(bare))
    done = _run("targets")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_library_s_log_does_not_break_the_object(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard error holds the error alone, unless somebody looks for one."""
    (bare / "noisy.py").write_text(
        "import logging\n\ndef shout(_):\n"
        "    logging.getLogger('vendor').warning('fifteen lines')\n    raise KeyError\n"
    )
    (bare / "leeward.toml").write_text('[targets.local]\nfunctions = { shout = "noisy:shout" }\n')
    assert json.loads(_run("invoke", "shout", "--json").stderr)["error"]["type"] == "FunctionError"
    monkeypatch.setenv("LEEWARD_DEBUG", "1")
    assert "fifteen lines" in _run("invoke", "shout", "--json").stderr


def test_without_its_extra_the_command_says_what_to_install(bare: Path) -> None:
    """Without typer and rich: one line with the remedy, and 2."""
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})"
    script = f"{path}; from leeward.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert 'pip install "leeward[cli]"' in done.stderr


@pytest.mark.usefixtures("bare")
def test_a_terminal_of_few_characters_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be printed is escaped: the call worked, and the exit code says so."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert _run("store", "cities", '{"id": "Zürich"}').returncode == 0
    done = _run("load", "cities", "Zürich")
    assert done.returncode == 0
    assert "Z\\xfcrich" in done.stdout


@pytest.mark.usefixtures("bare")
def test_a_result_that_cannot_be_written_is_told() -> None:
    """On a full disk the command has done its work: it is not called an error of leeward."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 - it is a device
        done = subprocess.run(
            [COMMAND, "store", "orders", '{"id": "42"}'],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "OutputError" in done.stderr
    assert "has done its work, but the result cannot be written: No space left" in done.stderr
    assert "report it" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert _run("load", "orders", "42").returncode == 0


@pytest.mark.usefixtures("bare")
def test_closed_streams_change_no_exit_code() -> None:
    """A caller that wants no output closes it; that is no error of leeward."""
    closed = f'{COMMAND} store orders \'{{"id": "42"}}\' >&- 2>&-'
    assert subprocess.run(["/bin/sh", "-c", closed], timeout=60, check=False).returncode == 0
    assert _run("load", "orders", "42").returncode == 0

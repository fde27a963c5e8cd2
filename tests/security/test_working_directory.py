"""Nothing in the working directory is run, and nothing there is believed that others could write.

An untrusted clone, a directory for all: whoever may put a file there must not reach this process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from leeward import ConfigError
from leeward.config import load_config
from leeward.config.load import problem_of
from leeward.entrypoints import all_entry_points, entry_points
from tests.sqlite.test_file_safety import SOMEBODY, needs_root

pytestmark = [pytest.mark.row(3), pytest.mark.threat("S16")]

BIN = Path(sys.executable).parent
COMMANDS = ([str(BIN / "leeward")], [sys.executable, "-m", "leeward"])
MARK = "open('mark', 'a').write(__name__)\n"


@pytest.fixture
def clone(bare: Path) -> Path:
    """Make an untrusted clone: modules, offers of adapters, and a file that names functions."""
    for name in ("evil", "typer", "rich", "leeward_aws", "tomllib", "sqlite3"):
        (bare / f"{name}.py").write_text(f"{MARK}raise SystemExit(99)\n")
    for provider in ("evil", "aws"):
        folder = bare / f"{provider}x-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {provider}x\nVersion: 1\n")
        offer = f"[leeward.adapters]\n{provider} = evil:open_driver\n"
        (folder / "entry_points.txt").write_text(offer)
    (bare / "leeward.toml").write_text('[targets.local]\nfunctions = { f = "evil:f" }\n')
    return bare


def run(command: list[str], *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would, in the clone."""
    return subprocess.run(
        [*command, *args],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_look_at_an_untrusted_clone_runs_nothing_of_it(clone: Path) -> None:
    """Neither the functions that its file names, nor its modules, nor the adapters it offers.

    With `python -m`, which puts the directory on the path, by every command.
    """
    looks = (("load", "t", "1"), ("targets",), ("dlq", "list"))
    for command, each in zip(COMMANDS, (looks[:1], looks), strict=True):
        for args in each:
            done = run(command, *args)
            assert (done.returncode, done.stderr.count("Error")) == (3 if "load" in args else 0, 0)
        done = run(command, "targets", "--targets", "evil")
        assert (done.returncode, "unknown provider 'evil'" in done.stderr) == (2, True)
    assert not (clone / "mark").exists()


def test_an_offer_of_the_clone_stops_no_adapter(clone: Path) -> None:
    """One that claims the name of another is not seen, so the two do not contradict each other."""
    variables = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = run(COMMANDS[0], "targets", "--targets", "aws:us-east-1", **variables)
    assert done.returncode == 0, done.stderr
    program = (
        "import sys; from leeward import Client, Config; assert '' in sys.path\n"
        "print(Client('aws:us-east-1', config=Config()).targets()[0].name)"
    )
    for module in clone.glob("*.py"):
        module.unlink()  # Python itself imports what lies there, where it is told to
    done = run([sys.executable, "-c", program], **variables)
    assert (done.stdout, done.returncode) == ("aws:us-east-1\n", 0), done.stderr
    assert not (clone / "mark").exists()


def test_no_offer_is_looked_for_where_a_path_is_relative(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way offers are read."""
    monkeypatch.setattr(sys, "path", ["", ".", os.curdir + os.sep, str(clone)[1:]])
    assert entry_points("leeward.adapters") == all_entry_points("leeward.adapters") == []
    monkeypatch.setattr(sys, "path", [str(clone)])
    assert {each.name for each in entry_points("leeward.adapters")} == {"aws", "evil"}
    assert {each.name for each in all_entry_points("leeward.adapters")} == {"aws", "evil"}


def test_functions_are_found_beside_their_file_and_nowhere_else(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the command is run; while they are imported, and not longer; never hardened."""
    home, elsewhere = bare / "home", bare / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    told = "import sys\ndef greet(who):\n    return [who, sys.path[-1] == {!r}]\n"
    (home / "greetings.py").write_text(told.format(str(home)))
    file = home / "leeward.toml"
    file.write_text('[targets.local]\nfunctions = { greet = "greetings:greet" }\n')
    (elsewhere / "greetings.py").write_text(f"{MARK}greet = print\n")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("PYTHONPATH", "")
    for command in COMMANDS:
        done = run(command, "--config", str(file), "invoke", "greet", '"ada"', "--json")
        assert '"value": ["ada", false]' in done.stdout, done.stderr
    done = run(command, "--config", str(file), "invoke", "greet", "--no-trust-env")
    assert (done.returncode, "cannot be imported" in done.stderr) == (2, True)
    assert not (elsewhere / "mark").exists()


def test_no_function_is_imported_from_a_directory_for_all(bare: Path) -> None:
    """Anybody could put the module there that a file of ours names, even beside a named file."""
    home = bare / "home"
    home.mkdir()
    (home / "greetings.py").write_text(f"{MARK}greet = print\n")
    file = home / "leeward.toml"
    file.write_text('[targets.local]\nfunctions = { greet = "greetings:greet" }\n')
    home.chmod(0o1777)
    done = run(COMMANDS[0], "--config", str(file), "invoke", "greet")
    assert done.returncode == 2
    assert "may be written by others" in " ".join(done.stderr.split())
    assert not (bare / "mark").exists()
    assert run(COMMANDS[0], "--config", str(file), "targets").returncode == 0


def test_a_found_file_that_others_may_write_is_refused(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message tells the rights and the remedy; a file that is named is believed."""
    file = bare / "leeward.toml"
    file.write_text('source = "shop"\n')
    assert load_config(env={}).source == "shop"
    for path, mode in ((file, 0o646), (file, 0o666), (bare, 0o777), (bare, 0o1777)):
        before = path.stat().st_mode
        path.chmod(mode)
        with pytest.raises(ConfigError, match=f"found.*mode {mode:04o}.*--config or LEEWARD_CONF"):
            load_config(env={})
        assert load_config(file="leeward.toml", env={}).source == "shop"
        assert load_config(env={"LEEWARD_CONFIG": "leeward.toml"}).source == "shop"
        path.chmod(before)
    assert load_config(env={}).source == "shop"


def test_a_found_file_is_a_file(bare: Path) -> None:
    """A pipe would be waited for, and a device read for ever; what is named may be one."""
    os.mkfifo(bare / "leeward.toml")
    with pytest.raises(ConfigError, match="found.*is not a regular file"):
        load_config(env={})
    (bare / "leeward.toml").unlink()
    (bare / "leeward.toml").symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="found.*is not a regular file"):
        load_config(env={})
    assert load_config(file="/dev/null", env={}).source == "leeward"


@needs_root
def test_a_found_file_of_another_user_is_refused(bare: Path) -> None:
    """Also a link of theirs, to whatever file of ours would suit them; and their directory."""
    file = bare / "leeward.toml"
    own = bare / "own.toml"
    own.write_text('source = "shop"\n')
    file.symlink_to(own)
    assert load_config(env={}).source == "shop"
    for path in (own, file, bare):
        os.chown(path, SOMEBODY, -1, follow_symlinks=False)
        with pytest.raises(ConfigError, match=f"belongs to another user.*{SOMEBODY}.*--config"):
            load_config(env={})
        os.chown(path, 0, -1, follow_symlinks=False)
    assert load_config(env={}).source == "shop"


def test_who_has_a_say_in_a_file() -> None:
    """Owner, root, and a group of the owner alone; nobody else."""

    def said(mode: int, owner: int = 1000, group: int = 77_777) -> str | None:
        status = SimpleNamespace(st_mode=0o100000 | mode, st_uid=owner, st_gid=group)
        return problem_of(status, 1000)  # type: ignore[arg-type]

    assert [said(0o644), said(0o600), said(0o444, owner=0)] == [None] * 3
    assert said(0o600, owner=1001) == "belongs to another user (uid 1001)"
    assert said(0o664) == "may be written by others (mode 0664)"
    assert said(0o646, owner=0) == "may be written by others (mode 0646)"


def test_a_group_of_one_user_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each user has a group, it may write new files, and is nobody else."""
    import grp
    import pwd

    def said(name: str, members: list[str]) -> bool:
        monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="ada"))
        found = SimpleNamespace(gr_name=name, gr_mem=members)
        monkeypatch.setattr(grp, "getgrgid", lambda _: found)
        status = SimpleNamespace(st_mode=0o100664, st_uid=1000, st_gid=1000)
        return problem_of(status, 1000) is None  # type: ignore[arg-type]

    assert [said("ada", []), said("ada", ["ada"])] == [True, True]
    assert [said("ada", ["ada", "eve"]), said("staff", []), said("staff", ["ada"])] == [False] * 3

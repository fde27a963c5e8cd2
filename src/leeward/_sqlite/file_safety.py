"""Whether the files of a database can be trusted: nobody else may replace them, or add to them.

SQLite believes what lies beside the file. A journal that another user has prepared is played back
into the data by whoever opens it next, or receives a copy of what is written. So the directory, the
file and what belongs to it must be this user's own, and nobody else's to write.

What was checked cannot be changed by others before it is opened: that takes write permission for
the directory. No descriptor of an existing file is opened here: POSIX drops all locks that a
process has on a file when it closes any descriptor of it, those of SQLite too.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from os import lstat
from pathlib import Path

from leeward.errors import ConfigError

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite looks for beside a file (https://sqlite.org/tempfiles.html)."""

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ELSEWHERE = "set `path` to a file in a directory of your own"


def check_files(path: Path) -> None:
    """Check a database, its directory, and what SQLite believes beside it, if they are there.

    Raises:
        ConfigError: one of them is not what it should be, is another user's, or others may write
            it. It names the remedy.
    """
    check_directory(path.parent)
    for name in ("", *BESIDE):
        file = Path(f"{path}{name}")
        status = _status_of(file)
        if status is not None:
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(
                    f"the database's file {file} is not a regular file; set `path` to a file"
                )
            _check_owner(file, status, remedy=f"chmod {FILE_MODE:o}")


def check_directory(directory: Path) -> None:
    """Check the directory that holds a database, if it is there; it may be the system's."""
    status = _status_of(directory)
    if status is None:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigError(f"the database's directory {directory} is not a directory; {_ELSEWHERE}")
    # Anybody may make files in a directory with a sticky bit, which has to stay as it is.
    is_shared = status.st_mode & stat.S_ISVTX
    remedy = None if is_shared else f"chmod {DIRECTORY_MODE:o}"
    _check_owner(directory, status, remedy=remedy, or_root=True)


def create_file(path: Path) -> bool:
    """Make the file, and the directory, where there is none: for this user's eyes only.

    Returns:
        Whether there was none.

    Raises:
        ConfigError: what is there cannot be trusted.
        OSError: it cannot be made.
    """
    check_files(path)
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    check_directory(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))
    except FileExistsError:
        check_files(path)
        return False
    return True


def _status_of(path: Path) -> os.stat_result | None:
    """Look at what is at `path`; None for nothing. A link is refused, wherever it leads."""
    try:
        status = lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be looked at ({error.strerror}), so the database is not opened; "
            f"{_ELSEWHERE}"
        ) from error
    if stat.S_ISLNK(status.st_mode):
        raise ConfigError(
            f"{path} is a symbolic link, which may lead to another user's files; "
            f"set `path` to where the database really is"
        )
    return status


def _check_owner(
    path: Path, status: os.stat_result, *, remedy: str | None, or_root: bool = False
) -> None:
    """Check that `path` is this user's own, and nobody else's to write."""
    if not hasattr(os, "geteuid"):  # on Windows, where owner and mode say nothing
        return
    if status.st_uid != os.geteuid() and not (or_root and status.st_uid == 0):
        raise ConfigError(
            f"{path} belongs to another user (uid {status.st_uid}), who could change the "
            f"database; {_ELSEWHERE}"
        )
    if status.st_mode & _OTHERS_WRITE:
        mend = f"run `{remedy} {path}` if you trust what is there, or " if remedy else ""
        raise ConfigError(
            f"{path} may be written by others (mode {stat.S_IMODE(status.st_mode):04o}), who "
            f"could change the database; {mend}{_ELSEWHERE}"
        )


def keep_out_of_version_control(directory: Path) -> None:
    """Keep a directory of leeward's own, named ``.leeward``, out of version control."""
    if directory.name == ".leeward":
        with suppress(OSError), (directory / ".gitignore").open("x") as file:  # it may be there
            file.write("*\n")

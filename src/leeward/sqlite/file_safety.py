"""Where the database's file lies, and whether it can be trusted.

No descriptor of an existing file is opened here: POSIX drops all locks that a process has on a
file when it closes any descriptor of it, those of SQLite too.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from leeward.errors import ConfigError

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


def check_file(path: Path) -> None:
    """Raise `ConfigError` if something is at `path` that is not a file of this user's own."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(
            f"the database {path} cannot be looked at ({error.strerror}); set `path` to a file in "
            f"a directory of your own"
        ) from error
    if stat.S_ISLNK(status.st_mode):
        raise ConfigError(
            f"the database {path} is a symbolic link, which may lead to another user's file; "
            f"set `path` to the file itself"
        )
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"the database {path} is not a regular file; set `path` to a file")
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise ConfigError(
            f"the database {path} belongs to another user (uid {status.st_uid}); "
            f"set `path` to a file of your own"
        )


def create_file(path: Path) -> None:
    """Make the file, and the directory, where there is none: for this user's eyes only.

    Raises:
        ConfigError: what is there cannot be trusted.
        OSError: it cannot be made.
    """
    check_file(path)
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))
    except FileExistsError:
        check_file(path)

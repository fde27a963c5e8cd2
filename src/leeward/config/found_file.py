"""Whether a ``leeward.toml`` that nobody has named may be believed: it must be this user's own.

A file in the working directory is found by accident as well as on purpose. One that somebody else
has put there, or may change, could send calls, and the credentials of this user, anywhere. So owner
and mode are looked at, of the file, of what leads to it, and of the directory, as git does before
it believes the configuration of a repository. What root owns is as the system is.
"""

from __future__ import annotations

import os
import stat

from leeward.errors import ConfigError


def check_found_file(path: str, descriptor: int) -> None:
    """Check a file that was found, before what it says is believed.

    Args:
        path: where it was found.
        descriptor: of the file, open: so nobody exchanges it after the look.

    Raises:
        ConfigError: it is, or its directory, another user's, or others may write it; or it is not
            a regular file. The message names the remedy.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise ConfigError(
            f"{path} was found in the working directory, and is not a regular file; remove it, or "
            "name a file with config, --config or LEEWARD_CONFIG"
        )
    if not hasattr(os, "geteuid"):  # on Windows, where owner and mode say nothing
        return
    directory = os.path.dirname(os.path.abspath(path))
    for what, status in (
        (path, os.fstat(descriptor)),
        (path, os.lstat(path)),
        (directory, os.stat(directory)),
    ):
        problem = problem_of(status, os.geteuid())
        if problem is not None:
            raise ConfigError(
                f"{path} was found in the working directory and not named, and {what} {problem}, "
                "who could change where calls and credentials go; name the file with config, "
                "--config or LEEWARD_CONFIG if you trust it"
            )


def problem_of(status: os.stat_result, user: int) -> str | None:
    """Return why somebody else than `user`, a number, has a say in a file; None if nobody has."""
    if status.st_uid not in (user, 0):
        return f"belongs to another user (uid {status.st_uid})"
    if stat.S_ISLNK(status.st_mode):  # its mode says nothing
        return None
    shared = status.st_mode & stat.S_IWGRP and not _is_private_group(status.st_gid, user)
    if status.st_mode & stat.S_IWOTH or shared:
        return f"may be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


def _is_private_group(group: int, user: int) -> bool:
    """Return whether a group has `user` alone: the usual one where the umask is 002."""
    import grp
    import pwd

    try:
        name = pwd.getpwuid(user).pw_name
        found = grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == name and set(found.gr_mem) <= {name}

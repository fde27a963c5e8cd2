"""Runs a command in a process group of its own, and kills the group when standard input ends.

Standard input is a pipe whose other end only the tests hold. So nothing outlives them, however
they end: the folder that the command works in goes too.

    python guard.py FOLDER COMMAND...
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress

_ended = threading.Event()


def _kill_at_the_end(group: int) -> None:
    while os.read(0, 1):
        pass
    _ended.set()
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    folder, *command = sys.argv[1:]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_kill_at_the_end, args=(process.pid,), daemon=True).start()
    status = process.wait()
    if _ended.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)

"""One execution environment: a process with AWS's own runtime client, and its Runtime API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty
from typing import Final, NamedTuple

from tests.servers.aws.function import LATEST, Function, Invocation
from tests.servers.aws.invoke_api import SYNC_BYTES
from tests.servers.aws.runtime_api import News, RuntimeApi, What
from tests.servers.installed import executable

_INIT_SECONDS: Final = 10.0
"""What Lambda gives a function to load."""


class Result(NamedTuple):
    """What came of an invocation: its answer, or the document of a function error."""

    document: bytes
    failed: bool = False


class Environment:
    """Runs the invocations of one function, one after the other.

    Args:
        function: which.
        variables: what Lambda puts in its environment besides the function's own.

    Attributes:
        usable: False once the process is gone or was ended; another environment takes over.
    """

    def __init__(self, function: Function, variables: Mapping[str, str]) -> None:
        self.usable = True
        self._function = function
        self._loaded = False
        self._api = RuntimeApi().__enter__()
        try:
            self._process = subprocess.Popen(
                [str(executable("awslambdaric", "python")), "-m", "awslambdaric", function.handler],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=function.code,
                env={
                    **_variables(function, self._api.address),
                    **variables,
                    **function.environment,
                },
                start_new_session=True,
            )
        except BaseException:
            self._api.__exit__(None, None, None)
            raise
        self._watch = threading.Thread(target=self._await_exit, name=f"watch {function.name}")
        self._watch.start()

    def run(self, invocation: Invocation, beginning: Callable[[], None]) -> Result:
        """Run the function.

        Args:
            invocation: of this environment's function.
            beginning: is called when the function has loaded, before it gets the payload.
        """
        failure = self._load(invocation)
        if failure is not None:
            self.usable = False
            return failure
        beginning()
        self._api.hand_out(invocation)
        news = self._next_news(self._function.timeout)
        if news is None:
            return self._lost(_timed_out(invocation))
        if news.what is What.RETURNED:
            return Result(news.body)
        if news.what is What.RAISED:
            return Result(news.body, failed=True)
        return self._lost(_too_large() if news.what is What.TOO_LARGE else self._exited(invocation))

    def kill(self) -> None:
        """Kill the process, and whatever it has started; a `run` in another thread then returns."""
        self.usable = False
        # The number of a process that is over may be another's by now.
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process, and let go of everything."""
        self.kill()
        self._api.dismiss()
        self._watch.join()
        self._api.__exit__(None, None, None)

    def _load(self, invocation: Invocation) -> Result | None:
        """Wait until the runtime asks for work for the first time; give what went wrong."""
        if self._loaded:
            return None
        with suppress(Empty):
            news = self._api.news.get(timeout=_INIT_SECONDS)
            if news.what is What.INIT_FAILED:
                return Result(news.body, failed=True)
            if news.what is What.EXITED:
                return self._exited(invocation)
            self._loaded = True
            return None
        return _timed_out(invocation)

    def _next_news(self, seconds: float) -> News | None:
        """Give what happened next, but for a runtime that asks for work; None if nothing did."""
        deadline = time.monotonic() + seconds
        with suppress(Empty):
            while True:
                news = self._api.news.get(timeout=max(0.0, deadline - time.monotonic()))
                if news.what is not What.READY:
                    return news
        return None

    def _lost(self, result: Result) -> Result:
        """Give the result of an invocation that this environment has not survived."""
        self.usable = False
        return result

    def _exited(self, invocation: Invocation) -> Result:
        status = self._process.wait()
        how = "exited without providing a reason"
        if status < 0:
            how = f"exited with error: signal: {-status}"
        elif status > 0:
            how = f"exited with error: exit status {status}"
        return _failure(
            "Runtime.ExitError", f"RequestId: {invocation.request_id} Error: Runtime {how}"
        )

    def _await_exit(self) -> None:
        self._process.wait()
        self._api.news.put(News(What.EXITED))


def _variables(function: Function, api: tuple[str, int]) -> dict[str, str]:
    """Give what Lambda tells every function; source: "Defined runtime environment variables"."""
    return {
        "AWS_LAMBDA_RUNTIME_API": "{}:{}".format(*api),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": LATEST,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _timed_out(invocation: Invocation) -> Result:
    seconds = f"{invocation.function.timeout:.2f}"
    return _failure(
        "Sandbox.Timedout",
        f"RequestId: {invocation.request_id} Error: Task timed out after {seconds} seconds",
    )


def _too_large() -> Result:
    return _failure(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({SYNC_BYTES} bytes).",
    )


def _failure(kind: str, message: str) -> Result:
    return Result(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)

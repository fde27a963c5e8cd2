"""Lambda's Runtime API for one environment: what its runtime asks, and tells.

Source: "Using the Lambda runtime API for custom runtimes" in the Lambda developer guide.
"""

from __future__ import annotations

import re
import time
from enum import Enum, auto
from queue import SimpleQueue
from typing import Final, NamedTuple

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.aws.function import Invocation
from tests.servers.aws.invoke_api import SYNC_BYTES
from tests.servers.framing import Message

_RESULT: Final = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")
_NEXT: Final = "/2018-06-01/runtime/invocation/next"
_INIT_ERROR: Final = "/2018-06-01/runtime/init/error"

_TAKEN: Final = Answer(202, (("Content-Type", "application/json"),), b'{"status":"OK"}')


class What(Enum):
    """What happened in an environment."""

    READY = auto()
    """The runtime asks for work."""
    INIT_FAILED = auto()
    RETURNED = auto()
    RAISED = auto()
    TOO_LARGE = auto()
    """The function returned more than an answer may hold."""
    EXITED = auto()


class News(NamedTuple):
    """What happened, and the document that came with it."""

    what: What
    body: bytes = b""


class RuntimeApi(AnsweringServer):
    """Hands invocations to a runtime, and its results to whoever reads `news`.

    Attributes:
        news: what happened, in order. Others may add to it.
    """

    def __init__(self) -> None:
        super().__init__(self._told)
        self.news: SimpleQueue[News] = SimpleQueue()
        self._work: SimpleQueue[Invocation | None] = SimpleQueue()

    def hand_out(self, invocation: Invocation) -> None:
        """Give the runtime something to do, now or when it next asks."""
        self._work.put(invocation)

    def dismiss(self) -> None:
        """Let every runtime that waits for work go without any; nothing else ends its waiting."""
        self._work.put(None)

    def _execute(self, request: Message) -> Answer:
        """Answer without noting the request: payloads are large, and nobody asks for them."""
        return self._told(Executed(request.method, request.target, (), request.payload))

    def _told(self, request: Executed) -> Answer:
        if request.target == _NEXT:
            self.news.put(News(What.READY))
            invocation = self._work.get()
            if invocation is None:
                self.dismiss()  # for the next worker that waits, if there are several
                return Answer(410)
            return _handed(invocation, time.time())
        if request.target == _INIT_ERROR:
            self.news.put(News(What.INIT_FAILED, request.body))
            return _TAKEN
        result = _RESULT.fullmatch(request.target)
        if result is None:
            return Answer(404)
        if result[2] == "error":
            self.news.put(News(What.RAISED, request.body))
        elif len(request.body) > SYNC_BYTES:
            self.news.put(News(What.TOO_LARGE))
            return Answer(413)
        else:
            self.news.put(News(What.RETURNED, request.body))
        return _TAKEN


def _handed(invocation: Invocation, now: float) -> Answer:
    deadline = int((now + invocation.function.timeout) * 1000)
    headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Deadline-Ms", str(deadline)),
        ("Lambda-Runtime-Invoked-Function-Arn", invocation.arn),
    ]
    if invocation.trace:
        headers.append(("Lambda-Runtime-Trace-Id", invocation.trace))
    if invocation.client_context:
        headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
    return Answer(200, tuple(headers), invocation.payload)

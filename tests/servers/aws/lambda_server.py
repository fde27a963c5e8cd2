"""Lambda: its Invoke API in front, and the environments of its functions behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from types import TracebackType
from typing import Final, Self

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.aws import invoke_api
from tests.servers.aws.environment import Environment, Result
from tests.servers.aws.environments import Environments
from tests.servers.aws.function import LATEST, Function, Invocation, Kind
from tests.servers.aws.invoke_api import Place
from tests.servers.aws.refused import Refused
from tests.servers.aws.signatures import Key, Scope, check
from tests.servers.framing import Message

TEST_KEYS: Final[Mapping[str, Key]] = {"test": Key("test")}

_JSON: Final = ("Content-Type", "application/json")

_BACKGROUND: Final = 16
"""How many asynchronous calls run at a time."""

_KEPT: Final = 1024
"""Bytes of a payload that are remembered."""


class LambdaServer(AnsweringServer):
    """Runs functions as Lambda does. Environments start on first use; stop it to end them.

    What Lambda does and this does not: it repeats an asynchronous call whose function failed, one
    and two minutes later; it stops a function that has become idle; it knows versions other than
    $LATEST, and aliases.

    Args:
        place: the account and the region that it plays.
        keys: the access keys that exist; functions get the first of them.
        clock: Unix seconds; a test may let it differ from the machine's.

    Attributes:
        keys: may change at any time.
        clock: likewise.
    """

    def __init__(
        self,
        place: Place,
        keys: Mapping[str, Key] = TEST_KEYS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.keys = keys
        self.clock = clock
        self._place = place
        self._functions: dict[str, Function] = {}
        self._environments: dict[str, Environments] = {}
        self._begun: list[Invocation] = []
        self._background = ThreadPoolExecutor(_BACKGROUND)
        self._lock = threading.Lock()

    def deploy(self, *functions: Function) -> None:
        """Add functions; one of the same name is replaced, and what it runs is cut off."""
        for function in functions:
            with self._lock:
                before = self._environments.get(function.name)
                self._functions[function.name] = function
                self._environments[function.name] = Environments(function, self._variables())
            if before:
                before.close()

    @property
    def begun(self) -> tuple[Invocation, ...]:
        """Give the invocations whose functions have begun to run, in that order.

        Of a payload, the first KiB is kept.
        """
        with self._changed:
            return tuple(self._begun)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for each in self._environments.values():
                each.close()
            self._background.shutdown(cancel_futures=True)
        finally:
            super().__exit__(kind, error, trace)

    def _execute(self, request: Message) -> Answer:
        """Answer, and note the request, refused or not, without its payload: these are large."""
        executed = Executed(request.method, request.target, request.headers, request.payload)
        with self._changed:
            self._executed.append(executed._replace(body=b""))
            self._changed.notify_all()
        try:
            check(executed, self.keys, Scope("lambda", self._place.region), self.clock())
            answer = self._invoked(invoke_api.read(executed, self._functions, self._place))
        except Refused as refused:
            answer = refused.answer()
        date = ("Date", formatdate(self.clock(), usegmt=True))
        return answer._replace(headers=(date, *answer.headers))

    def _invoked(self, invocation: Invocation) -> Answer:
        request_id = ("x-amzn-RequestId", invocation.request_id)
        if invocation.kind is Kind.DRY_RUN:
            return Answer(204, (request_id,))
        if invocation.kind is Kind.ASYNC:
            self._background.submit(self._run, invocation, wait=True)
            return Answer(202, (request_id,))
        result = self._run(invocation, wait=False)
        if result is None:
            raise Refused(
                429,
                "TooManyRequestsException",
                "Rate Exceeded.",
                "ReservedFunctionConcurrentInvocationLimitExceeded",
            )
        headers = [_JSON, request_id, ("X-Amz-Executed-Version", LATEST)]
        if result.failed:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        return Answer(200, tuple(headers), result.document)

    def _run(self, invocation: Invocation, *, wait: bool) -> Result | None:
        """Run a function; None if too many of it are running, and it is not to wait."""
        environments = self._environments[invocation.function.name]
        environment: Environment | None = environments.take(wait=wait)
        if environment is None:
            return None
        try:
            return environment.run(invocation, lambda: self._note(invocation))
        finally:
            environments.give_back(environment)

    def _note(self, invocation: Invocation) -> None:
        with self._changed:
            self._begun.append(invocation._replace(payload=invocation.payload[:_KEPT]))
            self._changed.notify_all()

    def _variables(self) -> dict[str, str]:
        name, key = next(iter(self.keys.items()))
        return {
            "AWS_REGION": self._place.region,
            "AWS_DEFAULT_REGION": self._place.region,
            "AWS_ACCESS_KEY_ID": name,
            "AWS_SECRET_ACCESS_KEY": key.secret,
        }

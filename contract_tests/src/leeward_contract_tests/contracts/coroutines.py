"""The same contracts through `leeward.AsyncClient`, awaited on an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from inspect import iscoroutine, signature
from typing import Any, Final, TypeVar, cast

import pytest

from leeward import AsyncClient, AsyncObjectReader, Client
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests.fixtures import contract_config, contract_workflow

T = TypeVar("T")


GUARD: Final = "test_every_contract_test_is_there"

THROUGH_CLIENT: Final = frozenset({"client", "keys"})
"""The fixtures of a test by which its calls go through the client."""


def repeats_its_base(suite: type, name: str, test: Callable[..., Any]) -> bool:
    """Return whether a test of an awaited suite would do what a base of the suite has done.

    It does where its calls go to the driver alone, and pytest runs the base, too. Tests that are
    not of a contract are not judged: their fixtures may use the client.
    """
    return (
        issubclass(suite, Awaited)
        and name != GUARD
        and test.__module__.partition(".")[0] == __name__.partition(".")[0]
        and any(base.__name__.startswith("Test") for base in suite.__mro__[1:])
        and THROUGH_CLIENT.isdisjoint(signature(test).parameters)
    )


class Awaited:
    """Put it before the tests of a driver: ``class TestNimbusAwaited(Awaited, TestNimbus)``.

    The tests that put their calls to the driver itself are left to ``TestNimbus``: the client has
    no part in them. Before a contract by itself, ``class TestAwaited(Awaited, DriverContract)``,
    none is left out.
    """

    def __init_subclass__(cls) -> None:
        """Leave out the tests in which nothing is awaited, if a base runs them."""
        super().__init_subclass__()
        for name in dir(cls):
            test = getattr(cls, name)
            if name.startswith("test_") and test and repeats_its_base(cls, name, test):
                setattr(cls, name, None)

    @pytest.fixture
    def client(self, recorder: FaultyDriver, clock: FakeClock) -> Iterator[Client]:
        """Return the client under contract, whose methods are awaited on another thread."""
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            thread = threading.Thread(target=loop.run_forever)
            thread.start()
            try:
                yield cast("Client", _Blocking(recorder, clock, loop))
            finally:
                asyncio.run_coroutine_threadsafe(recorder.close_async(), loop).result()
                loop.call_soon_threadsafe(loop.stop)
                thread.join()


class _Blocking:
    """The methods of an `AsyncClient`, for callers that block."""

    def __init__(
        self, driver: FaultyDriver, clock: FakeClock, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._client = AsyncClient(
            driver, config=contract_config(), clock=clock, workflows=[contract_workflow()]
        )
        self._loop = loop

    def _await(self, answer: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(answer, self._loop).result()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def wait(*args: Any, **kwargs: Any) -> Any:
            answer = method(*args, **kwargs)
            if iscoroutine(answer):
                answer = self._await(answer)
            if isinstance(answer, AsyncObjectReader):
                return _BlockingReader(answer, self._await)
            return answer

        return wait


class _BlockingReader:
    """The methods of an `AsyncObjectReader`, for callers that block."""

    def __init__(self, reader: AsyncObjectReader, wait: Callable[..., Any]) -> None:
        self.info = reader.info
        self._reader = reader
        self._wait = wait

    def read(self) -> bytes:
        whole: bytes = self._wait(self._reader.read())
        return whole

    def __iter__(self) -> Iterator[bytes]:
        pieces = aiter(self._reader)

        async def one() -> bytes | None:
            return await anext(pieces, None)

        while (piece := self._wait(one())) is not None:
            yield piece

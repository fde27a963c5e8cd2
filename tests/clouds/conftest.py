"""Every provider, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.clouds.places import PLACES, Place


@pytest.fixture(scope="session")
def place() -> Iterator[Callable[[str], Place]]:
    """Give what starts the one place of a provider, by its name; the keys of a test are its own."""
    yield from _places()


@pytest.fixture(scope="module")
def own_place() -> Iterator[Callable[[str], Place]]:
    """Give the same for one file, which furnishes it or looks at all that is there."""
    yield from _places()


def _places() -> Iterator[Callable[[str], Place]]:
    with ExitStack() as stack:

        @cache
        def started(provider: str) -> Place:
            return stack.enter_context(PLACES[provider]())

        yield started

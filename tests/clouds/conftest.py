"""Every provider, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.clouds.places import PLACES, Place


@pytest.fixture(scope="session")
def place() -> Iterator[Callable[[str], Place]]:
    """Give what starts the one place of a provider, by its name.

    The keys of a test are its own; what reads a whole table empties it first.
    """
    with ExitStack() as stack:

        @cache
        def started(provider: str) -> Place:
            return stack.enter_context(PLACES[provider]())

        yield started

"""Every provider, started when the first test of a file asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.clouds.places import PLACES, Place


@pytest.fixture(scope="module")
def place() -> Iterator[Callable[[str], Place]]:
    """Give what starts the one place of a provider, by its name; they end with the file."""
    with ExitStack() as stack:

        @cache
        def started(provider: str) -> Place:
            return stack.enter_context(PLACES[provider]())

        yield started

"""Every provider, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.clouds.places import Place, open_places


@pytest.fixture(scope="session")
def place() -> Iterator[Callable[[str], Place]]:
    """Give what starts the one place of a provider, by its name, for all tests here.

    A file whose tests leave a cloud in another state than they found it has a fixture of its own.
    """
    with open_places() as started:
        yield started

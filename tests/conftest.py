"""What holds for every test: the same examples in every run, and no way beyond loopback."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.guard import clone_only, loopback_only

settings.register_profile("leeward", derandomize=True, deadline=None)
settings.register_profile("few", settings.get_profile("leeward"), max_examples=20)
settings.load_profile("leeward")

clone_only()


@pytest.fixture(scope="session", autouse=True)
def no_wire_beyond_loopback() -> Iterator[None]:
    """Stop a handle of libcurl that would leave loopback; pytest-socket stops Python's sockets."""
    with loopback_only():
        yield

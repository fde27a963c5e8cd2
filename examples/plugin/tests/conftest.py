from __future__ import annotations

from collections.abc import Iterator

import pytest

from leeward_nimbus import NimbusDriver

URL = "https://nimbus.example"


@pytest.fixture
def driver() -> Iterator[NimbusDriver]:
    """Return a driver of an account that is not there."""
    driver = NimbusDriver("nimbus", URL, "secret-token")
    yield driver
    driver.close()

"""The exports of the app with everything, which several modules look at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.packages.exported import COMPILED, document


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Make the configurations of the app with everything, once."""
    return {each: document(each, tmp_path_factory.mktemp(each)) for each in COMPILED}

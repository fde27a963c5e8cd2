"""Run the tests of the cloud that LEEWARD_TEST_CLOUD names, with any further options of pytest."""

from __future__ import annotations

import os
import sys

import pytest

from cloud_tests.asked import FOLDER, Refused, asked

if __name__ == "__main__":
    try:
        cloud = asked(os.environ)
    except Refused as refused:
        sys.exit(str(refused))
    sys.exit(pytest.main([str(FOLDER / f"test_{cloud}.py"), *sys.argv[1:]]))

"""Run the tests of the cloud that LEEWARD_TEST_CLOUD names, with any further options of pytest."""

from __future__ import annotations

import os
import sys

import pytest

from cloud_tests.options import FOLDER, Refused, requested_cloud

if __name__ == "__main__":
    try:
        cloud = requested_cloud(os.environ)
    except Refused as refused:
        sys.exit(str(refused))
    sys.exit(pytest.main([str(FOLDER / f"test_{cloud}.py"), *sys.argv[1:]]))

"""An answer takes no more memory than the cap and a little, whatever a server sends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from leeward._http.options import TransportOptions
from tests.house.workspace import ROOT
from tests.http.wire import LIMIT
from tests.security.bomb import KINDS, MIB

pytestmark = pytest.mark.threat("S15")

CAP = TransportOptions().max_response_bytes / MIB


@pytest.mark.parametrize("kind", KINDS)
def test_memory_stays_below_the_cap_and_ten_mebibytes(kind: str) -> None:
    """Endless, packed a thousandfold, or just as large as is allowed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.bomb", kind],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * LIMIT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told, growth = done.stdout.splitlines()
    assert told == KINDS[kind][1]
    assert float(growth) < CAP + 10

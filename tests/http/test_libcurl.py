"""The extension of pycurl is loaded by itself, and gets along with the whole package."""

from __future__ import annotations

import subprocess
import sys

import pytest

BY_ITSELF = """
import sys
from leeward.http.libcurl import pycurl
assert "dataclasses" not in sys.modules and "inspect" not in sys.modules
assert "pycurl" not in sys.modules
"""

THEN_THE_PACKAGE = """
import pycurl as package
assert package.Curl is pycurl.Curl and package.error is pycurl.error
assert package.AsyncCurlMulti
package.Curl().close()
"""

PACKAGE_FIRST = """
import pycurl as package
from leeward.http.libcurl import pycurl
assert package.Curl is pycurl.Curl
"""


@pytest.mark.parametrize(
    "program",
    [BY_ITSELF, BY_ITSELF + THEN_THE_PACKAGE, PACKAGE_FIRST],
    ids=["by itself", "then the package", "package first"],
)
def test_pycurl_is_loaded_once(program: str) -> None:
    """In whatever order a program and leeward come to it, there is one module."""
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (child.returncode, child.stderr) == (0, "")

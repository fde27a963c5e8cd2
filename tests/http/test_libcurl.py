"""The extension of pycurl is loaded by itself, and gets along with the whole package."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from leeward._http import libcurl
from leeward.errors import ConfigError

BY_ITSELF = """
import sys
from leeward._http.libcurl import pycurl
assert "dataclasses" not in sys.modules and "inspect" not in sys.modules
assert "pycurl" not in sys.modules
"""

THEN_THE_PACKAGE = """
import pycurl as package
assert package.Curl is pycurl.Curl and package.error is pycurl.error
package.Curl().close()
"""

PACKAGE_FIRST = """
import pycurl as package
from leeward._http.libcurl import pycurl
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


def _told(monkeypatch: pytest.MonkeyPatch, **attributes: object) -> str:
    """Give what is said of a pycurl with these attributes."""
    module = SimpleNamespace(version="PycURL/7.45.7 libcurl/8.16.0", **attributes)
    monkeypatch.setattr(libcurl, "load", lambda: module)
    with pytest.raises(ConfigError) as caught:
        libcurl.require()
    return str(caught.value)


def test_without_pycurl_the_message_says_what_to_install() -> None:
    """And where there is no wheel of it, for it says nothing by itself."""
    program = (
        "import sys\n"
        "sys.modules['pycurl'] = None\n"
        "from leeward.errors import ConfigError\n"
        "from leeward._http.options import TransportOptions\n"
        "from leeward._http.wire import curl_wire\n"
        "try:\n"
        "    curl_wire(TransportOptions()).transport()\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith('pycurl is not installed: pip install "leeward[wire]"')
    assert "glibc 2.28" in done.stdout
    assert "runtimes with an older glibc" in done.stdout


def test_an_old_libcurl_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a pycurl may use that was built on the machine itself."""
    curl = SimpleNamespace(recv=None)
    told = _told(monkeypatch, Curl=curl, version_info=lambda: (9, "7.88.1", 0x075801))
    assert "7.88.1" in told
    assert "wheel" in told

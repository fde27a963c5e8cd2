"""The transports over libcurl. Importing this loads no pycurl; making a transport does."""

from typing import TYPE_CHECKING

from leeward.http.curl.transport import CurlTransport

if TYPE_CHECKING:
    from leeward.http.curl.aio import AsyncCurlTransport

__all__ = ["AsyncCurlTransport", "CurlTransport"]


def __getattr__(name: str) -> object:
    """Load the transport for asyncio when it is first asked for."""
    if name != "AsyncCurlTransport":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from leeward.http.curl.aio import AsyncCurlTransport

    return AsyncCurlTransport

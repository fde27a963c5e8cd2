"""The transport over libcurl. Importing this loads no pycurl; making a transport does."""

from leeward.http.curl.transport import CurlTransport

__all__ = ["CurlTransport"]

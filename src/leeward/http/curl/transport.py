"""The transport for threads: a connection for each request under way."""

from __future__ import annotations

from leeward.errors import ConfigError
from leeward.http.messages import Failure, Request, Response
from leeward.http.options import TransportOptions


class CurlTransport:
    """Sends requests over connections that libcurl makes, one thread on each at a time.

    While it connects, libcurl is deaf to signals: Ctrl-C takes effect when that ends, at the
    deadline at the latest.

    Args:
        options: its settings.

    Raises:
        leeward.ConfigError: pycurl is not installed, or it is too old.
    """

    def __init__(self, options: TransportOptions) -> None:
        check_installed()
        from leeward.http.curl.line import Line
        from leeward.http.curl.pool import Pool

        self._pool: Pool[Line] = Pool(options, Line)

    def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and give its answer, within `timeout` seconds."""
        ticket = object()
        try:
            line = self._pool.prepared(ticket, request, timeout)
            return line if isinstance(line, Failure) else line.exchange()
        finally:
            self._pool.take_back(ticket)

    def drop(self, origin: str) -> None:
        """Close every connection to `origin`; those in use when their request is done."""
        self._pool.drop(origin)

    def close(self) -> None:
        """Close every connection; those in use when their request is done."""
        self._pool.close()


def check_installed() -> None:
    """Raise `ConfigError` if pycurl is not there, or is too old."""
    try:
        from leeward.http.curl.handles import check_version
    except ImportError as error:
        raise ConfigError("pycurl is missing; install leeward[http]") from error
    check_version()

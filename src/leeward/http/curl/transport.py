"""The transport for threads: an easy handle for each request under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeward.errors import ConfigError
from leeward.http.messages import Failure, Request, Response
from leeward.http.options import TransportOptions

if TYPE_CHECKING:
    from leeward.http.curl.easy import Easy
    from leeward.http.curl.pool import Pool


class CurlTransport:
    """Sends requests through libcurl, one handle and one thread at a time.

    Waiting does not hold the interpreter, but libcurl is deaf to signals meanwhile: Ctrl-C takes
    effect when the request ends, at its deadline at the latest.

    Args:
        options: its settings.

    Raises:
        leeward.ConfigError: pycurl is not installed, or its libcurl is too old.
    """

    def __init__(self, options: TransportOptions) -> None:
        self._pool = new_pool(options)
        from leeward.http.curl.easy import CurlError

        self._error = CurlError

    def send(self, request: Request, timeout: float) -> Response | Failure:
        """Send `request` once and give its answer, within `timeout` seconds."""
        ticket = object()
        try:
            easy = self._pool.prepared(ticket, request, timeout)
            return easy if isinstance(easy, Failure) else self._perform(easy)
        finally:
            self._pool.take_back(ticket)

    def _perform(self, easy: Easy) -> Response | Failure:
        error = self._performed(easy)
        while error is not None and easy.prepare_again():
            error = self._performed(easy)
        return easy.answer() if error is None else easy.failure(error.args[0], error)

    def _performed(self, easy: Easy) -> Exception | None:
        try:
            easy.handle.perform()
        except self._error as error:
            # Its frames would keep the request, and the secrets in it, alive.
            without_frames: Exception = error.with_traceback(None)
            return without_frames
        return None

    def drop(self, origin: str) -> None:
        """Close every connection to `origin`; those in use when their request is done."""
        self._pool.drop(origin)

    def close(self) -> None:
        """Close every connection; those in use when their request is done."""
        self._pool.close()


def new_pool(options: TransportOptions) -> Pool:
    """Give an empty pool of handles.

    Raises:
        leeward.ConfigError: pycurl is not installed, or its libcurl is too old.
    """
    try:
        from leeward.http.curl.easy import check_version
    except ImportError as error:
        raise ConfigError("pycurl is missing; install leeward[http]") from error
    from leeward.http.curl.pool import Pool

    check_version()
    return Pool(options)

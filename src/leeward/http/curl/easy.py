"""One easy handle of libcurl: from a `Request` to options, and from what came back to an answer.

A handle serves one origin, so that all but a few options are set once. Every callback on the way of
a request is a method of a built-in type, on purpose: pycurl prints and swallows the error that a
callback raises, and the KeyboardInterrupt of Ctrl-C can only be raised where Python code runs. The
exception is `Once`: an interrupt there ends the request before it is sent, and pycurl passes it on.
"""

from __future__ import annotations

from io import BytesIO
from time import monotonic
from typing import Any

from leeward.http.curl.answer import assemble, read_head
from leeward.http.curl.failures import Facts, closed, explain
from leeward.http.curl.handles import handle_for, milliseconds, scheme_of
from leeward.http.curl.library import pycurl
from leeward.http.messages import Failure, Request, Response
from leeward.http.options import TransportOptions
from leeward.http.sendable import check_method, check_target, lines_of, lower_names

SUPPRESS_CONNECT_HEADERS = 265
"""From curl/curl.h; pycurl has no name for it."""


class Once:
    """Lets libcurl send a request once: for `PREREQFUNCTION`, which it calls before each sending.

    When a kept connection dies before the answer, libcurl by itself sends the request once more, on
    another one, and the server may execute it twice.

    Attributes:
        asked: how often libcurl was about to send the request.
    """

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, *_connection: object) -> int:
        """Allow the first sending; end the transfer with error 42 before a second."""
        self.asked += 1
        allowed: int = pycurl.PREREQFUNC_OK if self.asked == 1 else pycurl.PREREQFUNC_ABORT
        return allowed


class Easy:
    """A handle for one origin, used by one thread at a time.

    Attributes:
        origin: what it is for.
        handle: the pycurl handle, for who drives the transfer.
        used: when it was last given back; the pool's.
        dropped: whether its connection leads to the wrong place; the pool's.
    """

    def __init__(self, origin: str, options: TransportOptions) -> None:
        self.origin = origin
        self.used = 0.0
        self.dropped = False
        self._options = options
        self._lines: list[bytes] = []
        # Its `getvalue` copies nothing, where joining pieces would hold an answer twice.
        self._answer = BytesIO()
        self._body = BytesIO()
        self._body_size = 0
        self._shape: tuple[str, bool] | None = None
        self._target: str | None = None
        self._once = Once()
        self._deadline = 0.0
        self._tls = scheme_of(origin) == "https"
        self.handle: Any = handle_for(origin, options)
        self._set_up()

    def _set_up(self) -> None:
        handle, options = self.handle, self._options
        handle.setopt(pycurl.HTTP09_ALLOWED, 0)
        handle.setopt(pycurl.FOLLOWLOCATION, 0)
        handle.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        # REQUEST_TARGET goes out as it is; this keeps libcurl's hands off the URL as well.
        handle.setopt(pycurl.PATH_AS_IS, 1)
        handle.setopt(SUPPRESS_CONNECT_HEADERS, 1)
        handle.setopt(pycurl.MAXAGE_CONN, options.max_idle)
        handle.setopt(pycurl.MAXLIFETIME_CONN, options.max_age)
        handle.setopt(pycurl.MAXFILESIZE_LARGE, options.max_response_bytes)
        handle.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        handle.setopt(pycurl.WRITEFUNCTION, self._answer.write)
        handle.setopt(pycurl.PREREQFUNCTION, self._once)

    def prepare(self, request: Request, timeout: float) -> None:
        """Set the options of one request, on a handle that is new or has been put to rest.

        Args:
            request: what to send.
            timeout: seconds, above 0.

        Raises:
            leeward.InvalidRequest: a part of `request` cannot go over the wire.
        """
        handle, body = self.handle, request.body
        self._once.asked = 0
        self._deadline = monotonic() + timeout
        handle.setopt(pycurl.TIMEOUT_MS, milliseconds(timeout))
        if self._target != request.target:
            check_target(request.target)
            handle.setopt(pycurl.REQUEST_TARGET, request.target)
            self._target = request.target
        handle.setopt(pycurl.HTTPHEADER, _header_lines(request.headers))
        if self._shape != (request.method, bool(body)):
            self._take_shape(request.method, has_body=bool(body))
        self._body_size = len(body)
        if body:
            # Without a SEEKFUNCTION libcurl cannot start over, as it could from POSTFIELDS. So a
            # request with an effect and a body is guarded twice.
            handle.setopt(pycurl.INFILESIZE_LARGE, len(body))
            self._body = BytesIO(body)
            handle.setopt(pycurl.READFUNCTION, self._body.read)

    def prepare_again(self) -> bool:
        """Prepare the same request, in the time that is left, if no connection has taken it.

        That is so if libcurl has found a kept one dead as it began to send, and no byte has left.

        Returns:
            whether the transfer is to be performed once more.
        """
        if self._once.asked < 2 or self.handle.getinfo(pycurl.REQUEST_SIZE):
            return False
        self._once.asked = 0
        if self._body_size:
            self._body.seek(0)
        self.handle.setopt(pycurl.TIMEOUT_MS, milliseconds(self._deadline - monotonic()))
        return True

    def _take_shape(self, method: str, *, has_body: bool) -> None:
        check_method(method, has_body=has_body)
        handle = self.handle
        self._shape = None  # until all is set: an interrupt may strike half-way
        handle.setopt(pycurl.HTTPGET, 1)
        handle.unsetopt(pycurl.CUSTOMREQUEST)
        plain = not has_body and method in {"GET", "HEAD"}
        if not plain:
            handle.setopt(pycurl.UPLOAD, 1)
            handle.setopt(pycurl.INFILESIZE_LARGE, 0)
            handle.setopt(pycurl.CUSTOMREQUEST, method)
        elif method == "HEAD":
            handle.setopt(pycurl.NOBODY, 1)
        self._shape = (method, has_body)

    def answer(self) -> Response | Failure:
        """Return the answer of a transfer that libcurl calls complete."""
        options = self._options
        body = self._answer.getvalue()
        return assemble(self._lines, body, options.max_header_bytes, options.max_response_bytes)

    def failure(self, code: int, cause: BaseException | None = None) -> Failure:
        """Return what is known of a transfer that ended with libcurl's error `code`."""
        return explain(self._facts(code), cause)

    def closed(self) -> Failure:
        """Return what is known of a transfer given up because its transport was closed."""
        return closed(self._facts())

    def _facts(self, code: int = 0) -> Facts:
        info = self.handle.getinfo
        head = read_head(b"".join(self._lines).decode("latin-1"))
        return Facts(
            code=code,
            request_size=info(pycurl.REQUEST_SIZE),
            tls=self._tls,
            name_found=info(pycurl.NAMELOOKUP_TIME) > 0,
            connected=info(pycurl.CONNECT_TIME) > 0,
            uploaded=info(pycurl.SIZE_UPLOAD_T) >= self._body_size,
            status=head.status,
            headers_complete=head.complete,
        )

    def rest(self) -> None:
        """Let go of the last request's body and answer."""
        self._lines.clear()
        self._answer.seek(0)
        self._answer.truncate()
        self._body.close()

    def close(self) -> None:
        """Close the connection and free the handle."""
        self.handle.close()


def _header_lines(headers: tuple[tuple[str, str], ...]) -> list[str]:
    # libcurl takes "Name;" for a header without a value, and "Name:" for one to leave out.
    lines = lines_of(headers, without_value=";")
    lower = lower_names(tuple([name for name, _ in headers]))
    lines += ("Expect:",) if "accept" in lower else ("Expect:", "Accept:")
    return lines

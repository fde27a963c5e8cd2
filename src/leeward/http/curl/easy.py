"""One easy handle of libcurl: from a `Request` to options, and from what came back to an answer.

A handle serves one origin, so that all but a few options are set once. Every callback on the way of
a request is a method of a built-in type, on purpose: pycurl prints and swallows the error that a
callback raises, and the KeyboardInterrupt of Ctrl-C can only be raised where Python code runs. The
exception is `Once`: an interrupt there ends the request before it is sent, and pycurl passes it on.
"""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO
from os.path import isfile
from time import monotonic
from typing import Any

from leeward.errors import ConfigError, InvalidRequest
from leeward.http.curl.answer import assemble, read_head
from leeward.http.curl.failures import Facts, closed, explain
from leeward.http.curl.library import pycurl
from leeward.http.messages import Failure, Request, Response
from leeward.http.options import TransportOptions

CurlError = pycurl.error

OLDEST = (8, 4, 0)
"""The first libcurl whose MAXFILESIZE also stops a body that did not announce its length."""

SUPPRESS_CONNECT_HEADERS = 265
"""From curl/curl.h; pycurl has no name for it, nor for the next one."""

QUICK_EXIT = 322
"""Closing a handle does not wait for a name server that has not answered in time."""

ORIGIN = re.compile(r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

OURS = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding"})
"""Headers that say how a request is carried. After `Expect` and a 417, libcurl would send twice."""


def check_version() -> None:
    """Raise `ConfigError` if pycurl was built against a libcurl that lacks what is relied on."""
    major, minor, patch = OLDEST
    if pycurl.version_info()[2] < major << 16 | minor << 8 | patch:
        raise ConfigError(
            f"leeward needs libcurl {major}.{minor}.{patch} or later, and pycurl here uses "
            f"{pycurl.version_info()[1]}; install pycurl from its wheel, which has its own"
        )


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
        self.handle: Any = pycurl.Curl()
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
        self._tls = _scheme(origin) == "https"
        self._set_up()
        if self._tls:
            self._set_up_tls()

    def _set_up(self) -> None:
        handle, options = self.handle, self._options
        handle.setopt(pycurl.URL, f"{self.origin}/")
        handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS if self._tls else pycurl.PROTO_HTTP)
        # HTTP/1.1 only: with HTTP/2 libcurl sends a request again by itself when the server
        # refuses the stream or goes away, and a handle of its own per thread has no use for
        # multiplexing.
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.HTTP09_ALLOWED, 0)
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(QUICK_EXIT, 1)
        handle.setopt(pycurl.FOLLOWLOCATION, 0)
        handle.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        handle.setopt(pycurl.USERAGENT, "")
        # REQUEST_TARGET goes out as it is; this keeps libcurl's hands off the URL as well.
        handle.setopt(pycurl.PATH_AS_IS, 1)
        # Set even when empty, or libcurl asks the environment.
        handle.setopt(pycurl.PROXY, (self._tls and options.proxy) or "")
        handle.setopt(pycurl.NOPROXY, options.no_proxy or "")
        handle.setopt(SUPPRESS_CONNECT_HEADERS, 1)
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(options.connect_timeout))
        handle.setopt(pycurl.MAXAGE_CONN, options.max_idle)
        handle.setopt(pycurl.MAXLIFETIME_CONN, options.max_age)
        handle.setopt(pycurl.MAXFILESIZE_LARGE, options.max_response_bytes)
        handle.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        handle.setopt(pycurl.WRITEFUNCTION, self._answer.write)
        handle.setopt(pycurl.PREREQFUNCTION, self._once)
        if options.public_only:
            from leeward.http.curl.public import open_public

            handle.setopt(pycurl.OPENSOCKETFUNCTION, open_public)

    def _set_up_tls(self) -> None:
        handle, ca_file = self.handle, self._options.ca_file
        if ca_file is None or not isfile(ca_file):
            raise ConfigError(
                f"no certificates to trust in {ca_file or 'the places known'}; "
                "set SSL_CERT_FILE to a PEM file, or install certifi"
            )
        handle.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        handle.setopt(pycurl.SSL_VERIFYPEER, 1)
        handle.setopt(pycurl.SSL_VERIFYHOST, 2)
        handle.setopt(pycurl.CAINFO, ca_file)
        handle.unsetopt(pycurl.CAPATH)  # what the build brings is not ours to trust
        handle.setopt(pycurl.PROXY_SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        handle.setopt(pycurl.PROXY_CAINFO, ca_file)
        handle.unsetopt(pycurl.PROXY_CAPATH)

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
        handle.setopt(pycurl.TIMEOUT_MS, _milliseconds(timeout))
        if self._target != request.target:
            handle.setopt(pycurl.REQUEST_TARGET, _checked_target(request.target))
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
        self.handle.setopt(pycurl.TIMEOUT_MS, _milliseconds(self._deadline - monotonic()))
        return True

    def _take_shape(self, method: str, *, has_body: bool) -> None:
        _check_method(method, has_body=has_body)
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
        """Give the answer of a transfer that libcurl calls complete."""
        options = self._options
        body = self._answer.getvalue()
        return assemble(self._lines, body, options.max_header_bytes, options.max_response_bytes)

    def failure(self, code: int, cause: BaseException | None = None) -> Failure:
        """Give what is known of a transfer that ended with libcurl's error `code`."""
        return explain(self._facts(code), cause)

    def closed(self) -> Failure:
        """Give what is known of a transfer that was given up, because its transport was closed."""
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


def _milliseconds(seconds: float) -> int:
    # Rounded down, to be never late, but not to 0, which would mean no limit at all.
    return max(int(seconds * 1000), 1)


def _scheme(origin: str) -> str:
    match = ORIGIN.fullmatch(origin)
    if match is None:
        raise ConfigError("an endpoint must look like https://host or https://host:port")
    return match[1]


def _check_method(method: str, *, has_body: bool) -> None:
    if not (method.isascii() and method.isalpha() and method.isupper()):
        raise InvalidRequest("a method is a word in upper case", field="method")
    if method == "HEAD" and has_body:
        raise InvalidRequest("HEAD takes no body", field="body")


def _checked_target(target: str) -> str:
    if not (target[:1] == "/" and _printable(target) and " " not in target):
        raise InvalidRequest(
            "a request's target must start with / and be percent-encoded", field="target"
        )
    return target


def _header_lines(headers: tuple[tuple[str, str], ...]) -> list[str]:
    # libcurl takes "Name;" for a header without a value, and "Name:" for one to leave out.
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers]
    left_out = _left_out(tuple([name for name, _ in headers]))
    if not _printable("".join(lines)):
        raise _not_printable(next(name for name, value in headers if not _printable(value)))
    lines += left_out
    return lines


@lru_cache(64)
def _left_out(names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the lines that keep libcurl from adding headers; check the names of the request's own.

    A program sends few combinations of names, and looking at each name for each request is dear.
    """
    lower = {name.lower() for name in names}
    for name in names:
        if name.lower() in OURS:
            raise InvalidRequest(f"the header {name} is the transport's own", field="headers")
        if not _printable(name):
            raise _not_printable(name)
    return ("Expect:",) if "accept" in lower else ("Expect:", "Accept:")


def _printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _not_printable(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"the header {name!a} holds a control character or a letter outside ASCII",
        field="headers",
    )

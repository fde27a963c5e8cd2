"""What libcurl's error codes prove. Pure: numbers in, a `Failure` out.

One question decides: may a byte of the request have left? REQUEST_SIZE answers it, because libcurl
adds to it what a send has really taken, and never the CONNECT that opens a proxy's tunnel. A zero
is believed only together with a code that the table knows to be possible before the request.
"""

from __future__ import annotations

from typing import NamedTuple

from leeward.http.messages import Failure, Phase

NAME, CONNECT, TLS = Phase.NAME, Phase.CONNECT, Phase.TLS
HERE = Phase.REFUSED_HERE


class Row(NamedTuple):
    """One error code.

    Attributes:
        name: libcurl's, without ``CURLE_``.
        provable: whether REQUEST_SIZE 0 proves with this code that nothing was sent.
        phase: where it happened, if nothing was sent; None where only the times can tell.
    """

    name: str
    provable: bool = False
    phase: Phase | None = None


TABLE: dict[int, Row] = {
    # Before the request, or not at all.
    1: Row("UNSUPPORTED_PROTOCOL", True, HERE),
    2: Row("FAILED_INIT", True, HERE),
    3: Row("URL_MALFORMAT", True, HERE),
    4: Row("NOT_BUILT_IN", True, HERE),
    5: Row("COULDNT_RESOLVE_PROXY", True, NAME),
    6: Row("COULDNT_RESOLVE_HOST", True, NAME),
    7: Row("COULDNT_CONNECT", True, CONNECT),  # also: the proxy refused the tunnel
    27: Row("OUT_OF_MEMORY", True),
    35: Row("SSL_CONNECT_ERROR", True, TLS),
    41: Row("FUNCTION_NOT_FOUND", True, HERE),
    43: Row("BAD_FUNCTION_ARGUMENT", True, HERE),
    45: Row("INTERFACE_FAILED", True, CONNECT),
    48: Row("UNKNOWN_OPTION", True, HERE),
    53: Row("SSL_ENGINE_NOTFOUND", True, TLS),
    54: Row("SSL_ENGINE_SETFAILED", True, TLS),
    58: Row("SSL_CERTPROBLEM", True, TLS),
    59: Row("SSL_CIPHER", True, TLS),
    60: Row("PEER_FAILED_VERIFICATION", True, TLS),
    64: Row("USE_SSL_FAILED", True, TLS),
    66: Row("SSL_ENGINE_INITFAILED", True, TLS),
    77: Row("SSL_CACERT_BADFILE", True, TLS),
    82: Row("SSL_CRL_BADFILE", True, TLS),
    83: Row("SSL_ISSUER_ERROR", True, TLS),
    90: Row("SSL_PINNEDPUBKEYNOTMATCH", True, TLS),
    91: Row("SSL_INVALIDCERTSTATUS", True, TLS),
    97: Row("PROXY", True, CONNECT),
    98: Row("SSL_CLIENTCERT", True, TLS),
    101: Row("ECH_REQUIRED", True, TLS),
    # On either side of the first byte.
    28: Row("OPERATION_TIMEDOUT", True),
    55: Row("SEND_ERROR", True),
    56: Row("RECV_ERROR", True),  # also: the proxy hung up while opening the tunnel
    65: Row("SEND_FAIL_REWIND", True, CONNECT),  # a kept connection had died; libcurl cannot resend
    # Only once the request is under way.
    8: Row("WEIRD_SERVER_REPLY"),
    16: Row("HTTP2"),
    18: Row("PARTIAL_FILE"),
    22: Row("HTTP_RETURNED_ERROR"),
    23: Row("WRITE_ERROR"),
    25: Row("UPLOAD_FAILED"),
    26: Row("READ_ERROR"),
    33: Row("RANGE_ERROR"),
    34: Row("HTTP_POST_ERROR"),
    36: Row("BAD_DOWNLOAD_RESUME"),
    42: Row("ABORTED_BY_CALLBACK"),  # also: a kept connection died, and `Once` allowed no other
    47: Row("TOO_MANY_REDIRECTS"),
    52: Row("GOT_NOTHING"),
    61: Row("BAD_CONTENT_ENCODING"),
    63: Row("FILESIZE_EXCEEDED"),
    80: Row("SSL_SHUTDOWN_FAILED"),
    81: Row("AGAIN"),
    88: Row("CHUNK_FAILED"),
    92: Row("HTTP2_STREAM"),
    93: Row("RECURSIVE_API_CALL"),
    94: Row("AUTH_ERROR"),
    95: Row("HTTP3"),
    96: Row("QUIC_CONNECT_ERROR"),
    99: Row("UNRECOVERABLE_POLL"),
    100: Row("TOO_LARGE"),
    # Of other protocols, or never given: nothing can be concluded from them.
    **{
        code: Row(name)
        for code, name in {
            9: "REMOTE_ACCESS_DENIED",
            10: "FTP_ACCEPT_FAILED",
            11: "FTP_WEIRD_PASS_REPLY",
            12: "FTP_ACCEPT_TIMEOUT",
            13: "FTP_WEIRD_PASV_REPLY",
            14: "FTP_WEIRD_227_FORMAT",
            15: "FTP_CANT_GET_HOST",
            17: "FTP_COULDNT_SET_TYPE",
            19: "FTP_COULDNT_RETR_FILE",
            20: "FTP_WRITE_ERROR",
            21: "QUOTE_ERROR",
            24: "MALFORMAT_USER",
            29: "FTP_COULDNT_SET_ASCII",
            30: "FTP_PORT_FAILED",
            31: "FTP_COULDNT_USE_REST",
            32: "FTP_COULDNT_GET_SIZE",
            37: "FILE_COULDNT_READ_FILE",
            38: "LDAP_CANNOT_BIND",
            39: "LDAP_SEARCH_FAILED",
            40: "LIBRARY_NOT_FOUND",
            44: "BAD_CALLING_ORDER",
            46: "BAD_PASSWORD_ENTERED",
            49: "SETOPT_OPTION_SYNTAX",
            50: "OBSOLETE50",
            51: "OBSOLETE51",
            57: "SHARE_IN_USE",
            62: "LDAP_INVALID_URL",
            67: "LOGIN_DENIED",
            68: "TFTP_NOTFOUND",
            69: "TFTP_PERM",
            70: "REMOTE_DISK_FULL",
            71: "TFTP_ILLEGAL",
            72: "TFTP_UNKNOWNID",
            73: "REMOTE_FILE_EXISTS",
            74: "TFTP_NOSUCHUSER",
            75: "CONV_FAILED",
            76: "CONV_REQD",
            78: "REMOTE_FILE_NOT_FOUND",
            79: "SSH",
            84: "FTP_PRET_FAILED",
            85: "RTSP_CSEQ_ERROR",
            86: "RTSP_SESSION_ERROR",
            87: "FTP_BAD_FILE_LIST",
            89: "NO_CONNECTION_AVAILABLE",
        }.items()
    },
}
"""Every error code of libcurl, from curl/curl.h of 8.23.0."""

UNKNOWN = Row("UNKNOWN")


class Facts(NamedTuple):
    """What is known of a transfer that failed.

    Attributes:
        code: libcurl's error code.
        request_size: bytes of the request that have left, over all of libcurl's own re-sends; of
            a `Line` 1 if any may have, else 0. Only whether it is 0 counts.
        tls: whether the origin is https.
        name_found: NAMELOOKUP_TIME is set.
        connected: CONNECT_TIME is set.
        uploaded: the whole body has left.
        status: that of the final answer, if its status line was seen.
        headers_complete: so was the end of its headers.
    """

    code: int
    request_size: int
    tls: bool = True
    name_found: bool = False
    connected: bool = False
    uploaded: bool = False
    status: int | None = None
    headers_complete: bool = False


def explain(facts: Facts, cause: BaseException | None = None) -> Failure:
    """Return how far the request came and whether any of it may have left."""
    row = TABLE.get(facts.code, UNKNOWN)
    if row.provable and facts.request_size == 0:
        phase, code = row.phase or _phase_before(facts), _code(facts.code, "connect_timeout")
        return Failure(phase, sent=False, code=code, cause=cause)
    phase, code = _phase_after(facts), _code(facts.code, "deadline")
    return Failure(phase, sent=True, code=code, status=facts.status, cause=cause)


def closed(facts: Facts) -> Failure:
    """Return the same of a request that was given up here, because its transport was closed.

    No byte leaves after that, so what REQUEST_SIZE says is final. `facts.code` does not count.
    """
    if facts.request_size == 0:
        return Failure(_phase_before(facts), sent=False, code="closed")
    return Failure(_phase_after(facts), sent=True, code="closed", status=facts.status)


def _phase_before(facts: Facts) -> Phase:
    # PRETRANSFER_TIME does not help: libcurl sets it on the way out of a failed connect, too.
    if not facts.name_found:
        return NAME
    return TLS if facts.connected and facts.tls else CONNECT


def _phase_after(facts: Facts) -> Phase:
    if facts.headers_complete:
        return Phase.BODY
    return Phase.RECEIVE if facts.uploaded or facts.status else Phase.SEND


def _code(code: int, timeout: str) -> str:
    if code == 28:
        return timeout
    return "body_too_large" if code == 63 else f"curl.{code}"

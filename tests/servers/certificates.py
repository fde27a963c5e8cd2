"""Throw-away certificates, good and bad, for servers on 127.0.0.1."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from enum import Enum

import trustme


class Certificate(Enum):
    """What a server shows of itself."""

    GOOD = "good"
    SELF_SIGNED = "self-signed"
    EXPIRED = "expired"
    WRONG_HOST = "wrong host"


class Authority:
    """A certificate authority that lives as long as this object.

    Attributes:
        pem: its own certificate, for a client's file of trusted authorities.
    """

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._contexts: dict[Certificate, ssl.SSLContext] = {}
        self.pem = self._ca.cert_pem.bytes()

    def client_context(self) -> ssl.SSLContext:
        """Give what a client needs that trusts this authority, and no other."""
        return ssl.create_default_context(cadata=self.pem.decode())

    def server_context(self, certificate: Certificate = Certificate.GOOD) -> ssl.SSLContext:
        """Give what a server needs that shows `certificate`."""
        if certificate not in self._contexts:
            self._contexts[certificate] = self._made(certificate)
        return self._contexts[certificate]

    def _made(self, certificate: Certificate) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        self._issued(certificate).configure_cert(context)
        return context

    def _issued(self, certificate: Certificate) -> trustme.LeafCert | _SelfSigned:
        if certificate is Certificate.SELF_SIGNED:
            return _SelfSigned()
        if certificate is Certificate.WRONG_HOST:
            return self._ca.issue_cert("elsewhere.example")
        if certificate is Certificate.EXPIRED:
            yesterday = datetime.now(UTC) - timedelta(days=1)
            before = yesterday - timedelta(days=30)
            return self._ca.issue_cert("127.0.0.1", not_before=before, not_after=yesterday)
        return self._ca.issue_cert("127.0.0.1", "localhost")


class _SelfSigned:
    """A certificate that vouches for itself: that of another authority, used by a server."""

    def configure_cert(self, context: ssl.SSLContext) -> None:
        ca = trustme.CA()
        with ca.cert_pem.tempfile() as certificate, ca.private_key_pem.tempfile() as key:
            context.load_cert_chain(certificate, key)

"""What a TLS server shows of itself."""

from __future__ import annotations

import ssl

import trustme


def tls_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """Give what a server needs that shows `leaf`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context

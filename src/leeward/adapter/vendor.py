"""Asking through a vendor's own packages: credential chains and look-ups.

They are imported when they are first needed. What they raise is judged by class and status alone,
for its text may repeat anything.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final

from leeward._http.addresses import is_public
from leeward.adapter.resolver import Unresolved
from leeward.errors import ConfigError, Outcome, is_from_signal

CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 5.0
"""Seconds for one request of a vendor's package. Their own 60 to 300 would hold up a renewal."""


@contextmanager
def vendor_errors(
    code: str, missing: str, refusal: Callable[[Exception], Unresolved]
) -> Generator[None]:
    """Turn whatever a vendor's package raises meanwhile into `Unresolved`, with it as the cause.

    Args:
        code: of a package that is not installed.
        missing: what is missing and how to install it.
        refusal: says what any other exception means.
    """
    try:
        yield
    except Unresolved:
        raise
    except ConfigError as error:
        raise Unresolved(Outcome.AUTH, "misconfigured", str(error)) from error
    except ImportError as error:
        raise Unresolved(Outcome.AUTH, code, missing) from error
    except Exception as error:
        if is_from_signal(error):
            raise
        raise refusal(error) from error


def refuse_private(host: str, where: str) -> None:
    """Refuse a host that does not lie on the public internet, before a vendor's package asks it.

    For the hardened mode. Such a package connects by itself, so its addresses cannot be looked at
    in the moment of connecting, as leeward's own are; a name may lead elsewhere a moment later. A
    name that is not found is left to the package.

    Args:
        host: a name or an address.
        where: who would ask, for the message.

    Raises:
        Unresolved: AUTH.
    """
    from socket import SOCK_STREAM, getaddrinfo

    try:
        addresses = getaddrinfo(host.strip("[]"), None, type=SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    if not all(is_public(str(address[4][0])) for address in addresses):
        raise Unresolved(
            Outcome.AUTH,
            "private_address",
            f"{where} would ask a host whose address is not on the public internet, which "
            "trust_env = false refuses; set allow_private = true if it is meant",
        )


def with_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it came from: vendors often say less than they knew."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def out_of_reach(where: str, code: str) -> Unresolved:
    """Return that nobody could be asked."""
    return Unresolved(Outcome.NOT_SENT, code, f"{where} could not reach its source ({code})")


def refusal(where: str, code: str) -> Unresolved:
    """Return that somebody was asked, and refused."""
    return Unresolved(Outcome.AUTH, code, f"{where} was refused ({code})")

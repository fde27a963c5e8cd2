"""What an error proves, by its SQLSTATE and by how far the exchange came.

An error that the server sends for a statement (its severity is ERROR) says that the transaction is
rolled back; but something between, such as a pooler, may send errors as well. So only codes that
PostgreSQL documents for a cause that makes it roll back prove that nothing ran. An error that ends
the session (FATAL) proves nothing of a statement that commits itself. As long as no commit is sent,
nothing can take effect, whatever happens.

Sources: https://www.postgresql.org/docs/current/errcodes-appendix.html, and of errors and severity
https://www.postgresql.org/docs/current/protocol-error-fields.html
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final, NamedTuple

from leeward.calls import Result
from leeward.errors import Outcome
from leeward_postgres.schema import NOT_DURABLE, WRONG_STAGE, WRONG_VERSION
from leeward_postgres.schema.queues import NOT_READ_COMMITTED


class Stage(Enum):
    """How far an exchange came."""

    UNSENT = "unsent"
    """There is no connection, or nothing was sent on it."""
    OPEN = "open"
    """Statements of a transaction were sent, and no commit."""
    COMMITTING = "committing"
    """A commit was sent, or a statement that commits itself."""


TLS: Final = "tls"
NO_TLS: Final = "no_tls"
"""Stand for a SQLSTATE, which is never told before the handshake."""

SCHEMA: Final = "schema"
"""The reason of a schema that is not there, or does not suit this client."""


class Classification(NamedTuple):
    """What a code proves where the server rolls back, and the remedy."""

    outcome: Outcome
    message: str
    reason: str | None = None


_NO_SCHEMA: Final = Classification(
    Outcome.UNUSABLE,
    "the schema of leeward is not there, or is an older one: run `leeward postgres schema --apply`",
    SCHEMA,
)
_DENIED: Final = Classification(Outcome.AUTH, "the role lacks a permission for leeward's schema")
_LOGIN: Final = Classification(Outcome.AUTH, "the server refuses the role or its password")
_AGAIN: Final = Classification(
    Outcome.REJECTED, "the server rolled the transaction back; try again"
)
_FULL: Final = Classification(Outcome.REJECTED, "the server has no connection free")
_READ_ONLY: Final = Classification(
    Outcome.UNUSABLE,
    "the server takes no writes: it is a standby, or a primary that was demoted",
    "read_only",
)
_TOO_LARGE: Final = Classification(
    Outcome.CALLER,
    "larger than the server takes; of a name, a key or an ordering key, an index has 2,704 bytes",
    "payload_too_large",
)
_WRONG: Final = Classification(Outcome.CALLER, "the server cannot hold a value of the call")

CLASSIFICATIONS: Final[dict[str, Classification]] = {
    "22003": _WRONG,  # numeric value out of range
    "22P02": _WRONG,  # invalid text representation
    "22P05": _WRONG,  # untranslatable character
    "25006": _READ_ONLY,
    "25P03": _AGAIN,  # idle in transaction session timeout
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": Classification(Outcome.UNUSABLE, "the database is not there", SCHEMA),
    "3F000": _NO_SCHEMA,
    "40001": _AGAIN,  # serialization failure
    "40P01": _AGAIN,  # deadlock
    "42501": _DENIED,
    "42703": _NO_SCHEMA,  # undefined column
    "42883": _NO_SCHEMA,  # undefined function
    "42P01": _NO_SCHEMA,  # undefined table
    "53000": _AGAIN,
    "53100": Classification(Outcome.UNUSABLE, "the disk of the server is full", "disk_full"),
    "53200": _AGAIN,  # out of memory
    "53300": _FULL,
    "53400": _AGAIN,  # a limit of the configuration
    "54000": _TOO_LARGE,
    "55P03": Classification(Outcome.REJECTED, "another transaction holds the item", "busy"),
    "57014": Classification(Outcome.REJECTED, "the server cancelled the statement"),
    TLS: Classification(
        Outcome.NOT_SENT,
        "the server's certificate is not accepted: check `sslrootcert`, and the host in `url`",
    ),
    NO_TLS: Classification(
        Outcome.NOT_SENT,
        "the server has no TLS, which `sslmode` demands: switch it on there, or see `gives_up`",
    ),
    WRONG_VERSION: Classification(Outcome.UNUSABLE, "", SCHEMA),
    WRONG_STAGE: Classification(Outcome.UNUSABLE, "", SCHEMA),
    NOT_DURABLE: Classification(Outcome.UNUSABLE, "", "not_durable"),
    NOT_READ_COMMITTED: Classification(
        Outcome.UNUSABLE,
        "workers need default_transaction_isolation = 'read committed' for their role",
        "isolation",
    ),
}
"""The codes for which PostgreSQL rolls back, so nothing ran."""

ENDING: Final = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03"})
"""Codes with which the server ends the session, or takes none."""

USELESS: Final = ENDING | {"25006"}
"""After these a new connection may reach another host, one that takes writes."""

_REFUSED: Final = (
    (re.compile("too many clients|remaining connection slots|too many connections"), "53300"),
    (re.compile("authentication failed|no password supplied|pg_hba.conf"), "28P01"),
    (re.compile('role ".*" (?:does not exist|is not permitted)'), "28000"),
    (re.compile('database ".*" does not exist'), "3D000"),
    (re.compile("permission denied for database"), "42501"),
    (re.compile("starting up|shutting down|not yet accepting|recovery mode"), "57P03"),
    (re.compile("session is read-only|server is in hot standby"), "25006"),
    (re.compile("certificate verify failed|certificate for .* does not match"), TLS),
    (re.compile("root certificate file .* does not exist|could not read root cert"), TLS),
    (re.compile("server does not support SSL"), NO_TLS),
)
"""libpq tells no SQLSTATE of a refused connection; these are the server's words for the codes, in
English. A refusal in other words is still one that nothing was sent after."""


def code_of_refusal(message: str) -> str | None:
    """Return the SQLSTATE of a refused connection, as far as its words tell."""
    return next((code for words, code in _REFUSED if words.search(message)), None)


_UNREACHED: Final = (
    "there is no connection to the server; check `url` in the target's section of leeward.toml, "
    "and whether the server is up"
)
_LOST: Final = "the server ended the connection before anything was committed"


def result_of_error(code: str | None, stage: Stage, *, is_fatal: bool = False) -> Result[Any]:
    """Return the result of an exchange that ended with an error.

    Args:
        code: the SQLSTATE; None where the connection was lost, or the time was up.
        stage: how far the exchange came.
        is_fatal: the server ended the session with it.
    """
    meaning = CLASSIFICATIONS.get(code or "")
    is_proof = not is_fatal or stage is not Stage.COMMITTING
    if meaning is not None and is_proof:
        return Result(meaning.outcome, code=code, message=meaning.message, reason=meaning.reason)
    code = code or "connection_lost"
    if stage is Stage.COMMITTING:
        return Result(Outcome.AMBIGUOUS, code=code)
    message = _UNREACHED if stage is Stage.UNSENT else _LOST
    return Result(Outcome.NOT_SENT, code=code, message=message)

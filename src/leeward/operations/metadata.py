"""What is kept beside the bytes of an object: what every store keeps as it is, and no more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from leeward.errors import InvalidRequest
from leeward.values import NOTHING

MOST_CHARACTERS: Final = 1024
"""Of all names and values together. S3 keeps 2 KiB, with those of leeward's own."""

OWN: Final = "leeward"
"""How the names begin under which leeward keeps what it needs."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def checked_metadata(metadata: Any) -> Mapping[str, str]:
    """Check the metadata of an object; None is for none.

    Raises:
        InvalidRequest: a store would refuse or change it.
    """
    if metadata is None:
        return NOTHING
    if not isinstance(metadata, Mapping):
        raise InvalidRequest("metadata must be a mapping of texts", field="metadata")
    found = dict(metadata)
    for name, value in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith(OWN):
            raise InvalidRequest(
                "a name in metadata has 1 to 64 of a-z, 0-9 and underscores, a letter first, and "
                f"does not begin with {OWN!r}; rename it",
                field="metadata",
            )
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise InvalidRequest(
                f"metadata[{name!r}] must be a text of printable ASCII without blanks around it; "
                "escape what is not",
                field="metadata",
            )
    if sum(len(name) + len(value) for name, value in found.items()) > MOST_CHARACTERS:
        raise InvalidRequest(
            f"metadata has more than {MOST_CHARACTERS} characters; put it into the object",
            field="metadata",
        )
    return found

"""The long description of the distribution: README, with links that work on a package index."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY: Final = "LEEWARD_REPOSITORY"
"""The variable with the address of the repository, such as ``https://forge.example/name/leeward``;
`release.yml` sets it. Without it a link is its text: nobody can follow it."""

LINK: Final = re.compile(r"(!?)\[([^]]*)]\((?!\w+:|#)([^)]+)\)")
"""A link, or a picture, to a file of the repository."""


class LongDescription(MetadataHookInterface):
    """Sets the field `readme` of the project."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put README there, with absolute addresses of the tag of this version."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        link = partial(_link, os.environ.get(REPOSITORY), f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": LINK.sub(link, text)}


def _link(repository: str | None, tag: str, found: re.Match[str]) -> str:
    mark, text, path = found.groups()
    if repository is None:
        return text
    return f"{mark}[{text}]({repository}/{'raw' if mark else 'blob'}/{tag}/{path})"

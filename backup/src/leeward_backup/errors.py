"""What is raised of backups."""

from __future__ import annotations

from leeward.errors import LeewardError

MOST_SHOWN = 5
"""Findings in a message; the attribute has all of them."""


class BackupError(LeewardError):
    """A backup cannot be trusted, or not be restored there; what was found is said.

    Attributes:
        findings: each names a segment, a manifest or the key of an item.
    """

    def __init__(self, message: str, findings: tuple[str, ...] = ()) -> None:
        shown = "; ".join(findings[:MOST_SHOWN])
        more = len(findings) - MOST_SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        super().__init__(f"{message}: {shown}{rest}" if findings else message)
        self.findings = findings


class NoBackup(BackupError):
    """There is no such backup."""


class OtherRun(BackupError):
    """Another run of the same backup is at work, and goes on with it."""

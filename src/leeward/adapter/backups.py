"""Backups and exports that a target's own service makes: what clients have no method for."""

from __future__ import annotations

from leeward.backup_calls import (
    Exported,
    ExportFile,
    LookNative,
    Native,
    ReadExport,
    StartNative,
)

__all__ = ["ExportFile", "Exported", "LookNative", "Native", "ReadExport", "StartNative"]

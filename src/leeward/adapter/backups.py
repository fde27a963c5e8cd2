"""Exports that a target's own service has written: what clients have no method for."""

from __future__ import annotations

from leeward.backup_calls import Exported, ExportFile, ReadExport

__all__ = ["ExportFile", "Exported", "ReadExport"]

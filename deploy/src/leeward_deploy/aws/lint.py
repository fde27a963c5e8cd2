"""What cfn-lint finds in a template, where that is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

LOCAL: Final = "W3002"
"""Its word on a path in place of an object in S3, which `aws cloudformation package` uploads."""


def errors_in(template: str, region: str) -> tuple[str, ...]:
    """Return its errors and warnings for a region; empty where it is not installed."""
    if find_spec("cfnlint") is None:
        return ()
    from cfnlint.api import lint  # type: ignore[import-untyped]

    return tuple(
        f"{each.rule.id}: {each.message}"
        for each in lint(template, regions=[region])
        if each.rule.id[0] in "EW" and each.rule.id != LOCAL
    )

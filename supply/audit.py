"""Ask the registry whether a locked tool is known to be vulnerable, by way of pip-audit.

``make audit`` asks, writes the result to ``supply/audit.json``, and fails if there is a finding.
``make check`` says the result in a line and never fails: an advisory is not the fault of whoever
changes a line that day. Without a network, or where the service does not know the packages, it
says the result that is stored, after three seconds at the latest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent
LOCK: Final = ROOT / "requirements-dev.txt"
STORED: Final = ROOT / "supply" / "audit.json"

PROBE: Final = f"https://pypi.org/pypi/pip-audit/{version('pip-audit')}/json"
"""What the service that pip-audit asks knows of one release that is locked."""
PATIENCE: Final = 3.0
"""Seconds for the probe."""
LONGEST: Final = 60.0
"""Seconds for the audit itself."""


class Audit(NamedTuple):
    """What is known of the packages of a lock file.

    Attributes:
        on: the day, as ``2026-01-31``.
        lock: the SHA-256 of the lock file.
        audited: how many packages the service knew.
        skipped: how many it did not.
        findings: such as ``name 1.0: PYSEC-2026-1 (1.1)``, with the versions that mend it.
    """

    on: str
    lock: str
    audited: int
    skipped: int
    findings: tuple[str, ...]


def audit_of(report: Mapping[str, Any], on: date, lock: str) -> Audit:
    """Return what a report of pip-audit says."""
    known = [each for each in report["dependencies"] if "skip_reason" not in each]
    findings = tuple(
        f"{each['name']} {each['version']}: {one['id']} ({', '.join(one['fix_versions'])})"
        for each in known
        for one in each["vulns"]
    )
    skipped = len(report["dependencies"]) - len(known)
    return Audit(on.isoformat(), lock, len(known), skipped, findings)


def line_of(audit: Audit | None, lock: str, *, asked: bool) -> str:
    """Return a result in one line.

    Args:
        audit: the result; None if there is none.
        lock: the SHA-256 of the lock file as it is.
        asked: whether the service has just been asked, or this is what was stored.
    """
    where = "pip-audit" if asked else "pip-audit: the service cannot be asked here"
    if audit is None or not audit.audited:
        return f"{where}; nothing is known yet: run `make audit` where it can"
    other = "" if audit.lock == lock else ", of another lock file"
    told = "; ".join(audit.findings) or f"no known vulnerability in {audit.audited} packages"
    unknown = f" ({audit.skipped} unknown to it)" if audit.skipped else ""
    return f"{where}; on {audit.on}{other}: {told}{unknown}"


def stored() -> Audit | None:
    """Return the result that is stored; None if there is none."""
    if not STORED.exists():
        return None
    found = json.loads(STORED.read_text(encoding="utf-8"))
    return Audit(**{**found, "findings": tuple(found["findings"])})


def can_be_asked(url: str = PROBE) -> bool:
    """Return whether the service answers at once, with what it knows of a package."""
    import requests

    try:
        response = requests.get(url, timeout=PATIENCE, allow_redirects=False)
        return response.status_code == 200 and "vulnerabilities" in response.json()
    except (requests.RequestException, ValueError):
        return False


def ask(today: date, lock: str) -> Audit | None:
    """Run pip-audit over the lock file; None if it does not end in time, or knows no package."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(LOCK), "--require-hashes"]
    options = ["--disable-pip", "--progress-spinner", "off", "--timeout", "5", "-f", "json"]
    try:
        done = subprocess.run(  # noqa: S603 - made of constants
            command + options, capture_output=True, text=True, check=False, timeout=LONGEST
        )
        found = audit_of(json.loads(done.stdout), today, lock)
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return found if found.audited else None


def main(arguments: list[str]) -> int:
    """Print what is known; with ``--write`` ask anew and keep the result.

    Returns the exit code: 1 with ``--write``, if there is a finding or no answer.
    """
    today, lock = datetime.now(UTC).date(), sha256(LOCK.read_bytes()).hexdigest()
    before = stored()
    strict = "--write" in arguments
    if not strict and before is not None and (before.on, before.lock) == (today.isoformat(), lock):
        sys.stdout.write(f"{line_of(before, lock, asked=True)}\n")
        return 0
    found = ask(today, lock) if can_be_asked() else None
    told = line_of(found or before, lock, asked=found is not None)
    sys.stdout.write(f"{told}\n")
    if strict and found is not None:
        STORED.write_text(f"{json.dumps(found._asdict(), indent=1)}\n", encoding="utf-8")
    return int(strict and (found is None or bool(found.findings)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The audit tells the truth about what it knows, and the bill of materials lists what there is."""

from __future__ import annotations

import json
import re
import time
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from cyclonedx.output.json import JsonV1Dot6

from supply import audit, sbom
from supply.audit import Audit, audit_of, line_of
from tests.house.conftest import Dist
from tests.house.workspace import ROOT
from tests.http.wire import Wire, answer, hang

pytestmark = pytest.mark.threat("S21")

REPORT: dict[str, Any] = {
    "dependencies": [
        {"name": "a", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]},
        {"name": "b", "version": "2.0", "vulns": []},
        {"name": "c", "skip_reason": "Dependency not found on PyPI"},
    ]
}
GOOD = Audit("2026-01-31", "l", 130, 2, ())


def test_a_report_is_read_with_what_it_does_not_know() -> None:
    """A package that the service does not know has not been audited."""
    found = audit_of(REPORT, date(2026, 1, 31), "l")
    assert found == Audit("2026-01-31", "l", 2, 1, ("a 1.0: PYSEC-1 (1.1)",))


def test_a_result_is_one_line() -> None:
    """With its day, of which lock file it is, and whether it is only what was stored."""
    assert line_of(GOOD, "l", asked=True) == (
        "pip-audit; on 2026-01-31: no known vulnerability in 130 packages (2 unknown to it)"
    )
    told = line_of(GOOD, "m", asked=False)
    assert "cannot be asked here; on 2026-01-31, of another lock file: no known" in told
    assert "a 1.0: PYSEC-1" in line_of(audit_of(REPORT, date(2026, 1, 31), "l"), "l", asked=True)
    for nothing in (None, GOOD._replace(audited=0)):
        assert "nothing is known yet" in line_of(nothing, "l", asked=True)


def test_without_a_service_the_check_ends_soon_and_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One that is silent, closed, a stranger, or knows nothing of a package."""
    monkeypatch.setattr(audit, "PATIENCE", 0.3)
    monkeypatch.setattr(audit, "STORED", tmp_path / "audit.json")
    (tmp_path / "audit.json").write_text(json.dumps(GOOD._asdict()))
    stranger = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    absent = answer(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}")
    begun = time.monotonic()
    for script in (hang, stranger, absent):
        with Wire(script) as wire:
            assert not audit.can_be_asked(wire.origin())
            closed = wire.origin()
    assert not audit.can_be_asked(closed)
    assert time.monotonic() - begun < 30
    monkeypatch.setattr(audit, "can_be_asked", lambda: False)
    assert audit.main([]) == 0
    assert "cannot be asked here; on 2026-01-31" in capsys.readouterr().out
    assert audit.main(["--write"]) == 1, "who asks for it is told that it did not happen"


def test_a_finding_fails_the_audit_and_not_the_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An advisory is no fault of whoever changes a line that day."""
    monkeypatch.setattr(audit, "STORED", tmp_path / "audit.json")
    monkeypatch.setattr(audit, "can_be_asked", lambda: True)
    monkeypatch.setattr(audit, "ask", lambda today, lock: audit_of(REPORT, today, lock))
    assert audit.main([]) == 0
    assert audit.stored() is None, "the check changes no file of the project"
    assert audit.main(["--write"]) == 1
    found = audit.stored()
    assert found is not None
    assert found.findings == ("a 1.0: PYSEC-1 (1.1)",)


def wheel(folder: Path, name: str, *lines: str) -> Path:
    """Make a wheel of nothing but what it says of itself."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    text = "\n".join(("Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines, ""))
    with ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", text)
    return path


def test_the_bill_lists_wheels_what_they_need_and_the_tools(tmp_path: Path) -> None:
    """By extras, through what they need in turn; a tool is excluded; the same bill each time."""
    lines = ("License-Expression: Apache-2.0", "Provides-Extra: http", "Provides-Extra: x")
    wheels = [
        wheel(tmp_path, "leeward", *lines, "Requires-Dist: leeward-x; extra == 'x'",
              "Requires-Dist: requests>=2; extra == 'http'"),
        wheel(tmp_path, "leeward_x", "Requires-Dist: leeward"),
    ]  # fmt: skip
    lock = sbom.locked((ROOT / "requirements-dev.txt").read_text())
    told = [JsonV1Dot6(sbom.bill(wheels, lock)).output_as_string() for _ in range(2)]
    assert told[0] == told[1]
    document = json.loads(told[0])
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    listed = [document["metadata"]["component"], *document["components"]]
    found = {each["name"]: each for each in listed}
    assert len(found) == len(listed)
    assert {each["scope"] for each in found.values()} == {"required", "optional", "excluded"}
    assert found["leeward"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert [each["alg"] for each in found["leeward"]["hashes"]] == ["SHA-256"]
    assert len(found["requests"]["hashes"]) == len(lock["requests"][1]) > 1
    assert found["requests"]["licenses"]
    assert found["requests"]["purl"] == f"pkg:pypi/requests@{lock['requests'][0]}"
    assert [found[each]["scope"] for each in ("requests", "urllib3", "mypy")] == [
        "optional", "optional", "excluded",
    ]  # fmt: skip
    needs = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    assert set(needs["leeward@1.0"]) == {f"requests@{lock['requests'][0]}", "leeward_x@1.0"}
    assert set(lock) | {"leeward", "leeward_x"} == set(found)


@pytest.mark.packaging
def test_the_wheels_of_the_workspace_have_a_bill(dist: Dist) -> None:
    """As `make dist` writes it; no path of this machine is in it."""
    lock = sbom.locked((ROOT / "requirements-dev.txt").read_text())
    told = JsonV1Dot6(sbom.bill(sorted(dist.sdists.glob("*.whl")), lock)).output_as_string()
    names = {each["name"] for each in json.loads(told)["components"]}
    assert {"leeward-aws", "leeward-azure", "leeward-google", "pycurl"} <= names
    assert re.search(r"(?i)file:|/home/|/work/|https?://(?!cyclonedx)", told) is None

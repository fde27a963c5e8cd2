"""The files of an export: facts, retained facts, and the module that reads them.

```
infrastructure/modules/aws/    the module, copied once; yours if you edit it
infrastructure/aws/            main.tf, written once; the rest is written by each export:
                               facts.json, retained.json, flows/, leeward.expected.json
infrastructure/aws-prod/       the same for the stage prod: one folder and one state for each stage
```
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from leeward.adapter.looking import EXPECTED, EXPECTED_FILE, Expected
from leeward.errors import ConfigError
from leeward_deploy.changes import compare, keep_names
from leeward_deploy.facts import Cloud, digest_of, facts_from, facts_of, text_of
from leeward_deploy.recipe import Deployment, PackageSpec

FACTS: Final = "facts.json"
RETAINED: Final = "retained.json"
ROOT: Final = "main.tf"

_ALWAYS: Final = ("kind", "name", "target")
"""Fields of what is expected that stand in its file even where they are empty."""

MODULES: Final = Path(__file__).with_name("modules")
"""The modules as they are shipped, one folder for each cloud."""

RECORD: Final = "leeward.module.json"
"""Says which version of a module was copied, and its digest: who edits it keeps it."""


class ExportFiles(NamedTuple):
    """What an export writes.

    Attributes:
        root: the folder of the stage, below the folder of the export.
        texts: by paths below the folder of the export.
        notes: what a person has to know.
        commands: what a person has to run, to let go of what is forgotten.
    """

    root: str
    texts: dict[str, str]
    notes: tuple[str, ...]
    commands: tuple[str, ...]


def export_facts(
    spec: PackageSpec, deployment: Deployment, cloud: Cloud, out: Path, forget: tuple[str, ...] = ()
) -> ExportFiles:
    """Return the files of an app for a cloud, compared with those that are there.

    Raises:
        ConfigError: a change is refused, or a file was edited that must not be.
    """
    facts, texts = facts_of(spec, deployment, cloud)
    root = f"{cloud.name}-{facts['stage']}" if facts.get("stage") else cloud.name
    last, retained = _last_facts(out / root)
    facts = keep_names(last, retained, facts)
    changes = compare(last, retained, facts, cloud, forget)
    files = {f"{root}/{path}": text for path, text in texts.items()}
    files[f"{root}/{FACTS}"] = text_of(facts)
    files[f"{root}/{RETAINED}"] = text_of(changes.retained)
    targets = {site.region: site.target for site in deployment.sites}
    rows = [*cloud.expected(facts, texts, targets)]
    if any(row.type == "queue" for row in rows):  # it says more of queues than that they exist
        rows += (row for row in deployment.expected if row.kind != "queue")
    else:
        rows += deployment.expected
    files[f"{root}/{EXPECTED_FILE}"] = expected_text(rows)
    notes = [*changes.notes, *cloud.notes(spec, deployment)]
    if not (out / root / ROOT).exists():
        files[f"{root}/{ROOT}"] = (MODULES / cloud.name / "root" / ROOT).read_text("utf-8")
    copied, more = module_files(cloud.name, out / "modules" / cloud.name)
    files |= {f"modules/{cloud.name}/{name}": text for name, text in copied.items()}
    return ExportFiles(root, files, (*notes, *more), changes.commands)


def expected_text(expected: Iterable[Expected]) -> str:
    """Return the file by which ``leeward doctor`` compares what is there."""
    entries = [
        {name: value for name, value in row._asdict().items() if value or name in _ALWAYS}
        for row in expected
    ]
    return json.dumps({EXPECTED: entries}, indent=2) + "\n"


def _last_facts(folder: Path) -> tuple[Any, Any]:
    """Return the facts and the retained facts of the last export; None for those of the first one.

    Raises:
        ConfigError: they were edited, or are gone although they must have been there.
    """
    result: list[Any] = []
    for name in (FACTS, RETAINED):
        path = folder / name
        if path.exists():
            result.append(facts_from(path.read_text("utf-8"), str(path)))
        elif (folder / ROOT).exists() and FACTS not in (folder / ROOT).read_text("utf-8"):
            raise ConfigError(
                f"{folder} has the files of an earlier leeward export: keep its state, delete its "
                ".tf files, and export again; docs/facts.md says how the state moves"
            )
        elif (folder / ROOT).exists():
            raise ConfigError(
                f"{path} is not there, and {folder / ROOT} is: what an earlier export has made is "
                f"known from {name} alone, so restore it from version control"
            )
        else:
            result.append(None)
    return result[0], result[1]


def module_texts(cloud: str) -> dict[str, str]:
    """Return the files of the module of a cloud, by their paths in it."""
    return {name: text for name, text in _texts_in(MODULES / cloud) if name != f"root/{ROOT}"}


def _texts_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of a module, and of one inside it."""
    for path in sorted((*folder.glob("*.tf"), *folder.glob("*/*.tf"))):
        yield path.relative_to(folder).as_posix(), path.read_text("utf-8")


def module_files(cloud: str, folder: Path) -> tuple[dict[str, str], Iterator[str]]:
    """Return what is to be written of a module into its folder, and what is to be said of it."""
    texts, here = module_texts(cloud), dict(_texts_in(folder))
    record = {"version": version("leeward-deploy"), "digest": digest_of(texts)}
    whole = {**texts, RECORD: json.dumps(record, indent=2) + "\n"}
    if not here:
        return whole, iter(())
    if digest_of(here) == record["digest"]:
        return {}, iter(())
    try:
        copied = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        copied = {}
    if copied.get("digest") == digest_of(here):
        surplus = sorted(here.keys() - texts.keys())
        notes = [f"{folder} is that of leeward-deploy {record['version']} now"]
        notes += [f"{folder / name} is not of this version: delete it" for name in surplus]
        return whole, iter(notes)
    note = (
        f"{folder} was edited, so it stays as it is; it came with leeward-deploy "
        f"{copied.get('version', 'of another version')}, and this is {record['version']}: compare "
        f"it with {MODULES / cloud}"
    )
    return {}, iter((note,) if copied.get("version") != record["version"] else ())

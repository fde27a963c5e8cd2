"""What is in a package is told with the reason: the shortest way from who requires it."""

from __future__ import annotations

from pathlib import Path

from leeward_deploy.inventory import Inventory, owners_in, parts_in, roots_of, size_text
from leeward_deploy.sources import sources_of


def installed(place: Path, name: str, *requires: str, size: int = 10) -> None:
    """Install a distribution with one module, by the files that an installer writes."""
    info = place / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = "".join(f"Requires-Dist: {each}\n" for each in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{lines}")
    (place / f"{name}.py").write_text("x" * size)
    (info / "RECORD").write_text(f'{name}.py,sha256=x,{size}\n"a, b.txt",,\n')


def test_each_package_is_there_for_a_reason(tmp_path: Path) -> None:
    """By extras, files within files, and lines that are not requirements; the largest first."""
    place = tmp_path / "place"
    installed(place, "web", "core>=1", "fast; extra == 'speed'", "win; sys_platform == 'win32'")
    installed(place, "core", "not a requirement !!", "deep", size=500)
    installed(place, "deep", "core")
    installed(place, "fast")
    installed(place, "leeward")
    installed(place, "Odd_Name")
    (tmp_path / "more.txt").write_text("odd-name==1.0 --hash=sha256:0\n")
    (tmp_path / "requirements.txt").write_text(
        "# what it needs\n--index-url https://x\n-r more.txt\n-r gone.txt\nweb[speed] \\\n  ==1.0\n"
    )
    roots = roots_of(["leeward==1.0"], [tmp_path / "requirements.txt"])
    assert roots == {"requirements.txt": ["odd-name", "web[speed]"], "leeward": ["leeward"]}
    parts = parts_in(place, owners_in(place), roots)
    assert {each.name: each.why for each in parts} == {
        "core": ("requirements.txt", "web[speed]"),
        "deep": ("requirements.txt", "web[speed]", "core"),
        "fast": ("requirements.txt", "web[speed]"),
        "leeward": ("leeward",),
        "Odd_Name": ("requirements.txt",),
        "web": ("requirements.txt",),
    }
    assert (parts[0].name, parts[0].bytes, parts[0].files) == ("core", 500, 1)
    document = Inventory(parts, {"shop.py": 3}, (), {}).document()
    assert document["packages"][0]["why"] == ["requirements.txt", "web[speed]"]
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["web>=1"]\n')
    assert roots_of((), [tmp_path / "pyproject.toml"])["pyproject.toml"] == ["web"]
    assert [size_text(each) for each in (12, 2_100, 2_100_000)] == ["0.0 kB", "2.1 kB", "2.1 MB"]


def test_what_stays_behind_is_told_with_the_reason(tmp_path: Path) -> None:
    """But caches: they are many, and nobody asks for them."""
    for name in (
        *("shop.py", "id_rsa", "notes.txt", ".env", "big.bin", "venv/pyvenv.cfg", "build/x"),
        *("__pycache__/shop.pyc", "shop.pyc", "sub/a.tmp", "old/aws.zip"),
        "old/aws.requirements.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("notes.txt\n")
    (tmp_path / "sub/.leewardignore").write_text("*.tmp\n")
    found = sources_of(tmp_path, ("*.bin",), tmp_path / "build")
    assert found.kept == ("shop.py",)
    assert dict(found.left) == {
        ".env": "its name begins with a dot",
        ".gitignore": "its name begins with a dot",
        "big.bin": "by --exclude",
        "build": "an earlier output",
        "id_rsa": "may hold secrets or data, or is a test",
        "notes.txt": "by .gitignore of .",
        "old": "an earlier output",
        "sub/.leewardignore": "its name begins with a dot",
        "sub/a.tmp": "by .leewardignore of sub",
        "venv": "an environment of Python",
    }

"""A package: the folder that a platform loads, its zip, and the list of what is in it.

It is put together in a folder of its own, and takes the place of the last one when it is whole. The
bytes of the zip follow from what is in it: no times, no order of a disk, two modes. With one zlib
they are the same on every machine; another may compress differently, so its version is told.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from packaging.utils import canonicalize_name

from leeward.errors import ConfigError
from leeward_deploy.entry import entry_text, handler_calls
from leeward_deploy.imports import Contents, check_imports
from leeward_deploy.inventory import Inventory, owners_in, parts_in, roots_of
from leeward_deploy.recipe import ARCHES, Limit, PackageSpec, Recipe
from leeward_deploy.sources import copy_files
from leeward_deploy.uv import CHOSEN, LIST, Goal, NotLoadable, PackageSource, install, resolve

TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Of every file: the first that a zip can tell."""

FILE: Final = 0o100644
PROGRAM: Final = 0o100755
"""Modes: readable by all, as platforms want it, whatever a disk says."""

LEVEL: Final = 6
"""Of compression: 9 takes three times as long, and saves 1 %."""

_UNIX: Final = 3

ZLIB: Final = zlib.ZLIB_RUNTIME_VERSION
"""The zlib that decides on the bytes."""

NOISE: Final = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json")
"""What an installer writes beside a package, and differs from one to the next."""

IDLE: Final = (
    *("leeward/__main__.py", "leeward/app/by_hand.py", "leeward/cli/", "leeward/status/"),
    *("leeward/testing/", "leeward/views/", "leeward/worker/", "leeward_backup/commands/"),
    *(
        f"leeward_{cloud}/{part}.py"
        for cloud in ("aws", "azure", "google")
        for part in ("runtime/trial", "looks", "functions/logs")
    ),
    *("leeward_aws/resources.py", "leeward/_operations/protocols.py"),
)
"""Rooms that no function loads: the command line with what only its commands ask of a cloud,
workers, and what tests and type checkers use."""

EMBEDDED: Final = (
    *("leeward/local/", "leeward/_delivery/", "leeward/workflow/embedded/"),
    *("leeward/leases/", "leeward/_sqlite/", "leeward/outbox.py", "leeward/stores.py"),
)
"""Rooms of the embedded target and its engine of workflows. A function loads them only if its
settings name that target, or its code or a library imports it. `leeward.registry` opens them, and
says so where they are not there."""

SERVING: Final = tuple(
    f"leeward/app/{name}.py" for name in ("connection", "http_server", "serving")
)
"""What serves functions over HTTP. A platform does that itself, so a function loads it only if its
code names `serve_functions`."""


def pack(folder: Path) -> bytes:
    """Return a folder's files as a zip."""
    target = BytesIO()
    files = {path.relative_to(folder).as_posix(): path for path in files_below(folder)}
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name in sorted(files):
            info = ZipInfo(name, TIME)
            info.create_system = _UNIX
            info.compress_type = ZIP_DEFLATED
            is_program = files[name].stat().st_mode & 0o100
            info.external_attr = (PROGRAM if is_program else FILE) << 16
            archive.writestr(info, files[name].read_bytes(), compresslevel=LEVEL)
    return target.getvalue()


def files_below(folder: Path) -> list[Path]:
    """Return every file below a folder; links are followed."""
    return [path for path in folder.rglob("*") if path.is_file()]


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, by their paths."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)


class Origin(NamedTuple):
    """What a package is made of.

    Attributes:
        folder: of the user.
        files: of it that go along.
        requires: files of the user with what the app requires.
        source: where packages come from.
        left: entry files of other clouds, which do not go along.
        denied: what stays behind because such files hold secrets or data.
        settings: a file that becomes the package's ``leeward.toml``; None for that of the folder.
        embedded: the settings name the embedded target.
        left_out: all that stays behind, each with the reason.
    """

    folder: Path
    files: Sequence[str]
    requires: Sequence[Path]
    source: PackageSource
    left: Sequence[str] = ()
    denied: Sequence[str] = ()
    settings: Path | None = None
    embedded: bool = False
    left_out: Sequence[tuple[str, str]] = ()


class Package(NamedTuple):
    """A package that was made.

    Attributes:
        folder: what the platform loads.
        zip: the same in one file.
        list: what is required, with versions and hashes.
        digest: SHA-256 of the zip.
        zlib: whose version decides on the zip's bytes.
        sizes: bytes, by ``zip`` and ``folder``.
        notes: what there is to say of it.
        inventory: what is in it, and why.
    """

    folder: Path
    zip: Path
    list: Path
    digest: str
    zlib: str
    sizes: Mapping[str, int]
    notes: tuple[str, ...]
    inventory: Inventory


def build(spec: PackageSpec, recipe: Recipe, origin: Origin, out: Path, name: str) -> Package:
    """Make a package in the folder `out`, under `name`.

    Raises:
        ConfigError: the platform would not load it; what is wrong is named, with a remedy.
    """
    folder, archive, listed = out / name, out / f"{name}.zip", out / f"{name}.{LIST}"
    if folder.exists() and not (folder / recipe.entry).exists():
        raise ConfigError(
            f"{folder} is there, and is not a package that was made here; name another --out"
        )
    # Check that a file which the platform loads is its entry file, if the user has one.
    if recipe.entry in origin.left:
        raise ConfigError(
            f"{recipe.entry} is what the platform loads, and yours calls handler() for another "
            f"cloud; correct that, or leave it out with --exclude {recipe.entry}"
        )
    entry = spec.files.get(recipe.entry)
    if entry is not None and not any(handler_calls(entry, recipe.entry)):
        raise ConfigError(
            f"{recipe.entry} is what the platform loads, and yours does not call handler() of the "
            f"app; rename it, or leave it out with --exclude {recipe.entry}"
        )
    with _folder_beside(out) as place:
        work = Path(place).resolve()
        package = work / name
        text, inventory = _assemble(spec, recipe, origin, package, work)
        content = pack(package)
        sizes = {
            "zip": len(content),
            "folder": sum(path.stat().st_size for path in files_below(package)),
        }
        notes = check_sizes(sizes, recipe.limits, largest(package))
        if origin.denied:
            denied = ", ".join(origin.denied)
            note = (
                f"left out, because such files hold secrets or data, or are tests: {denied}; a "
                "line like !name in .leewardignore takes one along"
            )
            notes += (note,)
        if recipe.check is not None:
            notes += recipe.check(package, origin.source)
        rmtree(folder, ignore_errors=True)
        package.replace(folder)
        archive.write_bytes(content)
        listed.write_text(text, encoding="utf-8")
    digest = sha256(content).hexdigest()
    return Package(folder, archive, listed, digest, ZLIB, sizes, notes, inventory)


def check_sizes(
    sizes: Mapping[str, int], limits: Iterable[Limit], parts: Sequence[str]
) -> tuple[str, ...]:
    """Check a package's sizes; return what there is to say of them.

    Raises:
        ConfigError: one is over a limit of the platform; its source and a remedy are named, and the
            largest `parts`.
    """
    notes = []
    for limit in limits:
        size = sizes[limit.what]
        if size > limit.bytes:
            text = (
                f"the {limit.what} has {size:,} bytes, and the platform takes {limit.bytes:,} "
                f"({limit.source}); most of it: {', '.join(parts)}; {limit.remedy}"
            )
            if limit.refuses:
                raise ConfigError(text)
            notes.append(text)
    return tuple(notes)


def largest(folder: Path, count: int = 3) -> list[str]:
    """Return what takes most of a folder, by its first name below it, with megabytes."""
    sizes: dict[str, int] = {}
    for path in files_below(folder):
        parts = path.relative_to(folder).parts
        # Where what is required stands in a folder of its own, that is a hidden one.
        part = parts[min(3, len(parts) - 1)] if parts[0].startswith(".") else parts[0]
        sizes[part] = sizes.get(part, 0) + path.stat().st_size
    top = sorted(sizes.items(), key=lambda row: (-row[1], row[0]))[:count]
    return [f"{name} {size / 1e6:.1f} MB" for name, size in top]


def check_built(place: Path, names: Sequence[str]) -> None:
    """Check that what was built here is pure Python: native code would be of this machine.

    Raises:
        NotLoadable: it is not.
    """
    for file in sorted(place.glob("*.dist-info/WHEEL")):
        name, _, version = file.parent.name.removesuffix(".dist-info").partition("-")
        tags = re.findall(r"^Tag:\s*(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        is_pure = all(tag.endswith("-none-any") for tag in tags)
        if canonicalize_name(name) in map(canonicalize_name, names) and not is_pure:
            raise NotLoadable(
                f"{name} {version} is a wheel for {' or '.join(tags)}, with native code"
            )


def _assemble(
    spec: PackageSpec, recipe: Recipe, origin: Origin, package: Path, work: Path
) -> tuple[str, Inventory]:
    """Fill the folder `package`; return the list of what is required, and what is in it."""
    goal = Goal(spec.python, ARCHES[spec.arch], recipe.system.glibc)
    place = package / recipe.place
    place.mkdir(parents=True)
    try:
        versions = resolve(recipe.requires, origin.requires, goal, origin.source, work)
        requirements = [*recipe.built, f"-c {work / CHOSEN}"]
        built = (
            {*resolve(requirements, (), goal, origin.source, work)} if recipe.built else set[str]()
        )
        lines_here = [line for name, line in versions.items() if name not in built]
        install(lines_here, goal, origin.source, place, work)
        owners, unused = _trim(place, origin)
        check_built(place, origin.source.built)
        entries = {spec.entry.module, recipe.entry.removesuffix(".py")}
        made_here = (file.removesuffix(".py") for file in recipe.files)
        contents = Contents(
            *(origin.folder, origin.files, place, (*recipe.provided, *made_here), built),
            listed=origin.requires[0].name if origin.requires else LIST,
        )
        check_imports(contents, entries)
    except NotLoadable as error:
        where = f"{recipe.system.name} (glibc {'.'.join(map(str, recipe.system.glibc))})"
        raise ConfigError(
            f"what the app needs does not load on {where}: {error}; {recipe.system.remedy}"
        ) from error
    copy_files(origin.folder, origin.files, package)
    if origin.settings is not None:
        write_files(package, {"leeward.toml": origin.settings.read_bytes()})
    # What is written besides the user's files, and in their place.
    more = {name: text.encode() for name, text in recipe.files.items() if name not in spec.files}
    if recipe.entry not in spec.files:
        more[recipe.entry] = entry_text(spec.entry, recipe.statement).encode()
    if recipe.lists:
        lines = [line for name, line in versions.items() if not recipe.built or name in built]
        more[LIST] = "".join(f"{line}\n" for line in lines).encode()
    write_files(package, more)
    return "".join(f"{line}\n" for line in versions.values()), Inventory(
        parts_in(place, owners, roots_of(recipe.requires, origin.requires)),
        {file: (package / file).stat().st_size for file in origin.files},
        tuple(sorted(more)),
        unused,
    )


def _trim(place: Path, origin: Origin) -> tuple[dict[str, str], dict[str, int]]:
    """Remove what the package does not need of what was installed.

    Return which distribution each file is of, and the bytes of the rooms that were removed.
    """
    owners, rooms = owners_in(place), unused_rooms(place, origin)
    unused = {
        room: sum((place / path).stat().st_size for path in owners if path.startswith(room))
        for room in (*IDLE, *rooms)
    }
    clean(place, rooms)
    return owners, {room: size for room, size in unused.items() if size}


def clean(place: Path, unused: tuple[str, ...] = ()) -> None:
    """Remove what an installer leaves behind, and the rooms that no function, or not this, loads.

    Args:
        place: where packages were installed.
        unused: rooms that are removed besides `IDLE`.
    """
    rmtree(place / "bin", ignore_errors=True)
    for path in files_below(place):
        if (
            path.relative_to(place).as_posix().startswith((*IDLE, *unused))
            or path == place / ".lock"
            or (path.parent.suffix == ".dist-info" and path.name in NOISE)
        ):
            path.unlink()
    for path in sorted(place.rglob("__pycache__"), reverse=True):
        rmtree(path)


_OUTBOX: Final = re.compile(rb"(from|import) leeward_postgres\b")
"""All that a program imports of that adapter; its calls are rows, as deliveries are."""


def unused_rooms(place: Path, origin: Origin) -> tuple[str, ...]:
    """Return the rooms that neither the settings nor the user's code nor a library name.

    Args:
        place: where packages were installed, leeward among them.
        origin: the user's files.
    """
    own_code = [origin.folder / file for file in origin.files if file.endswith(".py")]
    libraries = (file for file in files_below(place) if place / "leeward" not in file.parents)
    texts = [file.read_bytes() for file in (*own_code, *libraries) if file.suffix == ".py"]
    is_embedded = origin.embedded or any(_EMBEDDED_NAMES.search(text) for text in texts)
    is_embedded = is_embedded or any(_OUTBOX.search(file.read_bytes()) for file in own_code)
    is_serving = any(b"serve_functions" in text for text in texts)
    return (*(() if is_embedded else EMBEDDED), *(() if is_serving else SERVING))


_EMBEDDED_NAMES: Final = re.compile(rb"leeward\.(?:local|leases|stores|workflow\.embedded)\b")
"""Modules of `EMBEDDED` that code outside of leeward imports: an app, or the adapter of a database
that keeps its rows by leases."""


def _folder_beside(out: Path) -> TemporaryDirectory[str]:
    """Make a folder on the same disk as `out`, so that what is in it can be moved there.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=".package-", dir=out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from error

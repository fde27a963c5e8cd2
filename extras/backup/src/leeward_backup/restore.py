"""Restore a backup into a table: first read it all, then write, then read the table again.

Nothing is written before every segment was read and every item is known to fit the limits, values
and keys of the table. A work file knows which segments are done, so a run that was killed goes on
with the next one; an item that it had written already is recognised by its content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

from leeward._items.checks import checked_size
from leeward._items.encoding import NativeValue, natives_in, without_natives
from leeward._items.names import longest_name
from leeward._operations.upkeep import TableHome
from leeward.adapter import Limits
from leeward.entropy import new_id
from leeward.errors import InvalidRequest
from leeward.values import Promise
from leeward_backup.check import check_still_there, compare, missing_since, read_segment
from leeward_backup.checkpoints import WorkFile
from leeward_backup.folder import Folder, Named
from leeward_backup.lines import NATIVE_BEGIN, Damaged, Kept, kept_in, line_of
from leeward_backup.manifest import Manifest, Multiset, Segment
from leeward_backup.sealing import Sealing
from leeward_backup.tables import RateLimit, Table
from leeward_backup.values import BackupError, Fit, Look, Progress, Restored

MOST_TIMES: Final = 16
"""How many times as large as its line an item is, at most, by the measure of `checked_size`: a list
of lists that are empty. A test looks for more."""

_SURROGATE: Final = b"\\ud"
"""How half of a pair of surrogates is written."""

ANY_MODEL: Final = "*"
"""In place of a data model: the values of all are kept."""

MOST_NAMED: Final = 3  # values of an item that are named

CHUNK_LINES: Final = 200

CHUNK_BYTES: Final = 512 * 1024
"""That one thread writes before it takes others, by one request where the target takes so many. A
list of digits is eleven times as long in a JSON that names the type of each value, and a target may
take no request of over 10 MiB."""

MOST_FINDINGS: Final = 1000  # items in the way that are named

_CHECKED: Final = "checked"
_DONE: Final = "done"
_MISSING: Final = "missing"
_RUN: Final = "run"

_WRITES: Final = "restore-"
"""How its write ids begin: `local` and PostgreSQL look for it."""


def surely_fits(line: bytes, limits: Limits) -> bool:
    """Return whether an item can be stored for sure; only those that may not be are measured.

    By far most items are so small that their line says so.
    """
    small = len(line) * MOST_TIMES < limits.item_bytes
    tags = line.count(b'{"$') - line.count(b'{"$$')
    # A list in a list counts twice; all brackets together are at least as many as the levels.
    flat = 2 * line.count(b"[") + line.count(b"{") - tags <= limits.nesting
    key = line.find(b'],"v":')  # as JSON, in which no text is shorter
    named = len(line) < limits.name_bytes and NATIVE_BEGIN not in line
    return small and flat and named and 0 <= key <= limits.key_bytes and _SURROGATE not in line


def keeps(limits: Limits, native: NativeValue) -> bool:
    """Return whether a target keeps a value that only one provider has."""
    return limits.model in (ANY_MODEL, native.model)


def misfit(kept: Kept, home: TableHome, *, plain: bool = False) -> str:
    """Return why an item cannot be stored; empty if it can.

    With `plain`, values that only another provider has may become plain ones.
    """
    limits = home.limits
    if any(len(value.encode("utf-8", "replace")) > limits.key_bytes for value in kept.key):
        return f"its key has more than {limits.key_bytes} bytes"
    if kept.expires_at is not None and not home.keeps_expiry:
        return "it expires, and items cannot there"
    foreign = [
        path
        for path, native in natives_in(kept.item)
        if not (plain or native.is_number or keeps(limits, native))
    ]
    if foreign:
        models = " and ".join(sorted({native.model for _, native in natives_in(kept.item)}))
        more = f", and {len(foreign) - MOST_NAMED} more" if len(foreign) > MOST_NAMED else ""
        return (
            f"{', '.join(foreign[:MOST_NAMED])}{more}: only {models} has values like these; "
            "restore them as what load_data returns of them with --plain"
        )
    item = without_natives(kept.item)
    longest = longest_name(item)
    if longest > limits.name_bytes:
        return f"a name in it has {longest} bytes, and at most {limits.name_bytes} can be there"
    try:
        size = checked_size(item)
    except InvalidRequest as error:
        return str(error)
    if size.bytes > limits.item_bytes:
        return f"it has {size.bytes} bytes, and at most {limits.item_bytes} are possible there"
    if size.depth > limits.nesting:
        return f"it is nested {size.depth} deep, and at most {limits.nesting} are possible there"
    return ""


def finding(line: bytes, kept: Kept, home: TableHome, *, plain: bool = False) -> str:
    """Return the key of the item of a line, and why it cannot be stored; empty if it can."""
    if surely_fits(line, home.limits) and (home.keeps_expiry or kept.expires_at is None):
        return ""
    why = misfit(kept, home, plain=plain)
    return f"{' / '.join(kept.key)}: {why}" if why else ""


class Mode(StrEnum):
    """What becomes of items that are in the table."""

    EMPTY = "empty"
    """There must not be any."""
    MISSING = "missing"
    """They stay, and only items whose keys are not there are written."""
    OVERWRITE = "overwrite"
    """They are replaced where the backup has the same key."""


class Restore(NamedTuple):
    """What a restore works with.

    Attributes:
        folder: with the backup.
        sealing: proves it.
        manifest: of the backup.
        table: gets the items.
        mode: what becomes of items that are there.
        rate_limit: of writing.
        parallel: threads that write.
        look: is told how far it has come.
        named: the backup; None where nobody asks what came after it.
        skip_damaged: leave out what is damaged, and name it.
        plain: write values that only another provider has as plain ones.
        run: names this restore, and is the same for those that continue it.
    """

    folder: Folder
    sealing: Sealing
    manifest: Manifest
    table: Table
    mode: Mode
    rate_limit: RateLimit
    parallel: int
    look: Look
    named: Named | None = None
    skip_damaged: bool = False
    plain: bool = False
    run: str = ""


class Done(NamedTuple):
    """What was done so far.

    Attributes:
        segments: of the manifest.
        written: items that were stored.
        kept: items that stayed as they were in the table.
        expired: items that were left out.
        lasting: the sum of the digests of the lines of those that do not expire, and how many;
            stored ones and kept ones alike, as the backup has them.
        expiring: the same of those that do.
        plain: items of which values that only another provider has were written as plain ones.
    """

    segments: int = 0
    written: int = 0
    kept: int = 0
    expired: int = 0
    lasting: tuple[int, int] = (0, 0)
    expiring: tuple[int, int] = (0, 0)
    plain: int = 0


def dry_run(restore: Restore) -> Fit:
    """Read the whole backup, and tell which items could not be stored.

    Raises:
        BackupError: it is damaged.
    """
    if restore.table.fields != restore.manifest.key:
        raise BackupError(
            f"the key of the backup is {' / '.join(restore.manifest.key)}, and that of table "
            f"{restore.table.name!r} is {' / '.join(restore.table.fields)}; set key in "
            f"[tables.{restore.table.name}]"
        )
    home, now = restore.table.home, restore.table.clock.now()
    whole, expired, items = Multiset(), 0, 0
    findings, missing = list[str](), list[str]()
    total = len(restore.manifest.segments)
    for number, segment in enumerate(restore.manifest.segments, 1):
        for at, line in enumerate(_lines_of(restore, segment, missing), 1):
            kept = _item_of(restore, line, f"{segment.name}, line {at}", missing)
            if kept is None:
                continue
            whole.add(line)
            items += 1
            expired += _is_past(kept, now)
            flaw = finding(line, kept, home, plain=restore.plain)
            if flaw and len(findings) < MOST_FINDINGS:
                findings.append(flaw)
        restore.look(Progress("check", number, total, "segments"))
    if not missing:
        compare(restore.manifest, restore.sealing, whole)
    if restore.mode is Mode.EMPTY and not _is_empty(restore.table):
        findings.append(f"table {restore.table.name!r} holds items already")
    return Fit(
        restore.manifest.id,
        restore.table.name,
        home.target,
        items - expired,
        expired,
        (*findings,),
        (*missing,),
    )


def _lines_of(restore: Restore, segment: Segment, missing: list[str]) -> Iterator[bytes]:
    """Yield the lines of a segment; note in `missing` if it is damaged.

    Raises:
        BackupError: it is, and that is not to be left out.
    """
    try:
        lines = read_segment(restore.folder, restore.sealing, segment)
    except BackupError as error:
        _leave_out(restore, f"{error} ({segment.items:,} items)", missing)
        return
    yield from lines


def _item_of(restore: Restore, line: bytes, where: str, missing: list[str]) -> Kept | None:
    """Return the item of a line; None for a damaged one, which is noted in `missing`.

    Raises:
        BackupError: it is damaged, and that is not to be left out.
    """
    try:
        return kept_in(line)
    except Damaged as error:
        _leave_out(restore, f"segment {where}: {error}", missing)
        return None


def _leave_out(restore: Restore, damage: str, missing: list[str]) -> None:
    if restore.named is not None:
        check_still_there(restore.folder, restore.named)
    if not restore.skip_damaged:
        raise BackupError(
            f"the backup {restore.manifest.id} is damaged; what is sound of it is restored with "
            "--skip-damaged",
            (damage,),
        )
    missing.append(damage)


def restore_into(restore: Restore, work: WorkFile) -> Restored:
    """Restore a backup, or continue a restore that was killed.

    Raises:
        BackupError: it is damaged, or does not fit; nothing was written.
        LeewardError: it went wrong on the way; the next run continues from there.
    """
    with work.hold():
        if restore.mode is Mode.EMPTY and work.state(_DONE) and _is_empty(restore.table):
            work.clear()  # somebody has emptied the table since: what is done is gone
        if not work.state(_CHECKED):
            fit = dry_run(restore)
            if fit.findings:
                work.remove()
                raise BackupError(
                    f"the backup {fit.id} cannot be restored into table {fit.table!r} of "
                    f"{fit.target}; nothing was written",
                    fit.findings,
                )
            work.note({_CHECKED: True, _MISSING: [*fit.missing]})
        run = work.state(_RUN) or new_id(restore.table.clock.now())
        work.note({_RUN: run})
        restore = restore._replace(run=run)
        done = _write_all(restore, work)
        restored = _verify(restore, done, tuple(work.state(_MISSING) or ()))
        work.remove()
    return restored


def _is_empty(table: Table) -> bool:
    return not any(page.rows for page in table.pages())


def _is_past(kept: Kept, now: float) -> bool:
    return kept.expires_at is not None and kept.expires_at <= now


def _write_all(restore: Restore, work: WorkFile) -> Done:
    done = Done(**(work.state(_DONE) or {}))
    segments = restore.manifest.segments
    written = sum(segment.items for segment in segments[: done.segments])
    missing: list[str] = work.state(_MISSING) or []
    with ThreadPoolExecutor(restore.parallel) as threads:
        for segment in segments[done.segments :]:
            lines = _lines_of(restore, segment, missing)  # it may be damaged since it was checked
            for part in threads.map(lambda chunk: _write(restore, chunk), _chunks(lines)):
                done = Done(
                    *(_add(first, second) for first, second in zip(done, part, strict=True))
                )
            done = done._replace(segments=done.segments + 1)
            work.note({_DONE: done._asdict(), _MISSING: [*dict.fromkeys(missing)]})
            written += segment.items
            restore.look(Progress("write", written, restore.manifest.items, "items"))
            restore.rate_limit.wait(segment.items)
    return done


def _chunks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    chunk, size = list[bytes](), 0
    for line in lines:
        if chunk and (len(chunk) == CHUNK_LINES or size + len(line) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line)
    if chunk:
        yield chunk


def _add(first: Any, second: Any) -> Any:
    if isinstance(second, int):
        return first + second
    return tuple(map(sum, zip(first, second, strict=True)))


def _write(restore: Restore, lines: Sequence[bytes]) -> Done:
    """Store the items of some lines."""
    done, now = Done(), restore.table.clock.now()
    lasting, expiring = Multiset(), Multiset()
    left, plain, expired = list[tuple[Kept, bytes]](), 0, 0
    for line in lines:
        item = _item_of(restore, line, "", [])
        if item is None:
            continue
        if _is_past(item, now):
            expired += 1
            continue
        item_, lossy = _adapt(restore, item, line)
        left.append(item_)
        plain += lossy
    for item, line in left:
        (lasting if item.expires_at is None else expiring).add(line)
    kept = _store(restore, left).count(False)
    return done._replace(
        written=len(left) - kept,
        kept=kept,
        expired=expired,
        lasting=(lasting.total, lasting.items),
        expiring=(expiring.total, expiring.items),
        plain=plain,
    )


def _adapt(restore: Restore, item: Kept, line: bytes) -> tuple[tuple[Kept, bytes], bool]:
    """Return an item and its line as the table can hold them, and whether that is another value.

    A number that is equal counts as the same value.
    """
    if NATIVE_BEGIN not in line:
        return (item, line), False
    limits = restore.table.home.limits
    others = [native for _, native in natives_in(item.item) if not keeps(limits, native)]
    if not others:
        return (item, line), False
    item = item._replace(item=without_natives(item.item))
    return (item, line_of(*item)), not all(native.is_number for native in others)


def _store(restore: Restore, items: Sequence[tuple[Kept, bytes]]) -> list[bool]:
    """Store items; return of each False if another one stays at its key."""
    # The same for an item in one restore, so that a repeated write is known for what it is.
    begin = restore.run.encode()
    write_ids = [_WRITES + sha256(begin + line).hexdigest()[:32] for _, line in items]
    kept = [item for item, _ in items]
    stored = restore.table.put(kept, write_ids, if_absent=restore.mode is not Mode.OVERWRITE)
    return [
        done or restore.table.line_at(item.key) == line
        for done, (item, line) in zip(stored, items, strict=True)
    ]


def _verify(restore: Restore, done: Done, missing: tuple[str, ...]) -> Restored:
    """Read the table again, and promise no more than that has shown."""
    lasting, expiring = Multiset(), Multiset()
    for row in _rows(restore):
        (lasting if row.expires_at is None else expiring).add(row.line)
    restore.table.begin_anew()
    # What of the table that was backed up is not in this one, as far as that is known.
    lost = [f"{what} of {count:,} items" for what, count in restore.manifest.lost.items()]
    since = [] if restore.named is None else missing_since(restore.folder, restore.named)
    reasons = [
        *(f"the backup does not hold {segment}" for segment in lost),
        *([f"damaged parts of the backup were left out ({len(missing):,})"] if missing else []),
        *([f"{done.plain:,} items have values as load_data returns them"] if done.plain else []),
        *since,
    ]
    why = "; ".join(reasons)
    if lasting != Multiset(done.lasting[1], done.lasting[0]):
        why = "the table holds other items than the backup"
        if restore.mode is not Mode.EMPTY:
            why += "; who restores into a table with items can have that"
    elif expiring != Multiset(done.expiring[1], done.expiring[0]):
        why = "items that expire are not those of the backup; they may have expired meanwhile"
    return Restored(
        promise=Promise.RESTORED if why else Promise.VERIFIED,
        id=restore.manifest.id,
        table=restore.table.name,
        target=restore.table.home.target,
        written=done.written,
        kept=done.kept,
        expired=done.expired,
        found=lasting.items + expiring.items,
        why=why,
        missing=missing,
    )


def _rows(restore: Restore) -> Iterator[Any]:
    read, total = 0, restore.manifest.items
    for page in restore.table.pages():
        yield from page.rows
        read += len(page.rows)
        restore.look(Progress("verify", read, total, "items"))

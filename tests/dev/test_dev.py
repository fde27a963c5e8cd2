"""`leeward dev` as a process: what it runs, how it is loaded again, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread

from leeward.local import Local
from leeward.stores import SCHEDULE, NewRow, Recipient
from tests.dev.running import PATIENT, SHOP, Dev, Reply, wait_until

BROKEN = f"{SHOP}\nraise LookupError('never shown')\n"
LINE = BROKEN.count("\n")


def test_an_app_runs_and_is_loaded_again(run_dev: Callable[..., Dev], shop: Path) -> None:
    """Everything of an app is live; a change comes in, an error is shown, and no call fails."""
    dev = run_dev()
    dev.wait_for_line("watching")
    dev.wait_for_line("shop runs at local", str(shop / ".leeward/local.sqlite3"))
    assert dev.invoke("version").value == 1
    _everything_is_live(dev, shop)
    _it_runs_what_a_command_has_published(dev, shop)
    _a_failure_has_frames_and_its_text(dev, shop)
    _a_change_fails_no_call(dev, shop)
    _an_error_is_shown_until_it_is_mended(dev, shop)
    _a_process_that_ends_is_started_by_a_change(dev, shop)
    assert dev.end() == 0
    with suppress(OSError):
        dev.ask(dev.address)
        raise AssertionError("it still listens")


def _everything_is_live(dev: Dev, shop: Path) -> None:
    assert dev.invoke("begin", "a").status == 200
    local = Local(path=shop / ".leeward/local.sqlite3")
    due = json.dumps("2026-01-01T00:00:00+00:00")
    local.stores().deliveries.add([NewRow(Recipient(SCHEDULE, "rise"), None, "rise", due)], 5)
    local.close()
    for name in ("event-a", "message-a", "object-a", "step-a", "schedule"):
        wait_until(partial(_is_seen, dev, name))
    refused = dev.invoke("begins")
    assert refused.status == 404
    assert "did you mean 'begin'?" in refused.value["errorMessage"]
    assert "leeward trigger remember" in dev.invoke("remember").value["errorMessage"]
    assert b"begin" in dev.ask(dev.address).body
    assert dev.ask(dev.console.partition("?")[0]).status == 401
    assert dev.ask(dev.console).status == 200
    assert dev.invoke("version", None, Origin="http://evil.example").status == 403


def _it_runs_what_a_command_has_published(dev: Dev, shop: Path) -> None:
    """The command knows the handler, too, and leaves the run to the process that shows it."""
    before = dev.lines
    words = ["-m", "leeward", "publish", "orders", "order.created", '{"name": "b"}']
    subprocess.run([sys.executable, *words], cwd=shop, check=True, timeout=PATIENT)
    assert dev.wait_for_line('"remember"', '"event"', after=before)["outcome"] == "ok"


def _is_seen(dev: Dev, name: str) -> bool:
    return dev.invoke("is-seen", name).value is True


def _a_failure_has_frames_and_its_text(dev: Dev, shop: Path) -> None:
    assert dev.invoke("fail", "hunter2").value["errorType"] == "ValueError"
    entry = dev.wait_for_line('"fail"', "ValueError")
    lines = (shop / "shop.py").read_text().splitlines()
    numbers = [lines.index(text) + 1 for text in ("    check(secret)", _RAISE)]
    places = [f"shop.py:{number}" for number in numbers]
    assert [place for each, place in zip(entry["frames"], places, strict=True) if place in each]
    assert entry["frames"][-1].endswith("check")
    assert entry["text"] == "no parcel for hunter2"


_RAISE = '    raise ValueError(f"no parcel for {secret}")'


def _a_change_fails_no_call(dev: Dev, shop: Path) -> None:
    """Call without a pause, while the app is loaded again."""
    replies: list[Reply | Exception] = []
    is_over = Event()

    def call() -> None:
        while not is_over.is_set():
            try:
                replies.append(dev.invoke("version"))
            except Exception as error:  # noqa: BLE001 - every one is reported
                replies.append(error)

    thread = Thread(target=call, daemon=True)
    thread.start()
    wait_until(lambda: replies)
    (shop / "shop.py").write_text(SHOP.replace("VERSION = 1", "VERSION = 2"))
    try:
        wait_until(lambda: isinstance(replies[-1], Reply) and replies[-1].value == 2)
    finally:
        is_over.set()
    thread.join()
    assert {each.status if isinstance(each, Reply) else repr(each) for each in replies} == {200}
    failures = dev.ask(f"{dev.console.partition('?')[0]}handlers?name=fail").body
    assert b"failed: ValueError" in failures  # of before the change


def _an_error_is_shown_until_it_is_mended(dev: Dev, shop: Path) -> None:
    (shop / "shop.py").write_text(BROKEN)
    dev.wait_for_line("LookupError", f"shop.py:{LINE}")
    reply = dev.invoke("version")
    assert reply.status == 503
    assert (reply.value["reason"], reply.value["ran"]) == ("not_loaded", "no")
    page = dev.ask(dev.console)
    assert page.status == 503
    assert f"shop.py:{LINE}".encode() in page.body
    assert dev.ask(f"{dev.address}/health").status == 503
    assert "never shown" not in dev.text
    (shop / "shop.py").write_text(SHOP)
    wait_until(lambda: dev.invoke("version").status == 200)


def _a_process_that_ends_is_started_by_a_change(dev: Dev, shop: Path) -> None:
    with suppress(OSError):
        dev.invoke("die")
    dev.wait_for_line("exit code 3")
    reply = dev.invoke("version")
    assert reply.status == 503
    assert b"leeward_dev" not in reply.body  # no place of leeward's own
    (shop / "shop.py").write_text(f"{SHOP}\n")
    settings = (shop / "leeward.toml").read_text()
    (shop / "leeward.toml").write_text("[")
    assert dev.wait_for_line("is not TOML")["frames"] == []
    (shop / "leeward.toml").write_text(settings)
    wait_until(lambda: dev.invoke("version").status == 200)


def test_ctrl_c_ends_a_call_that_hangs(run_dev: Callable[..., Dev], shop: Path) -> None:
    """One Ctrl-C waits for calls, two do not; state of ``--fresh`` is gone then."""
    dev = run_dev("--drain", "600", "--no-reload", "--fresh")
    state = Path(dev.wait_for_line("runs at local")["text"].partition("state is in ")[2].split()[0])
    state = state.parent
    assert state.is_dir()
    assert not (shop / ".leeward").exists()
    with suppress(OSError):
        Thread(target=lambda: _ignore(dev), daemon=True).start()
    wait_until((shop / "hangs").exists)
    dev.child.send_signal(signal.SIGINT)
    dev.wait_for_line("a second Ctrl-C")
    assert dev.child.poll() is None
    assert dev.end() == 130
    wait_until(lambda: not state.exists())


def _ignore(dev: Dev) -> None:
    with suppress(OSError):
        dev.invoke("hang")


def test_the_app_ends_with_the_process_that_watches(run_dev: Callable[..., Dev]) -> None:
    """If that is killed, nobody is left at the port."""
    dev = run_dev("--no-reload")
    dev.wait_for_line("runs at local")
    dev.child.kill()
    dev.child.wait()

    def is_free() -> bool:
        try:
            dev.ask(f"{dev.address}/health")
        except OSError:
            return True
        return False

    wait_until(is_free)

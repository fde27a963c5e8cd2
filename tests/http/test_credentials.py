"""The credential cache: early renewal, one flight, and nothing of it in a repr."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from leeward.http.credentials import EARLY, Age, Credential, CredentialCache, age_of
from leeward.testing import FakeClock


class Issuer:
    """Issues numbered secrets that live for `life` seconds."""

    def __init__(self, clock: FakeClock, life: float = 3600.0) -> None:
        self.clock = clock
        self.life = life
        self.issued = 0
        self.down: Exception | None = None
        self.before: Callable[[], object] = lambda: None

    def __call__(self) -> Credential:
        self.before()
        if self.down:
            raise self.down
        self.issued += 1
        now = self.clock.now()
        return Credential(f"secret-{self.issued}", now, now + self.life)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


@pytest.fixture
def cache(clock: FakeClock) -> CredentialCache:
    return CredentialCache(clock.now, lambda: 0.0)


@pytest.mark.parametrize(
    ("after", "chance", "age"),
    [
        (0, 0.0, Age.GOOD),
        (3299, 0.0, Age.GOOD),
        (3300, 0.0, Age.DUE),
        (3300, 0.99, Age.GOOD),
        (3360, 0.99, Age.DUE),
        (3600, 0.5, Age.OVER),
    ],
)
def test_how_a_credential_ages(after: float, chance: float, age: Age) -> None:
    """It is due five minutes before its end, less up to a fifth of that by chance."""
    credential = Credential("s", 0.0, 3600.0)
    assert age_of(credential, after, chance) is age


def test_a_short_credential_is_not_due_at_once() -> None:
    """The early time is a share of a short life."""
    assert age_of(Credential("s", 0.0, EARLY), 0.0, 0.0) is Age.GOOD
    assert age_of(Credential("s", 0.0, None), 1e12, 0.0) is Age.GOOD


def test_it_is_fetched_once_for_each_scope(cache: CredentialCache, clock: FakeClock) -> None:
    """Later calls take it from memory."""
    issuer = Issuer(clock)
    assert [cache.get("a", issuer) for _ in range(3)] == ["secret-1"] * 3
    assert cache.get("b", issuer) == "secret-2"


def test_it_is_renewed_early(cache: CredentialCache, clock: FakeClock) -> None:
    """A new one comes before the old one ends."""
    issuer = Issuer(clock)
    cache.get("a", issuer)
    clock.advance(3301.0)
    assert cache.get("a", issuer) == "secret-2"


def test_a_failed_early_renewal_is_not_heard_of(cache: CredentialCache, clock: FakeClock) -> None:
    """The old secret still holds; once it is over, the failure is the caller's."""
    issuer = Issuer(clock)
    cache.get("a", issuer)
    clock.advance(3301.0)
    issuer.down = OSError("token endpoint down")
    assert cache.get("a", issuer) == "secret-1"
    clock.advance(300.0)
    with pytest.raises(OSError, match="endpoint down"):
        cache.get("a", issuer)
    issuer.down = None
    assert cache.get("a", issuer) == "secret-2"


def test_a_refused_secret_is_replaced_once(cache: CredentialCache, clock: FakeClock) -> None:
    """Whoever comes later with the same refusal gets the replacement."""
    issuer = Issuer(clock)
    old = cache.get("a", issuer)
    assert [cache.get("a", issuer, refused=old) for _ in range(5)] == ["secret-2"] * 5
    assert issuer.issued == 2


@pytest.mark.parametrize("refused", [None, "secret-1"])
def test_two_hundred_waiting_calls_make_one_fetch(
    cache: CredentialCache, clock: FakeClock, refused: str | None
) -> None:
    """At the start, and after a refusal, one thread fetches and all get its secret."""
    issuer = Issuer(clock)
    if refused:
        assert cache.get("a", issuer) == refused
    everyone = threading.Barrier(200)
    got: list[str] = []

    def ask() -> None:
        everyone.wait(30)
        got.append(cache.get("a", issuer, refused=refused))

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(got)) == 1
    assert len(got) == 200
    assert issuer.issued == (2 if refused else 1)


def test_while_one_renews_the_others_go_on(cache: CredentialCache, clock: FakeClock) -> None:
    """A due secret still holds, so nobody waits for the renewal."""
    issuer = Issuer(clock)
    cache.get("a", issuer)
    clock.advance(3301.0)
    renewing, go = threading.Event(), threading.Event()

    def hold() -> None:
        renewing.set()
        assert go.wait(30)

    issuer.before = hold
    thread = threading.Thread(target=cache.get, args=("a", issuer))
    thread.start()
    assert renewing.wait(30)
    assert cache.get("a", issuer) == "secret-1"
    go.set()
    thread.join(30)
    assert cache.get("a", issuer) == "secret-2"


def test_a_secret_is_in_no_repr() -> None:
    """Whatever prints a credential does not print the secret."""
    assert "secret" not in repr(Credential("secret", 0.0)).replace("Credential", "")

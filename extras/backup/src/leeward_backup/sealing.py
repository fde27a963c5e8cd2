"""How segments and manifests are proved to be what was written: by digests, or with a key.

Without a key a digest proves that nothing was damaged. With one, nobody who has not got the key can
read the items, learn that two tables hold the same, or change anything without being noticed.

Keys change: several may be known, of which the first one is written with, and the others only
read. What one key has written in one place differs from what it writes in every other one.
"""

from __future__ import annotations

import os
from base64 import b64decode
from binascii import Error
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_of
from pathlib import Path
from stat import S_IMODE, S_IROTH, S_IWGRP, S_IWOTH
from typing import Any, Final, Protocol

from leeward.errors import ConfigError
from leeward.logs import log_event
from leeward_backup.lines import Damaged

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12

LOGGER = "leeward.backup"


class Sealing(Protocol):
    """What proves a backup.

    Attributes:
        key_id: names the key, and tells nothing about it; None without one.
        suffix: of the names of segments.
    """

    key_id: str | None
    suffix: str

    def name(self, digest: bytes) -> str:
        """Return the name that a digest gives, in hex."""

    def close(self, name: str, data: bytes) -> bytes:
        """Return what is stored for the data of a segment."""

    def open(self, name: str, stored: bytes) -> bytes:
        """Return the data of a segment.

        Raises:
            Damaged: it is not what was stored under this name.
        """

    def seal(self, document: bytes) -> str:
        """Return what proves a manifest, in hex."""


class Digests:
    """Proof by SHA-256, without a key."""

    key_id: str | None = None
    suffix = ""

    def name(self, digest: bytes) -> str:
        """Return the digest itself."""
        return digest.hex()

    def close(self, name: str, data: bytes) -> bytes:
        """Return the data as they are."""
        del name
        return data

    def open(self, name: str, stored: bytes) -> bytes:
        """Return the data as they are; the digest in the manifest proves them."""
        del name
        return stored

    def seal(self, document: bytes) -> str:
        """Return the SHA-256 of a manifest."""
        return sha256(document).hexdigest()


class Encryption:
    """AES-256-GCM for segments, and HMAC-SHA-256 for names, digests and manifests.

    Each segment has a key of its own, derived from the key, the place and the segment's name, and
    is bound to that name; its nonce is derived from its content. So the same content gives the same
    bytes in one place, and other ones elsewhere, and no nonce serves two contents. Names are HMACs
    of the digests of the texts, since plain digests would show who keeps the same.

    Args:
        key: 32 bytes.
        place: bucket, prefix and table; None for the first format, in which all places were alike.

    Raises:
        ConfigError: it is not that, or the package ``cryptography`` is not installed.
    """

    suffix = ".enc"

    def __init__(self, key: bytes, place: str | None = None) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigError(f"a key for backups has {KEY_BYTES} bytes, not {len(key)}")
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise ConfigError(
                'encrypted backups need the package cryptography: pip install "leeward[encryption]"'
            ) from error
        self._aead = AESGCM
        root = key if place is None else hmac_of(key, b"place\0" + place.encode(), "sha256")
        self._names, self._manifests, self._segments, self._nonces = (
            hmac_of(root, purpose, "sha256")
            for purpose in (b"names", b"manifests", b"segments", b"nonces")
        )
        self.key_id: str | None = hmac_of(key, b"id", "sha256").hex()[:16]

    def __repr__(self) -> str:
        return f"Encryption(key_id={self.key_id!r})"

    def name(self, digest: bytes) -> str:
        """Return the HMAC of a digest."""
        return hmac_of(self._names, digest, "sha256").hex()

    def close(self, name: str, data: bytes) -> bytes:
        """Encrypt; the nonce comes first."""
        content = name.encode() + sha256(data).digest()
        nonce = hmac_of(self._nonces, content, "sha256")[:_NONCE_BYTES]
        sealed: bytes = self._of(name).encrypt(nonce, data, name.encode())
        return nonce + sealed

    def open(self, name: str, stored: bytes) -> bytes:
        """Decrypt."""
        from cryptography.exceptions import InvalidTag

        nonce, sealed = stored[:_NONCE_BYTES], stored[_NONCE_BYTES:]
        try:
            data: bytes = self._of(name).decrypt(nonce, sealed, name.encode())
        except (InvalidTag, ValueError):
            raise Damaged("it cannot be decrypted with this key") from None
        return data

    def seal(self, document: bytes) -> str:
        """Return the HMAC of a manifest."""
        return hmac_of(self._manifests, document, "sha256").hex()

    def _of(self, name: str) -> Any:
        return self._aead(hmac_of(self._segments, name.encode(), "sha256"))


def is_sealed(sealing: Sealing, document: bytes, seal: object) -> bool:
    """Return whether this seal proves this manifest."""
    return isinstance(seal, str) and compare_digest(sealing.seal(document).encode(), seal.encode())


class Keys:
    """The keys that are known, of backups in one place.

    Args:
        keys: 32 bytes each; the first one is written with. None of them: digests prove it all.
        place: bucket, prefix and table.

    Attributes:
        place: the same.
        current: what is written with.
    """

    def __init__(self, keys: Sequence[bytes], place: str) -> None:
        self._keys = keys
        self.place = place
        self.current: Sealing = Encryption(keys[0], place) if keys else Digests()

    def find(self, key_id: str | None, place: str | None) -> Sealing | None:
        """Return what proves a manifest; None if its key is not known.

        Args:
            key_id: that it names.
            place: where it says that it was written; None for the first format.
        """
        if key_id is None:
            return None if self._keys else Digests()
        encryptions = (Encryption(key, place) for key in self._keys)
        return next((encryption for encryption in encryptions if encryption.key_id == key_id), None)

    def open(self, name: str, stored: bytes) -> bytes:
        """Return the data of a checkpoint, with whichever key it was written.

        Raises:
            Damaged: it is not what was stored under this name, or none of the keys fits.
        """
        for place in (self.place, None):
            for key in self._keys:
                with suppress(Damaged):
                    return Encryption(key, place).open(name, stored)
        return self.current.open(name, stored)


def keys_of(key_files: Path | Sequence[Path] | None) -> list[bytes]:
    """Return the keys in files.

    Args:
        key_files: each holds 32 bytes, as they are, in hex or in base64; ``openssl rand -base64
            32`` makes one.

    Raises:
        ConfigError: a file holds something else, or may be read or written by others.
    """
    files = [key_files] if isinstance(key_files, Path) else key_files or ()
    return [*map(_key_of, files)]


def _key_of(key_file: Path) -> bytes:
    try:
        mode = key_file.stat().st_mode
        held = key_file.read_bytes()
    except OSError as error:
        raise ConfigError(f"the key file {key_file} cannot be read: {error.strerror}") from error
    if os.name == "posix" and mode & (S_IWOTH | S_IWGRP):
        raise ConfigError(
            f"the key file {key_file} has the mode {S_IMODE(mode):04o}, with which others can "
            f"change the key; run `chmod 600 {key_file}`, and use a new key"
        )
    if os.name == "posix" and mode & S_IROTH:  # as packages of functions have all their files
        log_event(LOGGER, "warning", "key_file_is_readable", path=str(key_file))
    if len(held) == KEY_BYTES:
        return held
    for read in (_from_hex, _from_base64):
        key = read(held.strip())
        if len(key) == KEY_BYTES:
            return key
    raise ConfigError(
        f"the key file {key_file} does not hold 32 bytes, plain, in hex or in base64; make one "
        "with: openssl rand -base64 32"
    )


def _from_hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return b""


def _from_base64(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except Error:
        return b""

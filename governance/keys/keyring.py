"""What may be done with a root secret: derive keys of projects, sign, seal. It cannot be taken out."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import NoReturn, Self, SupportsIndex

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from governance.datatypes import Confidential
from governance.errors import Misconfigured, Tampered
from governance.signed_note import NEWER_LIBRARY, NO_ML_DSA

EPOCH = 1
"""The first one. It is part of every derivation, so that a later epoch re-keys without a new root."""

REKEYED = "key-rekeyed"
"""The event from which on a project has a later epoch."""

NO_EPOCH = 0
"""Of what has to be the same in every epoch."""

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class ProjectKeys(Confidential):
    """What a worker needs to pseudonymise for one project in one epoch: 32 bytes for each purpose."""

    project: str
    epoch: int
    patient: bytes
    study: bytes
    accession: bytes
    uid: bytes
    shift: bytes
    consistent: bytes
    surrogate: bytes
    person: bytes
    digest: bytes


class Seal(Confidential):
    """Encrypts and opens the values of one purpose. It may go to a worker process."""

    __slots__ = ("_cipher", "_key")

    def __init__(self, key: bytes) -> None:
        self._key, self._cipher = key, AESSIV(key)

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        return type(self), (self._key,)

    def close(self, text: str, *, bound: Sequence[str] = ()) -> bytes:
        """Encrypt `text`. The same text gives the same bytes, so that it can be looked up.

        Equal texts are therefore seen to be equal, and lengths are seen; nothing else is.

        bound: without the same ones it does not open (RFC 5297: associated data, each a component of its own).
        """
        # Python holds file names that are no UTF-8 as lone surrogates; they must come back.
        return self._cipher.encrypt(b"\1" + text.encode("utf-8", "surrogatepass"), _components(bound))

    def open(self, sealed: bytes, *, bound: Sequence[str] = ()) -> str:
        """What was sealed.

        Raises:
            Tampered: the bytes were changed, or sealed for another purpose, place or workspace.
        """
        try:
            opened = self._cipher.decrypt(sealed, _components(bound))
        except (InvalidTag, ValueError):
            opened = b""
        if not opened.startswith(b"\1"):
            raise Tampered("a sealed value does not open with the key of this workspace")
        return opened[1:].decode("utf-8", "surrogatepass")


def _components(bound: Sequence[str]) -> list[bytes] | None:
    return [part.encode() for part in bound] or None


class Keyring(Confidential):
    """The root secret, as the few things that may be done with it. It cannot be pickled or copied."""

    __slots__ = ("_post_quantum", "_root", "_seals", "_signing", "public_key")

    public_key: bytes
    """Raw Ed25519 key, 32 bytes."""

    def __init__(self, root: bytes | bytearray) -> None:
        self._root = bytearray(root)  # a copy of its own, which it wipes when nobody needs it any more
        if len(root) != SECRET_BYTES:
            raise ValueError("not a root secret")
        self._signing = Ed25519PrivateKey.from_private_bytes(derive(root, "signing"))
        self._seals: dict[str, Seal] = {}
        self._post_quantum: MLDSA44PrivateKey | None = None
        self.public_key = self._signing.public_key().public_bytes_raw()

    def __del__(self) -> None:
        self._root[:] = bytes(len(self._root))

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a keyring stays in its process")

    @classmethod
    def generate(cls) -> Self:
        """A new root secret, which exists nowhere else until it is written."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits that name the signing key."""
        return sha256(self.public_key).hexdigest()[:16]

    def project(self, name: str, *, epoch: int = EPOCH) -> ProjectKeys:
        """The keys of one project in one epoch.

        Two projects share none, and two epochs of one do not either, so their pseudonyms cannot be linked.
        """
        purposes = [field.name for field in fields(ProjectKeys) if field.name not in ("project", "epoch")]
        made = {purpose: derive(self._root, purpose, project=name, epoch=epoch) for purpose in purposes}
        return ProjectKeys(name, epoch, **made)

    def tombstone_key(self, project: str) -> bytes:
        """What digests of patients who withdrew are made with: of no epoch, so that they outlive every pseudonym.

        project: empty for digests that hold in every project.
        """
        return derive(self._root, "tombstone", project=project, epoch=NO_EPOCH)

    def vault(self, project: str, *, epoch: int = EPOCH) -> Seal:
        """What seals the keys of the patients of one project in the vault, and can do nothing else."""
        return Seal(derive(self._root, "vault", project=project, epoch=epoch, length=64))

    def sign(self, data: bytes) -> bytes:
        """Ed25519, 64 bytes."""
        return self._signing.sign(data)

    @property
    def post_quantum_key(self) -> bytes:
        """Raw ML-DSA-44 key (FIPS 204), 1312 bytes.

        Raises:
            Misconfigured: the library of this machine has none.
        """
        return self._ml_dsa().public_key().public_bytes_raw()

    def sign_post_quantum(self, data: bytes) -> bytes:
        """ML-DSA-44, pure and hedged, with an empty context: 2420 bytes, others each time.

        Raises:
            Misconfigured: the library of this machine has none.
        """
        return self._ml_dsa().sign(data)

    def _ml_dsa(self) -> MLDSA44PrivateKey:
        if self._post_quantum is None:  # derived where it is needed: few logs have it
            with suppress(UnsupportedAlgorithm):
                self._post_quantum = MLDSA44PrivateKey.from_seed_bytes(derive(self._root, "signing ml-dsa"))
        if self._post_quantum is None:
            raise Misconfigured(NO_ML_DSA, hint=NEWER_LIBRARY)
        return self._post_quantum

    def seal_of_epoch(self, purpose: str, *, project: str, epoch: int) -> Seal:
        """As `seal_of`; the same text gives other bytes in another epoch, and from the second on in another project."""
        return self.seal_of(purpose if epoch == EPOCH else f"{purpose} of {project} in epoch {epoch}")

    def seal(self, text: str, *, purpose: str) -> bytes:
        """As `Seal.close`, for one purpose."""
        return self.seal_of(purpose).close(text)

    def unseal(self, sealed: bytes, *, purpose: str) -> str:
        """As `Seal.open`, for one purpose."""
        return self.seal_of(purpose).open(sealed)

    def seal_of(self, purpose: str) -> Seal:
        """What seals for one purpose and can do nothing else."""
        if purpose not in self._seals:
            self._seals[purpose] = Seal(derive(self._root, f"seal {purpose}", length=64))
        return self._seals[purpose]


def derive(root: bytes | bytearray, purpose: str, *, project: str = "", epoch: int = EPOCH, length: int = 32) -> bytes:
    """HKDF-SHA256 (RFC 5869) for one purpose, project and epoch.

    Each field goes in behind its length, so that no two triples give the same info.
    """
    parts = (b"governance", purpose.encode(), project.encode(), str(epoch).encode())
    info = b"".join(len(part).to_bytes(4) + part for part in parts)
    return HKDF(SHA256(), length, salt=None, info=info).derive(root)

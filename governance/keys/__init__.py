"""The root secret of a workspace, and every key that is derived from it. Keys never print.

    keyring.py   what may be done with the secret: derive, sign, seal
    files.py     the key file: written once, read with its mode checked, opened

One secret of 32 random bytes lies in a file of mode 0600, wrapped by AES-GCM under
scrypt(passphrase), or as it is where there is no passphrase. Everything else is
HKDF-SHA256 of it, for one purpose, project and epoch: the same secret gives the same
pseudonyms for ever, and whoever loses it can never link a later run to an earlier one.
"""

from governance.keys.files import PASSPHRASE, PASSPHRASE_FILE, create, load, needs_passphrase, read_passphrase
from governance.keys.keyring import EPOCH, SECRET_BYTES, Keyring, ProjectKeys, Seal, derive

__all__ = [
    "EPOCH",
    "PASSPHRASE",
    "PASSPHRASE_FILE",
    "SECRET_BYTES",
    "Keyring",
    "ProjectKeys",
    "Seal",
    "create",
    "derive",
    "load",
    "needs_passphrase",
    "read_passphrase",
]

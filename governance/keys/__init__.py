"""The root secret of a workspace, and every key that is derived from it. Keys never print.

    keyring.py   what may be done with the secret: derive, sign, seal
    files.py     the key file: written once, proved, read with its mode checked
    provider.py  who wraps the secret in it: the protocol, and what is said of it there
    opening.py   from what is said there to the provider
    local.py     a passphrase, or none
    pkcs11.py    a key in a token
    vault.py     a key in HashiCorp Vault
    kms.py       a key in AWS KMS
    quiet.py     what these three share
    shamir.py    the secret in parts, of which any few give it
    signers.py   keys of single persons, who sign what they answer for
    shares.py    these as text that can be typed
    encoding.py  bytes as text

One secret of 32 random bytes lies in a file of mode 0600, wrapped by a provider. Everything
else is HKDF-SHA256 of it, for one purpose, project and epoch: the same secret gives the same
pseudonyms for ever, and whoever loses it can never link a later run to an earlier one.

Buffers of the secret are wiped after use. Python cannot wipe what libraries hand over in
immutable objects: the random bytes of a new secret, text of JSON, answers of a service.
"""

from typing import TYPE_CHECKING

from governance import lazily

if TYPE_CHECKING:
    from governance.keys.files import create, forget_left, load, recorded, replace, rewrap, save
    from governance.keys.keyring import EPOCH, REKEYED, SECRET_BYTES, Keyring, ProjectKeys, Seal, derive
    from governance.keys.local import PASSPHRASE, PASSPHRASE_FILE, read_passphrase
    from governance.keys.opening import asks
    from governance.keys.provider import FORMS, KeyProvider, Kind, Place, Settings, wipe
    from governance.keys.shamir import MOST
    from governance.keys.shares import Share, backed_up, restored
    from governance.keys.signers import PUBLIC, Signer, key_id, load_signer, make_signer, read_public_key, write_new
else:
    __getattr__ = lazily.importing(__name__)

__all__ = [
    "EPOCH",
    "FORMS",
    "MOST",
    "PASSPHRASE",
    "PASSPHRASE_FILE",
    "PUBLIC",
    "REKEYED",
    "SECRET_BYTES",
    "KeyProvider",
    "Keyring",
    "Kind",
    "Place",
    "ProjectKeys",
    "Seal",
    "Settings",
    "Share",
    "Signer",
    "asks",
    "backed_up",
    "create",
    "derive",
    "forget_left",
    "key_id",
    "load",
    "load_signer",
    "make_signer",
    "read_passphrase",
    "read_public_key",
    "recorded",
    "replace",
    "restored",
    "rewrap",
    "save",
    "wipe",
    "write_new",
]

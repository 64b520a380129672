"""The root secret wrapped by the transit engine of HashiCorp Vault, or of OpenBao, over its API.

Settings: `mount` and `key`. Where Vault is and who asks come from its usual variables:
VAULT_ADDR, VAULT_TOKEN (or ~/.vault-token), VAULT_NAMESPACE, VAULT_CACERT, VAULT_CAPATH,
VAULT_CLIENT_CERT and VAULT_CLIENT_KEY. The token needs `update` on MOUNT/encrypt/KEY and
MOUNT/decrypt/KEY, and nothing else.

The head of the key file goes along as associated data, and the public key as context, which
derived keys need and others ignore.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from governance.errors import GovernanceError, Misconfigured, Unavailable
from governance.keys.keyring import SECRET_BYTES
from governance.keys.provider import Head, Settings
from governance.keys.quiet import carries_secrets, in_clear, quiet

TIMEOUT = 30
"""Seconds."""

_CLOSED = "vault does not open the root key"


class Transit:
    """A key of the transit engine."""

    def __init__(self, settings: Settings, *, environ: Mapping[str, str]) -> None:
        self._mount, self._key = str(settings["mount"]), str(settings["key"])
        self._environ = environ

    def wrap(self, secret: bytearray, head: Head) -> bytes:
        """What transit makes of the secret, `vault:v1:...`; it is bound to `head`, or refused.

        Raises:
            Misconfigured, Unavailable: Vault refuses or is away; or it binds nothing, as before 1.9.
        """
        answer = self._ask("encrypt", head, plaintext=b64encode(secret).decode())
        wrapped = _text(answer, "ciphertext").encode()
        if self._opens(wrapped, Head(head.public_key, head.bound + b" ")):
            hint = "it takes Vault 1.9 or OpenBao, and a key of type aes256-gcm96"
            raise Misconfigured("vault does not bind what it encrypts to its associated data", hint=hint)
        return wrapped

    def unwrap(self, wrapped: bytes, head: Head) -> bytearray:
        """The secret. Raises as `wrap`, and Misconfigured if it was wrapped by another key or changed."""
        answer = self._ask("decrypt", head, ciphertext=wrapped.decode("ascii"))
        opened = _decoded(_text(answer, "plaintext"))
        if opened is None or len(opened) != SECRET_BYTES:
            raise Misconfigured("vault gave no root secret back", hint="is VAULT_ADDR that of Vault?")
        return bytearray(opened)

    def _opens(self, wrapped: bytes, head: Head) -> bool:
        try:
            self.unwrap(wrapped, head)
        except Misconfigured as refusal:
            if str(refusal) == _CLOSED:
                return False
            raise
        return True

    def _ask(self, act: str, head: Head, **said: str) -> Any:
        client = self._client()
        bound = {
            "associated_data": b64encode(head.bound).decode(),
            "context": b64encode(bytes.fromhex(head.public_key)).decode(),
        }
        transit = client.secrets.transit
        call = transit.encrypt_data if act == "encrypt" else transit.decrypt_data
        try:
            with quiet():
                return _answer(lambda: call(name=self._key, mount_point=self._mount, **said, **bound), act)
        finally:
            client.adapter.close()

    def _client(self) -> Any:
        address = self._environ.get("VAULT_ADDR", "")
        if not address:
            raise Misconfigured("it is not said where vault is", hint="set VAULT_ADDR")
        if not carries_secrets(address):
            raise Misconfigured("the way to vault is not encrypted", hint="VAULT_ADDR begins with https://")
        try:
            import hvac
        except ImportError:
            hvac = None
        if hvac is None:
            raise Misconfigured("a root key in vault needs an extra", hint="pip install 'governance[vault]'")
        said = self._environ
        cert = (said.get("VAULT_CLIENT_CERT"), said.get("VAULT_CLIENT_KEY"))
        client = hvac.Client(
            url=address,
            token=said.get("VAULT_TOKEN") or None,
            cert=cert if all(cert) else None,
            verify=said.get("VAULT_CACERT") or said.get("VAULT_CAPATH") or True,
            namespace=said.get("VAULT_NAMESPACE") or None,
            timeout=TIMEOUT,
            allow_redirects=False,  # a redirection could take the secret to where nobody said
        )
        if in_clear(address):
            client.adapter.session.trust_env = False  # nor could HTTP_PROXY
        if not client.token:
            client.adapter.close()
            raise Misconfigured("there is no token for vault", hint="set VAULT_TOKEN")
        return client


def _answer(call: Callable[[], Any], act: str) -> Any:
    """What Vault answers. Its errors quote addresses and paths; ours do not, and are raised apart from them."""
    import requests
    from hvac.exceptions import VaultError

    problem: GovernanceError
    try:
        return call()
    except VaultError as error:
        problem = _problem(type(error).__name__, act)
    except requests.exceptions.SSLError:
        problem = Misconfigured("the certificate of vault is not trusted", hint="set VAULT_CACERT")
    except requests.exceptions.RequestException:
        problem = Unavailable("vault does not answer", hint="is VAULT_ADDR right, and can this machine reach it?")
    except (OSError, ValueError):  # a certificate that is not there; an answer that is no JSON
        problem = Misconfigured("vault cannot be asked", hint="see VAULT_ADDR, VAULT_CACERT and VAULT_CLIENT_CERT")
    raise problem


def _problem(name: str, act: str) -> GovernanceError:
    match name:
        case "Forbidden" | "Unauthorized":
            return Misconfigured("vault refuses the token", hint=f"its policy must let it update MOUNT/{act}/KEY")
        case "InvalidPath":
            return Misconfigured("vault has no transit engine there", hint="is the mount right, and VAULT_NAMESPACE?")
        case "InvalidRequest" if act == "decrypt":
            return Misconfigured(_CLOSED, hint="is it the key that wrapped it, and the key file as it was?")
        case "InvalidRequest":
            return Misconfigured("vault does not encrypt with this key", hint="is it there, of type aes256-gcm96?")
        case _:
            return Unavailable(f"vault failed ({name})", hint="is it sealed? run the same command again later")


def _text(answer: Any, name: str) -> str:
    found = answer.get("data") if isinstance(answer, dict) else None
    text = found.get(name) if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise Misconfigured("vault gave an answer that is not transit's", hint="is VAULT_ADDR that of Vault?")
    return text


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None

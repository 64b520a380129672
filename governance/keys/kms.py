"""The root secret wrapped by a symmetric key of AWS KMS.

Setting: `key`, its id, ARN or alias/NAME. Region, credentials and endpoint come from the usual
variables, files and roles (AWS_REGION or AWS_DEFAULT_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_KMS,
...). They need kms:Encrypt and kms:Decrypt on that key, and nothing else.

The encryption context holds the public key and a digest of the head. It is no secret, and AWS
writes it into CloudTrail.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from governance.errors import GovernanceError, Misconfigured, Unavailable
from governance.keys.keyring import SECRET_BYTES
from governance.keys.provider import Head, Settings
from governance.keys.quiet import carries_secrets, in_clear, quiet

TIMEOUT = 30
"""Seconds, for each of three tries."""


class Kms:
    """A key of AWS KMS."""

    def __init__(self, settings: Settings, *, environ: Mapping[str, str]) -> None:
        self._key = str(settings["key"])
        self._environ = environ

    def wrap(self, secret: bytearray, head: Head) -> bytes:
        """What KMS makes of the secret. Raises Misconfigured or Unavailable: KMS refuses or is away."""
        answer = self._ask("encrypt", Plaintext=bytes(secret), EncryptionContext=_context(head))
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, head: Head) -> bytearray:
        """The secret. Raises as `wrap`, and Misconfigured if it was wrapped by another key or changed."""
        answer = self._ask("decrypt", CiphertextBlob=wrapped, EncryptionContext=_context(head))
        opened = bytearray(answer["Plaintext"])
        if len(opened) != SECRET_BYTES:
            raise Misconfigured("kms gave no root secret back", hint="is AWS_ENDPOINT_URL_KMS that of AWS?")
        return opened

    def _ask(self, act: str, **said: Any) -> Any:
        with quiet():
            client = self._client()
            try:
                return _answer(lambda: getattr(client, act)(KeyId=self._key, **said))
            finally:
                client.close()

    def _client(self) -> Any:
        try:
            import boto3
        except ImportError:
            boto3 = None
        if boto3 is None:
            raise Misconfigured("a root key in kms needs an extra", hint="pip install 'governance[kms]'")
        from botocore.config import Config

        config = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 3})
        region = self._environ.get("AWS_REGION") or None  # boto3 reads AWS_DEFAULT_REGION alone

        def made(config: Config) -> Any:
            return _answer(lambda: boto3.session.Session().client("kms", region_name=region, config=config))

        client = made(config)
        address = client.meta.endpoint_url  # where it is, only the client knows
        if in_clear(address):
            client.close()
            if not carries_secrets(address):
                raise Misconfigured("the way to kms is not encrypted", hint="AWS_ENDPOINT_URL_KMS begins with https://")
            client = made(config.merge(Config(proxies={})))
        return client


def _context(head: Head) -> dict[str, str]:
    return {"governance:public-key": head.public_key, "governance:head": sha256(head.bound).hexdigest()}


def _answer(call: Callable[[], Any]) -> Any:
    """What boto3 gives. Its errors quote keys and accounts; ours do not, and are raised apart from them."""
    from botocore import exceptions

    problem: GovernanceError
    try:
        return call()
    except exceptions.ClientError as error:
        problem = _problem(str(error.response.get("Error", {}).get("Code", "")))
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound):
        problem = Misconfigured("there are no credentials for kms", hint="set AWS_PROFILE, or those of a role")
    except exceptions.NoRegionError:
        problem = Misconfigured("it is not said in which region kms is", hint="set AWS_REGION")
    except exceptions.SSLError:
        problem = Misconfigured("the certificate of kms is not trusted", hint="set AWS_CA_BUNDLE")
    except (exceptions.HTTPClientError, exceptions.ConnectionError):
        problem = Unavailable("kms does not answer", hint="can this machine reach it? run the same command again later")
    except (exceptions.BotoCoreError, ValueError):
        problem = Misconfigured("kms cannot be asked", hint="see the AWS_ variables and the files that they name")
    raise problem


_AGAIN = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestLimitExceeded"),
    *("TooManyRequestsException", "LimitExceededException", "SlowDown", "RequestTimeout", "RequestTimeoutException"),
    *("KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "InternalFailure"),
    *("InternalError", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException"),
}
_OTHERS = {"InvalidCiphertextException", "IncorrectKeyException"}
_REFUSED = {"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException"}
_EXPIRED = {"ExpiredTokenException", "IncompleteSignatureException", "MissingAuthenticationTokenException"}
_OUT_OF_USE = {"DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException"}


def _problem(code: str) -> GovernanceError:
    if code in _AGAIN:
        return Unavailable("kms is busy", hint="run the same command again later")
    if code in _OTHERS:
        hint = "is it the key that wrapped it, and the key file as it was?"
        return Misconfigured("kms does not open the root key", hint=hint)
    if code in _REFUSED | _EXPIRED:
        return Misconfigured("kms refuses these credentials", hint="they need kms:Encrypt and kms:Decrypt on the key")
    if code == "NotFoundException":
        return Misconfigured("kms has no such key", hint="is it the right region and account?")
    if code in _OUT_OF_USE:
        return Misconfigured("the key in kms cannot be used", hint="is it symmetric, enabled, not awaiting deletion?")
    return Misconfigured("kms refuses the request", hint="see CloudTrail for what it says of it")

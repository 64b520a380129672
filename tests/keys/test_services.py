"""The root secret under a key of a service: Vault's transit engine, AWS KMS. Their own clients ask."""

import json
import logging
import os
import secrets
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from governance import keys
from governance.errors import GovernanceError, Misconfigured, Unavailable
from governance.keys import Kind, Place
from governance.keys.quiet import carries_secrets, quiet
from tests.keys.services import TOKEN, Kms, Service, Vault, certificate, serving

VAULT = Place(Kind.VAULT, {"mount": "transit", "key": "governance"})
KMS = Place(Kind.KMS, {"key": "alias/governance"})
PLACES = {"vault": VAULT, "kms": KMS}
AWS_SECRET = "wJalrXUtnFEMIGeheim"


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("VAULT_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(params=["vault", "kms"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def service(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with serving({"vault": Vault, "kms": Kms}[name]) as service:
        for variable, value in {
            "VAULT_ADDR": service.address,
            "VAULT_TOKEN": TOKEN,
            "AWS_ENDPOINT_URL_KMS": service.address,
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        }.items():
            monkeypatch.setenv(variable, value)
        yield service


@pytest.fixture
def root(tmp_path: Path, name: str, service: Service) -> Path:
    keys.create(tmp_path / "root.json", passphrase=None, place=PLACES[name])
    return tmp_path / "root.json"


def refused(path: Path, kind: type[GovernanceError] = Misconfigured) -> str:
    """What is said where the key file does not open; it quotes no value, and chains no error that could."""
    with pytest.raises(kind) as refusal:
        keys.load(path, passphrase=None)
    said = f"{refusal.value} / {refusal.value.hint}"

    assert refusal.value.hint
    assert refusal.value.__context__ is None
    assert not [value for value in (TOKEN, AWS_SECRET, "AKIDEXAMPLE", "127.0.0.1", str(path)) if value in said]
    return str(refusal.value)


def test_a_secret_comes_back_from_the_service(tmp_path: Path, name: str, service: Service) -> None:
    created = keys.create(tmp_path / "root.json", passphrase=None, place=PLACES[name])

    assert created.project("demo") == keys.load(tmp_path / "root.json", passphrase=None).project("demo")
    assert PLACES[name] == keys.recorded(tmp_path / "root.json")


def test_neither_secret_nor_credentials_stand_in_the_file(root: Path) -> None:
    keyring, written = keys.load(root, passphrase=None), root.read_text()

    assert not [value for value in (TOKEN, AWS_SECRET, "AKIDEXAMPLE", "127.0.0.1") if value in written]
    assert b64encode(keyring._root).decode() not in written


def test_the_public_key_goes_along_with_every_request(root: Path, name: str, service: Service) -> None:
    public_key = keys.load(root, passphrase=None).public_key

    for _, said in service.seen:
        if name == "vault":
            assert b64encode(public_key).decode() == said["context"]
        else:
            assert public_key.hex() == said["EncryptionContext"]["governance:public-key"]


def test_what_is_wrapped_is_bound_to_its_file(root: Path, name: str) -> None:
    keys.create(root.with_name("other.json"), passphrase=None, place=PLACES[name])
    other = json.loads(root.with_name("other.json").read_text())
    root.write_text(json.dumps(json.loads(root.read_text()) | {"wrapped": other["wrapped"]}))

    assert refused(root) == f"{name} does not open the root key"


def test_another_key_of_the_same_name_does_not_open_it(root: Path, name: str, service: Service) -> None:
    service.keys["governance"] = AESGCM(secrets.token_bytes(32))

    assert refused(root) == f"{name} does not open the root key"


def test_a_service_that_debugs_its_client_logs_no_secret(
    tmp_path: Path, name: str, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for logger in ("botocore", "urllib3", "hvac"):
            caplog.set_level(logging.DEBUG, logger)
        keyring = keys.create(tmp_path / "root.json", passphrase=None, place=PLACES[name])
        keys.load(tmp_path / "root.json", passphrase=None)

    logged = caplog.text
    assert b64encode(keyring._root).decode() not in logged
    assert str(bytes(keyring._root))[2:-1] not in logged
    assert TOKEN not in logged


@pytest.mark.parametrize("logger", ["botocore.endpoint", "botocore.auth", "botocore.parsers", "urllib3.connectionpool"])
def test_a_logger_with_a_level_of_its_own_is_silent_too(
    tmp_path: Path, name: str, service: Service, logger: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger)

    keyring = keys.create(tmp_path / "root.json", passphrase=None, place=PLACES[name])

    assert b64encode(keyring._root).decode() not in caplog.text
    assert [record for record in caplog.records if record.name == logger] == []
    assert logging.getLogger(logger).level == logging.DEBUG


def test_what_others_log_meanwhile_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with quiet():
        logging.getLogger("site.archive").debug("kept")

    assert caplog.messages == ["kept"]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_is_told_what_goes_in_clear(
    tmp_path: Path, name: str, service: Service, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in [other for other in os.environ if other.lower().endswith("_proxy")]:
        monkeypatch.delenv(other)
    with serving({"vault": Vault, "kms": Kms}[name]) as proxy:
        monkeypatch.setenv(variable, proxy.address)
        keys.create(tmp_path / "root.json", passphrase=None, place=PLACES[name])

        assert keys.load(tmp_path / "root.json", passphrase=None)
        assert proxy.seen == []


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    ("name", "answer", "kind", "expected"),
    [
        pytest.param("vault", (403, {"errors": ["x"]}), Misconfigured, "vault refuses the token", id="vault 403"),
        pytest.param("vault", (404, {"errors": []}), Misconfigured, "vault has no transit engine there", id="404"),
        pytest.param("vault", (503, {"errors": ["sealed"]}), Unavailable, "vault failed (VaultDown)", id="sealed"),
        pytest.param("vault", (500, {"errors": ["x"]}), Unavailable, "vault failed (InternalServerError)", id="500"),
        pytest.param("vault", (200, {}), Misconfigured, "vault gave an answer that is not transit's", id="empty"),
        pytest.param("vault", (307, {}), Misconfigured, "vault gave an answer that is not transit's", id="elsewhere"),
        pytest.param(
            "vault",
            (200, {"data": {"plaintext": "AAAA"}}),
            Misconfigured,
            "vault gave no root secret back",
            id="vault short",
        ),
        pytest.param("kms", (200, {"Plaintext": "AAAA"}), Misconfigured, "kms gave no root secret back", id="short"),
        pytest.param("kms", (400, {"__type": "Odd"}), Misconfigured, "kms refuses the request", id="odd"),
        pytest.param(
            "kms",
            (400, {"__type": "AccessDeniedException", "Message": "arn:aws:iam::4711:user/x"}),
            Misconfigured,
            "kms refuses these credentials",
            id="denied",
        ),
        pytest.param(
            "kms", (400, {"__type": "DisabledException"}), Misconfigured, "the key in kms cannot be used", id="disabled"
        ),
        *(
            pytest.param("kms", (400, {"__type": code}), Unavailable, "kms is busy", id=code)
            for code in (
                *("ThrottlingException", "Throttling", "KeyUnavailableException"),
                *("InternalFailure", "ServiceUnavailableException"),
            )
        ),
    ],
)
def test_a_failure_says_what_to_do(
    root: Path, service: Service, answer: tuple[int, dict[str, Any]], kind: type[GovernanceError], expected: str
) -> None:
    service.fails = answer

    assert refused(root, kind) == expected
    assert "/elsewhere" not in [path for path, _ in service.seen]


def test_a_service_that_is_away_can_be_asked_later(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    for variable in ("VAULT_ADDR", "AWS_ENDPOINT_URL_KMS"):
        monkeypatch.setenv(variable, address)

    assert refused(root, Unavailable) == f"{name} does not answer"


@pytest.mark.parametrize(
    ("name", "variable", "expected"),
    [
        ("vault", "VAULT_ADDR", "it is not said where vault is"),
        ("vault", "VAULT_TOKEN", "there is no token for vault"),
        ("kms", "AWS_REGION", "it is not said in which region kms is"),
        ("kms", "AWS_SECRET_ACCESS_KEY", "there are no credentials for kms"),
    ],
)
def test_a_variable_that_is_not_set_is_named(
    root: Path, service: Service, variable: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)

    assert refused(root) == expected


def test_the_secret_is_not_sent_in_clear(
    root: Path, name: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("VAULT_ADDR", "AWS_ENDPOINT_URL_KMS"):
        monkeypatch.setenv(variable, "http://vault.example:8200")

    assert refused(root) == f"the way to {name} is not encrypted"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://vault.example:8200", True),
        ("http://127.0.0.1:8200", True),
        ("http://[::1]:8200", True),
        ("http://localhost:8200", True),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://127.0.0.1@vault.example", False),
        ("http://10.0.0.1", False),
        ("ftp://localhost", False),
        ("localhost:8200", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_an_encrypted_or_a_local_way_carries_secrets(address: str, expected: bool) -> None:
    assert expected == carries_secrets(address)


def test_tls_is_checked_by_what_the_variables_name(
    tmp_path: Path, name: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path / "service.pem")
    with serving({"vault": Vault, "kms": Kms}[name], certificate=pem) as encrypted:
        for variable in ("VAULT_ADDR", "AWS_ENDPOINT_URL_KMS"):
            monkeypatch.setenv(variable, encrypted.address)
        for variable in ("VAULT_CACERT", "AWS_CA_BUNDLE"):
            monkeypatch.setenv(variable, str(pem))
        keys.create(tmp_path / "root.json", passphrase=None, place=PLACES[name])
        assert keys.load(tmp_path / "root.json", passphrase=None)

        for variable in ("VAULT_CACERT", "AWS_CA_BUNDLE"):
            monkeypatch.delenv(variable)
        assert refused(tmp_path / "root.json") == f"the certificate of {name} is not trusted"


@pytest.mark.parametrize("name", ["vault"])
def test_a_vault_that_binds_nothing_is_refused(tmp_path: Path, service: Service) -> None:
    """Before 1.9, transit took no associated data, and said nothing about that."""
    service.binds = False

    with pytest.raises(Misconfigured, match="does not bind"):
        keys.create(tmp_path / "root.json", passphrase=None, place=VAULT)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("missing", "extra"), [("pkcs11", "pkcs11"), ("hvac", "vault"), ("boto3", "kms")], ids=["pkcs11", "vault", "kms"]
)
def test_a_missing_extra_is_named(tmp_path: Path, missing: str, extra: str) -> None:
    """In a process of its own, in which the package cannot be found."""
    place = {"vault": VAULT, "kms": KMS}.get(
        extra, Place(Kind.PKCS11, {"module": os.path.realpath(sys.executable), "token": "t", "key": "k"})
    )
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from pathlib import Path\n"
        "from governance import keys, errors\n"
        f"place = keys.Place(keys.Kind({place.kind.value!r}), {dict(place.settings)!r})\n"
        "try:\n"
        f"    keys.create(Path({str(tmp_path / 'root.json')!r}), passphrase=b'1234', place=place)\n"
        "except errors.Misconfigured as refusal:\n"
        "    print(refusal.hint, refusal.__context__)\n"
    )
    environ = os.environ | {"VAULT_ADDR": "http://localhost:1", "VAULT_TOKEN": "x"}

    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)

    assert done.stdout == f"pip install 'governance[{extra}]' None\n"


def test_no_client_is_loaded_where_none_is_needed() -> None:
    code = "import sys; import governance.keys; print({'hvac', 'boto3', 'botocore', 'pkcs11'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"

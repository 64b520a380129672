"""What --keys may say, and that a mistake in it is told without its words."""

import pytest

from governance.errors import Misconfigured
from governance.keys import Kind, Place

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", Place(Kind.NONE)),
        ("passphrase", Place(Kind.PASSPHRASE)),
        (
            f"pkcs11:token=site;object=governance?module-path={MODULE}",
            Place(Kind.PKCS11, {"module": MODULE, "token": "site", "key": "governance"}),
        ),
        (
            f"pkcs11:object=a%20key;token=My%3Btoken?module-path={MODULE}",
            Place(Kind.PKCS11, {"module": MODULE, "token": "My;token", "key": "a key"}),
        ),
        ("vault:transit/governance", Place(Kind.VAULT, {"mount": "transit", "key": "governance"})),
        ("vault:site/transit/root.key-1", Place(Kind.VAULT, {"mount": "site/transit", "key": "root.key-1"})),
        ("kms:alias/governance", Place(Kind.KMS, {"key": "alias/governance"})),
        (
            "kms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab",
            Place(Kind.KMS, {"key": "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab"}),
        ),
    ],
)
def test_a_place_is_read_and_comes_back_from_a_key_file(text: str, expected: Place) -> None:
    place = Place.parse(text)

    assert expected == place
    assert place == Place.recorded(place.record())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Quillfeather",
        "none:Quillfeather",
        "none:",
        "passphrase:Quillfeather",
        "pkcs11",
        "pkcs11:Quillfeather",
        f"pkcs11:token=Quillfeather?module-path={MODULE}",
        "pkcs11:token=a;object=b?module-path=Quillfeather.so",
        f"pkcs11:token=a;object=b?module-path={MODULE}&pin-value=Quillfeather",
        f"pkcs11:token=a;object=b?module-path={MODULE}&pin-source=/Quillfeather",
        f"pkcs11:token=a;token=Quillfeather;object=b?module-path={MODULE}",
        f"pkcs11:token=;object=b?module-path={MODULE}",
        "vault:Quillfeather",
        "vault:/Quillfeather",
        "vault:a//Quillfeather",
        "vault:../Quillfeather",
        "vault:a/..",
        "vault:a/Quillfeather?x",
        "kms:",
        "kms:Quill feather",
    ],
)
def test_what_is_no_place_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        Place.parse(text)

    assert refusal.value.hint
    assert "Quill" not in f"{refusal.value} {refusal.value.hint}"
    assert refusal.value.__context__ is None

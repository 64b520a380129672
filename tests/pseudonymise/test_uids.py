"""New UIDs are valid, stable and reveal nothing of the old ones."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID_dictionary

from governance import dicom
from governance.policy import standard
from governance.pseudonymise.uids import new_uid

KEY = bytes(range(32))
roots = st.sampled_from(["", "1.2.840.10008.", "1.2.840.10008.5.1.4.1.1.2."])
uids = st.builds(str.__add__, roots, st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){1,6}", fullmatch=True)).filter(
    lambda uid: not dicom.is_registered(uid)
)


@given(uid=uids)
def test_a_new_uid_is_valid_and_a_uuid(uid: str) -> None:
    replaced = new_uid(KEY, uid)

    assert re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", replaced)
    assert uuid.UUID(int=int(replaced[5:])).version == 8


@given(uid=uids)
def test_another_key_gives_another_uid(uid: str) -> None:
    assert new_uid(KEY, uid) != new_uid(bytes(32), uid)


def test_every_uid_that_the_standard_registers_stays() -> None:
    """Also the classes of the policy's tables, which may be newer than pydicom's dictionary."""
    for uid in (*UID_dictionary, *standard.iods()):
        assert new_uid(KEY, uid) == uid


@pytest.mark.parametrize(
    "uid",
    [
        pytest.param("1.2.840.10008.6.1.918", id="context group"),
        pytest.param("1.2.840.10008.2.16.4", id="coding scheme"),
        pytest.param("2.16.840.1.113883.6.96", id="coding scheme in HL7's arc, SNOMED CT"),
    ],
)
def test_a_uid_of_a_vocabulary_stays(uid: str) -> None:
    assert new_uid(KEY, uid) == uid


def test_the_root_of_the_standard_exempts_nothing() -> None:
    assert new_uid(KEY, "1.2.840.10008.7654321.1").startswith("2.25.")


def test_the_new_uid_is_pinned() -> None:
    """A change here would break every reference between old and new objects."""
    assert new_uid(KEY, "1.2.3.4") == "2.25.251204938985385972266469725328945261875"

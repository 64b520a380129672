"""New UIDs are valid, stable and reveal nothing of the old ones."""

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from governance.pseudonymise.uids import new_uid

KEY = bytes(range(32))
uids = st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){1,6}", fullmatch=True).filter(
    lambda uid: not uid.startswith("1.2.840.10008.")
)


@given(uid=uids)
def test_a_new_uid_is_valid_and_a_uuid(uid: str) -> None:
    replaced = new_uid(KEY, uid)

    assert re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", replaced)
    assert uuid.UUID(int=int(replaced[5:])).version == 8


@given(uid=uids)
def test_another_key_gives_another_uid(uid: str) -> None:
    assert new_uid(KEY, uid) != new_uid(bytes(32), uid)


def test_uids_of_the_standard_stay() -> None:
    assert new_uid(KEY, "1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"


def test_the_new_uid_is_pinned() -> None:
    """A change here would break every reference between old and new objects."""
    assert new_uid(KEY, "1.2.3.4") == "2.25.251204938985385972266469725328945261875"

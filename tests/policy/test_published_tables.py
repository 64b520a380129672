"""Which tables beside the images a policy publishes: none that it does not name, and none whose texts nobody cleans."""

import pytest

from governance import policy
from governance.errors import Misconfigured
from governance.rows import TableKind

LAYER = "name: mine\ndescription: A test.\nbecause: A test.\nextends: research\n"
WITHOUT = "without:\n  - {option: clean_descriptors, because: A test.}\n"


@pytest.mark.parametrize(
    ("name", "expected"), [("research", set(TableKind)), ("research-headers", set(TableKind)), ("basic", set())]
)
def test_profiles_publish_tables_where_they_keep_cleaned_texts(name: str, expected: set[TableKind]) -> None:
    assert set(policy.load(name).published_tables) == expected


def test_a_layer_says_which_tables_are_published() -> None:
    rules = policy.loads(f"{LAYER}tables: {{publish: [labels], because: A test.}}\n")

    assert rules.published_tables == (TableKind.LABELS,)
    assert rules.digest != policy.loads(LAYER).digest


def test_a_layer_that_cleans_no_texts_publishes_no_tables() -> None:
    assert policy.loads(LAYER + WITHOUT).published_tables == ()


def test_tables_cannot_be_asked_for_where_nobody_cleans_texts() -> None:
    with pytest.raises(Misconfigured, match="nobody cleans"):
        policy.loads(f"{LAYER}{WITHOUT}tables: {{publish: [reports], because: A test.}}\n")

"""`governance text` shows a person what cleaning takes from a text."""

from pathlib import Path

import pytest

from governance.detect import tagger
from tests.cli.program import governance, lines
from tests.cli.test_commands import CONFIDENTIAL
from tests.conftest import BUNDLED


def test_a_text_is_shown_with_its_marks_and_with_what_stood_there(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("CT thorax\nseen with Kouyaté on 2021-03-04\n", encoding="utf-8")

    text, data = governance("text", note), governance("text", note, "--json")

    assert (text.returncode, data.returncode) == (0, 0)
    assert text.stderr == data.stderr == CONFIDENTIAL
    assert text.stdout.splitlines() == [
        "CT thorax",
        "seen with [NAME] on [DATE]",
        "",
        "2:11  NAME          Kouyaté",
        "2:22  DATE          2021-03-04",
        "2 places: 1 DATE, 1 NAME",
    ]
    whole, name, _ = lines(data)
    made = "CT thorax\nseen with [NAME] on [DATE]\n"
    assert whole == {"text": made, "in_texts": "marks", "names_sha256": tagger.digest()}
    assert name == {"line": 2, "column": 11, "start": 20, "stop": 27, "kind": "NAME", "value": "Kouyaté"}


def test_the_identifiers_of_an_image_are_looked_for_in_a_text(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("image 1CT1 of the thorax")

    assert "1CT1 of" in governance("text", note).stdout
    assert "image [ID] of" in governance("text", note, "--of", BUNDLED / "CT_small.dcm").stdout


def with_surrogates(folder: Path) -> Path:
    path = folder / "seen.yaml"
    free = "free_text: {instead: surrogates, because: t}"
    path.write_text(f"name: t\ndescription: t\nbecause: t\nextends: research\n{free}\n")
    return path


def test_a_policy_says_what_is_written_instead_and_what_is_drawn_is_an_example(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("seen with Mrs. Quillfeather on 2021-03-04\nMrs. Quillfeather is well")

    text, data = (governance("text", note, "--policy", with_surrogates(tmp_path), *how) for how in ((), ("--json",)))

    assert (text.returncode, data.returncode) == (0, 0)
    first, second, *places, _, told = text.stdout.splitlines()
    name = first.split()[3]
    assert name.istitle()
    assert second == f"Mrs. {name} is well"
    assert "[" not in first
    assert "2021-03-04" not in first
    assert "Quillfeather" in places[0]
    assert told == "surrogates and moved dates are examples; a run draws others, from the key of its project"
    assert lines(data)[0]["in_texts"] == "surrogates"
    assert lines(data)[0]["text"] != "\n".join([first, second])  # of another key


def test_a_policy_whose_model_is_not_there_shows_nothing(tmp_path: Path) -> None:
    path = with_surrogates(tmp_path)
    path.write_text(path.read_text().replace("instead: surrogates", "model: {spacy: en_no_such_pipeline}"))
    (tmp_path / "note.txt").write_text("seen with Mrs. Quillfeather")

    done = governance("text", tmp_path / "note.txt", "--policy", path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "is not installed" in done.stderr


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"M\xfcller", "the text is not in UTF-8", id="ISO 8859-1"),
        pytest.param(b"a " * 50_001, "the text is longer than 100,000 characters", id="too long"),
    ],
)
def test_what_is_no_text_is_not_shown(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(data)

    done = governance("text", tmp_path / "note.txt")

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr

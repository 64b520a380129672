"""A trace shows what was checked, and finds an object by every name that a person has for it."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import update

from governance import pipeline, provenance
from governance.database import batches, receipts
from governance.errors import Misconfigured, Tampered
from governance.provenance import VERIFIED, State, Trace
from governance.provenance.traces import INDENT, WIDTH
from tests.conftest import BUNDLED
from tests.databases import PostgreSQL, address_of, unguarded


def prepare(root: Path, database: PostgreSQL | None) -> pipeline.Context:
    """A workspace with two curated objects of two patients, published as `first@v1`."""
    context = pipeline.create(root / "workspace", passphrase=None, database=address_of(database))
    raw = root / "raw"
    raw.mkdir()
    for name in ("CT_small.dcm", "rtplan.dcm"):
        shutil.copyfile(BUNDLED / name, raw / name)
    pipeline.run(context, [raw], project="demo", policy_name="research", processes=0)
    pipeline.publish(context, project="demo", dataset="first")
    return context


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL | None) -> pipeline.Context:
    """A workspace that tests only read."""
    return prepare(tmp_path_factory.mktemp("calm"), database)


@pytest.fixture
def own(tmp_path: Path, database: PostgreSQL | None) -> Iterator[pipeline.Context]:
    """A workspace that a test may harm."""
    made = prepare(tmp_path, database)
    yield made
    made.engine.dispose()


def ct(context: pipeline.Context) -> Trace:
    (found,) = [t for t in pipeline.trace(context, "first@v1") if t.receipt.facts["Modality"] == "CT"]
    return found


NAMES: dict[str, Callable[[pipeline.Context, Trace], str]] = {
    "patient": lambda _, t: t.receipt.patient,
    "patient in lower case": lambda _, t: t.receipt.patient.lower(),
    "instance": lambda _, t: t.receipt.instance,
    "StudyInstanceUID": lambda _, t: str(t.receipt.facts["StudyInstanceUID"]),
    "SeriesInstanceUID": lambda _, t: str(t.receipt.facts["SeriesInstanceUID"]),
    "SOPInstanceUID": lambda _, t: str(t.receipt.facts["SOPInstanceUID"]),
    "receipt": lambda _, t: t.receipt_id,
    "receipt in capitals": lambda _, t: t.receipt_id.upper(),
    "digest of the object": lambda _, t: t.receipt.sha256,
    "digest of the source": lambda _, t: t.receipt.source_digest,
    "path": lambda _, t: t.receipt.path,
    "path in the workspace": lambda _, t: f"curated/{t.receipt.path}",
    "path in the workspace, dotted": lambda _, t: f"./curated/{t.receipt.path}",
    "absolute path": lambda c, t: str(c.workspace.curated / t.receipt.path),
    "absolute path of a file that is gone": lambda _, t: f"/elsewhere/curated/{t.receipt.path}",
    "path in a release": lambda _, t: f"objects/{t.receipt.path}",
    "absolute path in a release": lambda c, t: str(c.workspace.published / "first@v1" / "objects" / t.receipt.path),
    "folder of its series": lambda c, t: str((c.workspace.curated / t.receipt.path).parent),
}


@pytest.mark.parametrize("name", NAMES)
def test_an_object_is_found_by_every_name_that_it_has(name: str, calm: pipeline.Context) -> None:
    expected = ct(calm)

    (found,) = pipeline.trace(calm, NAMES[name](calm, expected))

    assert expected.receipt_id == found.receipt_id
    assert found.curated is State.PRESENT


RELEASES: dict[str, Callable[[Path], str]] = {
    "name": lambda folder: folder.name,
    "name in capitals": lambda folder: folder.name.upper(),
    "folder": str,
    "manifest": lambda folder: str(folder / "manifest.json"),
    "digest of the manifest": lambda folder: sha256((folder / "manifest.json").read_bytes()).hexdigest(),
}


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_names_all_its_objects(name: str, calm: pipeline.Context) -> None:
    folder = calm.workspace.published / "first@v1"

    found = pipeline.trace(calm, RELEASES[name](folder))

    assert sorted(str(p.relative_to(folder / "objects")) for p in folder.rglob("*.dcm")) == [
        t.receipt.path for t in found
    ]
    assert all([(r.name, r.checked) for r in t.releases] == [("first@v1", VERIFIED)] and t.given is None for t in found)


@pytest.mark.parametrize("name", ["", ".", "2.25.1", "first@v2", "objects/", "/", "%", "\0", "x" * 5000])
def test_what_names_nothing_is_misuse(name: str, calm: pipeline.Context) -> None:
    with pytest.raises(Misconfigured):
        pipeline.trace(calm, name)


def test_a_copy_is_found_by_its_bytes_alone(calm: pipeline.Context, tmp_path: Path) -> None:
    expected = ct(calm)
    copy = shutil.copyfile(calm.workspace.curated / expected.receipt.path, tmp_path / "copy")

    (found,) = pipeline.trace(calm, str(copy))

    assert (expected.receipt_id, State.PRESENT) == (found.receipt_id, found.given)


# ------------------------------------------------------------------ files


def replace(path: Path) -> None:
    """Another file in its place; the old one may be linked elsewhere."""
    path.parent.chmod(0o755)
    path.unlink()
    path.write_bytes(b"another object")


def test_a_replaced_file_is_said_to_be_changed(own: pipeline.Context) -> None:
    before = ct(own)
    replace(own.workspace.curated / before.receipt.path)

    for name in (before.receipt.path, before.receipt_id, str(own.workspace.curated / before.receipt.path)):
        (found,) = pipeline.trace(own, name)
        assert found.curated is State.CHANGED
        assert "CHANGED" in found.text()


def test_a_missing_file_is_said_to_be_missing(own: pipeline.Context) -> None:
    before = ct(own)
    (own.workspace.curated / before.receipt.path).unlink()

    (found,) = pipeline.trace(own, before.receipt.path)

    assert found.curated is State.MISSING
    assert "MISSING" in found.text()


def test_a_replaced_file_of_a_release_is_told_from_the_curated_one(own: pipeline.Context) -> None:
    before = ct(own)
    inside = own.workspace.published / "first@v1" / "objects" / before.receipt.path
    replace(inside)

    (found,) = pipeline.trace(own, str(inside))

    assert (found.curated, found.given) == (State.PRESENT, State.CHANGED)
    assert "given file" in found.text()


def test_an_earlier_result_is_superseded_and_the_release_still_has_it(own: pipeline.Context) -> None:
    before = ct(own)
    pipeline.run(own, [own.workspace.root.parent / "raw"], project="demo", policy_name="research-headers", processes=0)

    new, old = pipeline.trace(own, str(own.workspace.published / "first@v1" / "objects" / before.receipt.path))

    assert (new.current, new.curated, new.given) == (True, State.PRESENT, None)
    assert (before.receipt_id, False, State.SUPERSEDED, State.PRESENT) == (
        old.receipt_id,
        old.current,
        old.curated,
        old.given,
    )


# ------------------------------------------------------------------ proofs


def forge(context: pipeline.Context, **values: object) -> None:
    """Change the row of the CT, as somebody with the database could."""
    receipt_id = ct(context).receipt_id
    with unguarded(context.engine) as connection:
        connection.execute(update(receipts).where(receipts.c.receipt_id == receipt_id).values(values))


def forged_body(context: pipeline.Context) -> bytes:
    return provenance.to_json(ct(context).receipt).replace(b"GE MEDICAL SYSTEMS", b"ANOTHER MAKER")


def test_a_forged_receipt_is_not_shown(own: pipeline.Context) -> None:
    patient = ct(own).receipt.patient
    forge(own, body=forged_body(own))

    with pytest.raises(Tampered):
        pipeline.trace(own, patient)


def test_a_forged_receipt_with_a_fitting_id_is_not_shown(own: pipeline.Context) -> None:
    patient, body = ct(own).receipt.patient, forged_body(own)
    forge(own, body=body, receipt_id=provenance.receipt_id(provenance.from_json(body)))

    with pytest.raises(Tampered):
        pipeline.trace(own, patient)


@pytest.mark.parametrize("column", ["receipt_id", "patient", "sha256", "path"])
def test_another_name_for_a_true_receipt_is_found(column: str, own: pipeline.Context) -> None:
    forge(own, **{column: "FORGED"})

    with pytest.raises(Tampered):
        pipeline.trace(own, "FORGED")


@pytest.mark.parametrize("change", [{"time": "2001-01-01T00:00:00Z"}, {"size": 9}, {"signature": "00" * 64}])
def test_a_changed_batch_proves_nothing(change: dict[str, str | int], own: pipeline.Context) -> None:
    patient = ct(own).receipt.patient
    with own.engine.begin() as connection:
        connection.execute(update(batches).values(change))

    with pytest.raises(Tampered):
        pipeline.trace(own, patient)


# ------------------------------------------------------------------ what a person reads


def test_the_text_is_aligned_in_120_columns_with_units(calm: pipeline.Context) -> None:
    title, *lines = ct(calm).text().splitlines()

    assert title.endswith(".dcm")
    assert all(len(line) <= WIDTH and line[INDENT - 1] == " " != line[INDENT] for line in lines)
    text = " ".join(lines)
    assert all(f"  {part}  " in text for part in ("KVP=120 kV", "PixelSpacing=0.661468\\0.661468 mm", "Rows=128"))


def test_json_carries_the_state_of_the_files(calm: pipeline.Context) -> None:
    data = json.loads(json.dumps(asdict(ct(calm))))

    assert (data["curated"], data["given"]) == ("present", None)

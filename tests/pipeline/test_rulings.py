"""What a person decides on the pixels of one source holds for its bytes, and claims no more than was done."""

import inspect
import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import palette, pipeline, policy, provenance, read
from governance.database import outcomes, receipts, rulings
from governance.datatypes import Identifiers, Outcome, Receipt, Region, Ruling, RulingKind, SourceOutcome
from governance.detect import locating, rendering
from governance.errors import Misconfigured, Refused
from governance.pipeline import pixels as pixels_module
from governance.pipeline import runs
from governance.pipeline.pixels import scrub_pixels
from governance.pipeline.reviewing import OF_PIXELS
from governance.pipeline.rulings import PERSON, Recorded, decide, drawn, signed
from governance.scrub import encode, regions
from tests.conftest import BUNDLED
from tests.phantoms.bundled import draw
from tests.pipeline.test_leaks import leaks
from tests.pipeline.test_markers import layer, radiograph
from tests.scrub.build import PIXELS, dataset, saved

NAME = "Quillfeather"
FRAMES, ROWS, COLUMNS = 3, *PIXELS.shape
HEADERS = policy.load("research-headers")

edges = st.lists(st.integers(0, COLUMNS + 5), min_size=2, max_size=2, unique=True).map(sorted)
heights = st.lists(st.integers(0, ROWS + 5), min_size=2, max_size=2, unique=True).map(sorted)
frames = st.none() | st.integers(0, FRAMES - 1)
boxes = st.lists(
    st.builds(lambda x, y, frame: Region(x[0], y[0], x[1], y[1], frame, PERSON, 1.0), edges, heights, frames),
    min_size=1,
    max_size=4,
)


def ruling(kind: RulingKind, *boxes: Region) -> Ruling:
    return Ruling("0123456789abcdef", kind, boxes, "t")


@given(boxes)
def test_what_was_drawn_is_masked_and_nothing_else(boxes: list[Region]) -> None:
    before = np.stack([(PIXELS + number) % 4096 for number in range(FRAMES)]).astype("<u2")
    instance = saved(dataset(before, NumberOfFrames=FRAMES))
    plan = policy.plan(instance, HEADERS)
    outside = any(box.left >= COLUMNS or box.top >= ROWS for box in boxes)

    try:
        pixels = scrub_pixels(instance, plan, Identifiers(), ruling=ruling(RulingKind.MASK, *boxes))
    except Refused:
        assert outside
        return

    after = np.frombuffer(pixels.data.value, "<u2").reshape(before.shape)
    masked = np.zeros(before.shape, bool)
    for box in boxes:
        masked[box.frame if box.frame is not None else slice(None), box.top : box.bottom, box.left : box.right] = True
    assert not outside
    assert np.array_equal(before[~masked], after[~masked])
    for number in range(FRAMES):
        assert set(after[number][masked[number]].tolist()) <= {before[number].min()}


@pytest.mark.parametrize("name", ["research", "research-headers", "basic"])
def test_who_approves_an_image_claims_nothing_for_this_program(name: str) -> None:
    instance = saved(dataset(BurnedInAnnotation="YES"))
    plan = policy.plan(instance, policy.load(name))

    pixels = scrub_pixels(instance, plan, Identifiers(), ruling=ruling(RulingKind.APPROVE))

    assert (pixels.looked, pixels.regions, pixels.added) == (False, (), [])
    assert pixels.facts == {"person_decided": "approve"}
    assert [dict(step.parameters) for step in pixels.steps] == [
        {"decided_by": "person", "decision": "approve", "ruling": "0123456789abcdef", "looked_at": False}
    ]


def test_a_frame_that_is_not_there_is_refused() -> None:
    instance = saved(dataset())
    second = ruling(RulingKind.MASK, *drawn("0,0,5,5@2"))

    with pytest.raises(Refused, match="outside of the image"):
        scrub_pixels(instance, policy.plan(instance, HEADERS), Identifiers(), ruling=second)


@given(st.lists(st.tuples(edges, heights, frames), min_size=1, max_size=5))
def test_a_box_is_shown_as_it_is_typed(typed: list[tuple[list[int], list[int], int | None]]) -> None:
    boxes = [Region(x[0], y[0], x[1], y[1], frame, PERSON, 1.0) for x, y, frame in typed]
    shown = Recorded(ruling(RulingKind.MASK, *boxes), "", "anna", "now").text().split("  ")[0].split()[1:]

    assert boxes == [box for text in shown for box in drawn(text)]


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "3,0,3,9", "0,9,9,9", "-1,0,9,9", "0,0,9,9@0", "0,0,9,9@3-2", "0,0,9,9@1-2-3"]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="a box is LEFT,TOP,RIGHT,BOTTOM"):
        drawn(text)


def test_a_drawn_box_goes_and_what_the_policy_looks_for_is_looked_for_besides(tmp_path: Path) -> None:
    made = saved(radiograph(("SUPINE", (20, 20)), ("Quillfeather", (20, 250)), ("PORTABLE", (20, 460))))
    rules = policy.load(str(layer(tmp_path, "unsure: quarantine, identifier: quarantine")))
    plan = policy.plan(made, rules)
    with pytest.raises(Refused, match="holds back"):
        scrub_pixels(made, plan, Identifiers())

    pixels = scrub_pixels(made, plan, Identifiers(), ruling=ruling(RulingKind.MASK, *drawn("0,440,300,512")))

    before, after = next(read.frames(made)), np.frombuffer(pixels.data.value, "<u2").reshape(512, 512)
    assert np.array_equal(before[:100], after[:100])
    assert len(np.unique(after[240:300, 15:300])) <= 2  # the ground, and what is black
    assert len(np.unique(after[440:, :300])) == 1
    assert pixels.looked
    assert (pixels.facts["position_marker"], pixels.facts["portable_marker"]) == (["SUPINE"], False)


@pytest.mark.parametrize("module", [regions, encode, locating, rendering, palette, pixels_module])
def test_reasons_about_pixels_are_known_as_such(module: ModuleType) -> None:
    said = re.findall(r'Refused\(\s*f?"([^"]+)"', inspect.getsource(module))

    # What a damaged file is held back for as well, before anybody could look at it.
    others = {"no pixel data", "pixel data is shorter than its header says"}
    others |= {"frames cannot be told apart in the compressed pixel data"}
    assert said
    assert [reason for reason in said if not OF_PIXELS.search(reason)] == [s for s in said if s in others]


# ------------------------------------------------------------------- in a workspace


def scanned(folder: Path, *, number: int = 1) -> Path:
    """A slice that says that it was scanned from film, so that text is likely, with a name in it."""
    data = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    data.ConversionType, data.PatientName = "DF", NAME
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.8.498.{number}"
    draw(data, NAME, size=14, at=(4, 4))
    folder.mkdir(exist_ok=True)
    data.save_as(folder / f"{number}.dcm")
    return folder / f"{number}.dcm"


def run(context: pipeline.Context, source: Path, name: str = "research-headers") -> list[SourceOutcome]:
    pipeline.run(context, [source], project="demo", policy_name=name, processes=0)
    return list(pipeline.outcomes(context))


def digest_of(context: pipeline.Context, source: Path) -> str:
    with context.engine.connect() as connection:
        rows = connection.execute(outcomes.select()).all()
    sealed = context.keyring.seal(str(source), purpose="source")
    return next(row.source_digest for row in rows if row.sealed_source == sealed)


def current(context: pipeline.Context) -> list[Receipt]:
    with context.engine.connect() as connection:
        rows = connection.execute(receipts.select().where(receipts.c.superseded_by.is_(None))).all()
    return [provenance.from_json(row.body) for row in rows]


def curated(context: pipeline.Context) -> list[Path]:
    return sorted(context.workspace.curated.rglob("*.dcm"))


def ruled(context: pipeline.Context, source: Path, kind: RulingKind, *boxes: Region, why: str = "checked") -> str:
    made = decide(context, digest_of(context, source), kind, boxes=boxes, reason=why, actor="anna")
    return made.ruling.ruling_id


BOX = Region(0, 0, 128, 30, None, PERSON, 1.0)


def test_an_approved_image_is_published_with_a_step_that_says_who_decided(
    context: pipeline.Context, tmp_path: Path
) -> None:
    source = scanned(tmp_path / "raw")
    (before,) = run(context, source)
    made = ruled(context, source, RulingKind.APPROVE)

    (after,) = run(context, source)

    (receipt,) = current(context)
    assert (before.outcome, after.outcome) == (Outcome.QUARANTINED, Outcome.PUBLISHED)
    assert "113101" not in receipt.codes
    assert receipt.facts.get("BurnedInAnnotation") is None
    assert [step.parameters["ruling"] for step in receipt.steps if step.name == "review"] == [made]
    assert pipeline.verify_audit(context).rulings == 1


def test_a_decision_holds_for_the_same_bytes_and_for_no_others(context: pipeline.Context, tmp_path: Path) -> None:
    source, other = scanned(tmp_path / "raw"), scanned(tmp_path / "raw", number=2)
    run(context, source)
    ruled(context, source, RulingKind.APPROVE)
    shutil.copyfile(source, tmp_path / "raw" / "copy.dcm")

    ended = {Path(entry.source).name: entry.outcome for entry in run(context, tmp_path / "raw")}

    assert ended == {
        "1.dcm": Outcome.PUBLISHED,
        "copy.dcm": Outcome.DUPLICATE,
        other.name: Outcome.QUARANTINED,
    }


def test_a_masked_box_is_black_in_what_is_published(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)
    ruled(context, source, RulingKind.MASK, BOX)

    run(context, source)

    (receipt,), (file,) = current(context), curated(context)
    written, original = pydicom.dcmread(file).pixel_array, pydicom.dcmread(source).pixel_array
    assert len(np.unique(written[:30])) == 1
    assert np.array_equal(original[30:], written[30:])
    assert receipt.masked_regions == 1
    assert "113101" not in receipt.codes  # nobody but the person looked


def test_the_last_decision_counts_and_all_are_kept(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)
    kinds = (RulingKind.APPROVE, RulingKind.MASK, RulingKind.WITHDRAW, RulingKind.APPROVE, RulingKind.REJECT)
    ended = []
    for kind in kinds:
        ruled(context, source, kind, *([BOX] if kind is RulingKind.MASK else []))
        ((outcome),) = run(context, source)
        ended.append((outcome.outcome, len(curated(context)), len(current(context))))

    published, held = (Outcome.PUBLISHED, 1, 1), (Outcome.QUARANTINED, 0, 0)
    assert ended == [published, published, held, published, held]
    with context.engine.connect() as connection:
        assert [row.kind for row in connection.execute(rulings.select())] == [kind.value for kind in kinds]
    assert pipeline.verify_audit(context).rulings == len(kinds)


def test_a_run_after_a_decision_took_effect_does_nothing_twice(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)
    ruled(context, source, RulingKind.APPROVE)
    run(context, source)
    (before,) = curated(context)
    changed = before.stat().st_ctime_ns

    (again,) = run(context, source)

    assert again.reason == "unchanged since an earlier run"
    assert curated(context)[0].stat().st_ctime_ns == changed


def test_no_release_is_made_before_a_decision_took_effect(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    shutil.copyfile(BUNDLED / "MR_small.dcm", tmp_path / "raw" / "mr.dcm")
    run(context, tmp_path / "raw")
    ruled(context, tmp_path / "raw" / "mr.dcm", RulingKind.REJECT)
    with pytest.raises(Misconfigured, match="have not taken effect: 1"):
        pipeline.publish(context, project="demo", dataset="first")
    ruled(context, source, RulingKind.APPROVE)

    run(context, tmp_path / "raw")

    published = pipeline.publish(context, project="demo", dataset="first")
    (row,) = pq.read_table(published.path / "instances").to_pylist()
    assert (row["person_decided"], row["kept_markers"], row["BurnedInAnnotation"]) == ("approve", None, None)
    assert "113101" not in row["deidentification_codes"]
    assert leaks(published.path, [NAME, "checked", "anna"]) == []


def test_who_decides_and_why_does_not_print() -> None:
    printed = repr(signed("her daughter asked", "r.okonkwo"))

    assert "daughter" not in printed
    assert "okonkwo" not in printed


def test_what_a_reason_quotes_stays_sealed(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)
    ruled(context, source, RulingKind.REJECT, why=f"the name {NAME} of the patient Dunnersby is in the image")

    (ended,) = run(context, source)
    summary = pipeline.summarise(context, runs.latest(context)).text()

    assert ended.reason.startswith("a person rejected it: the name")
    assert "in the image" in ended.reason
    assert leaks(context.workspace.root, [NAME, "Dunnersby"]) == []
    assert NAME not in summary
    assert "Dunnersby" not in summary


@pytest.mark.parametrize(
    ("digest", "reason", "actor"),
    [
        pytest.param("00000000", "checked", "anna", id="no such source"),
        pytest.param("0000", "checked", "anna", id="too few digits"),
        pytest.param("%_______", "checked", "anna", id="a pattern"),
        pytest.param("", " ", "anna", id="no reason"),
        pytest.param("", "checked", "an na\n", id="an actor that is none"),
    ],
)
def test_what_cannot_be_recorded_is_refused_whole(
    context: pipeline.Context, tmp_path: Path, digest: str, reason: str, actor: str
) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)

    with pytest.raises(Misconfigured) as refusal:
        decide(context, digest or digest_of(context, source), RulingKind.APPROVE, reason=reason, actor=actor)

    assert refusal.value.hint
    with context.engine.connect() as connection:
        assert connection.execute(rulings.select()).all() == []


def test_nothing_is_withdrawn_where_nothing_was_decided(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)

    with pytest.raises(Misconfigured, match="no decision"):
        ruled(context, source, RulingKind.WITHDRAW)


def test_a_decision_that_nobody_logged_is_found(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    run(context, source)
    ruled(context, source, RulingKind.REJECT)
    with context.engine.begin() as connection:
        row = dict(connection.execute(rulings.select()).one()._mapping) | {"number": 2, "ruling_id": "f" * 16}
        connection.execute(
            rulings.insert().values(
                **row,
            )
        )

    with pytest.raises(Exception, match="not in the log"):
        pipeline.verify_audit(context)


# ------------------------------------------------------------------------ the list


def test_a_review_lists_what_a_person_should_look_at(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    for name in ("MR_small.dcm", "MR_truncated.dcm", "rtplan.dcm"):
        shutil.copyfile(BUNDLED / name, tmp_path / "raw" / name)
    run(context, tmp_path / "raw")
    ruled(context, tmp_path / "raw" / "MR_small.dcm", RulingKind.APPROVE)

    listed = {Path(entry.source).name: (entry.outcome, entry.waits) for entry in pipeline.review(context)}

    assert listed == {source.name: (Outcome.QUARANTINED, False), "MR_small.dcm": (Outcome.PUBLISHED, True)}


@pytest.mark.parametrize("kind", [RulingKind.APPROVE, RulingKind.MASK, RulingKind.REJECT])
def test_a_decision_waits_until_a_run_has_obeyed(context: pipeline.Context, tmp_path: Path, kind: RulingKind) -> None:
    source = scanned(tmp_path / "raw")
    waits = []
    run(context, source)
    for made in (kind, RulingKind.WITHDRAW):
        ruled(context, source, made, *([BOX] if made is RulingKind.MASK else []))
        waits += [entry.waits for entry in pipeline.review(context)]
        run(context, source)
        waits += [entry.waits for entry in pipeline.review(context)]

    assert waits == [True, False, True, False]


def test_a_published_image_is_listed_if_it_was_masked(context: pipeline.Context, tmp_path: Path) -> None:
    source = scanned(tmp_path / "raw")
    shutil.copyfile(BUNDLED / "MR_small.dcm", tmp_path / "raw" / "mr.dcm")

    run(context, tmp_path / "raw", "research")

    assert [(entry.source, entry.masked > 0) for entry in pipeline.review(context)] == [(str(source), True)]
    (digest,) = (entry.digest for entry in pipeline.review(context))
    assert [entry.source for entry in pipeline.review(context, digests=[digest[:8]])] == [str(source)]

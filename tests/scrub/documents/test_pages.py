"""Notes and form fields of a PDF are text of their page, and a page that takes too long ends the worker alone."""

import multiprocessing
import signal
import time

import pytest

from governance.errors import Refused
from governance.scrub.documents import pages, pdf
from tests.scrub.documents.build import SENTENCE, line, stream, treatment
from tests.scrub.documents.build import pdf as made
from tests.scrub.documents.test_pdf import NAME, cleaned

SHOWN = "/Subtype /Form /BBox [0 0 300 20] /Resources << /Font << /F 3 0 R >> >>"


def annotated(kind: str, said: str, shown: str = "") -> bytes:
    """A page with an annotation of a kind, what it says in its dictionary, and what it shows."""
    objects: list[str | bytes] = [
        f"<< /Type /Annot /Subtype /{kind} /Rect [72 500 372 520] {said} {'/AP << /N 101 0 R >>' if shown else ''} >>"
    ]
    if shown:
        objects.append(stream(f"BT /F 12 Tf 2 4 Td ({shown}) Tj ET".encode(), SHOWN))
    catalog = "/AcroForm << /Fields [100 0 R] >>" if kind == "Widget" else ""
    return made(line(SENTENCE[:60]), page="/Annots [100 0 R]", catalog=catalog, objects=objects)


@pytest.mark.parametrize(
    ("kind", "said"), [("FreeText", "/Contents ({})"), ("Widget", "/FT /Tx /T (x) /V ({})"), ("Stamp", "")]
)
def test_what_a_note_or_a_field_shows_is_text_of_its_page(kind: str, said: str) -> None:
    words = f"severe oedema of {NAME}"

    shown = cleaned(annotated(kind, said.format(words), words))

    assert "severe oedema of [NAME]" in shown
    assert SENTENCE[:60].strip() in shown


@pytest.mark.parametrize("shown", ["", "old", "mild"])
@pytest.mark.parametrize(
    ("kind", "said"), [("FreeText", "/Contents (mild oedema)"), ("Widget", "/FT /Tx /T (x) /V (mild oedema)")]
)
def test_a_text_that_a_program_would_have_to_draw_is_not_lost_but_refused(kind: str, said: str, shown: str) -> None:
    with pytest.raises(Refused, match="whose text is not drawn") as refused:
        pdf.clean(annotated(kind, said, shown), treatment())

    assert "oedema" not in str(refused.value)


@pytest.mark.parametrize(("kind", "said", "shown"), [("Link", "", ""), ("FreeText", f"/F 2 /Contents ({NAME})", NAME)])
def test_an_annotation_that_shows_nothing_is_left_out_and_counted(kind: str, said: str, shown: str) -> None:
    assert pdf.clean(annotated(kind, said, shown), treatment()).said["annotations_left_out"] == 1
    assert cleaned(annotated(kind, said, shown)) == SENTENCE[:60].strip()


def _work(seconds: float) -> None:
    with pages._ended_after(seconds):
        begun = time.process_time()
        while time.process_time() - begun < 2:
            pass


@pytest.mark.parametrize(("seconds", "expected"), [(0.2, -signal.SIGPROF), (60, 0)])
def test_a_worker_that_a_page_keeps_busy_is_ended(seconds: float, expected: int) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_work, args=(seconds,))
    worker.start()
    worker.join()

    assert worker.exitcode == expected


def test_a_process_that_is_no_worker_is_never_ended() -> None:
    _work(0.2)


def test_a_document_that_takes_minutes_is_refused_between_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_SECONDS", 0.0)

    with pytest.raises(Refused, match="takes minutes to draw"):
        pdf.clean(made(line("effusion"), line("effusion")), treatment())

"""A PDF made anew: words that stay at their places, others or marks for those that go, pictures without their text.

Nothing of the original file is taken over: no metadata, XMP, attachment, script, outline, layer, font or thumbnail,
and no word that cannot be seen. Of forms and annotations there is what they show, as words of the page.
"""

from governance.errors import Refused
from governance.scrub.documents import MAX_BYTES, Cleaned, Treatment, pages, writing
from governance.scrub.documents.fitting import fitted
from governance.scrub.documents.pages import Page
from governance.scrub.documents.wording import Wording
from governance.scrub.documents.writing import Sheet

MOST_PICTURES, MOST_PICTURE_BYTES = 100, 512 << 20
"""Of one document: each page that shows one is looked at for seconds."""


def clean(data: bytes, treatment: Treatment) -> Cleaned:
    """Make a new PDF of `data`; the same for the same.

    Raises:
        Refused: it cannot be read, has letters without a meaning, or a picture in it cannot be treated.
    """
    if len(data) > MAX_BYTES:
        raise Refused(f"a PDF of more than {MAX_BYTES >> 20} MiB", hint="split it at its source")
    found: list[Page] = []
    pictures: list[bytes] = []
    masked = 0
    for page in pages.read(data):
        picture = b""
        if page.picture is not None:
            shown, count = treatment.mask(page.picture)
            picture, masked = writing.image(shown, page.rotation), masked + count
        pictures.append(picture)
        found.append(page._replace(picture=None))
        if sum(map(bool, pictures)) > MOST_PICTURES or sum(map(len, pictures)) > MOST_PICTURE_BYTES:
            raise Refused(
                f"a PDF with more than {MOST_PICTURES} pages that show pictures", hint="split it at its source"
            )
    wording = Wording(treatment)
    wording.clean([page.words for page in found])
    sheets = [
        Sheet(
            page.width,
            page.height,
            page.rotation,
            fitted(page.words, wording, width=page.width, height=page.height),
            picture,
        )
        for page, picture in zip(found, pictures, strict=True)
    ]
    made = writing.pdf(sheets)
    said = {
        "pages": len(sheets),
        "words_not_seen": sum(page.hidden for page in found),
        "annotations_left_out": sum(page.annotations for page in found),
        "attachments_left_out": pages.attachments(data),
        "pages_with_pictures": sum(map(bool, pictures)),
        "masked_regions": masked,
        **{f"spans_{kind.lower()}": count for kind, count in sorted(wording.counts.items())},
    }
    return Cleaned(made, pages.texts(made), said)

"""A PDF made anew: the words that stay at their places, marks for those that go, pictures with their text masked.

Nothing of the original file is taken over: no metadata, XMP, attachment, form, annotation, script, outline, layer,
font or thumbnail, and no word that cannot be seen.
"""

from governance.errors import Refused
from governance.scrub.documents import MAX_BYTES, Cleaned, Treatment, layout, pages, writing
from governance.scrub.documents.layout import Word
from governance.scrub.documents.wording import Wording
from governance.scrub.documents.writing import Sheet, Written


def clean(data: bytes, treatment: Treatment) -> Cleaned:
    """Make a new PDF of `data`; the same for the same.

    Raises:
        Refused: it cannot be read, has letters without a meaning, or a picture in it cannot be treated.
    """
    if len(data) > MAX_BYTES:
        raise Refused(f"a PDF of more than {MAX_BYTES >> 20} MiB", hint="split it at its source")
    found, pictures, masked = [], 0, 0
    for page in pages.read(data):
        picture = page.picture
        if picture is not None:
            picture, count = treatment.mask(picture)
            pictures, masked = pictures + 1, masked + count
        found.append(page._replace(picture=picture))
    wording = Wording(treatment)
    wording.clean([page.words for page in found])
    sheets = [
        Sheet(page.width, page.height, page.rotation, list(_written(page.words, wording)), page.picture)
        for page in found
    ]
    made = writing.pdf(sheets)
    said = {
        "pages": len(sheets),
        "words_not_seen": sum(page.hidden for page in found),
        "pages_with_pictures": pictures,
        "masked_regions": masked,
        **{f"spans_{kind.lower()}": count for kind, count in sorted(wording.counts.items())},
    }
    return Cleaned(made, pages.texts(made), said)


def _written(words: list[Word], wording: Wording) -> list[Written]:
    """The words that stay; a mark may take the place of the words behind it that went with it."""
    made: list[Written] = []
    for line in layout.lines(words):
        for index, word in enumerate(line):
            text = wording.written(word)
            if not text:
                continue
            end = word.end
            if wording.changes(word):
                for following in line[index + 1 :]:
                    if wording.written(following):
                        break
                    end = following.end
            made.append(Written(text, word.along, word.across, end - word.along, word.size, word.quarter))
    return made

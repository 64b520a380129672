"""What is replaced: identifiers, UIDs and dates.

    patients.py      what keys a patient: numbers in their normal form, or what stands for one
    persons.py       what headers say of patients, in keyed digests
    identifiers.py   pseudonyms of patients, studies, accessions: keyed, short, with a check character
    uids.py          UIDs under 2.25, the same wherever the original is referenced
    dates.py         one secret shift per patient and project
    written_dates.py dates in texts, in any usual form
    surrogates.py    names, numbers, contacts and places that read like those they stand for
    kinds.py         what the vault holds, and what may be asked of it
    vault.py         what pseudonyms stand for, sealed, in a database of its own
    approvals.py     what is asked of it, and who signs that it may be answered
    texts.py         what stands in texts instead of what identifies in them
    attributes.py    a Plan's replacing decisions -> Edits

Everything is a pure function of the project's keys and the original value: there is
no table to protect, reruns agree, and projects cannot be linked to each other.
"""

from typing import TYPE_CHECKING

from governance import lazily

if TYPE_CHECKING:
    from governance.pseudonymise.attributes import Pseudonymiser, Subject
    from governance.pseudonymise.patients import number_of
    from governance.pseudonymise.persons import Kind
    from governance.pseudonymise.texts import Texts
else:
    __getattr__ = lazily.importing(__name__)

__all__ = ["Kind", "Pseudonymiser", "Subject", "Texts", "number_of"]

"""Models for names that a site has installed: a spaCy pipeline, or a transformers model in a folder.

They look besides our own network (`names.py`), not instead of it: what either takes is taken. How much an installed
model misses in this kind of text nobody here has measured, and a name that is left counts as much as a word that is
lost; so it can add, and take nothing back. Words that every report has are not taken on its word.

Nothing is downloaded, whatever a library would do about a model that is not there. A package is code, and is run; a
folder is data: weights of transformers have to be safetensors, since loading others can run any code.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, assert_never

from governance.datatypes import Confidential, Framework, NameModel, Span
from governance.detect import vocabulary
from governance.errors import Misconfigured

KINDS = {
    "NAME": "PERSON PER PS PATIENT STAFF DOCTOR HCW NAME USERNAME",
    "PLACE": "GPE LOC LOCATION LC FAC ORG ORGANIZATION OG HOSP HOSPITAL PATORG VENDOR PLACE CITY STREET",
    "ID": "ID IDNUM MEDICALRECORD",
    "CONTACT": "PHONE EMAIL URL",
}
"""Labels of usual models by the kind of what they find; dates and ages are told by their form."""

_KIND_OF = {label: kind for kind, labels in KINDS.items() for label in labels.split()}
_SURE = 0.3
"""How sure a transformers model must be: Presidio's threshold."""
_WINDOW, _OVERLAP = 1_000, 100
"""Characters that a transformers model sees at once, and of them those seen before: most take 512 pieces of words."""
_WORD = re.compile(r"[^\W_]+")


class Entity(NamedTuple):
    """What a model found, by its own label."""

    start: int
    stop: int
    label: str


class Installed(Confidential):
    """A model that is loaded. said: what a receipt says of it; no path, which may name a site."""

    def __init__(self, entities: Callable[[str], Iterable[Entity]], said: Mapping[str, str]) -> None:
        self._entities = entities
        self.said = said

    def find(self, text: str) -> Iterator[Span]:
        """What the model takes for names, places and numbers, less the words of every report at its ends."""
        for start, stop, label in self._entities(text):
            kind = _KIND_OF.get(_bare(label))
            words = (
                [] if kind is None else [(start + m.start(), start + m.end()) for m in _WORD.finditer(text[start:stop])]
            )
            telling = [place for place in words if not _is_plain(text[place[0] : place[1]])]
            if kind is not None and telling:
                yield Span(telling[0][0], telling[-1][1], kind)


@cache
def load(model: NameModel) -> Installed:
    """The model, loaded once a process.

    Raises:
        Misconfigured: it, or its library, is not installed, does not start, or finds nothing that is known here.
    """
    match model.framework:
        case Framework.SPACY:
            return _spacy(model.where)
        case Framework.TRANSFORMERS:
            return _transformers(model.where)
        case _:
            assert_never(model.framework)


def _spacy(where: str) -> Installed:
    import spacy

    if not (_is_folder(where, "meta.json", "config.cfg") or spacy.util.is_package(where)):
        hint = "install its package, or give the whole path of a folder of nlp.to_disk; nothing is downloaded"
        raise Misconfigured("the spaCy pipeline of free_text is not installed", hint=hint)
    pipeline: Any = _started(lambda: spacy.load(where), "the spaCy pipeline of free_text")
    labels = [
        label
        for name in pipeline.pipe_names
        if "doc.ents" in pipeline.get_pipe_meta(name).assigns
        for label in pipeline.pipe_labels.get(name, [])
    ]
    _refuse_unknown(labels, "the spaCy pipeline of free_text")

    def entities(text: str) -> Iterator[Entity]:
        yield from (Entity(each.start_char, each.end_char, each.label_) for each in pipeline(text).ents)

    meta = pipeline.meta
    named = f"{meta['lang']}_{meta['name']} {meta['version']}"
    return Installed(entities, _said("spacy", named, Path(pipeline.path)))


def _transformers(where: str) -> Installed:
    for library in ("transformers", "torch"):
        if find_spec(library) is None:
            raise Misconfigured(f"{library} is not installed", hint="install governance[transformers]")
    if not _is_folder(where, "config.json", "model.safetensors"):
        hint = (
            "give the whole path of a folder with config.json, model.safetensors and tokenizer; nothing is downloaded"
        )
        raise Misconfigured("the transformers model of free_text is not there", hint=hint)
    what = "the transformers model of free_text"
    tagger = _started(lambda: _tagger(where), what)
    _refuse_unknown(tagger.model.config.id2label.values(), what)

    def entities(text: str) -> Iterator[Entity]:
        for begin in range(0, max(len(text) - _OVERLAP, 1), _WINDOW - _OVERLAP):
            for each in tagger(text[begin : begin + _WINDOW]):
                if each["score"] >= _SURE:
                    yield Entity(begin + int(each["start"]), begin + int(each["end"]), str(each["entity_group"]))

    config = json.loads((Path(where) / "config.json").read_text("utf-8"))
    return Installed(entities, _said("transformers", " ".join(config.get("architectures", [])), Path(where)))


def _tagger(where: str) -> Any:
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    torch.set_num_threads(1)  # images run in processes
    said = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(where, **said)
    model = AutoModelForTokenClassification.from_pretrained(where, use_safetensors=True, **said)
    return pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", device=-1)


def _started(start: Callable[[], Any], what: str) -> Any:
    failed = ""
    try:
        return start()
    except Exception as error:
        failed = type(error).__name__
    raise Misconfigured(f"{what} does not start ({failed})", hint="load it by hand once; its library says why")


def _refuse_unknown(labels: Iterable[str], what: str) -> None:
    if not any(_bare(label) in _KIND_OF for label in labels):
        hint = f"it needs labels such as {', '.join(names.split()[0] for names in KINDS.values())}"
        raise Misconfigured(f"{what} finds no names or places", hint=hint)


def _is_folder(where: str, *names: str) -> bool:
    return Path(where).is_absolute() and all((Path(where) / name).is_file() for name in names)


def _bare(label: str) -> str:
    """A label without the prefix of its place in an entity: B-PER."""
    return re.sub(r"^[BILUES]-", "", label.upper())


def _is_plain(word: str) -> bool:
    return vocabulary.knows(word) and vocabulary.fold(word) not in vocabulary.names()


def _said(library: str, name: str, folder: Path) -> Mapping[str, str]:
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        for part in (path.relative_to(folder).as_posix().encode(), path.read_bytes()):
            digest.update(len(part).to_bytes(8) + part)
    try:
        known = version(library)
    except PackageNotFoundError:
        known = "unknown"
    return {"names_also_by": f"{library} {known}", "names_model": name, "names_model_sha256": digest.hexdigest()}

"""Sources looked at one after the other, with nothing done to them: for what is shown before a run."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from governance import ingest, read
from governance.datatypes import Instance, Outcome, Source, SourceOutcome
from governance.errors import Refused
from governance.pipeline.acting import is_directory
from governance.pipeline.context import where
from governance.pipeline.instance import DIRECTORY, reason

Look = Callable[[str, Instance], None]
"""Called with the name of a source, which is confidential, and with what was read from it."""
Progress = Callable[[int], None]
Unread = Counter[tuple[Outcome, str]]


def look_at(sources: Iterable[Path], look: Look, *, on_progress: Progress | None = None) -> Unread:
    """Read every source and look at it; returns how many could not be looked at, and why.

    A DICOMDIR, an empty archive and the like are FILTERED; everything else that is no image is
    UNREADABLE, also what `look` fails on.

    Raises:
        Misconfigured: a source does not exist.
    """
    unread: Unread = Counter()
    for done, entry in enumerate(_entries(sources), 1):
        problem = entry if isinstance(entry, SourceOutcome) else _look_at(entry, look)
        if problem is not None:
            unread[problem.outcome, problem.reason] += 1
        if on_progress is not None:
            on_progress(done)
    return unread


def unread_text(unread: Unread) -> list[str]:
    """A line for each reason, the most frequent first."""
    ordered = sorted(unread.items(), key=lambda entry: (-entry[1], entry[0]))
    return [f"{count:>8}  {outcome}: {why}" for (outcome, why), count in ordered]


def unread_records(unread: Unread) -> list[dict[str, str | int]]:
    """The same for JSON."""
    return [
        {"outcome": outcome.value, "reason": why, "sources": count} for (outcome, why), count in unread.most_common()
    ]


def any_unreadable(unread: Unread) -> bool:
    """Whether something was there that nobody could look at."""
    return any(outcome is not Outcome.FILTERED for outcome, _ in unread)


def _entries(sources: Iterable[Path]) -> Iterator[Source | SourceOutcome]:
    for found in ingest.files(sources):
        if isinstance(found, SourceOutcome):
            yield found
        else:
            yield from ingest.sources([found])


def _look_at(source: Source, look: Look) -> SourceOutcome | None:
    """What kept the source from being looked at, if anything did."""
    data = ingest.bytes_of(source)
    if isinstance(data, SourceOutcome):
        return data
    try:
        instance = read.parse(data)
        if is_directory(instance.buffer, instance.meta):
            return SourceOutcome(source.name, Outcome.FILTERED, DIRECTORY)
        look(source.name, instance)
    except Refused as error:
        return SourceOutcome(source.name, Outcome.UNREADABLE, reason(error))
    except MemoryError:
        return SourceOutcome(source.name, Outcome.UNREADABLE, "larger than the memory that is left")
    except Exception as error:  # our bug: this source is not counted, the others go on
        return SourceOutcome(source.name, Outcome.UNREADABLE, f"internal error: {where(error)}")
    return None

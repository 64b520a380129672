"""Traces as a picture (SVG 1.1, no script, no font of its own): from the device down to the releases.

Objects that came to be in the same way share one column, which says how many they are: the device, the sources, each
step with its tool, what was made, the batches, the releases. To the right of a step stands what it worked by: the
policy, a model, a person.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from governance.printable import shown as printed
from governance.provenance.origins import models_of
from governance.provenance.traces import EQUIPMENT, MEANINGS, Release, Result, State, Trace, shown

MOST_COLUMNS, MOST_LISTED = 6, 4
"""Ways that are drawn, and batches or releases that are named."""
WIDTH, BESIDE, GAP, MARGIN = 340, 250, 24, 28
LINE, PAD, HEAD = 17, 9, 54
CHARACTERS = 40
"""Of a line in a box of `WIDTH`, in a font that is wide."""
_COLOURS = {
    "device": ("#e8f0fb", "#3569b0"),
    "source": ("#fdf1e1", "#b9770e"),
    "step": ("#f3f3f3", "#6b6b6b"),
    "object": ("#e7f5ea", "#2d7d46"),
    "lost": ("#fde8e8", "#b3261e"),
    "batch": ("#f1ecfa", "#6b47a8"),
    "release": ("#e4f4f6", "#13717c"),
    "beside": ("#ffffff", "#8a8a8a"),
}
_STYLE = "font: 13px system-ui, sans-serif; fill: #222"
_TITLE = "font-size: 17px; font-weight: 600"


class Box(NamedTuple):
    """A box: its kind, its lines, the first in bold, and what stands beside it."""

    kind: str
    lines: tuple[str, ...]
    beside: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """In pixels."""
        return 2 * PAD + LINE * max(len(self.lines), len(self.beside))


def to_svg(traces: Sequence[Trace]) -> str:
    """One picture of all of them; of more ways than fit the first, and how many there are."""
    ways: dict[tuple[object, ...], list[Trace]] = {}
    for trace in traces:
        ways.setdefault(_way(trace), []).append(trace)
    columns = [_column(each) for each in list(ways.values())[:MOST_COLUMNS]]
    title = f"{count(len(traces), 'object')}, made in {count(len(ways), 'way')}"
    left = f"; the first {MOST_COLUMNS} are drawn" if len(ways) > MOST_COLUMNS else ""
    return drawing(title, title + left, columns)


def drawing(title: str, heading: str, columns: Sequence[Sequence[Box]]) -> str:
    """Boxes from top to bottom in columns from left to right."""
    height = HEAD + max(sum(box.height + GAP for box in column) for column in columns) + MARGIN
    width = 2 * MARGIN + len(columns) * (WIDTH + BESIDE + GAP) + (len(columns) - 1) * GAP
    drawn = [
        part for at, column in enumerate(columns) for part in _drawn(column, MARGIN + at * (WIDTH + BESIDE + 2 * GAP))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(printed(title))}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="{MARGIN}" y="34" style="{_STYLE}; {_TITLE}">{escape(printed(heading))}</text>',
            *drawn,
            "</svg>\n",
        ]
    )


def _way(trace: Trace) -> tuple[object, ...]:
    """What objects of one column have in common."""
    receipt = trace.receipt
    steps = tuple(
        (step.name, step.tool, step.version, _beside(trace, number)) for number, step in enumerate(receipt.steps)
    )
    return _device(trace), receipt.policy_digest, steps, trace.curated


def _device(trace: Trace) -> tuple[str, ...]:
    facts = trace.receipt.facts
    return tuple(shown(name, facts[name]) for name in EQUIPMENT if name in facts)


def _beside(trace: Trace, number: int) -> tuple[str, ...]:
    """What a step worked by."""
    receipt, step = trace.receipt, trace.receipt.steps[number]
    policy = [f"policy {receipt.policy}", f"digest {receipt.policy_digest[:16]}"] if step.name == "header" else []
    models = [f"model {model.digest[:16]}" for model in models_of(step.tool, step.version, step.parameters)]
    decided = trace.decided
    person: list[str] = []
    if decided and step.parameters.get("ruling") == decided.ruling:
        person = [f"decided by {decided.actor or 'a person'}", decided.checked.result.text()]
    return (*policy, *models, *person)


def _column(traces: Sequence[Trace]) -> list[Box]:
    first, alone = traces[0], len(traces) == 1
    receipt = first.receipt
    device = _device(first)
    boxes = [Box("device", ("device", ", ".join(device)) if device else ("device", "not recorded in the source"))]
    sources = {trace.receipt.source_digest for trace in traces}
    boxes.append(
        Box(
            "source",
            (count(len(sources), "source"), *((f"keyed digest {receipt.source_digest[:24]}",) if alone else ())),
        )
    )
    for number, step in enumerate(receipt.steps):
        boxes.append(Box("step", (step.name, f"{step.tool} {step.version}"), _beside(first, number)))
    made = [count(len(traces), "object"), MEANINGS[first.curated]]
    if not alone:
        named = (("patient", "patients"), ("study", "studies"), ("series", "series"))
        counts = (count(len({getattr(each.receipt, one) for each in traces}), one, many) for one, many in named)
        made.append(", ".join(counts))
    else:
        made += [*receipt.path.split("/"), f"sha256 {receipt.sha256[:24]}"]
    boxes.append(Box("object" if first.curated in (State.PRESENT, State.SUPERSEDED) else "lost", tuple(made)))
    batches = sorted({f"{trace.batch[:12]} of {trace.batch_time[:19]}Z" for trace in traces})
    boxes.append(Box("batch", (count(len(batches), "signed batch", "signed batches"), *listed(batches))))
    boxes.append(_releases(traces))
    return boxes


def _releases(traces: Sequence[Trace]) -> Box:
    """What does not agree comes first, so that it is drawn however many there are."""
    found = {(each.checked.result is not Result.DISAGREES, each.name, each) for t in traces for each in t.releases}
    names = {name for _, name, _ in found}
    said = dict.fromkeys(_release(each) for _, _, each in sorted(found, key=lambda each: each[:2]))
    kind = "release" if all(agrees for agrees, _, _ in found) else "lost"
    return Box(kind, (count(len(names), "release"), *listed(list(said))))


def _release(release: Release) -> str:
    by = f", by {release.published.actor}" if release.published and release.published.actor else ""
    return f"{release.name}, {release.checked.result.text()}{by}"


def _drawn(column: Iterable[Box], left: int) -> Iterable[str]:
    top, before = HEAD, 0
    for box in column:
        if before:
            middle = left + WIDTH // 2
            yield f'<path d="M{middle} {before} V{top - 5}" stroke="#555" stroke-width="1.5"/>'
            yield f'<path d="M{middle - 5} {top - 7} L{middle} {top} L{middle + 5} {top - 7} Z" fill="#555"/>'
        yield from _box(box.kind, box.lines, left, top, WIDTH, box.height)
        if box.beside:
            start = left + WIDTH
            yield f'<path d="M{start} {top + box.height // 2} H{start + GAP}" stroke="#999" stroke-dasharray="4 3"/>'
            yield from _box("beside", box.beside, start + GAP, top, BESIDE - GAP, box.height)
        before = top + box.height
        top = before + GAP


def _box(kind: str, lines: Iterable[str], left: int, top: int, width: int, height: int) -> Iterable[str]:
    fill, stroke = _COLOURS[kind]
    yield f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{stroke}"/>'
    for number, line in enumerate(lines):
        weight = "; font-weight: 600" if number == 0 else ""
        place = f'x="{left + 12}" y="{top + PAD + 13 + LINE * number}"'
        yield f'<text {place} style="{_STYLE}{weight}">{escape(_cut(printed(line), width))}</text>'


def _cut(line: str, width: int) -> str:
    most = CHARACTERS * width // WIDTH
    return line if len(line) <= most else line[: most - 1] + "…"


def listed(names: Sequence[str]) -> list[str]:
    """The first names, and how many more there are."""
    left = len(names) - MOST_LISTED
    return [*names[:MOST_LISTED], *([f"and {left} more"] if left > 0 else [])]


def count(number: int, word: str, several: str = "") -> str:
    """`3 studies`, `1 object`.

    >>> count(1, "series"), count(2, "object"), count(2, "study", "studies")
    ('1 series', '2 objects', '2 studies')
    """
    return f"{number} {word if number == 1 else several or word + 's'}"

"""Measure the shipped networks on fonts, phrases and backgrounds that they were not trained with.

    python -m infra.models.burned_in.evaluate BACKGROUNDS.npz [--pictures 400] [--json]

Thresholds are chosen on other seeds (`--seed`) than those whose figures the model card tells.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from governance.detect import rectangles, screen
from governance.detect.screen import Area
from infra.models.burned_in import views
from infra.models.burned_in.fonts import Phrases, collect
from infra.models.burned_in.generate import FINE, Line, Maker, Sample, real

SIDE, LARGEST = 512, 120
FOUND = 0.5
"""The share of the rectangle of a line that must be covered."""
GROUPS = ((5, 7), (8, 20), (21, 40), (41, LARGEST + 80))


def main() -> None:
    """Print the share of lines found by their height, and how much is marked where nothing is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--seed", type=int, default=4 * 10**9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    grounds = real(options.backgrounds, held_out=True)
    maker = Maker(collect(held_out=True), Phrases(held_out=True), grounds, largest=LARGEST)
    made = [maker.sample(seed, side=SIDE) for seed in range(options.seed, options.seed + options.pictures)]
    silent = [Sample(ground.astype(np.int16) * FINE) for ground in grounds if ground.dtype == np.uint8]
    told: dict[str, float] = {}
    for likely in (True, False):
        thresholds = "lower" if likely else "higher"
        found = _lines(made, likely) | _silence("real pictures without text", silent, likely)
        told |= {f"{name}, {thresholds} thresholds": value for name, value in found.items()}
    if options.json:
        print(json.dumps(told, sort_keys=True))
    else:
        for name, value in told.items():
            print(f"{name:64} {value:.4f}")


def _looked(sample: Sample, likely: bool) -> tuple[list[Area], list[Area]]:
    """What the first network finds in views of a picture, and where the second agrees in the picture itself."""
    generator = torch.Generator().manual_seed(int(sample.fine[0, 0]) + sample.fine.size)
    fine = torch.from_numpy(sample.fine).float()[None] / FINE
    glanced = screen.glance(views.made(fine, generator)[0].numpy().astype(np.uint8), likely=likely)
    return glanced, screen.areas(sample.picture, glanced)


def _lines(made: list[Sample], likely: bool) -> dict[str, float]:
    found, all_lines = Counter[str](), Counter[str]()
    for sample in made:
        first, both = _looked(sample, likely)
        for line in sample.lines:
            if line.seen:
                box = (*line.box, 1.0)
                all_lines["at a glance"] += 1
                found["at a glance"] += rectangles.covered(box, first) >= FOUND
                for group in _groups(line):
                    all_lines[group] += 1
                    found[group] += rectangles.covered(box, both) >= FOUND
    shares = {f"lines found, {group}": found[group] / all_lines[group] for group in sorted(all_lines)}
    return shares | _silence("made pictures without text", [each for each in made if not each.lines], likely)


def _groups(line: Line) -> list[str]:
    width, height = line.box[2] - line.box[0], line.box[3] - line.box[1]
    low, high = next(group for group in GROUPS if line.height <= group[1])
    groups = [f"{low}-{high} px"]
    if line.height >= 8:
        groups.append("8 px and more")
    if max(width, height) < 1.6 * line.height:
        groups.append("single letters")
    elif height > 1.6 * width:
        groups.append("turned")
    return groups


def _silence(name: str, samples: list[Sample], likely: bool) -> dict[str, float]:
    first, fired, marked, total = 0, 0, 0, 0
    for sample in samples:
        mask = np.zeros(sample.fine.shape, bool)
        glanced, both = _looked(sample, likely)
        for left, top, right, bottom, _ in both:
            mask[top:bottom, left:right] = True
        first += bool(glanced)
        fired += bool(both)
        marked += int(mask.sum())
        total += mask.size
    of = max(1, len(samples))
    return {
        f"{name}: fired at a glance": first / of,
        f"{name}: fired": fired / of,
        f"{name}: marked": marked / max(1, total),
    }


if __name__ == "__main__":
    main()

"""Measure the shipped screen on fonts, phrases and backgrounds that it was not trained with.

    python -m infra.models.burned_in.evaluate BACKGROUNDS.npz [--pictures 400] [--json]

Thresholds are chosen on other seeds (`--seed`) than those whose figures the model card tells.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from governance.detect import locating, screen
from infra.models.burned_in.fonts import Phrases, collect
from infra.models.burned_in.generate import Line, Maker, real

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
    seeds = range(options.seed, options.seed + options.pictures)
    told: dict[str, float] = {}
    for likely in (True, False):
        thresholds = "lower" if likely else "higher"
        found = _lines(maker, seeds, likely) | _silence("real pictures without text", grounds, likely)
        told |= {f"{name}, {thresholds} thresholds": value for name, value in found.items()}
    if options.json:
        print(json.dumps(told, sort_keys=True))
    else:
        for name, value in told.items():
            print(f"{name:64} {value:.4f}")


def _lines(maker: Maker, seeds: range, likely: bool) -> dict[str, float]:
    found, all_lines, silent = Counter[str](), Counter[str](), []
    for seed in seeds:
        sample = maker.sample(seed, side=SIDE)
        areas = screen.areas(sample.picture, likely=likely)
        if not sample.lines:
            silent.append(sample.picture)
        for line in sample.lines:
            if line.seen:
                for group in _groups(line):
                    all_lines[group] += 1
                    found[group] += locating.covered((*line.box, 1.0), areas) >= FOUND
    shares = {f"lines found, {group}": found[group] / all_lines[group] for group in sorted(all_lines)}
    return shares | _silence("made pictures without text", silent, likely)


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


def _silence(name: str, pictures: list[np.ndarray], likely: bool) -> dict[str, float]:
    fired, marked, total = 0, 0, 0
    for picture in pictures:
        mask = np.zeros(picture.shape, bool)
        for left, top, right, bottom, _ in screen.areas(picture, likely=likely):
            mask[top:bottom, left:right] = True
        fired += bool(mask.any())
        marked += int(mask.sum())
        total += mask.size
    return {f"{name}: fired": fired / max(1, len(pictures)), f"{name}: marked": marked / max(1, total)}


if __name__ == "__main__":
    main()

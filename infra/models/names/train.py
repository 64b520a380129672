"""Train the network that tells names, and write what the library ships.

python -m infra.models.names.train governance/detect/models [--steps 12000]
"""

import argparse
import random
import sys
import time
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from governance.detect.names import LABELS, pieces, tokens
from infra.models.names.generate import Example, Generator
from infra.models.names.network import REACH, Names

HERE = Path(__file__).parent
BATCH, LONGEST = 96, 220
NO_WORD = -100
WHOLE_LEFT_OUT, PIECES_LEFT_OUT = 0.5, 0.15
"""How often a word is seen without its row for the whole word, and without another piece: not to know it by heart."""

remembered = lru_cache(maxsize=200_000)(lambda word: tuple(pieces(word)))


def labelled(example: Example) -> tuple[list[str], list[int]]:
    """The words of a text, and what each is."""
    found = tokens(example.text)[:LONGEST]
    labels = [0] * len(found)
    for place, token in enumerate(found):
        for start, stop, label in example.spans:
            if start < token.start + len(token.text) and token.start < stop:
                labels[place] = LABELS.index(label.lower())
    return [token.text for token in found], labels


class Batch(NamedTuple):
    """Texts in a row: rows of pieces, where each word's begin, which are words, and what they are."""

    rows: Tensor
    offsets: Tensor
    there: Tensor
    truth: Tensor


def batch(generator: Generator, chance: random.Random) -> Batch:
    """Texts of all kinds, with REACH words that are none between them."""
    rows: list[int] = []
    offsets: list[int] = []
    truth: list[int] = []
    for example in islice(generator, BATCH):
        words, labels = labelled(example)
        for word in words:
            offsets.append(len(rows))
            found = remembered(word)
            if len(found) > 3:
                found = found[1:] if chance.random() < WHOLE_LEFT_OUT else found
                rows += [row for row in found if chance.random() > PIECES_LEFT_OUT] or found
            else:
                rows += found
        offsets += [len(rows)] * REACH
        truth += [*labels, *[NO_WORD] * REACH]
    said = torch.tensor(truth)
    return Batch(torch.tensor(rows), torch.tensor(offsets), (said != NO_WORD).float(), said)


def train(steps: int, *, seed: int, rate: float) -> Names:
    """One run; the weights at the end are a mean over the last steps."""
    torch.manual_seed(seed)
    chance = random.Random(seed)
    generator = Generator(HERE / "texts", HERE / "names", seed)
    network, average = Names(), Names()
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.05)
    costs, begun = [], time.monotonic()
    weights = torch.tensor([1.0, 1.5, 1.5])
    for step in range(steps):
        drawn = batch(generator, chance)
        said = network(drawn.rows, drawn.offsets, drawn.there)
        cost = nn.functional.cross_entropy(said, drawn.truth, ignore_index=NO_WORD, weight=weights)
        optimizer.zero_grad()
        cost.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            share = min(0.998, step / (step + 10))
            for mean, now in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(now, 1 - share)
        costs.append(cost.item())
        if step % 200 == 199:
            took = time.monotonic() - begun
            print(f"{step + 1} of {steps}: {np.mean(costs[-200:]):.4f}, {took:.0f} s", file=sys.stderr, flush=True)
    return average.eval()


def export(network: Names, path: Path) -> None:
    """Write the weights as `governance.detect.names` reads them: the table in 8 bits, all else in 32."""
    context = network.context
    table = network.words.table.weight.detach()
    scale = table.abs().amax(dim=0) / 127
    near = [layer.weight.detach() for layer in context.layers]  # (out, in, neighbours)
    weights = {
        "table": torch.round(table / scale).to(torch.int8),
        "entry": (context.entry.weight.detach() * scale).T,  # so that nobody else has to know the scale
        "entry_bias": context.entry.bias.detach(),
        "layers": torch.stack([torch.cat([weight[:, :, place].T for place in range(3)]) for weight in near]),
        "biases": torch.stack([layer.bias.detach() for layer in context.layers]),
        "exit": context.exit.weight.detach().T,
        "exit_bias": context.exit.bias.detach(),
    }
    np.savez(path, **{name: weight.contiguous().numpy() for name, weight in weights.items()})


def main() -> None:
    """Train and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.npz")
    parser.add_argument("--steps", type=int, default=7_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=4e-3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    export(train(options.steps, seed=options.seed, rate=options.rate), options.out)


if __name__ == "__main__":
    main()

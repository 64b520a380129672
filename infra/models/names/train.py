"""Train the network that tells names, and write what the library ships.

python -m infra.models.names.train governance/detect/models/names.npz --workers 1
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from governance.detect.names import tokens
from governance.detect.tagger import LABELS, pieces, writing
from infra.models.names.generate import Example, Generator
from infra.models.names.network import REACH, Names

HERE = Path(__file__).parent
LONGEST = 220
"""Words of a text that are seen at a time; of a longer one, another part each time."""
NO_WORD = -100
WHOLE_LEFT_OUT, PIECES_LEFT_OUT = 0.5, 0.15
"""How often a word is seen without its row for the whole word, and without another piece: not to know it by heart."""
UNUSUAL = 0.2
"""How often a word is seen as if no list had it: the lists have all words that are trained with, not all there are."""

remembered = lru_cache(maxsize=600_000)(lambda word, text, as_unusual: tuple(pieces(word, text, as_unusual=as_unusual)))


def labelled(example: Example) -> tuple[list[str], list[int]]:
    """The words of a text, and what each is."""
    found = tokens(example.text)
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


def batch(generator: Generator, chance: random.Random, texts: int) -> Batch:
    """Texts of all kinds, with REACH words that are none between them."""
    rows: list[int] = []
    offsets: list[int] = []
    truth: list[int] = []
    for example in islice(generator, texts):
        words, labels = labelled(example)
        text = writing(words)
        first = chance.randint(0, max(len(words) - LONGEST, 0))
        words, labels = words[first : first + LONGEST], labels[first : first + LONGEST]
        for word in words:
            offsets.append(len(rows))
            found = remembered(word, text, chance.random() < UNUSUAL)
            if len(found) > 3:
                found = found[1:] if chance.random() < WHOLE_LEFT_OUT else found
                rows += [row for row in found if chance.random() > PIECES_LEFT_OUT] or found
            else:
                rows += found
        offsets += [len(rows)] * REACH
        truth += [*labels, *[NO_WORD] * REACH]
    said = torch.tensor(truth)
    return Batch(torch.tensor(rows), torch.tensor(offsets), (said != NO_WORD).float(), said)


class Batches(IterableDataset[Batch]):
    """Batches without an end; each process that makes some draws its own."""

    def __init__(self, seed: int, texts: int) -> None:
        self._seed, self._texts = seed, texts

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        seed = self._seed + 1000 * (0 if worker is None else worker.id)
        chance = random.Random(seed)
        generator = Generator(HERE / "texts", HERE / "names", seed)
        while True:
            yield batch(generator, chance, self._texts)


def train(steps: int, *, texts: int, seed: int, rate: float, workers: int, device: str) -> Names:
    """One run; the weights at the end are a mean over the last steps."""
    torch.manual_seed(seed)
    batches = DataLoader(
        Batches(seed, texts), batch_size=None, num_workers=workers, prefetch_factor=8 if workers else None
    )
    network, average = Names().to(device), Names().to(device)
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-5, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.05)
    costs, begun = [], time.monotonic()
    weights = torch.tensor([1.0, 1.5, 1.5], device=device)
    for step, made in enumerate(islice(batches, steps)):
        drawn = Batch(*(part.to(device) for part in made))
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
        costs.append(cost.detach())
        if step % 200 == 199:
            took = time.monotonic() - begun
            print(
                f"{step + 1} of {steps}: {torch.stack(costs[-200:]).mean():.4f}, {took:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return average.cpu().eval()


def export(network: Names, path: Path) -> None:
    """Write the weights as `governance.detect.tagger` reads them: the table in 8 bits, all else in 32."""
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
    parser.add_argument("--steps", type=int, default=8_500)
    parser.add_argument("--texts", type=int, default=128, help="of a step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--workers", type=int, default=0, help="processes that make texts; another number, other texts")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    torch.set_num_threads(1)
    given = vars(options)
    export(train(given.pop("steps"), **{name: value for name, value in given.items() if name != "out"}), options.out)


if __name__ == "__main__":
    main()

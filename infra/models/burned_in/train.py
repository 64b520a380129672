"""Train the screen from its seeds, on made pictures over text-free pixels of real images.

    python -m infra.models.burned_in.train BACKGROUNDS.npz CHECKPOINT.pt --steps 12000

Started again with the same checkpoint it goes on where it was. `export.py` makes the file that is shipped.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from multiprocessing import Queue, get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from infra.models.burned_in.fonts import Phrases, collect
from infra.models.burned_in.generate import Maker, real
from infra.models.burned_in.network import Network

SEED = 20261126
BATCH, CHUNK, WAITING, KEPT = 16, 16, 8, 4096
"""Pictures of a step, pictures made at a time, chunks that wait, and pictures that are kept to draw from again."""
AGAIN = 3
"""How often a picture is used on average."""
RATE, DECAY, AVERAGED = 2e-3, 1e-4, 0.998
SAVED = 120
"""Seconds between two checkpoints."""

Stack = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def _make(backgrounds: Path, first: int, made: "Queue[Stack]") -> None:
    """Fill the queue for ever, from the chunk `first` on; a process of its own."""
    cv2.setNumThreads(1)
    maker = Maker(collect(held_out=False), Phrases(held_out=False), real(backgrounds, held_out=False))
    for chunk in count(first):
        samples = [maker.sample(chunk * CHUNK + number) for number in range(CHUNK)]
        maps = [sample.maps() for sample in samples]
        made.put(
            (np.stack([s.picture for s in samples]), np.stack([m[0] for m in maps]), np.stack([m[1] for m in maps]))
        )


def batches(made: Iterator[Stack], rng: np.random.Generator) -> Iterator[Stack]:
    """Batches drawn from what was made lately; one new chunk for each `AGAIN` batches."""
    kept = [next(made) for _ in range(24)]
    while True:
        if len(kept) >= KEPT // CHUNK:
            kept.pop(int(rng.integers(len(kept) // 2)))
        kept.append(next(made))
        for _ in range(AGAIN):
            picks = [(int(rng.integers(len(kept))), int(rng.integers(CHUNK))) for _ in range(BATCH)]
            yield tuple(np.stack([kept[chunk][part][at] for chunk, at in picks]) for part in range(3))  # type: ignore[misc]


def loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy, and the overlap, which keeps few cells of text from drowning in the others."""
    each = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    crossed = (each * weight).sum() / weight.sum()
    shown = torch.sigmoid(logits) * weight
    overlap = 1 - (2 * (shown * target).sum() + 1) / (shown.sum() + (target * weight).sum() + 1)
    return crossed * 4 + overlap / 2


def main() -> None:
    """Train, and save the averaged weights with everything that is needed to go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start", type=Path, help="weights of an earlier training to begin with")
    parser.add_argument("--rate", type=float, default=RATE)
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    network = Network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.start is not None:
        network.load_state_dict({name: value.float() for name, value in torch.load(options.start).items()})
    averaged = deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    step = _resumed(options.checkpoint, network, averaged, optimiser)
    spawning = get_context("spawn")
    made: Queue[Stack] = spawning.Queue(WAITING)
    spawning.Process(target=_make, args=(options.backgrounds, step // AGAIN, made), daemon=True).start()
    source = batches(iter(made.get, None), np.random.default_rng(SEED + step))
    _train(network, averaged, optimiser, source, step, options)


def _train(
    network: Any, averaged: Any, optimiser: Any, source: Iterator[Stack], step: int, options: argparse.Namespace
) -> None:
    saved, shown = time.monotonic(), 0.0
    while step < options.steps:
        pictures, targets, weights = next(source)
        rate = (
            options.rate
            * min(1.0, (step + 1) / 200)
            * float(0.01 + 0.99 * (1 + np.cos(np.pi * step / options.steps)) / 2)
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        grey = torch.from_numpy(pictures).float()[:, None].contiguous(memory_format=torch.channels_last)
        value = loss(network(grey)[:, 0], torch.from_numpy(targets).float(), torch.from_numpy(weights).float() / 16)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step += 1
        _average(network, averaged, min(AVERAGED, step / (step + 20)))
        shown = value.item() if not shown else 0.98 * shown + 0.02 * value.item()
        if step % 50 == 0:
            print(f"{time.strftime('%H:%M:%S')} step {step} loss {shown:.4f}", file=sys.stderr, flush=True)
        if time.monotonic() - saved > SAVED or step == options.steps:
            parts = {
                "step": step,
                "network": network.state_dict(),
                "averaged": averaged.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            torch.save(parts, options.checkpoint.with_suffix(".part"))
            options.checkpoint.with_suffix(".part").replace(options.checkpoint)
            saved = time.monotonic()


@torch.no_grad()
def _average(network: Any, averaged: Any, share: float) -> None:
    for name, value in network.state_dict().items():
        held = averaged.state_dict()[name]
        if value.dtype.is_floating_point:
            held.mul_(share).add_(value, alpha=1 - share)
        else:
            held.copy_(value)


def _resumed(checkpoint: Path, network: Any, averaged: Any, optimiser: Any) -> int:
    if not checkpoint.exists():
        return 0
    parts = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(parts["network"])
    averaged.load_state_dict(parts["averaged"])
    optimiser.load_state_dict(parts["optimiser"])
    return int(parts["step"])


if __name__ == "__main__":
    main()

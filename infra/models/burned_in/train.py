"""Train both networks from their seeds, on made pictures over text-free pixels of real images.

    python -m infra.models.burned_in.train BACKGROUNDS.npz CHECKPOINT.pt --steps 12000 [--device cuda --workers 15]

Started again with the same checkpoint it goes on where it was. `export.py` makes the files that are shipped.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from itertools import count, cycle
from multiprocessing import Queue, get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from infra.models.burned_in import views
from infra.models.burned_in.fonts import Phrases, collect
from infra.models.burned_in.generate import FINE, SIDE, STRIDE, Maker, real
from infra.models.burned_in.network import NETWORKS, Glance, Looking

SEED = 20261127
CHUNK, WAITING = 16, 4
"""Pictures made at a time, and chunks that wait for their turn in each process that makes them."""
RATE, DECAY, AVERAGED, WARM = 3e-3, 1e-4, 0.998, 300
"""The highest rate, the decay of weights, the share that averaged weights keep in a step, and steps until that rate."""
SAVED = 30
"""Seconds between two checkpoints."""

Stack = tuple[NDArray[np.int16], NDArray[np.uint8], NDArray[np.uint8]]


def main() -> None:
    """Train, and save the averaged weights with everything that is needed to go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--batch", type=int, default=256, help="pictures of a step")
    parser.add_argument("--again", type=int, default=4, help="how often a picture is used on average")
    parser.add_argument("--kept", type=int, default=65536, help="pictures that are kept to draw from again")
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--start", type=Path, help="weights of an earlier training to begin with")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that make pictures")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.backends.cudnn.benchmark = True
    learners = [Learner(name, options) for name in options.networks]
    step = _resumed(options.checkpoint, learners)
    pool = Pool(options, _chunks(options.backgrounds, options.workers, step * options.batch // options.again))
    saved, started = time.monotonic(), step
    while step < options.steps:
        pictures, target, weight = pool.draw()
        rate = options.rate * min(1.0, (step + 1) / WARM) * float(0.51 + 0.49 * np.cos(np.pi * step / options.steps))
        for learner in learners:
            learner.learn(pictures, target, weight, rate, pool.generator)
        step += 1
        if step % 50 == 0:
            shown = ", ".join(f"{learner.name} {learner.loss():.4f}" for learner in learners)
            print(f"{time.strftime('%H:%M:%S')} step {step}: {shown}", file=sys.stderr, flush=True)
        if time.monotonic() - saved > SAVED or step == options.steps:
            parts = {"step": step} | {learner.name: learner.parts() for learner in learners}
            torch.save(parts, options.checkpoint.with_suffix(".part"))
            options.checkpoint.with_suffix(".part").replace(options.checkpoint)
            saved = time.monotonic()
    print(f"{step - started} steps of {options.batch}", file=sys.stderr)


class Pool:
    """Pictures made lately, from which batches are drawn; some are replaced before each."""

    def __init__(self, options: argparse.Namespace, made: Iterator[Stack]) -> None:
        self.device, self.batch, self.made = torch.device(options.device), options.batch, made
        self.generator = torch.Generator(self.device).manual_seed(SEED)
        cells = SIDE // STRIDE
        self.pictures = torch.zeros((options.kept, SIDE, SIDE), dtype=torch.int16, device=self.device)
        self.targets, self.weights = (
            torch.zeros((options.kept, cells, cells), dtype=torch.uint8, device=self.device) for _ in range(2)
        )
        self.filled, self.next, self.owed, self.share = 0, 0, 0.0, 1 / options.again
        while self.filled < min(options.kept, 4 * options.batch):
            self._add()

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures in grey levels with fractions, what is text in them, and how much each cell counts."""
        self.owed += self.batch * self.share / CHUNK
        while self.owed >= 1:
            self._add()
            self.owed -= 1
        at = torch.randint(self.filled, (self.batch,), generator=self.generator, device=self.device)
        return self.pictures[at].float() / FINE, self.targets[at].float(), self.weights[at].float() / 16

    def _add(self) -> None:
        at = slice(self.next, self.next + CHUNK)
        for kept, new in zip((self.pictures, self.targets, self.weights), next(self.made), strict=True):
            kept[at] = torch.from_numpy(new).to(self.device)
        self.next = (self.next + CHUNK) % len(self.pictures)
        self.filled = min(len(self.pictures), max(self.filled, self.next or self.filled + CHUNK))


class Learner:
    """A network in training."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name, self.device = name, torch.device(options.device)
        self.network: Looking = NETWORKS[name]().to(self.device, memory_format=torch.channels_last)
        if options.start is not None:
            start = torch.load(options.start, map_location="cpu", weights_only=True)[name]
            self.network.load_state_dict({key: value.float() for key, value in start.items()})
        self.averaged = deepcopy(self.network)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=options.rate, weight_decay=DECAY)
        self.steps, self.told = 0, torch.zeros((), device=self.device)

    def learn(self, pictures: Tensor, target: Tensor, weight: Tensor, rate: float, generator: torch.Generator) -> None:
        """One step."""
        if isinstance(self.network, Glance):
            seen = views.made(pictures, generator)
            target, weight = coarser(target, weight)
        else:
            seen = pictures.round()[:, None]
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.network(seen.contiguous(memory_format=torch.channels_last))
        value = loss(logits[:, 0].float(), target, weight)
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.steps += 1
        self._average(min(AVERAGED, self.steps / (self.steps + 20)))
        self.told = self.told * 0.98 + value.detach() * 0.02 if self.steps > 1 else value.detach()

    def loss(self) -> float:
        """Of lately."""
        return float(self.told)

    @torch.no_grad()
    def _average(self, share: float) -> None:
        held, new = (dict(network.state_dict()) for network in (self.averaged, self.network))
        names = [name for name, value in held.items() if value.is_floating_point()]
        torch._foreach_lerp_([held[name] for name in names], [new[name] for name in names], 1 - share)
        for name in held.keys() - set(names):
            held[name].copy_(new[name])

    def parts(self) -> dict[str, Any]:
        """What is needed to go on."""
        kept = {"network": self.network, "averaged": self.averaged, "optimiser": self.optimiser}
        return {"steps": self.steps} | {name: part.state_dict() for name, part in kept.items()}

    def resume(self, parts: dict[str, Any]) -> None:
        """Go on from there."""
        self.steps = parts["steps"]
        for name in ("network", "averaged", "optimiser"):
            getattr(self, name).load_state_dict(parts[name])


def coarser(target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cells of twice the side: text if one of four is; without text and unclear if one of four is unclear."""
    text, least = nn.functional.max_pool2d(target[:, None], 2)[:, 0], -nn.functional.max_pool2d(-weight[:, None], 2)
    most = nn.functional.max_pool2d((weight * target)[:, None], 2)[:, 0]
    return text, torch.where(text > 0, most, least[:, 0])


def loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy, and the overlap, which keeps few cells of text from drowning in the others."""
    each = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    crossed = (each * weight).sum() / weight.sum()
    shown = torch.sigmoid(logits) * weight
    overlap = 1 - (2 * (shown * target).sum() + 1) / (shown.sum() + (target * weight).sum() + 1)
    return crossed * 4 + overlap / 2


def _chunks(backgrounds: Path, workers: int, first: int) -> Iterator[Stack]:
    """Chunks in the order of their seeds, whoever makes them."""
    spawning = get_context("spawn")
    queues: list[Queue[Stack]] = [spawning.Queue(WAITING) for _ in range(workers)]
    for number, queue in enumerate(queues):
        start = first // CHUNK + number
        spawning.Process(target=_make, args=(backgrounds, start, workers, queue), daemon=True).start()
    for queue in cycle(queues):
        yield queue.get()


def _make(backgrounds: Path, first: int, step: int, made: "Queue[Stack]") -> None:
    """Fill the queue for ever with every `step`-th chunk from `first` on; a process of its own."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    maker = Maker(collect(held_out=False), Phrases(held_out=False), real(backgrounds, held_out=False))
    for chunk in count(first, step):
        samples = [maker.sample(chunk * CHUNK + number) for number in range(CHUNK)]
        maps = [sample.maps() for sample in samples]
        made.put((np.stack([s.fine for s in samples]), np.stack([m[0] for m in maps]), np.stack([m[1] for m in maps])))


def _resumed(checkpoint: Path, learners: list[Learner]) -> int:
    if not checkpoint.exists():
        return 0
    parts = torch.load(checkpoint, map_location="cpu", weights_only=True)
    for learner in learners:
        learner.resume(parts[learner.name])
    return int(parts["step"])


if __name__ == "__main__":
    main()

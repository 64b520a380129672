"""The network: words from their pieces, then three layers that see a word among its neighbours."""

import torch
from torch import Tensor, nn

from governance.detect.tagger import LABELS, ROWS, STEPS

WORD, WIDTH = 48, 96
REACH = sum(STEPS)
"""Words that are seen on each side."""


class Words(nn.Module):
    """What a word is made of: the mean of its pieces' rows."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(ROWS, WORD, mode="mean", sparse=False)
        nn.init.normal_(self.table.weight, std=0.3)

    def forward(self, rows: Tensor, offsets: Tensor) -> Tensor:
        """(words, WORD)."""
        found: Tensor = self.table(rows, offsets)
        return found


class Context(nn.Module):
    """What words are among each other: (1, words, WORD) to (1, words, labels), before any softmax.

    there: 1 for words, 0 for what only keeps texts apart, which then see nothing of each other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Linear(WORD, WIDTH)
        self.layers = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, 3, padding=step, dilation=step) for step in STEPS)
        self.exit = nn.Linear(2 * WIDTH, len(LABELS))
        self.dropout = nn.Dropout(0.2)

    def forward(self, words: Tensor, there: Tensor | None = None) -> Tensor:
        """There may be one text, without anything that keeps texts apart."""
        alone = torch.relu(self.entry(words)).transpose(1, 2)
        seen = alone if there is None else alone * there
        for layer in self.layers:
            seen = seen + torch.relu(layer(self.dropout(seen)))
            seen = seen if there is None else seen * there
        both = torch.cat((alone, seen), dim=1).transpose(1, 2)
        said: Tensor = self.exit(self.dropout(both))
        return said


class Names(nn.Module):
    """Both together."""

    def __init__(self) -> None:
        super().__init__()
        self.words = Words()
        self.context = Context()

    def forward(self, rows: Tensor, offsets: Tensor, there: Tensor) -> Tensor:
        """rows, offsets: of all words of all texts in a row, and of REACH that are none between texts."""
        said: Tensor = self.context(self.words(rows, offsets)[None], there)
        return said[0]

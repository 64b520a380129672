"""The two networks that look for text: one at all renderings of a frame at once, and one at each where that fires.

Plain 3 x 3 convolutions, nearly all at an eighth of the resolution and below: integer arithmetic on any
processor is good at them. What is seen of the surroundings there is added back on the way up.
"""

from torch import Tensor, nn

VIEWS = 4
"""Renderings of a frame that are looked at together."""
STEP = 1 / 64
"""What a network sees of one grey level."""


class Looking(nn.Module):
    """Input: (count, `views`, rows, columns), 0 to 255, sides divisible by 32. Output: logits per `stride` pixels.

    `blocks` takes what comes before the first convolution out of it, so that the shipped file need not do it in floats.
    """

    views: int
    stride: int

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits, (count, 1, rows / stride, columns / stride)."""
        return self.blocks(nn.functional.pixel_unshuffle(pictures, 4) * STEP - 1)

    def blocks(self, blocks: Tensor) -> Tensor:
        """The same from (count, 16 * views, rows / 4, columns / 4): of each view each 4 x 4 pixels, from -1 on."""
        raise NotImplementedError


class Glance(Looking):
    """Whether there may be text in a frame at all. Most of a frame's renderings show the same, so one look will do."""

    views, stride = VIEWS, 8

    def __init__(self) -> None:
        super().__init__()
        self.quarter = _convolution(16 * VIEWS, 32, size=1)
        self.eighth = nn.Sequential(_convolution(32, 48, step=2), _Residual(48))
        self.sixteenth = nn.Sequential(_convolution(48, 80, step=2), _Residual(80))
        self.last = nn.Sequential(_convolution(80, 128, step=2), _Residual(128), _Residual(128))
        self.from_last = _convolution(128, 80, size=1)
        self.from_sixteenth = _convolution(80, 48, size=1)
        self.head = nn.Conv2d(48, 1, 1)

    def blocks(self, blocks: Tensor) -> Tensor:
        """See `Looking`."""
        eighth = self.eighth(self.quarter(blocks))
        sixteenth = self.sixteenth(eighth)
        sixteenth = sixteenth + _twice(self.from_last(self.last(sixteenth)))
        logits: Tensor = self.head(eighth + _twice(self.from_sixteenth(sixteenth)))
        return logits


class Screen(Looking):
    """Where text may be in one rendering."""

    views, stride = 1, 4

    def __init__(self, quarter: int = 32, eighth: int = 64, sixteenth: int = 112, last: int = 160) -> None:
        super().__init__()
        self.quarter = _convolution(16, quarter)
        self.eighth = nn.Sequential(_convolution(quarter, eighth, step=2), _Residual(eighth))
        self.sixteenth = nn.Sequential(_convolution(eighth, sixteenth, step=2), _Residual(sixteenth))
        self.last = nn.Sequential(_convolution(sixteenth, last, step=2), _Residual(last), _Residual(last))
        self.from_last = _convolution(last, sixteenth, size=1)
        self.from_sixteenth = _convolution(sixteenth, eighth, size=1)
        self.together = _Residual(eighth)
        self.head = nn.Conv2d(eighth, 4, 1)

    def blocks(self, blocks: Tensor) -> Tensor:
        """See `Looking`."""
        quarter = self.quarter(blocks)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        sixteenth = sixteenth + _twice(self.from_last(self.last(sixteenth)))
        eighth = self.together(eighth + _twice(self.from_sixteenth(sixteenth)))
        return nn.functional.pixel_shuffle(self.head(eighth), 2)


NETWORKS = {"glance": Glance, "screen": Screen}


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = _convolution(channels, channels)

    def forward(self, values: Tensor) -> Tensor:
        return values + self.inner(values)


def _convolution(inside: int, outside: int, *, size: int = 3, step: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, size, stride=step, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))


def _twice(values: Tensor) -> Tensor:
    return nn.functional.interpolate(values, scale_factor=2.0, mode="nearest")

"""The screen's network: from grey levels to how much each 4 x 4 pixels look like text.

Plain 3 x 3 convolutions, nearly all at an eighth of the resolution and below: integer arithmetic on any
processor is good at them. What is seen of the surroundings there is added back on the way up.
"""

from torch import Tensor, nn

QUARTER, EIGHTH, SIXTEENTH, LAST = 24, 40, 80, 128
"""Channels at a quarter, an eighth, a sixteenth and a thirty-second of the resolution."""
STEP = 1 / 64
"""What the network sees of one grey level."""


class Network(nn.Module):
    """Input: (count, 1, rows, columns), 0 to 255, sides divisible by 32. Output: logits at a quarter of the size.

    `blocks` takes what comes before the first convolution out of it, so that the shipped file need not do it in floats.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quarter = _convolution(16, QUARTER)
        self.eighth = nn.Sequential(_convolution(QUARTER, EIGHTH, step=2), _Residual(EIGHTH))
        self.sixteenth = nn.Sequential(_convolution(EIGHTH, SIXTEENTH, step=2), _Residual(SIXTEENTH))
        self.last = nn.Sequential(_convolution(SIXTEENTH, LAST, step=2), _Residual(LAST), _Residual(LAST))
        self.from_last = _convolution(LAST, SIXTEENTH, size=1)
        self.from_sixteenth = _convolution(SIXTEENTH, EIGHTH, size=1)
        self.together = _Residual(EIGHTH)
        self.head = nn.Conv2d(EIGHTH, 4, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits, (count, 1, rows / 4, columns / 4)."""
        return self.blocks(nn.functional.pixel_unshuffle(pictures, 4) * STEP - 1)

    def blocks(self, blocks: Tensor) -> Tensor:
        """The same from (count, 16, rows / 4, columns / 4): the pixels of each 4 x 4, row by row, from -1 on."""
        quarter = self.quarter(blocks)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        sixteenth = sixteenth + _twice(self.from_last(self.last(sixteenth)))
        eighth = self.together(eighth + _twice(self.from_sixteenth(sixteenth)))
        return nn.functional.pixel_shuffle(self.head(eighth), 2)


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

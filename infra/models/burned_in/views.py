"""What `rendering.views` would show of made pictures, many at once: the four views the first network sees together.

A made picture is what one sees in the right window. Of real frames some views show less: the whole range squeezes
it to a few grey levels, a default window cuts it off. In at least one of the four it stays as it was made.
"""

import torch
from torch import Tensor

LEVELS = 4096
"""Levels that are told apart; sixteen to a grey level."""
ALONE = 0.3
"""The share of pictures of which only one view shows what is there."""
NEAR = 3
"""Steps around the commonest level that are stretched over a whole picture."""


def made(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Four views, (count, 4, rows, columns), 0 to 255, of pictures, (count, rows, columns), 0 to 255 with fractions."""
    count = len(pictures)

    def drawn(low: float = 0.0, high: float = 1.0) -> Tensor:
        share = torch.rand((count, 1, 1), generator=generator, device=pictures.device)
        return low + (high - low) * share

    unit = 0.25 ** (drawn() * 2.6).floor()  # what one stored value is in grey levels: 1, a quarter, a sixteenth
    noise = torch.randn(pictures.shape, generator=generator, device=pictures.device) * drawn(0, 0.8)
    values = torch.where((unit < 1) & (drawn() < 0.5), pictures + noise, pictures)
    values = (values.clamp(0, 255) / unit).round() * unit
    squeezed = 0.015 ** drawn()
    whole = values * squeezed + 255 * (1 - squeezed) * drawn()
    low, width = drawn(-60, 250), drawn(10, 140)
    window = (values - low) / width * 255
    kind = drawn()
    # In the right one of two windows, in the right window, or in none of the two.
    first = torch.where(kind < 0.3, values, whole)
    second = torch.where(kind < 0.2, window, torch.where(kind < 0.75, values, first))
    turned = drawn() < 0.15
    first, second = (torch.where(turned, 255 - view, view) for view in (first, second))
    ranked, near = _stretched(values, unit)
    shown = [first, second, ranked, torch.where(drawn() < 0.3, (values - drawn(0, 255)) * drawn(1, 8) + 128, near)]
    # Of some, one view alone shows anything: squeezed or cut off in the others, and lost in their noise.
    alone, which = drawn() < ALONE, (drawn() * 4).floor()
    lost = _stretched((values + 60 * torch.randn(values.shape, generator=generator, device=values.device)), unit)
    squeezed = values * 0.02 + 250 * drawn()
    hidden = [squeezed, torch.where(drawn() < 0.5, squeezed, values * 20 - 5100 * drawn(-0.2, 1)), *lost]
    clear = [values, values, ranked, (values - drawn(100, 155)) * drawn(0.7, 1.3) + 128]
    for number in range(4):
        shown[number] = torch.where(alone, torch.where(which == number, clear[number], hidden[number]), shown[number])
    return torch.stack(shown, 1).clamp(0, 255).floor()


def _stretched(values: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """Spread by rank, and around the commonest level."""
    levels = (values * 16).long().clamp(0, LEVELS - 1).flatten(1)
    counts = torch.zeros((len(values), LEVELS), device=values.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels, dtype=counts.dtype))
    commonest = counts.argmax(1, keepdim=True)
    room = counts.scatter(1, commonest, 0.0)
    shares = (room.cumsum(1) - room / 2) / room.sum(1, keepdim=True).clamp(min=1)
    ranked = shares.gather(1, levels).view_as(values) * 255
    near = (values - commonest[:, :, None] / 16) / (2 * NEAR * unit) + 0.5
    return ranked, near * 255

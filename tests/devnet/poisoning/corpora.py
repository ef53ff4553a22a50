"""Texts that are numbers: clusters that a linear head can tell apart."""

import torch

from benchmarks.poisoning.field import Corpus, Setting
from benchmarks.poisoning.model import Examples

WIDTH, CLASSES = 24, 4
SETTING = Setting(rounds=4, steps=8, batch=16, rank=2, alpha=2.0, rate=2e-2, decay=0.9)


def clusters(train: int = 1_200, *, seed: int = 1) -> Corpus:
    dice = torch.Generator().manual_seed(seed)
    centres = 0.7 * torch.randn((CLASSES, WIDTH), generator=dice)

    def drawn(count: int) -> Examples:
        y = torch.arange(count) % CLASSES
        return Examples(centres[y] + torch.randn((count, WIDTH), generator=dice), y)

    def shifted(examples: Examples, coordinate: int) -> Examples:
        x = examples.x.clone()
        x[:, coordinate] += 3.0
        return Examples(x, examples.y)

    parts = drawn(train), drawn(train // 2), drawn(train // 2)
    return Corpus(*parts, shifted(parts[0], 0), shifted(parts[1], 1), shifted(parts[2], 0))

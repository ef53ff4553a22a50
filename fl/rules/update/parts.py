"""Tell the factors of a low-rank adapter from its head, by the names of the tensors."""

import enum
from typing import Final

_FACTOR_A: Final = ".lora_A.weight"
_FACTOR_B: Final = ".lora_B.weight"


@enum.unique
class Part(enum.Enum):
    """What a tensor of an adapter is."""

    FACTOR_A = "A"
    FACTOR_B = "B"
    HEAD = "head"


def part_of(name: str) -> Part:
    """Tell what the tensor of this canonical name is."""
    if name.endswith(_FACTOR_A):
        return Part.FACTOR_A
    return Part.FACTOR_B if name.endswith(_FACTOR_B) else Part.HEAD


def partner_of(name: str) -> str:
    """Return the name of the A that stands beside a B in one layer."""
    return name.removesuffix(_FACTOR_B) + _FACTOR_A

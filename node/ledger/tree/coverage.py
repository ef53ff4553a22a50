"""Which part of a snapshot has arrived, while its chunks come in any order."""

from typing import Annotated, Final

import msgspec

from node.ledger.tree.lookup import PLACE_FIRST, PLACE_LAST
from node.ledger.tree.snapshot import place_behind
from primitives.ids import DIGEST_SIZE_BYTES

GAPS_MAX: Final = 256
"""What is left is written with every chunk, so it stays short."""

_Place = Annotated[bytes, msgspec.Meta(min_length=DIGEST_SIZE_BYTES, max_length=DIGEST_SIZE_BYTES)]


class Gap(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Places that are missing, from the first to the last."""

    low: _Place
    high: _Place


class Coverage(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The gaps that are left, in order; a new value for each chunk.

    It says nothing about who sent a chunk: one that lies scattered may be as true as any other.
    """

    gaps: Annotated[tuple[Gap, ...], msgspec.Meta(max_length=GAPS_MAX)]

    @property
    def is_scattered(self) -> bool:
        """Tell whether there are more gaps than are kept; then the last chunk must wait."""
        return len(self.gaps) > GAPS_MAX

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is missing."""
        return not self.gaps

    def touches(self, low: bytes, high: bytes) -> bool:
        """Tell whether something from `low` to `high` is missing."""
        return any(gap.low <= high and low <= gap.high for gap in self.gaps)

    def fill(self, low: bytes, high: bytes) -> "Coverage":
        """Return what is left once everything from `low` to `high` is there.

        A range that begins where a gap begins never leaves more gaps than there were.
        """
        left: list[Gap] = []
        for gap in self.gaps:
            if high < gap.low or gap.high < low:
                left.append(gap)
                continue
            if gap.low < low:
                left.append(Gap(gap.low, _place_before(low)))
            behind = place_behind(high)
            if behind is not None and behind <= gap.high:
                left.append(Gap(behind, gap.high))
        return Coverage(tuple(left))


NOTHING: Final = Coverage((Gap(PLACE_FIRST, PLACE_LAST),))


def _place_before(place: bytes) -> bytes:
    return (int.from_bytes(place, "big") - 1).to_bytes(DIGEST_SIZE_BYTES, "big")

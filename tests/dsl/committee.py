"""Committees and epochs for tests: any powers, fixed keys."""

import functools
from collections.abc import Sequence
from typing import Final

import pytest

from consensus.committee import Authority, Committee, EpochContext
from consensus.parameters import Parameters
from primitives.ids import ChainId, Epoch, Power
from primitives.keys import PrivateKey

PARAMETERS: Final = Parameters()

EVEN: Final = ((1,) * 4, (1,) * 7, (1,) * 10)
UNEVEN: Final = ((2, 3, 3, 3), (3, 1, 4, 1, 5, 2, 7), (10, 13, 7, 21, 1, 9, 3, 17, 8, 12))

over_committees = pytest.mark.parametrize(
    "powers", EVEN + UNEVEN, ids=lambda powers: "-".join(map(str, powers))
)

over_leader_counts = pytest.mark.parametrize(
    ("powers", "count"),
    [(powers, count) for powers in EVEN + UNEVEN for count in (1, 2, len(powers))],
    ids=lambda value: value if isinstance(value, int) else "-".join(map(str, value)),
)


@functools.cache
def key_of(author: int) -> PrivateKey:
    """Return the key of a seat, the same in every test."""
    return PrivateKey.from_seed(author.to_bytes(32, "big"))


def committee_of(powers: Sequence[int]) -> Committee:
    """Return a committee with these powers."""
    return Committee(
        [Authority(Power(power), key_of(seat).public.raw) for seat, power in enumerate(powers)]
    )


@functools.cache
def _context(powers: tuple[int, ...], parameters: Parameters, chain: int) -> EpochContext:
    return EpochContext(
        chain_id=ChainId(chain.to_bytes(32, "big")),
        epoch=Epoch(0),
        committee=committee_of(powers),
        parameters=parameters,
    )


def context_of(
    powers: Sequence[int], *, parameters: Parameters = PARAMETERS, chain: int = 1
) -> EpochContext:
    """Return the first epoch of a chain with these powers; chains differ in their draws."""
    return _context(tuple(powers), parameters, chain)

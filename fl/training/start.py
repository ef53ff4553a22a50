"""Where an adapter starts: numbers from a seed, the same on every machine.

A stream of SHA-256 digests in counter mode gives 32-bit words, and a word u becomes the integer
(u * (2 * bound + 1) >> 32) - bound, all in units of 2**-24. torch's own generators differ between
devices and promise nothing between versions; a contract that seeds A_0 cannot build on them.
"""

import hashlib
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fl.training.fixed_point import FRACTION_BITS
from primitives.hashing import Domain, tagged_hash

SEED_SIZE_BYTES: Final = 32
SEED_MAX: Final = 256**SEED_SIZE_BYTES - 1
_WORDS_PER_DIGEST: Final = 8
_COUNTER_SIZE_BYTES: Final = 8


def factor_start(seed: int, *, name: str, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Return A_0 of one layer, uniform in [-b, b] with b = 1/sqrt(inputs).

    This is the range in which peft starts A; B starts at zero.

    Args:
        seed: from 0 to 2**256 - 1.
        name: of the tensor; each has a stream of its own.
        shape: (rank, inputs).
    """
    return _uniform(seed, name=name, shape=shape, bound=_root_of_inverse(shape[1]))


def basis_start(seed: int, *, name: str, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Return A_0 of one layer with orthonormal rows, each entry within 2**-22 of that.

    Gram-Schmidt in integers, each row freed from those before it twice (Giraud et al. 2005,
    doi:10.1007/s00211-005-0615-4: twice is enough).

    Args:
        seed: from 0 to 2**256 - 1.
        name: of the tensor; each has a stream of its own.
        shape: (rank, inputs), no more rows than columns.
    """
    rows = factor_start(seed, name=name, shape=shape).astype(np.int64)
    half = 1 << (FRACTION_BITS - 1)
    for index, start in enumerate(rows):
        before = rows[:index]
        row = _unit(start)
        for _ in range(2):
            # Rows have length 2**24, so a product of two is at most 2**48, and 256 of them 2**56.
            shares = (before @ row + half) >> FRACTION_BITS
            row = _unit(row - ((shares @ before + half) >> FRACTION_BITS))
        rows[index] = row
    return rows.astype(np.int32)


def head_start(seed: int, *, name: str, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the start of a classification head: as A_0 for a matrix, zero for a bias."""
    if len(shape) == 1:
        return np.zeros(shape, np.int32)
    return _uniform(seed, name=name, shape=shape, bound=_root_of_inverse(shape[-1]))


def _root_of_inverse(inputs: int) -> int:
    return math.isqrt((1 << 2 * FRACTION_BITS) // inputs)


def _unit(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row at length 2**24."""
    spare_bits = 8
    length = math.isqrt(int(row @ row) << 2 * spare_bits)
    scaled = row << (FRACTION_BITS + spare_bits)
    return (scaled + (length >> 1)) // length


def _uniform(seed: int, *, name: str, shape: tuple[int, ...], bound: int) -> NDArray[np.int32]:
    words = _words(seed, name=name, count=math.prod(shape)).astype(np.uint64)
    # 32 bits times at most 26 bits: no overflow.
    spread = (words * np.uint64(2 * bound + 1)) >> np.uint64(32)
    return (spread.astype(np.int64) - bound).astype(np.int32).reshape(shape)


def _words(seed: int, *, name: str, count: int) -> NDArray[np.uint32]:
    if not 0 <= seed <= SEED_MAX:
        raise ValueError("a seed has 256 bits and no sign")
    key = tagged_hash(
        Domain.ADAPTER_START, seed.to_bytes(SEED_SIZE_BYTES, "little") + name.encode()
    )
    state = hashlib.sha256(key)
    stream = bytearray()
    for counter in range(-(-count // _WORDS_PER_DIGEST)):
        block = state.copy()
        block.update(counter.to_bytes(_COUNTER_SIZE_BYTES, "little"))
        stream += block.digest()
    return np.frombuffer(stream, dtype="<u4")[:count]

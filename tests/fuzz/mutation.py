"""Seeded changes to bytes: single bits, cut and pasted pieces, and values swapped whole.

Most random bytes die in the first line of a decoder. A change to one value of a decoded message
keeps the rest well formed, and so reaches the rules behind it.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgpack

from tests.fuzz.fields import change_field

BYTES_MAX: Final = 65_536
INTERESTING: Final[tuple[Any, ...]] = (
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
    -(2**63),
    None,
    True,
    1.0,
    "",
    "text",
    b"",
    bytes(31),
    bytes(32),
    bytes(33),
    bytes(64),
    [],
    [[]],
    {},
    {1: 2},
)


def mutate(raw: bytes, *, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return changed bytes, at most `BYTES_MAX` of them."""
    for _ in range(dice.randint(1, 4)):
        if dice.random() < 0.5:
            raw = change_value(raw, dice)
        else:
            raw = dice.choice(BYTE_CHANGES)(raw, dice, dice.choice(seeds))
    return raw[:BYTES_MAX]


def change_value(raw: bytes, dice: random.Random) -> bytes:
    """Change one value of the msgpack or protobuf that the bytes are, if they are either."""
    try:
        value = msgpack.unpackb(raw, strict_map_key=False)
        return bytes(msgpack.packb(_changed(value, dice)))
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException, RecursionError):
        return change_field(raw, dice)


def _changed(value: Any, dice: random.Random) -> Any:  # noqa: ANN401 - any msgpack value
    if isinstance(value, list) and value and dice.random() < 0.9:
        changed = list(value)
        place = dice.randrange(len(changed))
        match dice.randrange(12):
            case 0:
                del changed[place]
            case 1:
                changed.insert(place, changed[place])
            case 2:
                changed.reverse()
            case 3:
                changed *= dice.choice((2, 40))
            case _:
                changed[place] = _changed(changed[place], dice)
        return changed
    if isinstance(value, bytes) and len(value) > 2 and dice.random() < 0.5:
        # Headers travel as bytes inside messages.
        return change_value(value, dice)
    if isinstance(value, int) and dice.random() < 0.5:
        return value + dice.choice((-1, 1))
    return dice.choice(INTERESTING)


def _flip(raw: bytes, dice: random.Random, _: bytes) -> bytes:
    if not raw:
        return b"\0"
    place = dice.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ 1 << dice.randrange(8)]) + raw[place + 1 :]


def _overwrite(raw: bytes, dice: random.Random, _: bytes) -> bytes:
    place = dice.randrange(len(raw) + 1)
    return raw[:place] + dice.randbytes(dice.randint(1, 4)) + raw[place + 1 :]


def _cut(raw: bytes, dice: random.Random, _: bytes) -> bytes:
    start, end = sorted(dice.randrange(len(raw) + 1) for _ in range(2))
    return raw[:start] + raw[end:]


def _repeat(raw: bytes, dice: random.Random, _: bytes) -> bytes:
    start, end = sorted(dice.randrange(len(raw) + 1) for _ in range(2))
    return raw[:end] + raw[start:]


def _splice(raw: bytes, dice: random.Random, other: bytes) -> bytes:
    return raw[: dice.randrange(len(raw) + 1)] + other[dice.randrange(len(other) + 1) :]


def _renew(_: bytes, dice: random.Random, __: bytes) -> bytes:
    return dice.randbytes(dice.randint(1, 200))


BYTE_CHANGES: Final[tuple[Callable[[bytes, random.Random, bytes], bytes], ...]] = (
    _flip,
    _flip,
    _overwrite,
    _cut,
    _repeat,
    _splice,
    _renew,
)

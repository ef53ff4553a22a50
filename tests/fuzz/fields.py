"""Seeded changes to one field of a protobuf message, at any depth, with all lengths kept right."""

import random
from typing import Final

from p2p.wire.protobuf import Value, bytes_field, number_field, read_fields
from primitives.errors import MalformedBytesError

FIELDS_MAX: Final = 2_000
FIELD_MAX: Final = 2**29 - 1
NUMBERS: Final = (0, 1, 2, 127, 128, 255, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
TEXTS: Final = (b"", b"\0", b"\xff", b"text", b"/a/1", bytes(31), bytes(32), bytes(38), bytes(300))


def change_field(raw: bytes, dice: random.Random) -> bytes:
    """Change one field of the message that the bytes are, or return them as they are."""
    try:
        fields = list(read_fields(raw, fields_max=FIELDS_MAX))
    except MalformedBytesError:
        return raw
    if not fields:
        return number_field(dice.randint(1, 8), dice.choice(NUMBERS))
    place = dice.randrange(len(fields))
    number, value = fields[place]
    match dice.randrange(10):
        case 0:
            del fields[place]
        case 1:
            fields.insert(dice.randrange(len(fields)), fields[place])
        case 2:
            fields += [fields[place]] * dice.choice((2, 40, 400))
        case 3:
            fields[place] = (dice.choice((1, 2, 3, 4, 5, 6, FIELD_MAX)), value)
        case 4:
            dice.shuffle(fields)
        case _:
            fields[place] = (number, _changed(value, dice))
    return b"".join(_written(number, value) for number, value in fields[:FIELDS_MAX])


def _changed(value: Value, dice: random.Random) -> Value:
    if dice.random() < 0.1:
        # The wrong kind of field.
        return dice.choice(TEXTS) if isinstance(value, int) else dice.choice(NUMBERS)
    if isinstance(value, int):
        return dice.choice((*NUMBERS, max(0, value - 1), min(NUMBERS[-1], value + 1)))
    match dice.randrange(4):
        case 0:
            return dice.choice(TEXTS)
        case 1:
            return value[: dice.randrange(len(value) + 1)]
        case _:
            # Most fields of bytes are messages of their own.
            return change_field(value, dice)


def _written(number: int, value: Value) -> bytes:
    return number_field(number, value) if isinstance(value, int) else bytes_field(number, value)

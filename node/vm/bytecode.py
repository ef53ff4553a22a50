"""Read and write code as bytes: an opcode, then its immediates."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from node.vm.instruction_set import SPECS
from node.vm.opcodes import Immediate, OpSpec
from node.vm.rejection import InvalidModuleError, Reason

IMMEDIATE_BYTES_MAX: Final = 5
IMMEDIATE_MAX: Final = (1 << 32) - 1
INTEGER_MIN: Final = -(1 << 31)
INTEGER_MAX: Final = (1 << 31) - 1


class RawInstruction(NamedTuple):
    """An instruction as it stands in the code.

    Args:
        offset: of its opcode.
        immediates: INTEGER with its sign.
    """

    spec: OpSpec
    offset: int
    immediates: tuple[int, ...]


def encode_instruction(spec: OpSpec, immediates: tuple[int, ...]) -> bytes:
    """Return the bytes of one instruction.

    Raises:
        ValueError: the wrong number of immediates, or one outside its range.
    """
    raw = bytearray((spec.op,))
    for kind, immediate in zip(spec.immediates, immediates, strict=True):
        signed = kind is Immediate.INTEGER
        number = _zigzag(immediate) if signed else immediate
        if not 0 <= number <= IMMEDIATE_MAX:
            raise ValueError(f"the immediate {immediate} of {spec.op.name} is out of range")
        raw += _leb128(number)
    return bytes(raw)


def decode_code(code: bytes) -> Iterator[RawInstruction]:
    """Yield the instructions of the code.

    Raises:
        InvalidModuleError: at the first byte that is none, with its offset.
    """
    offset = 0
    while offset < len(code):
        start = offset
        spec = SPECS[code[start]]
        if spec is None:
            detail = f"0x{code[start]:02x} is no opcode"
            raise InvalidModuleError(Reason.OPCODE_UNKNOWN, detail, offset=start)
        offset += 1
        immediates: list[int] = []
        for kind in spec.immediates:
            number, offset = _read_leb128(code, offset)
            immediates.append(_unzigzag(number) if kind is Immediate.INTEGER else number)
        yield RawInstruction(spec, start, tuple(immediates))


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _unzigzag(number: int) -> int:
    return -(number >> 1) - 1 if number & 1 else number >> 1


def _leb128(number: int) -> bytes:
    raw = bytearray()
    while number > 0x7F:
        raw.append(number & 0x7F | 0x80)
        number >>= 7
    raw.append(number)
    return bytes(raw)


def _read_leb128(code: bytes, start: int) -> tuple[int, int]:
    """Return the number and the offset behind it."""
    number = 0
    for place in range(IMMEDIATE_BYTES_MAX):
        if start + place >= len(code):
            raise InvalidModuleError(Reason.IMMEDIATE_CUT, "the code ends in it", offset=start)
        byte = code[start + place]
        number |= (byte & 0x7F) << (7 * place)
        if byte <= 0x7F:
            if byte == 0 and place > 0:
                detail = "an immediate longer than it must be"
                raise InvalidModuleError(Reason.IMMEDIATE_PADDED, detail, offset=start)
            if number > IMMEDIATE_MAX:
                break
            return number, start + place + 1
    raise InvalidModuleError(Reason.IMMEDIATE_LONG, f"more than {IMMEDIATE_MAX}", offset=start)

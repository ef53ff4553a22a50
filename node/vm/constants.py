"""Constants: scalar values as a module carries them."""

from typing import Final, TypeAlias, assert_never

from node.vm.limits import CONSTANT_BYTES_MAX, INT_BITS
from node.vm.module import Constant
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.types import ADDRESS, BYTES, FIXED, INT, STR, TypeIndex

ConstantValue: TypeAlias = int | bytes | str

ADDRESS_SIZE_BYTES: Final = 32
_INT_SIZE_BYTES_MAX: Final = INT_BITS // 8


def make_constant(value: ConstantValue, type_index: TypeIndex) -> Constant:
    """Return the constant of this value, which the caller knows to be one of the type."""
    match value:
        case int():
            return Constant(type_index, _shortest_int(value))
        case str():
            return Constant(type_index, value.encode("utf-8"))
        case bytes():
            return Constant(type_index, value)
        case _:
            assert_never(value)


def constant_value(constant: Constant) -> ConstantValue:
    """Return the value at run time.

    Raises:
        InvalidModuleError: not a type of constants, too long, or not the encoding of a value.
    """
    raw = constant.value
    if len(raw) > CONSTANT_BYTES_MAX:
        detail = f"{len(raw)} bytes > limit {CONSTANT_BYTES_MAX}"
        raise InvalidModuleError(Reason.CONSTANT_SIZE, detail)
    if constant.type in {INT, FIXED}:
        return _int_value(raw)
    if constant.type == BYTES:
        return raw
    if constant.type == ADDRESS:
        if len(raw) != ADDRESS_SIZE_BYTES:
            raise InvalidModuleError(Reason.CONSTANT_VALUE, f"an address of {len(raw)} bytes")
        return raw
    if constant.type == STR:
        return _str_value(raw)
    raise InvalidModuleError(Reason.CONSTANT_TYPE, f"no constants of type {constant.type}")


def _shortest_int(value: int) -> bytes:
    if value == 0:
        return b""
    magnitude = value if value > 0 else ~value
    return value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)


def _int_value(raw: bytes) -> int:
    if len(raw) > _INT_SIZE_BYTES_MAX:
        raise InvalidModuleError(Reason.CONSTANT_VALUE, f"an integer of {len(raw)} bytes")
    value = int.from_bytes(raw, "big", signed=True)
    if _shortest_int(value) != raw:
        raise InvalidModuleError(Reason.CONSTANT_VALUE, "an integer longer than it must be")
    return value


def _str_value(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidModuleError(Reason.CONSTANT_VALUE, "a text that is not UTF-8") from error

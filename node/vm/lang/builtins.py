"""The functions that every contract has, by name, each with the instruction that it becomes.

Functions whose types follow from their arguments (`len`, `min`, `require`, ...) have no row here;
`calls.py` has a rule for each of these.
"""

from dataclasses import dataclass
from typing import Final

from node.vm.lang.types import (
    ADDRESS_TYPE,
    BOOL_TYPE,
    BYTES_TYPE,
    FIXED_TYPE,
    INT_TYPE,
    STR_TYPE,
    UNIT_TYPE,
    ListOf,
    Part,
    Type,
    ValueType,
)
from node.vm.opcodes import Op


@dataclass(frozen=True, slots=True)
class Builtin:
    """One signature of a function; a function may have several, by the type of its first argument.

    Args:
        immediates: types that the instruction names.
    """

    op: Op
    params: tuple[Part, ...]
    result: ValueType
    immediates: tuple[Type, ...] = ()


_INTS: Final = ListOf(INT_TYPE)
_FIXEDS: Final = ListOf(FIXED_TYPE)
_ADDRESSES: Final = ListOf(ADDRESS_TYPE)
_NUMBERS: Final = ((INT_TYPE, _INTS), (FIXED_TYPE, _FIXEDS))


def _parts(**types: ValueType) -> tuple[Part, ...]:
    return tuple(Part(name, type_) for name, type_ in types.items())


def _row(op: Op, result: ValueType, **params: ValueType) -> tuple[Builtin, ...]:
    return (Builtin(op, _parts(**params), result),)


BUILTINS: Final[dict[str, tuple[Builtin, ...]]] = {
    "sender": _row(Op.SENDER, ADDRESS_TYPE),
    "self_address": _row(Op.SELF, ADDRESS_TYPE),
    "value": _row(Op.VALUE, INT_TYPE),
    "now": _row(Op.NOW, INT_TYPE),
    "height": _row(Op.HEIGHT, INT_TYPE),
    "beacon": _row(Op.BEACON, BYTES_TYPE),
    "balance": _row(Op.BALANCE, INT_TYPE, address=ADDRESS_TYPE),
    "transfer": _row(Op.TRANSFER, UNIT_TYPE, to=ADDRESS_TYPE, amount=INT_TYPE),
    "stake_of": _row(Op.STAKE_OF, INT_TYPE, address=ADDRESS_TYPE),
    "power_of": _row(Op.POWER_OF, INT_TYPE, address=ADDRESS_TYPE),
    "quorum": _row(Op.QUORUM, INT_TYPE),
    "committee": (Builtin(Op.COMMITTEE, (), _ADDRESSES, (_ADDRESSES,)),),
    "gas_left": _row(Op.GAS_LEFT, INT_TYPE),
    "is_contract": _row(Op.CODE_AT, BOOL_TYPE, address=ADDRESS_TYPE),
    "verify_signature": _row(
        Op.VERIFY_SIGNATURE,
        BOOL_TYPE,
        key=BYTES_TYPE,
        message=BYTES_TYPE,
        signature=BYTES_TYPE,
    ),
    "verify_certificate": _row(
        Op.VERIFY_CERTIFICATE, BOOL_TYPE, committee=BYTES_TYPE, certificate=BYTES_TYPE
    ),
    "sha256": _row(Op.SHA256, BYTES_TYPE, message=BYTES_TYPE),
    "isqrt": _row(Op.ISQRT, INT_TYPE, number=INT_TYPE),
    "muldiv": _row(
        Op.MULDIV, INT_TYPE, multiplicand=INT_TYPE, multiplier=INT_TYPE, divisor=INT_TYPE
    ),
    "abs": tuple(Builtin(Op.ABS, _parts(number=one), one) for one, _ in _NUMBERS),
    "sum": tuple(Builtin(Op.SUM, _parts(numbers=many), one) for one, many in _NUMBERS),
    "sorted": tuple(Builtin(Op.SORT, _parts(numbers=many), many) for _, many in _NUMBERS),
    "weighted_median": tuple(
        Builtin(Op.WEIGHTED_MEDIAN, _parts(numbers=many, weights=_INTS), one)
        for one, many in _NUMBERS
    ),
    "quantile": tuple(
        Builtin(Op.QUANTILE, _parts(numbers=many, numerator=INT_TYPE, denominator=INT_TYPE), one)
        for one, many in _NUMBERS
    ),
    "top_k": tuple(
        Builtin(Op.TOP_K, _parts(numbers=many, count=INT_TYPE), _INTS, (_INTS,))
        for _, many in _NUMBERS
    ),
}

CONVERSIONS: Final[dict[str, tuple[Builtin, ...]]] = {
    "Int": (
        Builtin(Op.FLOOR_INT, _parts(number=FIXED_TYPE), INT_TYPE),
        Builtin(Op.BYTES_TO_INT, _parts(number=BYTES_TYPE), INT_TYPE),
    ),
    "Fixed": _row(Op.TO_FIXED, FIXED_TYPE, number=INT_TYPE),
    "Str": _row(Op.INT_TO_STR, STR_TYPE, number=INT_TYPE),
    "Bytes": (
        Builtin(Op.STR_TO_BYTES, _parts(text=STR_TYPE), BYTES_TYPE),
        Builtin(Op.ADDRESS_TO_BYTES, _parts(address=ADDRESS_TYPE), BYTES_TYPE),
        Builtin(Op.INT_TO_BYTES, _parts(number=INT_TYPE, size=INT_TYPE), BYTES_TYPE),
    ),
    "Address": _row(Op.BYTES_TO_ADDRESS, ADDRESS_TYPE, raw=BYTES_TYPE),
}
"""Types that are called like functions turn a value of another type into theirs."""

FIXED_LITERAL, ADDRESS_LITERAL = "fixed", "address"
RULED: Final = ("len", "min", "max", "some", "zero", FIXED_LITERAL, ADDRESS_LITERAL)
STATEMENTS: Final = ("require", "fail", "emit", "schedule")
BUILTIN_NAMES: Final = frozenset(
    {*BUILTINS, *CONVERSIONS, *RULED, *STATEMENTS, "Bool", "List", "Option", "Map", "none", "range"}
)

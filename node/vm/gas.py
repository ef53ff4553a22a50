"""What work costs. One gas is at most about 20 ns on the reference machine, whatever the operands.

Most instructions take a third of that; `benchmarks/vm.py` measures all of them. A slot that is read
counts as if it came from the disk, one that is written as its part of the tree and the commit.

*Static* gas is charged per segment, at the start of the segment, in both engines. A segment begins
at the start of a function and after each IF, ELSE, END, LOOP, REPEAT, CALL and INVOKE; it ends with
the next of these, or with BREAK, CONTINUE, RETURN or FAIL. The verifier adds the static gas of its
instructions up.
*Dynamic* gas is charged by the instruction itself, before it works: per whole unit of what its
`Measure` counts. A charge that the gas left does not cover traps with OUT_OF_GAS and takes all that
is left.
"""

import enum
from dataclasses import dataclass
from typing import Final


@enum.unique
class Measure(enum.Enum):
    """What dynamic gas counts; the size of a Str is that of its UTF-8, of Bytes its length.

    The value is the text of the specification.
    """

    RESULT_BYTES = "size of the result"
    OPERAND_BYTES = "total size of the operands that are Bytes or Str"
    SEARCH_BYTES = "size of a times (16 + size of b)"
    RESULT_ITEMS = "length of the result"
    LIST_ITEMS = "length of the list"
    SEARCH_ITEMS = "length of the list, plus 1, times (32 + size of b, if it is Bytes or Str)"
    SORT_ITEMS = "n times the bit length of n, for a list of length n"
    READ_BYTES = "weighted size of what storage holds there, 0 if nothing"
    WRITTEN_BYTES = "weighted size of the encoded value"
    CLEARED_ITEMS = "length of the stored list"
    LOADED_ITEMS = "length of the stored list; each item then costs the dynamic gas of SLGET"
    EVENT_BYTES = "weighted size of the encoded fields"
    ARGUMENT_BYTES = "weighted size of the encoded arguments"
    MESSAGE_BYTES = "size of the message"
    CERTIFICATE_BYTES = "size of the committee plus size of the certificate"


@dataclass(frozen=True, slots=True)
class Rate:
    """Dynamic gas: `gas` for each whole 2**shift of what is counted."""

    measure: Measure
    gas: int
    shift: int

    def cost(self, count: int) -> int:
        """Return the gas for this count; below one whole unit it is nothing."""
        return self.gas * (count >> self.shift)


VERIFY_GAS_PER_BYTE: Final = 400
"""For each byte of a module that is deployed: what it costs to verify it."""

STATIC_GAS: Final[dict[str, int]] = {
    # Constants, stack, locals.
    **dict.fromkeys(("CONST", "INT", "TRUE", "FALSE", "UNIT", "NONE", "DEFAULT"), 1),
    **dict.fromkeys(("DROP", "DUP", "GET", "SET"), 1),
    # Int and Fixed.
    **dict.fromkeys(("MIN", "MAX"), 2),
    **dict.fromkeys(("NEG", "ABS", "AND", "OR", "XOR", "SHR"), 6),
    **dict.fromkeys(("ADD", "SUB"), 8),
    **dict.fromkeys(("MUL", "SHL", "TO_FIXED", "FLOOR_INT"), 15),
    **dict.fromkeys(("DIV", "MOD"), 20),
    **dict.fromkeys(("FMUL", "FDIV"), 35),
    **dict.fromkeys(("MULDIV", "ISQRT"), 80),
    "POW": 100,
    # Comparison.
    **dict.fromkeys(("EQ", "NE", "LT", "LE", "GT", "GE"), 2),
    "NOT": 1,
    # Bytes and Str.
    "ADDRESS_TO_BYTES": 1,
    "LEN": 3,
    "BYTE_AT": 8,
    "BYTES_TO_ADDRESS": 10,
    **dict.fromkeys(("STR_TO_BYTES", "INT_TO_BYTES", "BYTES_TO_INT"), 50),
    **dict.fromkeys(("CONCAT", "SLICE", "INT_TO_STR"), 60),
    **dict.fromkeys(("CONTAINS", "SHA256"), 100),
    # List, record, option.
    "LLEN": 3,
    "LGET": 6,
    "LIST": 12,
    **dict.fromkeys(("LAPPEND", "LPOP", "LCONTAINS", "LCONCAT", "LSLICE"), 60),
    **dict.fromkeys(("LSET", "SORT"), 100),
    "SUM": 40,
    "QUANTILE": 120,
    "TOP_K": 200,
    "WEIGHTED_MEDIAN": 500,
    "RECORD": 12,
    "WITH": 60,
    "SOME": 3,
    **dict.fromkeys(("FIELD", "IS_SOME", "UNWRAP", "UNWRAP_OR"), 1),
    # Storage: 1,200 for what may have to come from the disk, 1,800 for a change of the tree.
    **dict.fromkeys(("LOAD", "LOAD_OPTION", "HAS", "SLLEN", "SLLOAD"), 1_200),
    **dict.fromkeys(("STORE", "REMOVE"), 1_800),
    "SLGET": 2_400,
    **dict.fromkeys(("SLSET", "SLCLEAR"), 3_000),
    "SLAPPEND": 4_800,
    "SLPOP": 6_000,
    # Control. Everything a segment may end with but END and ELSE, which cost no time of their own.
    **dict.fromkeys(("ELSE", "END", "LOOP"), 0),
    **dict.fromkeys(("RETURN", "REQUIRE"), 1),
    **dict.fromkeys(("REPEAT", "CONTINUE", "BREAK"), 5),
    "IF": 8,
    "CALL": 20,
    "FAIL": 300,
    "INVOKE": 3_000,
    # Host.
    **dict.fromkeys(("SENDER", "SELF", "VALUE", "NOW", "HEIGHT", "BEACON"), 1),
    "GAS_LEFT": 8,
    "EMIT": 120,
    "COMMITTEE": 300,
    "QUORUM": 12,
    "POWER_OF": 25,
    **dict.fromkeys(("BALANCE", "CODE_AT", "STAKE_OF"), 1_200),
    "TRANSFER": 3_000,
    **dict.fromkeys(("VERIFY_SIGNATURE", "VERIFY_CERTIFICATE"), 6_500),
    "SCHEDULE": 9_000,
}
"""By mnemonic; every opcode has a row."""

_SEARCH: Final = Rate(Measure.SEARCH_BYTES, gas=1, shift=5)
_OPERANDS: Final = Rate(Measure.OPERAND_BYTES, gas=1, shift=3)
_COPY: Final = Rate(Measure.RESULT_BYTES, gas=1, shift=3)
_COPY_ITEMS: Final = Rate(Measure.RESULT_ITEMS, gas=1, shift=2)
_SORT: Final = Rate(Measure.SORT_ITEMS, gas=2, shift=0)
_READ: Final = Rate(Measure.READ_BYTES, gas=1, shift=1)
_WRITE: Final = Rate(Measure.WRITTEN_BYTES, gas=1, shift=0)

DYNAMIC_GAS: Final[dict[str, Rate]] = {
    **dict.fromkeys(("EQ", "NE", "LT", "LE", "GT", "GE", "SHA256"), _OPERANDS),
    **dict.fromkeys(("CONCAT", "SLICE", "STR_TO_BYTES"), _COPY),
    "CONTAINS": _SEARCH,
    **dict.fromkeys(("LIST", "LAPPEND", "LPOP", "LCONCAT", "LSLICE"), _COPY_ITEMS),
    "LSET": Rate(Measure.RESULT_ITEMS, gas=1, shift=1),
    "LCONTAINS": Rate(Measure.SEARCH_ITEMS, gas=1, shift=4),
    "SUM": Rate(Measure.LIST_ITEMS, gas=6, shift=0),
    **dict.fromkeys(("SORT", "QUANTILE"), _SORT),
    "WEIGHTED_MEDIAN": Rate(Measure.SORT_ITEMS, gas=8, shift=0),
    "TOP_K": Rate(Measure.SORT_ITEMS, gas=4, shift=0),
    **dict.fromkeys(("LOAD", "LOAD_OPTION", "HAS", "SLGET", "SLPOP"), _READ),
    **dict.fromkeys(("STORE", "SLSET", "SLAPPEND"), _WRITE),
    "SLCLEAR": Rate(Measure.CLEARED_ITEMS, gas=1_800, shift=0),
    "SLLOAD": Rate(Measure.LOADED_ITEMS, gas=1_200, shift=0),
    # A receipt is stored, hashed and sent around like a payload.
    "EMIT": Rate(Measure.EVENT_BYTES, gas=2, shift=0),
    "SCHEDULE": Rate(Measure.ARGUMENT_BYTES, gas=1, shift=0),
    "INVOKE": Rate(Measure.ARGUMENT_BYTES, gas=1, shift=1),
    "COMMITTEE": Rate(Measure.RESULT_ITEMS, gas=5, shift=0),
    "VERIFY_SIGNATURE": Rate(Measure.MESSAGE_BYTES, gas=1, shift=3),
    "VERIFY_CERTIFICATE": Rate(Measure.CERTIFICATE_BYTES, gas=5_500, shift=6),
}
"""By mnemonic; an opcode without a row costs its static gas only."""

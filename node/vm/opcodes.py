"""The opcodes, what may follow each as immediates, and how a row of the instruction set looks.

The rows themselves are in `instruction_set`.
"""

import enum
from dataclasses import dataclass
from typing import Final

from node.vm.gas import Rate
from node.vm.traps import Trap


@enum.unique
class Op(enum.IntEnum):
    """The opcodes by their byte, which never changes; 0 is none, so zeroed code is not code."""

    CONST = 0x01
    INT = 0x02
    TRUE = 0x03
    FALSE = 0x04
    UNIT = 0x05
    NONE = 0x06
    DEFAULT = 0x07
    DROP = 0x08
    DUP = 0x09
    GET = 0x0A
    SET = 0x0B

    ADD = 0x10
    SUB = 0x11
    MUL = 0x12
    DIV = 0x13
    MOD = 0x14
    NEG = 0x15
    ABS = 0x16
    POW = 0x17
    MIN = 0x18
    MAX = 0x19
    AND = 0x1A
    OR = 0x1B
    XOR = 0x1C
    SHL = 0x1D
    SHR = 0x1E
    ISQRT = 0x1F
    MULDIV = 0x20
    FMUL = 0x21
    FDIV = 0x22
    TO_FIXED = 0x23
    FLOOR_INT = 0x24

    EQ = 0x28
    NE = 0x29
    LT = 0x2A
    LE = 0x2B
    GT = 0x2C
    GE = 0x2D
    NOT = 0x2E

    CONCAT = 0x30
    LEN = 0x31
    SLICE = 0x32
    BYTE_AT = 0x33
    CONTAINS = 0x34
    STR_TO_BYTES = 0x35
    INT_TO_BYTES = 0x36
    BYTES_TO_INT = 0x37
    INT_TO_STR = 0x38
    SHA256 = 0x39
    ADDRESS_TO_BYTES = 0x3A
    BYTES_TO_ADDRESS = 0x3B

    LIST = 0x40
    LGET = 0x41
    LSET = 0x42
    LAPPEND = 0x43
    LPOP = 0x44
    LLEN = 0x45
    LCONTAINS = 0x46
    LCONCAT = 0x47
    LSLICE = 0x48
    SORT = 0x49
    SUM = 0x4A
    WEIGHTED_MEDIAN = 0x4B
    QUANTILE = 0x4C
    TOP_K = 0x4D

    RECORD = 0x50
    FIELD = 0x51
    WITH = 0x52
    SOME = 0x54
    IS_SOME = 0x55
    UNWRAP = 0x56
    UNWRAP_OR = 0x57

    LOAD = 0x60
    LOAD_OPTION = 0x61
    STORE = 0x62
    REMOVE = 0x63
    HAS = 0x64
    SLLEN = 0x68
    SLGET = 0x69
    SLSET = 0x6A
    SLAPPEND = 0x6B
    SLPOP = 0x6C
    SLCLEAR = 0x6D
    SLLOAD = 0x6E

    IF = 0x70
    ELSE = 0x71
    END = 0x72
    LOOP = 0x73
    REPEAT = 0x74
    BREAK = 0x75
    CONTINUE = 0x76
    RETURN = 0x77
    FAIL = 0x78
    REQUIRE = 0x79
    CALL = 0x7A
    INVOKE = 0x7B

    SENDER = 0x80
    SELF = 0x81
    VALUE = 0x82
    NOW = 0x83
    HEIGHT = 0x84
    BEACON = 0x85
    BALANCE = 0x86
    TRANSFER = 0x87
    EMIT = 0x88
    SCHEDULE = 0x89
    STAKE_OF = 0x8A
    POWER_OF = 0x8B
    COMMITTEE = 0x8C
    QUORUM = 0x8D
    VERIFY_SIGNATURE = 0x8E
    VERIFY_CERTIFICATE = 0x8F
    CODE_AT = 0x90
    GAS_LEFT = 0x91


@enum.unique
class Immediate(enum.Enum):
    """What an immediate means; the value is its letter in the tables.

    All are unsigned LEB128 below 2**32, as short as can be. INTEGER is zigzag: n >= 0 is written
    2n, n < 0 is written -2n - 1.
    """

    INTEGER = "n"
    CONSTANT = "c"
    TYPE = "t"
    LOCAL = "l"
    COUNT = "k"
    RECORD_FIELD = "i"
    STORAGE_FIELD = "s"
    FUNCTION = "f"
    METHOD = "m"
    EVENT = "e"


@enum.unique
class Effect(enum.Enum):
    """How an opcode touches the world outside the stack and the locals."""

    PURE = "pure"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpSpec:
    """One row of the table.

    Args:
        stack: the stack effect; `instruction_set` says how to read it.
        traps: what it can end in, besides OUT_OF_GAS.
        static_gas: its share of the cost of its segment.
    """

    op: Op
    immediates: tuple[Immediate, ...]
    stack: str
    text: str
    traps: tuple[Trap, ...]
    effect: Effect
    static_gas: int
    dynamic_gas: Rate | None


SEGMENT_ENDS: Final = frozenset(
    {
        Op.IF,
        Op.ELSE,
        Op.END,
        Op.LOOP,
        Op.REPEAT,
        Op.BREAK,
        Op.CONTINUE,
        Op.RETURN,
        Op.FAIL,
        Op.CALL,
        Op.INVOKE,
    }
)
"""The last instruction of a gas segment is one of these."""

TERMINATORS: Final = frozenset({Op.BREAK, Op.CONTINUE, Op.RETURN, Op.FAIL})
"""Control never goes on behind these; ELSE, END or REPEAT must follow, or the end of the code."""

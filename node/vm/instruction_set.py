"""Every opcode: immediates, stack effect, meaning, traps and gas. The tables of SPEC.md.

An effect reads `below top -> below top`: the last operand is on top of the stack, and a, b, c in
the text are the operands in that order. A capital name is a scalar type. One letter stands for one
type throughout a row: N is Int or Fixed; B is Int or Bool; S is any scalar but Unit; O is Int,
Fixed, Str or Bytes; X is Bytes or Str; T is any type of a value but Unit. `[N]` is the List of N,
`?T` the Option of T. Words in lower case, and `t` for the type in the immediate of that letter, are
explained by the text; the verifier has a rule of its own for such an opcode.
"""

from typing import Final

from node.vm.gas import DYNAMIC_GAS, STATIC_GAS
from node.vm.opcodes import Effect, Immediate, Op, OpSpec
from node.vm.traps import Trap

_IMMEDIATES: Final = {immediate.value: immediate for immediate in Immediate}


def _row(
    op: Op, stack: str, text: str, traps: tuple[Trap, ...] = (), *, effect: Effect = Effect.PURE
) -> OpSpec:
    """Read the immediates off the front of the stack effect, as in `l: -> T`."""
    letters, colon, effect_text = stack.partition(":")
    return OpSpec(
        op=op,
        immediates=tuple(_IMMEDIATES[letter] for letter in letters.split()) if colon else (),
        stack=(effect_text if colon else stack).strip(),
        text=text,
        traps=traps,
        effect=effect,
        static_gas=STATIC_GAS[op.name],
        dynamic_gas=DYNAMIC_GAS.get(op.name),
    )


_OVERFLOW: Final = (Trap.OVERFLOW,)
_DIVIDE: Final = (Trap.DIVISION_BY_ZERO, Trap.OVERFLOW)
_SIZE: Final = (Trap.VALUE_SIZE, Trap.MEMORY)
_KEYED: Final = (Trap.VALUE_SIZE,)
_READ: Final = (*_KEYED, Trap.ENCODING, Trap.MEMORY)
_WRITE: Final = (*_KEYED, Trap.WRITE_LIMIT)

_VALUES: Final = (
    _row(Op.CONST, "c: -> constant", "Push constant c."),
    _row(Op.INT, "n: -> Int", "Push n."),
    _row(Op.TRUE, "-> Bool", "Push true."),
    _row(Op.FALSE, "-> Bool", "Push false."),
    _row(Op.UNIT, "-> Unit", "Push the only value of Unit."),
    _row(Op.NONE, "t: -> t", "Push none; t is an Option."),
    _row(Op.DEFAULT, "t: -> t", "Push the zero value of t, a type of values but not Unit."),
    _row(Op.DROP, "any ->", "Drop the top, of any type."),
    _row(Op.DUP, "T -> T T", "Push the top again."),
    _row(Op.GET, "l: -> local", "Push local l."),
    _row(Op.SET, "l: local ->", "Pop into local l."),
)

_NUMBERS: Final = (
    _row(Op.ADD, "N N -> N", "a + b.", _OVERFLOW),
    _row(Op.SUB, "N N -> N", "a - b.", _OVERFLOW),
    _row(Op.MUL, "Int Int -> Int", "a * b.", _OVERFLOW),
    _row(Op.DIV, "Int Int -> Int", "a / b, rounded down.", _DIVIDE),
    _row(Op.MOD, "Int Int -> Int", "a - b * (a / b); has the sign of b.", (Trap.DIVISION_BY_ZERO,)),
    _row(Op.NEG, "N -> N", "-a.", _OVERFLOW),
    _row(Op.ABS, "N -> N", "a without its sign.", _OVERFLOW),
    _row(
        Op.POW,
        "Int Int -> Int",
        "a to the power b; 0 to the power 0 is 1. RANGE if b < 0.",
        (Trap.RANGE, Trap.OVERFLOW),
    ),
    _row(Op.MIN, "N N -> N", "The lesser."),
    _row(Op.MAX, "N N -> N", "The greater."),
    _row(Op.AND, "B B -> B", "Bit by bit in two's complement; on Bool, both."),
    _row(Op.OR, "B B -> B", "Bit by bit in two's complement; on Bool, at least one."),
    _row(Op.XOR, "B B -> B", "Bit by bit in two's complement; on Bool, exactly one."),
    _row(
        Op.SHL,
        "Int Int -> Int",
        "a * 2**b. RANGE unless 0 <= b <= 255.",
        (Trap.RANGE, Trap.OVERFLOW),
    ),
    _row(
        Op.SHR,
        "Int Int -> Int",
        "a / 2**b, rounded down. RANGE unless 0 <= b <= 255.",
        (Trap.RANGE,),
    ),
    _row(
        Op.ISQRT,
        "Int -> Int",
        "The greatest integer whose square is at most a. RANGE if a < 0.",
        (Trap.RANGE,),
    ),
    _row(
        Op.MULDIV,
        "Int Int Int -> Int",
        "a * b / c, rounded down; the product is exact, only the result must fit.",
        _DIVIDE,
    ),
    _row(Op.FMUL, "Fixed Fixed -> Fixed", "a * b, rounded down to 18 decimals.", _OVERFLOW),
    _row(Op.FDIV, "Fixed Fixed -> Fixed", "a / b, rounded down to 18 decimals.", _DIVIDE),
    _row(Op.TO_FIXED, "Int -> Fixed", "The same number.", _OVERFLOW),
    _row(Op.FLOOR_INT, "Fixed -> Int", "The greatest integer at most a."),
)

_COMPARISONS: Final = (
    _row(Op.EQ, "S S -> Bool", "a = b."),
    _row(Op.NE, "S S -> Bool", "a differs from b."),
    _row(Op.LT, "O O -> Bool", "a < b; Bytes by bytes, Str by code points."),
    _row(Op.LE, "O O -> Bool", "a <= b."),
    _row(Op.GT, "O O -> Bool", "a > b."),
    _row(Op.GE, "O O -> Bool", "a >= b."),
    _row(Op.NOT, "Bool -> Bool", "The other one."),
)

_TEXTS: Final = (
    _row(Op.CONCAT, "X X -> X", "a followed by b.", _SIZE),
    _row(Op.LEN, "X -> Int", "The number of bytes, or of code points."),
    _row(
        Op.SLICE,
        "X Int Int -> X",
        "The part of a from place b up to and without place c. INDEX unless 0 <= b <= c <= length.",
        (Trap.INDEX, Trap.MEMORY),
    ),
    _row(
        Op.BYTE_AT,
        "Bytes Int -> Int",
        "The byte at place b. INDEX unless 0 <= b < length.",
        (Trap.INDEX,),
    ),
    _row(
        Op.CONTAINS,
        "X X -> Bool",
        "Whether b occurs in a. RANGE if b is larger than NEEDLE_SIZE_BYTES_MAX.",
        (Trap.RANGE,),
    ),
    _row(Op.STR_TO_BYTES, "Str -> Bytes", "The UTF-8.", (Trap.MEMORY,)),
    _row(
        Op.INT_TO_BYTES,
        "Int Int -> Bytes",
        "a as b bytes, big-endian, without sign. RANGE unless 0 <= b <= 32; OVERFLOW if a < 0 or"
        " does not fit.",
        (Trap.RANGE, Trap.OVERFLOW, Trap.MEMORY),
    ),
    _row(
        Op.BYTES_TO_INT,
        "Bytes -> Int",
        "The bytes as a big-endian number without sign. RANGE if there are more than 32.",
        (Trap.RANGE, Trap.OVERFLOW),
    ),
    _row(Op.INT_TO_STR, "Int -> Str", "In decimal, with a leading - below zero.", (Trap.MEMORY,)),
    _row(Op.SHA256, "Bytes -> Bytes", "The plain SHA-256 digest.", (Trap.MEMORY,)),
    _row(Op.ADDRESS_TO_BYTES, "Address -> Bytes", "The 32 bytes."),
    _row(
        Op.BYTES_TO_ADDRESS, "Bytes -> Address", "RANGE unless there are 32 bytes.", (Trap.RANGE,)
    ),
)

_LISTS: Final = (
    _row(
        Op.LIST,
        "k t: items -> t",
        "The list of k items; t is a List, the last is on top.",
        _SIZE[1:],
    ),
    _row(
        Op.LGET,
        "[T] Int -> T",
        "The item at place b. INDEX unless 0 <= b < length.",
        (Trap.INDEX,),
    ),
    _row(
        Op.LSET,
        "[T] Int T -> [T]",
        "The list with c at place b instead. INDEX unless 0 <= b < length.",
        (Trap.INDEX, Trap.MEMORY),
    ),
    _row(Op.LAPPEND, "[T] T -> [T]", "The list with b after its end.", _SIZE),
    _row(
        Op.LPOP,
        "[T] -> [T] T",
        "The list without its last item, then that item. INDEX if it is empty.",
        (Trap.INDEX, Trap.MEMORY),
    ),
    _row(Op.LLEN, "[T] -> Int", "The number of items."),
    _row(Op.LCONTAINS, "[S] S -> Bool", "Whether an item equals b."),
    _row(Op.LCONCAT, "[T] [T] -> [T]", "The items of a, then those of b.", _SIZE),
    _row(
        Op.LSLICE,
        "[T] Int Int -> [T]",
        "The items from place b up to and without place c. INDEX unless 0 <= b <= c <= length.",
        (Trap.INDEX, Trap.MEMORY),
    ),
    _row(Op.SORT, "[N] -> [N]", "The items in ascending order.", (Trap.MEMORY,)),
    _row(Op.SUM, "[N] -> N", "The sum, 0 if empty. Only the final sum must fit.", _OVERFLOW),
    _row(
        Op.WEIGHTED_MEDIAN,
        "[N] [Int] -> N",
        "The least item such that the items up to it carry at least half of the weight b. RANGE if"
        " the lengths differ, a weight is negative, or all are zero.",
        (Trap.RANGE,),
    ),
    _row(
        Op.QUANTILE,
        "[N] Int Int -> N",
        "The item of rank max(1, ceil(length * b / c)) in ascending order, the least has rank 1."
        " RANGE if the list is empty, or unless 0 <= b <= c and c > 0.",
        (Trap.RANGE,),
    ),
    _row(
        Op.TOP_K,
        "t: [N] Int -> t",
        "The places of the b greatest items, the greatest first, of equal items the earlier first;"
        " t is the List of Int. RANGE unless 0 <= b <= length.",
        (Trap.RANGE, Trap.MEMORY),
    ),
)

_PARTS: Final = (
    _row(Op.RECORD, "t: fields -> t", "The record of type t; its last field is on top.", _SIZE[1:]),
    _row(Op.FIELD, "i: record -> field", "Field i of the record."),
    _row(Op.WITH, "i: record field -> record", "The record with b as field i.", (Trap.MEMORY,)),
    _row(Op.SOME, "t: item -> t", "The option that holds a; t is the Option of its type."),
    _row(Op.IS_SOME, "?T -> Bool", "Whether it holds a value."),
    _row(Op.UNWRAP, "?T -> T", "The value it holds. UNWRAP if none.", (Trap.UNWRAP,)),
    _row(Op.UNWRAP_OR, "?T T -> T", "The value it holds, or else b."),
)

_STORAGE: Final = (
    _row(
        Op.LOAD,
        "s: keys -> leaf",
        "The value of field s under the keys, its zero value if there is none.",
        _READ,
        effect=Effect.READ,
    ),
    _row(
        Op.LOAD_OPTION,
        "s t: keys -> t",
        "The value of field s under the keys, or none; t is the Option of its type.",
        _READ,
        effect=Effect.READ,
    ),
    _row(
        Op.STORE,
        "s: keys leaf ->",
        "Give field s under the keys this value.",
        _WRITE,
        effect=Effect.WRITE,
    ),
    _row(
        Op.REMOVE,
        "s: keys ->",
        "Take the value of field s under the keys away, if there is one.",
        _WRITE,
        effect=Effect.WRITE,
    ),
    _row(
        Op.HAS,
        "s: keys -> Bool",
        "Whether field s has a value under the keys.",
        _KEYED,
        effect=Effect.READ,
    ),
    _row(
        Op.SLLEN,
        "s: keys -> Int",
        "The length of the stored list.",
        (*_KEYED, Trap.ENCODING),
        effect=Effect.READ,
    ),
    _row(
        Op.SLGET,
        "s: keys Int -> item",
        "Its item at this place. INDEX unless 0 <= place < length.",
        (Trap.INDEX, *_READ),
        effect=Effect.READ,
    ),
    _row(
        Op.SLSET,
        "s: keys Int item ->",
        "Give it this item at this place. INDEX unless 0 <= place < length.",
        (Trap.INDEX, Trap.ENCODING, *_WRITE),
        effect=Effect.WRITE,
    ),
    _row(
        Op.SLAPPEND,
        "s: keys item ->",
        "Put the item after its end.",
        (Trap.ENCODING, *_WRITE),
        effect=Effect.WRITE,
    ),
    _row(
        Op.SLPOP,
        "s: keys -> item",
        "Take its last item away and push it. INDEX if it is empty.",
        (Trap.INDEX, *_READ, Trap.WRITE_LIMIT),
        effect=Effect.WRITE,
    ),
    _row(
        Op.SLCLEAR,
        "s: keys ->",
        "Take all its items away.",
        (Trap.ENCODING, *_WRITE),
        effect=Effect.WRITE,
    ),
    _row(
        Op.SLLOAD,
        "s t: keys -> t",
        "The whole stored list as a value; t is the type of the list.",
        _READ,
        effect=Effect.READ,
    ),
)

_CONTROL: Final = (
    _row(Op.IF, "Bool ->", "Go on if true; else go behind the ELSE, or the END if there is none."),
    _row(Op.ELSE, "->", "End the first arm of an IF: go behind its END."),
    _row(Op.END, "->", "End an IF."),
    _row(Op.LOOP, "->", "Begin a loop."),
    _row(Op.REPEAT, "->", "End a loop: go back to behind its LOOP."),
    _row(Op.BREAK, "->", "Go behind the REPEAT of the innermost loop."),
    _row(Op.CONTINUE, "->", "Go back to behind the LOOP of the innermost loop."),
    _row(Op.RETURN, "result ->", "End the function with this result."),
    _row(Op.FAIL, "Str ->", "End in REVERTED with this message.", (Trap.REVERTED,)),
    _row(
        Op.REQUIRE,
        "c: Bool ->",
        "End in REVERTED with the message c, a Str, unless true.",
        (Trap.REVERTED,),
    ),
    _row(
        Op.CALL,
        "f: arguments -> result",
        "Call function f of this module, INTERNAL or VIEW, with all the gas left. Ends in any trap"
        " that f ends in.",
    ),
    _row(
        Op.INVOKE,
        "m: Address arguments -> result",
        "Call method m of the contract at the address; if m is PAYABLE, an Int between address and"
        " arguments is the money sent along. Ends in any trap that the callee ends in.",
        (
            Trap.RANGE,
            Trap.INSUFFICIENT_BALANCE,
            Trap.NO_METHOD,
            Trap.BAD_CALL,
            Trap.CALL_DEPTH,
            Trap.REENTRANT,
            Trap.VALUE_SIZE,
            Trap.MEMORY,
        ),
        effect=Effect.WRITE,
    ),
)

_HOST: Final = (
    _row(Op.SENDER, "-> Address", "Who called: an account or a contract."),
    _row(Op.SELF, "-> Address", "This contract."),
    _row(Op.VALUE, "-> Int", "The money that came with the call, in grains."),
    _row(Op.NOW, "-> Int", "The time of the commit, in milliseconds since 1970."),
    _row(Op.HEIGHT, "-> Int", "The height of the commit."),
    _row(Op.BEACON, "-> Bytes", "The 32 random bytes of the commit."),
    _row(Op.BALANCE, "Address -> Int", "The money of the account, in grains.", effect=Effect.READ),
    _row(
        Op.TRANSFER,
        "Address Int ->",
        "Send b grains from this contract. RANGE if b < 0.",
        (Trap.RANGE, Trap.INSUFFICIENT_BALANCE),
        effect=Effect.WRITE,
    ),
    _row(
        Op.EMIT,
        "e: fields ->",
        "Leave event e in the receipt; its last field is on top.",
        (Trap.VALUE_SIZE, Trap.EVENT_LIMIT),
        effect=Effect.WRITE,
    ),
    _row(
        Op.SCHEDULE,
        "f: Int Int arguments ->",
        "Have the chain call function f, SCHEDULED, with the arguments at time a in milliseconds."
        " The b gas that the call may use is paid now, after the dynamic gas, with one gas for"
        " each whole `PLACE_MS_PER_GAS` from now to a; SCHEDULE if b is below"
        " `SCHEDULED_GAS_MIN`.",
        (Trap.VALUE_SIZE, Trap.SCHEDULE),
        effect=Effect.WRITE,
    ),
    _row(
        Op.STAKE_OF, "Address -> Int", "The stake of the validator, 0 if none.", effect=Effect.READ
    ),
    _row(
        Op.POWER_OF,
        "Address -> Int",
        "The power of the validator in the present committee, 0 if none.",
        effect=Effect.READ,
    ),
    _row(
        Op.COMMITTEE,
        "t: -> t",
        "The accounts of the present committee, in its order; t is the List of Address.",
        (Trap.MEMORY,),
        effect=Effect.READ,
    ),
    _row(Op.QUORUM, "-> Int", "The least power that is a quorum.", effect=Effect.READ),
    _row(
        Op.VERIFY_SIGNATURE,
        "Bytes Bytes Bytes -> Bool",
        "Whether key a signed message b for contracts of this chain, with signature c.",
    ),
    _row(
        Op.VERIFY_CERTIFICATE,
        "Bytes Bytes -> Bool",
        "Whether a quorum of the committee a signed the checkpoint certificate b.",
    ),
    _row(
        Op.CODE_AT,
        "Address -> Bool",
        "Whether there is a contract at the address.",
        effect=Effect.READ,
    ),
    _row(
        Op.GAS_LEFT,
        "-> Int",
        "The gas that the call has left once its segment is paid.",
        effect=Effect.READ,
    ),
)

FAMILIES: Final[dict[str, tuple[OpSpec, ...]]] = {
    "Values, stack, locals": _VALUES,
    "Numbers": _NUMBERS,
    "Comparison": _COMPARISONS,
    "Bytes and text": _TEXTS,
    "Lists": _LISTS,
    "Records and options": _PARTS,
    "Storage": _STORAGE,
    "Control": _CONTROL,
    "Host": _HOST,
}
"""The table, in the order of the specification."""

SPECS: Final[tuple[OpSpec | None, ...]] = tuple(
    {spec.op: spec for family in FAMILIES.values() for spec in family}.get(Op(byte))
    if byte in frozenset(Op)
    else None
    for byte in range(256)
)
"""The row of each byte, None where the byte is no opcode."""


def spec_of(op: Op) -> OpSpec:
    """Return the row of the opcode."""
    spec = SPECS[op]
    assert spec is not None
    return spec

"""What every opcode is measured on: a few instructions that leave the stack as they found it.

A case is chosen by what an attacker would choose: the operands that take longest for their gas.
Where an opcode has a cheap and a dear end (4 items, 4,096 items), both are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.vm_proofs import certified, signed_message, uncertified
from benchmarks.vm_world import CHAIN_ID
from node.ledger.contract import genesis_contract_address
from node.vm.limits import INT_MAX, INT_MIN
from node.vm.shapes import Value
from primitives.hashing import sha256

DECLARATIONS: Final = """
module Costs 1
type list Int                                       ; t16
type option Int                                     ; t17
type record Pair a:Int b:Str                        ; t18
type list Str                                       ; t19
type list t16                                       ; t20
type list t20                                       ; t21
type list Address                                   ; t22
type map Int Int                                    ; t23
type map Int t23                                    ; t24
type map Str t24                                    ; t25
type map Int t16                                    ; t26
type map Int Str                                    ; t27
type map Int t21                                    ; t28
constant Str "a message"                            ; 0
constant Int 57896044618658097711785492504343953926634992332820282019728 ; 1
storage total:Int                                   ; 0
storage pair:t18                                    ; 1
storage numbers:t23                                 ; 2
storage deep:t25                                    ; 3
storage log:t16                                     ; 4
storage logs:t26                                    ; 5
storage texts:t27                                   ; 6
storage tables:t28                                  ; 7
storage blank:t23                                   ; 8
event Said by:Address amount:Int                    ; 0
event Told text:Str table:t21                       ; 1
event Silent                                        ; 2
method Other.ask view (Int) Int                     ; 0
method Other.pay payable (t21) Int                  ; 1
"""
MANY: Final = 500
"""Times that the cheapest instructions stand in their function."""

OTHER: Final = """
module Other 1
type list Int
type list t16
type list t17
function ask view (Int) Int
GET 0
RETURN
function pay payable (t18) Int
INT 1
RETURN
"""
BESIDES: Final = """
function plus internal (Int) Int
GET 0
RETURN
function later scheduled (Int Str) Unit
UNIT
RETURN
function nothing internal () Unit
UNIT
RETURN
"""

NUMBERS, DEEP, LOG, LOGS, TEXTS, TABLES = 2, 3, 4, 5, 6, 7
"""Places of the fields of storage that hold something before a case runs."""

ENTRIES_MIN: Final = 20_000
"""Accounts, and numbers in storage, that there are at least."""

OTHER_CONTRACTS: Final = 512
STORED_LISTS: Final = 512
STORED_TEXTS: Final = 64
LOG_LENGTH: Final = 2_000
TEXT_LENGTH: Final = 60_000
LIST_LENGTH: Final = 4_095

CONTRACT: Final = genesis_contract_address("costs")
OTHER_CONTRACT: Final = genesis_contract_address("other")


@dataclass(frozen=True, slots=True)
class Case:
    """Some instructions, repeated.

    Attributes:
        op: the mnemonic that they are about.
        operands: what they are given, in words.
        params: types of the function, of locals 0 and so on.
        unit: the instructions, between bars.
        count: how often they stand in the function.
        spare: types of further locals.
        prepaid: gas of one unit that somebody else will use.
        range: where local 0 is another number below this in every call; 0: it is an operand.
    """

    op: str
    operands: str
    params: str
    arguments: tuple[Value, ...]
    unit: str
    count: int = 100
    spare: str = ""
    prepaid: int = 0
    range: int = 0

    @property
    def name(self) -> str:
        """Opcode and operands."""
        return f"{self.op} {self.operands}".strip()


BIG: Final = INT_MAX
LOW: Final = INT_MIN + 1
HALF: Final = 2**127 + 12_345
ADDRESS: Final = b"\xaa" * 32
BYTES: Final = b"\x07" * 65_536
ASCII: Final = "a" * 65_536
WIDE: Final = "é" + "a" * 65_000
SMALL_LIST: Final = tuple(range(10**9, 10**9 + 4))
LONG_LIST: Final = tuple(range(10**9, 10**9 + LIST_LENGTH))
MIXED: Final = tuple(
    int.from_bytes(sha256(place.to_bytes(2, "big")), "big") // 2 - 2**254
    for place in range(LIST_LENGTH)
)
FALLING: Final = tuple(BIG - 3 * place for place in range(LIST_LENGTH))
PAIR: Final = (5, "name")
WIDE_TABLE: Final = ((BIG,) * 1_700,)
EMPTY_TABLE: Final = ((),) * 4_000
SMALL_TABLE: Final = ((-1,) * 4_000,) * 14
TABLE_KINDS: Final[dict[str, Value]] = {
    "wide integers": WIDE_TABLE,
    "empty lists": EMPTY_TABLE,
    "small integers": SMALL_TABLE,
}
"""Of these, storage holds one each."""


def cases() -> Iterator[Case]:
    """Yield all cases, opcode by opcode."""
    yield from _moves()
    yield from _numbers()
    yield from _comparisons()
    yield from _texts()
    yield from _lists()
    yield from _statistics()
    yield from _parts()
    yield from _reads()
    yield from _writes()
    yield from _steps()
    yield from _questions()
    yield from _effects()


def _moves() -> Iterator[Case]:
    yield Case("CONST", "", "", (), "CONST 0 | SET 0", MANY, spare="Str")
    yield Case("INT", "", "", (), "INT 5 | SET 0", MANY, spare="Int")
    yield Case("TRUE", "", "", (), "TRUE | SET 0", MANY, spare="Bool")
    yield Case("FALSE", "", "", (), "FALSE | SET 0", MANY, spare="Bool")
    yield Case("UNIT", "returned", "", (), "CALL 4 | DROP", spare="Int")
    yield Case("NONE", "", "", (), "NONE t17 | SET 0", MANY, spare="t17")
    yield Case("DEFAULT", "", "", (), "DEFAULT t18 | SET 0", MANY, spare="t18")
    yield Case("DROP", "a result", "Int", (5,), "GET 0 | CALL 2 | DROP", spare="Int")
    yield Case("DUP", "a local", "Int", (5,), "GET 0 | DUP | SET 1 | SET 1", MANY, spare="Int")
    unit = "GET 0 | FIELD 0 | DUP | SET 1 | SET 1"
    yield Case("DUP", "what is computed", "t18", (PAIR,), unit, MANY // 2, spare="Int")
    yield Case("GET", "", "Int", (5,), "GET 0 | SET 1", MANY, spare="Int")
    swap = "GET 0 | GET 1 | SET 0 | SET 1"
    for op, what in (("GET", "before it changes"), ("SET", "while it waits")):
        yield Case(op, what, "Int Int", (5, 6), swap, MANY)


def _numbers() -> Iterator[Case]:
    pairs = {"ADD": (BIG // 2, BIG // 2), "SUB": (BIG, BIG // 3), "MUL": (HALF, HALF - 7)}
    pairs |= dict.fromkeys(("DIV", "MOD"), (BIG, HALF))
    pairs |= dict.fromkeys(("MIN", "MAX", "AND", "OR", "XOR"), (BIG, LOW))
    for op, pair in pairs.items():
        for size, operands in (("small", (1_234, 77)), ("256 bits", pair)):
            yield Case(op, size, "Int Int", operands, f"GET 0 | GET 1 | {op} | SET 2", spare="Int")
    for op, number in (("NEG", BIG), ("ABS", LOW), ("ISQRT", BIG)):
        yield Case(op, "256 bits", "Int", (number,), f"GET 0 | {op} | SET 1", spare="Int")
    for a, b in ((2, 254), (3, 160), (2**127, 2)):
        unit = "GET 0 | GET 1 | POW | SET 2"
        yield Case("POW", f"{a.bit_length()} bits to the {b}", "Int Int", (a, b), unit, spare="Int")
    for op, operands in (("SHL", (1, 254)), ("SHR", (BIG, 100))):
        yield Case(op, "", "Int Int", operands, f"GET 0 | GET 1 | {op} | SET 2", spare="Int")
    unit = "GET 0 | GET 1 | GET 2 | MULDIV | SET 3"
    yield Case("MULDIV", "", "Int Int Int", (BIG, BIG - 5, BIG - 1), unit, spare="Int")
    for op, operands in (("FMUL", (HALF, HALF)), ("FDIV", (2**190, HALF))):
        unit = f"GET 0 | GET 1 | {op} | SET 2"
        yield Case(op, "", "Fixed Fixed", operands, unit, spare="Fixed")
    yield Case("TO_FIXED", "", "Int", (2**190,), "GET 0 | TO_FIXED | SET 1", spare="Fixed")
    yield Case("FLOOR_INT", "", "Fixed", (BIG,), "GET 0 | FLOOR_INT | SET 1", spare="Int")


def _comparisons() -> Iterator[Case]:
    copies: tuple[tuple[str, str, tuple[Value, ...]], ...] = (
        ("256 bits", "Int Int", (BIG, BIG - 1)),
        ("32 bytes", "Bytes Bytes", (ADDRESS, ADDRESS[:31] + b"x")),
        ("64 KiB", "Bytes Bytes", (BYTES, bytes(bytearray(BYTES)))),
        ("64 KiB of text", "Str Str", (ASCII, "".join(list(ASCII)))),
        ("64 KiB of wide text", "Str Str", (WIDE, "".join(list(WIDE)))),
    )
    for op in ("EQ", "NE", "LT", "LE", "GT", "GE"):
        for operands, params, arguments in copies:
            unit = f"GET 0 | GET 1 | {op} | SET 2"
            yield Case(op, operands, params, arguments, unit, 50, spare="Bool")
    yield Case("NOT", "", "Bool", (True,), "GET 0 | NOT | SET 0")


def _texts() -> Iterator[Case]:
    sizes: tuple[tuple[str, str, bytes | str], ...] = (
        ("32 bytes", "Bytes", BYTES[:32]),
        ("32 KB", "Bytes", BYTES[:32_000]),
        ("32 KB of text", "Str", ASCII[:32_000]),
        ("32 KB of wide text", "Str", WIDE[:32_000]),
    )
    for size, kind, text in sizes:
        yield Case(
            "CONCAT", size, f"{kind} {kind}", (text, text), "GET 0 | GET 1 | CONCAT | DROP", 20
        )
        unit = "GET 0 | GET 1 | GET 2 | SLICE | DROP"
        yield Case("SLICE", size, f"{kind} Int Int", (text, 1, len(text)), unit, 20)
        yield Case("LEN", size, kind, (text,), "GET 0 | LEN | SET 1", 20, spare="Int")
    yield Case("BYTE_AT", "", "Bytes Int", (BYTES, 7), "GET 0 | GET 1 | BYTE_AT | SET 1")
    needle = b"a" * 32 + b"b" + b"a" * 31
    searches: tuple[tuple[str, str, bytes | str, bytes | str], ...] = (
        ("small", "Bytes", b"abcd", b"c"),
        ("64 KiB for 1", "Bytes", BYTES, b"x"),
        ("64 KiB for 2", "Bytes", b"ab" * 32_768, b"ba\0"[:2] + b"c"),
        ("64 KiB for 64", "Bytes", b"a" * 65_536, needle),
        ("text for 64", "Str", ASCII, needle.decode()),
        ("wide text for 1", "Str", WIDE, "b"),
    )
    for size, kind, text, part in searches:
        unit = "GET 0 | GET 1 | CONTAINS | DROP"
        yield Case("CONTAINS", size, f"{kind} {kind}", (text, part), unit, 20)
    for size, line in (("small", "name"), ("32 KB", ASCII[:32_000]), ("wide", WIDE[:32_000])):
        yield Case("STR_TO_BYTES", size, "Str", (line,), "GET 0 | STR_TO_BYTES | DROP", 20)
    unit = "GET 0 | GET 1 | INT_TO_BYTES | DROP"
    yield Case("INT_TO_BYTES", "", "Int Int", (BIG, 32), unit)
    yield Case("BYTES_TO_INT", "", "Bytes", (b"\x7f" * 32,), "GET 0 | BYTES_TO_INT | DROP")
    yield Case("INT_TO_STR", "", "Int", (LOW,), "GET 0 | INT_TO_STR | DROP")
    for size, raw in (("32 bytes", ADDRESS), ("64 KiB", BYTES)):
        yield Case("SHA256", size, "Bytes", (raw,), "GET 0 | SHA256 | DROP", 20)
    unit = "GET 0 | ADDRESS_TO_BYTES | LEN | SET 1"
    yield Case("ADDRESS_TO_BYTES", "and LEN", "Address", (ADDRESS,), unit, spare="Int")
    yield Case("BYTES_TO_ADDRESS", "", "Bytes", (ADDRESS,), "GET 0 | BYTES_TO_ADDRESS | DROP")


def _lists() -> Iterator[Case]:
    for count in (1, 16):
        unit = "GET 0 | " * count + f"LIST {count} t16 | SET 1"
        yield Case("LIST", f"{count} items", "Int", (5,), unit, 50, spare="t16")
    for size, items, count in (("4 items", SMALL_LIST, 100), ("4,095 items", LONG_LIST, 10)):
        at: tuple[Value, ...] = (items, 1)
        yield Case("LGET", size, "t16 Int", at, "GET 0 | GET 1 | LGET | SET 2", spare="Int")
        unit = "GET 0 | GET 1 | GET 1 | LSET | DROP"
        yield Case("LSET", size, "t16 Int", at, unit, count)
        yield Case("LAPPEND", size, "t16 Int", at, "GET 0 | GET 1 | LAPPEND | DROP", count)
        yield Case("LPOP", size, "t16", (items,), "GET 0 | LPOP | DROP | DROP", count)
        yield Case("LLEN", size, "t16", (items,), "GET 0 | LLEN | SET 1", spare="Int")
        unit = "GET 0 | GET 1 | GET 2 | LSLICE | DROP"
        yield Case("LSLICE", size, "t16 Int Int", (items, 1, len(items)), unit, count)
        yield Case(
            "LCONTAINS", size, "t16 Int", (items, -1), "GET 0 | GET 1 | LCONTAINS | DROP", 10
        )
        half = items[: len(items) // 2]
        unit = "GET 0 | GET 1 | LCONCAT | DROP"
        yield Case("LCONCAT", size, "t16 t16", (half, half), unit, count)
    unit = "GET 0 | GET 1 | LCONTAINS | DROP"
    yield Case("LCONTAINS", "256 bits", "t16 Int", (FALLING, BIG - 1), unit, 5)
    names = tuple(f"n{place:060d}" for place in range(LIST_LENGTH))
    yield Case("LCONTAINS", "61 bytes", "t19 Str", (names, "n" + "9" * 60), unit, 5)
    texts = tuple("a" * 60_000 + f"{place:05d}" for place in range(60))
    yield Case("LCONTAINS", "64 KiB", "t19 Str", (texts, "a" * 60_000 + "99999"), unit, 5)


def _statistics() -> Iterator[Case]:
    lists = (
        ("4 items", SMALL_LIST, 50),
        ("256 items", MIXED[:256], 5),
        ("4,095 items", MIXED, 2),
        ("equal items", (BIG,) * LIST_LENGTH, 2),
    )
    for size, items, count in lists:
        weights = tuple(abs(number) // 2**13 for number in items)
        yield Case("SORT", size, "t16", (items,), "GET 0 | SORT | DROP", count)
        yield Case("SUM", size, "t16", (tuple(weights),), "GET 0 | SUM | DROP", count)
        unit = "GET 0 | GET 1 | GET 2 | QUANTILE | DROP"
        yield Case("QUANTILE", size, "t16 Int Int", (items, 1, 2), unit, count)
        unit = "GET 0 | GET 1 | WEIGHTED_MEDIAN | DROP"
        yield Case("WEIGHTED_MEDIAN", size, "t16 t16", (items, weights), unit, count)
        unit = "GET 0 | GET 1 | TOP_K t16 | DROP"
        yield Case("TOP_K", size, "t16 Int", (items, len(items)), unit, count)


def _parts() -> Iterator[Case]:
    unit = "GET 0 | GET 1 | RECORD t18 | SET 2"
    yield Case("RECORD", "", "Int Str", (5, "a"), unit, spare="t18")
    yield Case("FIELD", "", "t18", (PAIR,), "GET 0 | FIELD 0 | SET 1", spare="Int")
    yield Case("WITH", "", "t18 Int", (PAIR, 6), "GET 0 | GET 1 | WITH 0 | DROP")
    yield Case("SOME", "", "Int", (5,), "GET 0 | SOME t17 | SET 1", spare="t17")
    yield Case("IS_SOME", "", "t17", ((5,),), "GET 0 | IS_SOME | SET 1", spare="Bool")
    yield Case("UNWRAP", "", "t17", ((5,),), "GET 0 | UNWRAP | SET 1", spare="Int")
    yield Case("UNWRAP_OR", "", "t17 Int", ((5,), 6), "GET 0 | GET 1 | UNWRAP_OR | SET 1")


_NEXT: Final = "GET 0 | INT 1 | ADD | SET 0 | GET 0 | "
"""Another key every time, so that nobody has read the slot before."""


def _walk(
    op: str, operands: str, rest: str, *, count: int = 50, entries: int = ENTRIES_MIN
) -> Case:
    return Case(op, operands, "Int", (0,), _NEXT + rest, count, range=entries - count)


def _reads() -> Iterator[Case]:
    yield _walk("LOAD", "anywhere", f"LOAD {NUMBERS} | DROP")
    yield _walk("LOAD", "nothing there", "INT 2000000 | MUL | LOAD 8 | DROP")
    unit = f"GET 0 | GET 1 | GET 1 | LOAD {DEEP} | DROP"
    yield Case("LOAD", "3 keys", "Str Int", ("k" * 100, BIG), unit)
    yield Case("LOAD", "again", "Int", (7,), f"GET 0 | LOAD {NUMBERS} | DROP")
    yield _walk("LOAD", "60 KB of text", f"LOAD {TEXTS} | DROP", count=8, entries=STORED_TEXTS)
    yield _walk("LOAD_OPTION", "anywhere", f"LOAD_OPTION {NUMBERS} t17 | DROP")
    yield _walk("HAS", "anywhere", f"HAS {NUMBERS} | DROP")
    yield _walk("SLLEN", "anywhere", f"SLLEN {LOGS} | DROP", count=20, entries=STORED_LISTS)
    yield _walk("SLGET", "anywhere", f"INT 0 | SLGET {LOGS} | DROP", count=20, entries=STORED_LISTS)
    for place, what in enumerate(TABLE_KINDS):
        yield Case("SLGET", what, "Int", (place,), f"GET 0 | INT 0 | SLGET {TABLES} | DROP", 1)
        yield Case("SLLOAD", what, "Int", (place,), f"GET 0 | SLLOAD {TABLES} t21 | DROP", 1)
    yield Case("SLLOAD", "2,000 items", "", (), f"SLLOAD {LOG} t16 | DROP", 1)


def _writes() -> Iterator[Case]:
    yield _walk("STORE", "anywhere", f"INT 5 | STORE {NUMBERS}", count=40)
    yield _walk("STORE", "anew, 256 bits", "CONST 1 | STORE 8", count=40)
    yield Case("STORE", "a record", "t18", (PAIR,), "GET 0 | STORE 1")
    for what, text in (("60 KB of text", ASCII), ("60 KB of wide text", WIDE)):
        cut = text[:TEXT_LENGTH]
        unit = f"GET 0 | GET 1 | STORE {TEXTS} | GET 0 | INT 1 | ADD | SET 0"
        yield Case("STORE", what, "Int Str", (0, cut), unit, 8)
    yield _walk("REMOVE", "anywhere", f"REMOVE {NUMBERS}", count=40)
    yield _walk(
        "SLSET", "anywhere", f"INT 0 | INT 5 | SLSET {LOGS}", count=20, entries=STORED_LISTS
    )
    yield _walk("SLAPPEND", "anywhere", f"INT 5 | SLAPPEND {LOGS}", count=20, entries=STORED_LISTS)
    yield Case("SLAPPEND", "the same list", "Int", (7,), f"GET 0 | SLAPPEND {LOG}", 50)
    for what, table in TABLE_KINDS.items():
        yield Case("SLAPPEND", what, "t20", (table,), f"INT 9 | GET 0 | SLAPPEND {TABLES}", 8)
    yield _walk("SLPOP", "anywhere", f"SLPOP {LOGS} | DROP", count=20, entries=STORED_LISTS)
    yield Case("SLCLEAR", "2,000 items", "", (), f"SLCLEAR {LOG}", 1)
    yield _walk("SLCLEAR", "3 items", f"SLCLEAR {LOGS}", count=20, entries=STORED_LISTS)


def _steps() -> Iterator[Case]:
    yield Case("IF", "true", "Bool Int", (True, 5), "GET 0 | IF | GET 1 | SET 1 | END")
    yield Case("END", "false", "Bool Int", (False, 5), "GET 0 | IF | GET 1 | SET 1 | END")
    unit = "GET 0 | IF | ELSE | GET 1 | SET 1 | END"
    yield Case("ELSE", "", "Bool Int", (False, 5), unit)
    yield Case("LOOP", "", "Int", (5,), "LOOP | BREAK | REPEAT | GET 0 | SET 0")
    head = "LOOP | GET 0 | INT 50 | GE | IF | BREAK | END | GET 0 | INT 1 | ADD | SET 0 | "
    yield Case("REPEAT", "50 times", "Int", (0,), head + "REPEAT | INT 0 | SET 0", 10)
    yield Case("CONTINUE", "50 times", "Int", (0,), head + "CONTINUE | REPEAT | INT 0 | SET 0", 10)
    yield Case("BREAK", "", "Bool", (True,), "LOOP | GET 0 | IF | BREAK | END | REPEAT")
    yield Case("REQUIRE", "a local", "Bool", (True,), "GET 0 | REQUIRE 0", MANY)
    unit = "GET 0 | GET 1 | LT | REQUIRE 0"
    yield Case("REQUIRE", "a comparison", "Int Int", (LOW, BIG), unit)
    yield Case("CALL", "", "Int", (5,), "GET 0 | CALL 2 | DROP")
    yield Case("RETURN", "", "Int", (5,), "GET 0 | CALL 2 | DROP | GET 0 | CALL 2 | DROP")
    yield Case("FAIL", "", "", (), "CONST 0 | FAIL", 1)


def _questions() -> Iterator[Case]:
    for op, kind in (("SENDER", "Address"), ("SELF", "Address"), ("BEACON", "Bytes")):
        yield Case(op, "", "", (), f"{op} | SET 0", MANY, spare=kind)
    for op in ("VALUE", "NOW", "HEIGHT", "GAS_LEFT"):
        yield Case(op, "", "", (), f"{op} | SET 0", MANY, spare="Int")
    fresh = "GET 0 | INT 1 | ADD | SET 0 | GET 0 | INT 32 | INT_TO_BYTES | BYTES_TO_ADDRESS | "
    for op in ("BALANCE", "STAKE_OF", "POWER_OF", "CODE_AT"):
        yield Case(op, "of anybody", "Int", (0,), f"{fresh}{op} | DROP", 50, range=ENTRIES_MIN - 50)
    yield Case("COMMITTEE", "", "", (), "COMMITTEE t22 | DROP")
    yield Case("QUORUM", "", "", (), "QUORUM | DROP")


def _effects() -> Iterator[Case]:
    to = "GET 0 | INT 1 | ADD | SET 0 | GET 0 | INT 32 | INT_TO_BYTES | BYTES_TO_ADDRESS | "
    yield Case(
        "TRANSFER", "to anybody", "Int", (0,), f"{to}INT 5 | TRANSFER", 40, range=ENTRIES_MIN - 40
    )
    yield Case("EMIT", "", "Address Int", (ADDRESS, 5), "GET 0 | GET 1 | EMIT 0", 50)
    yield Case("EMIT", "empty", "", (), "EMIT 2", 50)
    yield Case("EMIT", "40 KB", "Str t21", (ASCII[:40_000], ()), "GET 0 | GET 1 | EMIT 1", 20)
    yield Case(
        "EMIT", "empty lists", "Str t21", ("", (EMPTY_TABLE,) * 14), "GET 0 | GET 1 | EMIT 1", 5
    )
    later = "GET 0 | GET 1 | SUB | SET 0 | GET 0 | INT 20000 | INT 7 | CONST 0 | SCHEDULE 3"
    yield Case(
        "SCHEDULE", "sooner than all", "Int Int", (1_700_010_000_000, 1), later, 10, prepaid=20_000
    )
    yield Case(
        "INVOKE", "", "Address Int", (OTHER_CONTRACT, 5), "GET 0 | GET 1 | INVOKE 0 | DROP", 20
    )
    anyone = f"{to}INT 5 | INVOKE 0 | DROP"
    yield Case("INVOKE", "anybody", "Int", (0,), anyone, 20, range=OTHER_CONTRACTS - 20)
    pay = "GET 0 | INT 1 | GET 1 | INVOKE 1 | DROP"
    yield Case("INVOKE", "with money", "Address t21", (OTHER_CONTRACT, ()), pay, 20)
    yield Case("INVOKE", "wide integers", "Address t21", (OTHER_CONTRACT, (WIDE_TABLE,)), pay, 5)
    yield from _verifications()


def _verifications() -> Iterator[Case]:
    unit = "GET 0 | GET 1 | GET 2 | VERIFY_SIGNATURE | DROP"
    for what, message in (("32 bytes", ADDRESS), ("64 KiB", BYTES)):
        key, signature = signed_message(message, chain_id=CHAIN_ID, contract=CONTRACT)
        operands = (key, message, signature)
        yield Case("VERIFY_SIGNATURE", what, "Bytes Bytes Bytes", operands, unit, 5)
    unit = "GET 0 | GET 1 | VERIFY_CERTIFICATE | DROP"
    for seats in (1, 4, 64):
        yield Case("VERIFY_CERTIFICATE", f"of {seats}", "Bytes Bytes", certified(seats), unit, 2)
    nothing = uncertified(1_000)
    yield Case("VERIFY_CERTIFICATE", "1,000 seats, none", "Bytes Bytes", nothing, unit, 1)

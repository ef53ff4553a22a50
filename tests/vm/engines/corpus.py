"""Small contracts that together use every family of opcodes: body, parameters, arguments, rest."""

from typing import Final

from node.vm.shapes import Value

Entry = tuple[str, str, tuple[Value, ...], str]

A: Final = b"\xaa" * 32

_HELPING: Final = """
function fib internal (Int) Int
  locals Int Int
  INT 1
  SET 1
  LOOP
  GET 0
  INT 0
  LE
  IF
  BREAK
  END
  GET 2
  GET 1
  DUP
  SET 2
  ADD
  SET 1
  GET 0
  INT 1
  SUB
  SET 0
  REPEAT
  GET 2
  RETURN
function later scheduled (Int Str) Unit
  UNIT
  RETURN
"""

CORPUS: Final[dict[str, Entry]] = {
    "transfer": (
        """
        GET 1 | INT 0 | GT | REQUIRE 0
        | SENDER | SENDER | LOAD 1 | GET 1 | SUB | STORE 1
        | GET 0 | GET 0 | LOAD 1 | GET 1 | ADD | STORE 1
        | SENDER | GET 1 | EMIT 0 | INT 1 | RETURN
        """,
        "Address Int",
        (A, 100),
        "",
    ),
    "calls": ("INT 10 | CALL 1 | INT 20 | CALL 1 | ADD | RETURN", "", (), _HELPING),
    "texts": (
        """
        CONST 3 | GET 0 | CONCAT | DUP | STORE 8 | STR_TO_BYTES | SHA256 | BYTES_TO_INT
        | INT 256 | MOD | INT_TO_STR | LOAD 8 | CONCAT | DUP | LOAD 8 | LT
        | IF | END | LEN | RETURN
        """,
        "Str",
        ("a text of some length, " * 40,),
        "",
    ),
    "lists": (
        """
        GET 0 | SORT | SET 0 | GET 0 | INT 3 | LAPPEND | SET 0
        | GET 0 | GET 0 | LCONCAT | SET 0
        | GET 0 | INT 1 | INT 4 | LSLICE | SUM | GET 0 | INT 1 | INT 2 | QUANTILE | ADD
        | GET 0 | GET 0 | WEIGHTED_MEDIAN | ADD | GET 0 | INT 2 | TOP_K t16 | SUM | ADD | RETURN
        """,
        "t16",
        (tuple(range(40, 0, -1)),),
        "",
    ),
    "stored lists": (
        """
        GET 0 | INT 5 | SLAPPEND 3 | GET 0 | INT 6 | SLAPPEND 3 | GET 0 | INT 7 | SLAPPEND 3
        | GET 0 | INT 1 | CONST 1 | SLSET 3 | GET 0 | SLPOP 3 | GET 0 | SLLOAD 3 t16 | SUM | ADD
        | GET 0 | SLCLEAR 3 | GET 0 | SLLEN 3 | ADD | RETURN
        """,
        "Str",
        ("name",),
        "",
    ),
    "host": (
        """
        GET 0 | VALUE | TRANSFER | SELF | BALANCE
        | NOW | INT 1000 | ADD | INT 20000 | INT 3 | CONST 0 | SCHEDULE 2
        | GET 0 | INT 9 | INVOKE 0 | ADD | COMMITTEE t29 | LLEN | ADD
        | CONST 2 | CONST 2 | CONST 2 | VERIFY_SIGNATURE | IF | END
        | CONST 2 | CONST 2 | VERIFY_CERTIFICATE | IF | END | RETURN
        """,
        "Address",
        (A,),
        _HELPING,
    ),
    "records": (
        """
        GET 0 | CONST 0 | RECORD t18 | DUP | STORE 4 | INT 5 | WITH 0 | SLAPPEND 6
        | INT 0 | SLGET 6 | FIELD 0 | LOAD 4 | SOME t27 | UNWRAP | FIELD 0 | MUL
        | GET 0 | INT 3 | POW | ADD | RETURN
        """,
        "Int",
        (12,),
        "",
    ),
    "ends in a trap": (
        "INT 5 | STORE 0 | LOAD 0 | INT 5 | SUB | SET 0 | INT 1 | GET 0 | DIV | RETURN",
        "Int",
        (0,),
        "",
    ),
    "wide numbers": (
        "CONST 1 | STORE 0 | LOAD 0 | SENDER | CONST 1 | STORE 1 | SENDER | LOAD 1 | ADD | RETURN",
        "",
        (),
        "",
    ),
    "reverts": ("INT 5 | STORE 0 | FALSE | REQUIRE 0 | INT 1 | RETURN", "", (), ""),
}

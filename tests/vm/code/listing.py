"""A module with one declaration of each kind, and ways to put code of one's own into it."""

import msgspec

from node.vm.assembler import assemble
from node.vm.module import Module
from node.vm.types import TypeIndex

DECLARATIONS = """
module Sample 1
type list Int                     ; t16
type option Int                   ; t17
type record Pair a:Int b:Str      ; t18
type map Address Int              ; t19
type list Address                 ; t20
type map Str t16                  ; t21
type list Fixed                   ; t22
type option Bool                  ; t23
type list Str                     ; t24
type map Int t19                  ; t25
constant Str "no"
constant Int 7
constant Bytes 0xabcd
constant Address 0x4444444444444444444444444444444444444444444444444444444444444444
constant Fixed 250000000000000000
storage total:Int                 ; 0
storage seen:t19                  ; 1
storage log:t16                   ; 2
storage logs:t21                  ; 3
storage pair:t18                  ; 4
storage deep:t25                  ; 5
event Added who:Address amount:Int
method Token.balance view (Address) Int
method Token.pay payable (Address) Bool
method Token.move external (Address Int) Unit
"""

OTHERS = """
function inner internal (Int Str) Bool     ; 1
  TRUE
  RETURN
function later scheduled (Int) Unit        ; 2
  UNIT
  RETURN
function look view () Int                  ; 3
  INT 0
  RETURN
function setup init () Unit                ; 4
  UNIT
  RETURN
"""

LOCAL_TYPES = (
    *("Bool", "Int", "Fixed", "Bytes", "Str", "Address"),
    *("t16", "t17", "t18", "t20", "t22", "t23", "t24"),
)
"""Of function 0, in order."""

SUBJECT = 0


def with_code(code: str, *, header: str = "function subject external () Unit") -> Module:
    """Return the sample module with this code in function 0."""
    subject = f"{header}\nlocals {' '.join(LOCAL_TYPES)}\n{code}\n"
    return assemble(DECLARATIONS + subject + OTHERS)


def with_bytes(code: bytes) -> Module:
    """Return the sample module with these bytes as the code of function 0."""
    module = with_code("UNIT\nRETURN")
    subject = msgspec.structs.replace(module.functions[SUBJECT], code=code)
    return msgspec.structs.replace(module, functions=(subject, *module.functions[1:]))


def push(type_name: str) -> str:
    """Return the instruction that pushes a value of the type."""
    return "UNIT" if type_name == "Unit" else f"GET {LOCAL_TYPES.index(type_name)}"


def lines(*instructions: str) -> str:
    """Return instructions as code; each argument may hold several, with ; between them."""
    return "\n".join(part.strip() for text in instructions for part in text.split(";"))


def type_named(name: str) -> TypeIndex:
    """Return the type that the text writes like this."""
    scalars = ("Unit", "Bool", "Int", "Fixed", "Bytes", "Str", "Address")
    return TypeIndex(scalars.index(name) if name in scalars else int(name[1:]))

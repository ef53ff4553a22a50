"""The text of a module is read strictly, and written so that people can read it."""

import pytest

from node.vm.assembler import AssemblyError, assemble
from node.vm.disassembler import disassemble
from node.vm.module import Constant, FunctionKind
from node.vm.rejection import InvalidModuleError
from node.vm.types import STR
from tests.vm.code.effects import USES
from tests.vm.code.listing import lines, with_bytes, with_code

COUNTER = """module Counter 1
type map Address Int                 ; t16
constant Str "too \\u003b small"      ; constant 0
storage total:Int                    ; storage 0
storage seen:t16                     ; storage 1
event Added who:Address amount:Int   ; event 0
method Token.pay payable (Address) Bool ; method 0

function add external (Int) Int      ; function 0
  locals Bool
  GET 0                              ;    0 gas 12
  INT 0                              ;    2
  GT                                 ;    4
  IF                                 ;    5
    SENDER                           ;    6 gas 124
    GET 0                            ;    7
    EMIT 0                           ;    9  Added
    GET 0                            ;   11
    RETURN                           ;   13
  ELSE                               ;   14
    CONST 0                          ;   15 gas 301  Str "too \\u003b small"
    FAIL                             ;   17
  END                                ;   18
"""


def test_module_is_written_with_what_its_indices_mean() -> None:
    assert disassemble(assemble(COUNTER)) == COUNTER


def test_semicolon_in_a_text_begins_no_comment() -> None:
    assert assemble(COUNTER).constants == (Constant(STR, b"too ; small"),)


def test_every_opcode_and_declaration_is_read_back() -> None:
    module = with_code("\n".join(use.instruction for use in USES))
    assert assemble(disassemble(module)) == module


@pytest.mark.parametrize("kind", FunctionKind)
def test_function_of_each_kind_is_read_back(kind: FunctionKind) -> None:
    text = f"module A 1\nfunction f {kind.name.lower()} (Int Str) Unit\nUNIT\nRETURN"
    module = assemble(text)
    assert module.functions[0].kind is kind
    assert assemble(disassemble(module)) == module


def test_code_that_nests_badly_is_still_written() -> None:
    text = disassemble(with_code(lines("END; REPEAT; ELSE; TRUE")))
    assert "  END" in text


def test_code_that_names_nothing_is_still_written() -> None:
    assert "CALL 99" in disassemble(with_code("CALL 99"))


def test_code_that_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(InvalidModuleError):
        disassemble(with_bytes(b"\x00"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("storage a:Int", 1),
        ("module A", 1),
        ("module A x", 1),
        ("module A 1\ntype set Int", 2),
        ("module A 1\ntype list Integer", 2),
        ("module A 1\ntype list t-1", 2),
        ("module A 1\ntype list t4294967296", 2),
        ("module A 1\nconstant Str no", 2),
        ("module A 1\nconstant Int", 2),
        ("module A 1\nconstant Bytes 0xz", 2),
        ("module A 1\nevent", 2),
        ("module A 1\nmethod A.f other () Int", 2),
        ("module A 1\nmethod f", 2),
        ("module A 1\nUNIT", 2),
        ("module A 1\nlocals Int", 2),
        ("module A 1\nfunction f internal () Unit\nJUMP", 3),
        ("module A 1\nfunction f internal () Unit\nGET", 3),
        ("module A 1\nfunction f internal () Unit\nGET x", 3),
        ("module A 1\nfunction f internal () Unit\nGET -1", 3),
        ("module A 1\nfunction f internal () Unit\nNONE 17", 3),
    ],
)
def test_line_that_is_none_is_refused_by_its_number(text: str, line: int) -> None:
    with pytest.raises(AssemblyError, match=f"^line {line}: ") as caught:
        assemble(text)
    assert caught.value.line == line

"""One row per way to break one rule of the verifier, and no other, and the reason it gives."""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from node.vm.assembler import assemble
from node.vm.limits import (
    CODE_BYTES_MAX,
    CONSTANT_BYTES_MAX,
    CONSTANTS_MAX,
    EVENT_FIELDS_MAX,
    EVENTS_MAX,
    FUNCTIONS_MAX,
    INTERNAL_CALL_DEPTH_MAX,
    LOCALS_MAX,
    METHODS_MAX,
    NAME_LENGTH_MAX,
    NESTING_MAX,
    PARAMS_MAX,
    RECORD_FIELDS_MAX,
    STACK_HEIGHT_MAX,
    STORAGE_FIELDS_MAX,
    TYPES_MAX,
)
from node.vm.module import Constant, Module
from node.vm.opcodes import Op
from node.vm.rejection import Reason
from node.vm.types import ADDRESS, BOOL, BYTES, INT, STR, TypeIndex
from tests.vm.code.listing import lines, with_bytes, with_code


class Malformed(NamedTuple):
    """A rule that is broken.

    Args:
        make: returns the module, so that a row that cannot be made fails its own test only.
    """

    claim: str
    reason: Reason
    make: Callable[[], Module]


def _text(claim: str, reason: Reason, *declarations: str) -> Malformed:
    """Make a module of nothing but these lines."""
    return Malformed(claim, reason, lambda: assemble("module Bad 1\n" + "\n".join(declarations)))


def _code(claim: str, reason: Reason, code: str, *, header: str | None = None) -> Malformed:
    """Put code into the sample module, which is good but for it."""
    if header is None:
        return Malformed(claim, reason, lambda: with_code(lines(code)))
    return Malformed(claim, reason, lambda: with_code(lines(code), header=header))


def _bytes(claim: str, reason: Reason, *code: int) -> Malformed:
    return Malformed(claim, reason, lambda: with_bytes(bytes(code)))


def _constant(claim: str, reason: Reason, type_index: TypeIndex, value: bytes) -> Malformed:
    constants = (Constant(type_index, value),)
    empty = "module Bad 1"
    return Malformed(
        claim, reason, lambda: msgspec.structs.replace(assemble(empty), constants=constants)
    )


def _function(name: str, *instructions: str, signature: str = "internal () Unit") -> str:
    return "\n".join((f"function {name} {signature}", *instructions))


_END = "UNIT; RETURN"
_FUNCTION: Final = _function("f", "UNIT", "RETURN")


def _chain(length: int) -> list[str]:
    """Return functions that each call the next."""
    links = [_function(f"f{index}", f"CALL {index + 1}", "RETURN") for index in range(length - 1)]
    return [*links, _function("last", "UNIT", "RETURN")]


_MODULE_ROWS: Final = (
    _text("version", Reason.VERSION, "module Bad 2"),
    _text("empty name", Reason.NAME, "module 1 1"),
    _text("name with a dash", Reason.NAME, "storage a-b:Int"),
    _text("name of letters that are not ascii", Reason.NAME, "event Größe"),
    _text("long name", Reason.NAME, f"event {'x' * (NAME_LENGTH_MAX + 1)}"),
    _text("name of a record", Reason.NAME, "type record 1 a:Int"),
    _text("name of an interface", Reason.NAME, "method 1.f view () Int"),
    _text("name of a function", Reason.NAME, _function("1", "UNIT", "RETURN")),
    _text("record twice", Reason.NAME_DUPLICATE, "type record A a:Int", "type record A b:Int"),
    _text("field of a record twice", Reason.NAME_DUPLICATE, "type record A a:Int a:Bool"),
    _text("storage field twice", Reason.NAME_DUPLICATE, "storage a:Int a:Bool"),
    _text("event twice", Reason.NAME_DUPLICATE, "event A", "event A a:Int"),
    _text("field of an event twice", Reason.NAME_DUPLICATE, "event A a:Int a:Int"),
    _text(
        "method twice", Reason.NAME_DUPLICATE, "method A.f view () Int", "method A.f view () Str"
    ),
    _text("function twice", Reason.NAME_DUPLICATE, _FUNCTION, _FUNCTION),
    _text(
        "two init functions",
        Reason.INIT_DUPLICATE,
        _function("a", "UNIT", "RETURN", signature="init () Unit"),
        _function("b", "UNIT", "RETURN", signature="init () Unit"),
    ),
)

_COUNT_ROWS: Final = (
    _text(
        "types",
        Reason.TOO_MANY,
        *(f"type record R{index} a:Int" for index in range(TYPES_MAX + 1)),
    ),
    _text("constants", Reason.TOO_MANY, *["constant Int 1"] * (CONSTANTS_MAX + 1)),
    _text(
        "storage fields",
        Reason.TOO_MANY,
        *(f"storage f{index}:Int" for index in range(STORAGE_FIELDS_MAX + 1)),
    ),
    _text("events", Reason.TOO_MANY, *(f"event E{index}" for index in range(EVENTS_MAX + 1))),
    _text(
        "fields of an event",
        Reason.TOO_MANY,
        "event E " + " ".join(f"f{index}:Int" for index in range(EVENT_FIELDS_MAX + 1)),
    ),
    _text(
        "fields of a record",
        Reason.TOO_MANY,
        "type record R " + " ".join(f"f{index}:Int" for index in range(RECORD_FIELDS_MAX + 1)),
    ),
    _text(
        "interface methods",
        Reason.TOO_MANY,
        *(f"method A.m{index} view () Int" for index in range(METHODS_MAX + 1)),
    ),
    _text(
        "parameters of a method",
        Reason.TOO_MANY,
        f"method A.m view ({'Int ' * (PARAMS_MAX + 1)}) Int",
    ),
    _text(
        "functions",
        Reason.TOO_MANY,
        *(_function(f"f{index}", "UNIT", "RETURN") for index in range(FUNCTIONS_MAX + 1)),
    ),
    _text(
        "parameters",
        Reason.TOO_MANY,
        _function("f", "UNIT", "RETURN", signature=f"internal ({'Int ' * (PARAMS_MAX + 1)}) Unit"),
    ),
    _text(
        "locals",
        Reason.TOO_MANY,
        _function("f", f"locals {'Int ' * (LOCALS_MAX + 1)}", "UNIT", "RETURN"),
    ),
)

_TYPE_ROWS: Final = (
    _text("scalar that is none", Reason.TYPE_UNKNOWN, "type list t7"),
    _text("entry that is none", Reason.TYPE_UNKNOWN, "type list t17"),
    _text("type of itself", Reason.TYPE_ORDER, "type list t16"),
    _text("type of a later one", Reason.TYPE_ORDER, "type list t17", "type list Int"),
    _text("two equal types", Reason.TYPE_DUPLICATE, "type list Int", "type list Int"),
    _text(
        "deep type",
        Reason.TYPE_DEPTH,
        "type list Int",
        *(f"type list t{16 + index}" for index in range(4)),
    ),
    _text(
        "wide type",
        Reason.TYPE_LEAVES,
        "type record A " + " ".join(f"f{index}:Int" for index in range(32)),
        "type record B " + " ".join(f"f{index}:t16" for index in range(8)) + " last:Int",
    ),
    _text(
        "module of wide types",
        Reason.MODULE_LEAVES,
        "type record A " + " ".join(f"f{index}:Int" for index in range(32)),
        "type record B " + " ".join(f"f{index}:t16" for index in range(8)),
        "event E " + " ".join(f"f{index}:t17" for index in range(EVENT_FIELDS_MAX)),
        "storage a:Int",
    ),
    _text("record without fields", Reason.RECORD_EMPTY, "type record A"),
    _text("key that is a Fixed", Reason.MAP_KEY, "type map Fixed Int"),
    _text("key that is a list", Reason.MAP_KEY, "type list Int", "type map t16 Int"),
    _text(
        "four keys",
        Reason.MAP_DEPTH,
        "type map Int Int",
        *(f"type map Int t{16 + index}" for index in range(3)),
    ),
    _text("list of maps", Reason.MAP_MISPLACED, "type map Int Int", "type list t16"),
    _text("option of a map", Reason.MAP_MISPLACED, "type map Int Int", "type option t16"),
    _text("record with a map", Reason.MAP_MISPLACED, "type map Int Int", "type record A a:t16"),
    _text("event with a map", Reason.MAP_MISPLACED, "type map Int Int", "event A a:t16"),
    _text("list of Unit", Reason.UNIT_MISPLACED, "type list Unit"),
    _text("map to Unit", Reason.UNIT_MISPLACED, "type map Int Unit"),
    _text("storage of Unit", Reason.UNIT_MISPLACED, "storage a:Unit"),
    _text("event with Unit", Reason.UNIT_MISPLACED, "event A a:Unit"),
    _text("storage of no type", Reason.TYPE_UNKNOWN, "storage a:t16"),
    _text("event of no type", Reason.TYPE_UNKNOWN, "event A a:t16"),
)

_SIGNATURE_ROWS: Final = (
    _text("method that is internal", Reason.METHOD_KIND, "method A.f internal () Int"),
    _text("method that takes Unit", Reason.UNIT_MISPLACED, "method A.f view (Unit) Int"),
    _text(
        "method that gives a map",
        Reason.MAP_MISPLACED,
        "type map Int Int",
        "method A.f view () t16",
    ),
    _text(
        "parameter of Unit",
        Reason.UNIT_MISPLACED,
        _function("f", "UNIT", "RETURN", signature="internal (Unit) Unit"),
    ),
    _text("local of Unit", Reason.UNIT_MISPLACED, _function("f", "locals Unit", "UNIT", "RETURN")),
    _text(
        "parameter that is a map",
        Reason.MAP_MISPLACED,
        "type map Int Int",
        _function("f", "UNIT", "RETURN", signature="internal (t16) Unit"),
    ),
    _text(
        "local that is a map",
        Reason.MAP_MISPLACED,
        "type map Int Int",
        _function("f", "locals t16", "UNIT", "RETURN"),
    ),
    _text(
        "result of no type",
        Reason.TYPE_UNKNOWN,
        _function("f", "UNIT", "RETURN", signature="internal () t16"),
    ),
    _text(
        "scheduled with a result",
        Reason.RESULT_NOT_UNIT,
        _function("f", "INT 1", "RETURN", signature="scheduled () Int"),
    ),
    _text(
        "init with a result",
        Reason.RESULT_NOT_UNIT,
        _function("f", "INT 1", "RETURN", signature="init () Int"),
    ),
)

_CONSTANT_ROWS: Final = (
    _constant("constant Bool", Reason.CONSTANT_TYPE, BOOL, b"\x01"),
    _constant("constant of a composite type", Reason.CONSTANT_TYPE, TypeIndex(16), b""),
    _constant("long constant", Reason.CONSTANT_SIZE, BYTES, bytes(CONSTANT_BYTES_MAX + 1)),
    _constant("zero that is not empty", Reason.CONSTANT_VALUE, INT, b"\x00"),
    _constant("padded integer", Reason.CONSTANT_VALUE, INT, b"\x00\x7f"),
    _constant("padded negative integer", Reason.CONSTANT_VALUE, INT, b"\xff\x80"),
    _constant("integer of 33 bytes", Reason.CONSTANT_VALUE, INT, b"\x01" + bytes(32)),
    _constant("short address", Reason.CONSTANT_VALUE, ADDRESS, bytes(31)),
    _constant("text that is not UTF-8", Reason.CONSTANT_VALUE, STR, b"\xc3"),
    _constant("text with a surrogate", Reason.CONSTANT_VALUE, STR, b"\xed\xa0\x80"),
)

_BYTE_ROWS: Final = (
    _bytes("zero byte", Reason.OPCODE_UNKNOWN, 0x00),
    _bytes("byte that is no opcode", Reason.OPCODE_UNKNOWN, 0xFF),
    _bytes("immediate that is missing", Reason.IMMEDIATE_CUT, Op.GET),
    _bytes("immediate that is cut", Reason.IMMEDIATE_CUT, Op.INT, 0x80),
    _bytes("second immediate that is missing", Reason.IMMEDIATE_CUT, Op.LIST, 0x00),
    _bytes("padded immediate", Reason.IMMEDIATE_PADDED, Op.INT, 0x81, 0x00),
    _bytes("immediate of six bytes", Reason.IMMEDIATE_LONG, Op.INT, *[0x80] * 5, 0x01),
    _bytes("immediate of 2**32", Reason.IMMEDIATE_LONG, Op.INT, *[0x80] * 4, 0x10),
    _bytes("long code", Reason.CODE_SIZE, *[Op.TRUE] * (CODE_BYTES_MAX + 1)),
    _bytes("no code", Reason.FALLS_OFF),
)

_NAMING_ROWS: Final = (
    _code("constant", Reason.CONSTANT_UNKNOWN, "CONST 5"),
    _code("message", Reason.CONSTANT_UNKNOWN, "TRUE; REQUIRE 5"),
    _code("message that is no text", Reason.MESSAGE_TYPE, "TRUE; REQUIRE 1"),
    _code("local to read", Reason.LOCAL_UNKNOWN, "GET 13"),
    _code("local to write", Reason.LOCAL_UNKNOWN, "INT 1; SET 13"),
    _code("field of a record", Reason.FIELD_UNKNOWN, "GET 8; FIELD 2"),
    _code("field of a record to change", Reason.FIELD_UNKNOWN, "GET 8; INT 1; WITH 2"),
    _code("storage field", Reason.STORAGE_UNKNOWN, "LOAD 6"),
    _code("stored list", Reason.STORAGE_UNKNOWN, "SLLEN 6"),
    _code("function", Reason.FUNCTION_UNKNOWN, "CALL 5"),
    _code("function to schedule", Reason.FUNCTION_UNKNOWN, "INT 1; SCHEDULE 5"),
    _code("method", Reason.METHOD_UNKNOWN, "INVOKE 3"),
    _code("event", Reason.EVENT_UNKNOWN, "EMIT 1"),
    _code("type", Reason.TYPE_UNKNOWN, "NONE t26"),
    _code("type between scalars and table", Reason.TYPE_UNKNOWN, "DEFAULT t15"),
    _code("list type", Reason.TYPE_UNKNOWN, "LIST 0 t99"),
)

_FIT_ROWS: Final = (
    _code("none of a list", Reason.TYPE_UNFIT, "NONE t16"),
    _code("some of a scalar", Reason.TYPE_UNFIT, "INT 1; SOME Int"),
    _code("list of an option type", Reason.TYPE_UNFIT, "LIST 0 t17"),
    _code("record of a list type", Reason.TYPE_UNFIT, "RECORD t16"),
    _code("places that are no Ints", Reason.TYPE_UNFIT, "GET 6; INT 1; TOP_K t20"),
    _code("committee of Ints", Reason.TYPE_UNFIT, "COMMITTEE t16"),
    _code("option of another type", Reason.TYPE_UNFIT, "LOAD_OPTION 0 t23"),
    _code("list of another type", Reason.TYPE_UNFIT, "SLLOAD 2 t20"),
    _code("zero of Unit", Reason.UNIT_MISPLACED, "DEFAULT Unit"),
    _code("zero of a map", Reason.MAP_MISPLACED, "DEFAULT t19"),
    _code("load of a stored list", Reason.STORAGE_SHAPE, "LOAD 2"),
    _code("store of a stored list", Reason.STORAGE_SHAPE, "GET 6; STORE 2"),
    _code("length of a stored value", Reason.STORAGE_SHAPE, "SLLEN 0"),
    _code("call of a scheduled function", Reason.CALL_KIND, "INT 1; CALL 2"),
    _code("call of the init function", Reason.CALL_KIND, "CALL 4"),
    _code("call of an external function", Reason.CALL_KIND, "CALL 0"),
    _code("schedule of an internal function", Reason.SCHEDULE_KIND, "INT 1; SCHEDULE 1"),
)

_STACK_ROWS: Final = (
    _code("drop of nothing", Reason.STACK_UNDERFLOW, "DROP"),
    _code("list of more than there is", Reason.STACK_UNDERFLOW, "INT 1; LIST 2 t16"),
    _code("list of more than ever is", Reason.STACK_UNDERFLOW, "LIST 4294967295 t16"),
    _code("operand of the block around", Reason.STACK_UNDERFLOW, "INT 1; TRUE; IF; DROP; END"),
    _code("operand of the loop around", Reason.STACK_UNDERFLOW, "INT 1; LOOP; DROP; REPEAT"),
    _code("condition of the block around", Reason.STACK_UNDERFLOW, "TRUE; LOOP; IF; END; REPEAT"),
    _code("high stack", Reason.STACK_OVERFLOW, "INT 1;" * STACK_HEIGHT_MAX + "INT 1"),
    _code("if of an Int", Reason.OPERAND_TYPE, "INT 1; IF; END"),
    _code("return of an Int", Reason.OPERAND_TYPE, "INT 1; RETURN"),
    _code("fail of an Int", Reason.OPERAND_TYPE, "INT 1; FAIL"),
    _code("operand left by an arm", Reason.STACK_LEFTOVER, "TRUE; IF; INT 1; END"),
    _code("operand left before else", Reason.STACK_LEFTOVER, "TRUE; IF; INT 1; ELSE; END"),
    _code("operand left after else", Reason.STACK_LEFTOVER, "TRUE; IF; ELSE; INT 1; END"),
    _code("operand left by a loop", Reason.STACK_LEFTOVER, "LOOP; INT 1; REPEAT"),
    _code("operand left by a break", Reason.STACK_LEFTOVER, "LOOP; INT 1; BREAK; REPEAT"),
    _code(
        "operand left by a break in an if",
        Reason.STACK_LEFTOVER,
        "LOOP; INT 1; TRUE; IF; BREAK; END; DROP; REPEAT",
    ),
    _code("operand left by a continue", Reason.STACK_LEFTOVER, "LOOP; INT 1; CONTINUE; REPEAT"),
    _code("operand left by a return", Reason.STACK_LEFTOVER, "INT 1; UNIT; RETURN"),
    _code("operand left by a fail", Reason.STACK_LEFTOVER, "INT 1; GET 4; FAIL"),
)

_BLOCK_ROWS: Final = (
    _code("blocks too deep", Reason.NESTING, "LOOP;" * NESTING_MAX + "LOOP"),
    _code("else alone", Reason.ELSE_WITHOUT_IF, "ELSE"),
    _code("else twice", Reason.ELSE_WITHOUT_IF, "TRUE; IF; ELSE; ELSE; END"),
    _code("else of a loop", Reason.ELSE_WITHOUT_IF, "LOOP; ELSE; REPEAT"),
    _code("end alone", Reason.END_WITHOUT_IF, "END"),
    _code("end of a loop", Reason.END_WITHOUT_IF, "LOOP; END"),
    _code("end too many", Reason.END_WITHOUT_IF, "TRUE; IF; END; END"),
    _code("repeat alone", Reason.REPEAT_WITHOUT_LOOP, "REPEAT"),
    _code("repeat of an if", Reason.REPEAT_WITHOUT_LOOP, "TRUE; IF; REPEAT"),
    _code("break outside a loop", Reason.OUTSIDE_LOOP, "BREAK"),
    _code("continue outside a loop", Reason.OUTSIDE_LOOP, "TRUE; IF; CONTINUE; END"),
    _code("break behind a loop", Reason.OUTSIDE_LOOP, "LOOP; BREAK; REPEAT; BREAK"),
    _code("code behind return", Reason.UNREACHABLE, "UNIT; RETURN; UNIT; RETURN"),
    _code("code behind break", Reason.UNREACHABLE, "LOOP; BREAK; INT 1; REPEAT"),
    _code(
        "code behind two arms that return",
        Reason.UNREACHABLE,
        "TRUE; IF; UNIT; RETURN; ELSE; UNIT; RETURN; END; UNIT; RETURN",
    ),
    _code("code behind a loop without break", Reason.UNREACHABLE, "LOOP; REPEAT; UNIT; RETURN"),
    _code("end behind the last return", Reason.END_WITHOUT_IF, "UNIT; RETURN; END"),
    _code("if that is open", Reason.UNCLOSED, "TRUE; IF; UNIT; RETURN"),
    _code("else that is open", Reason.UNCLOSED, "TRUE; IF; ELSE; UNIT; RETURN"),
    _code("loop that is open", Reason.UNCLOSED, "LOOP"),
    _code("code without return", Reason.FALLS_OFF, "INT 1; SET 1"),
    _code("arm without return", Reason.FALLS_OFF, "TRUE; IF; UNIT; RETURN; END"),
    _code("loop that breaks to the end", Reason.FALLS_OFF, "LOOP; BREAK; REPEAT"),
)

_CALL_ROWS: Final = (
    _text("call of itself", Reason.CALL_CYCLE, _function("f", "CALL 0", "RETURN")),
    _text(
        "call in a circle",
        Reason.CALL_CYCLE,
        _function("f", "CALL 1", "RETURN"),
        _function("g", "CALL 2", "RETURN"),
        _function("h", "CALL 0", "RETURN"),
    ),
    _text("calls too deep", Reason.CALL_DEPTH, *_chain(INTERNAL_CALL_DEPTH_MAX + 1)),
    *(
        _code(
            f"view that {claim}",
            Reason.VIEW_WRITES,
            f"{code}; {_END}",
            header="function subject view () Unit",
        )
        for claim, code in (
            ("stores", "INT 1; STORE 0"),
            ("removes", "REMOVE 0"),
            ("sets a stored item", "INT 0; INT 1; SLSET 2"),
            ("appends to a stored list", "INT 1; SLAPPEND 2"),
            ("pops from a stored list", "SLPOP 2; DROP"),
            ("clears a stored list", "SLCLEAR 2"),
            ("emits", "GET 5; INT 1; EMIT 0"),
            ("transfers", "GET 5; INT 1; TRANSFER"),
            ("schedules", "INT 1; INT 1; INT 1; SCHEDULE 2"),
            ("invokes a payable method", "GET 5; INT 1; GET 5; INVOKE 1; DROP"),
            ("invokes an external method", "GET 5; GET 5; INT 1; INVOKE 2; DROP"),
        )
    ),
    _text(
        "view that calls what writes",
        Reason.VIEW_WRITES,
        "storage a:Int",
        _function("look", "CALL 1", "RETURN", signature="view () Unit"),
        _function("through", "CALL 2", "RETURN"),
        _function("write", "INT 1", "STORE 0", "UNIT", "RETURN"),
    ),
)

MALFORMED: Final = (
    *_MODULE_ROWS,
    *_COUNT_ROWS,
    *_TYPE_ROWS,
    *_SIGNATURE_ROWS,
    *_CONSTANT_ROWS,
    *_BYTE_ROWS,
    *_NAMING_ROWS,
    *_FIT_ROWS,
    *_STACK_ROWS,
    *_BLOCK_ROWS,
    *_CALL_ROWS,
)

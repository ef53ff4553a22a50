"""Why a module may not run: one reason per rule of the verifier, with the place that breaks it."""

import enum
from typing import ClassVar

from primitives.errors import VmError


@enum.unique
class Reason(enum.Enum):
    """The closed list of reasons; the value is the stable code."""

    VERSION = "version"
    """The version of the module is not the one of this machine."""

    NAME = "name"
    """A name is not `[A-Za-z_][A-Za-z0-9_]*`, or is too long."""

    NAME_DUPLICATE = "name-duplicate"
    """Two things of one kind have one name: records, fields of one record or event, storage fields,
    events, methods of one interface, functions.
    """

    TOO_MANY = "too-many"
    """There are more of a kind than the limit of the kind."""

    TYPE_UNKNOWN = "type-unknown"
    """There is no type of this index."""

    TYPE_ORDER = "type-order"
    """An entry of the type table refers to itself or to a later entry."""

    TYPE_DUPLICATE = "type-duplicate"
    """Two entries of the type table are equal."""

    TYPE_DEPTH = "type-depth"
    """List, Option and Record are nested deeper than TYPE_DEPTH_MAX; a Map adds no depth."""

    TYPE_LEAVES = "type-leaves"
    """A type has more than TYPE_LEAVES_MAX scalars, with all records spelt out."""

    MODULE_LEAVES = "module-leaves"
    """The types of storage fields (without keys), fields of events, parameters and results, of
    methods as of functions, have more than MODULE_LEAVES_MAX scalars together.
    """

    RECORD_EMPTY = "record-empty"
    """A record has no fields."""

    MAP_KEY = "map-key"
    """The key of a Map is not Bool, Int, Bytes, Str or Address."""

    MAP_DEPTH = "map-depth"
    """A value is behind more than MAP_KEYS_MAX keys."""

    MAP_MISPLACED = "map-misplaced"
    """A Map is in a value, or is the type of a local, parameter, result or field of an event."""

    UNIT_MISPLACED = "unit-misplaced"
    """Unit is anywhere but the result of a function or method, or on the stack."""

    CONSTANT_TYPE = "constant-type"
    """A constant is not of type Int, Fixed, Bytes, Str or Address."""

    CONSTANT_SIZE = "constant-size"
    """A constant is longer than CONSTANT_BYTES_MAX."""

    CONSTANT_VALUE = "constant-value"
    """The bytes of a constant are not the one encoding of a value of its type."""

    METHOD_KIND = "method-kind"
    """A method of an interface is not EXTERNAL, PAYABLE or VIEW."""

    RESULT_NOT_UNIT = "result-not-unit"
    """A SCHEDULED or INIT function returns something."""

    INIT_DUPLICATE = "init-duplicate"
    """There are two INIT functions."""

    CODE_SIZE = "code-size"
    """The code of a function is longer than CODE_BYTES_MAX."""

    OPCODE_UNKNOWN = "opcode-unknown"
    """A byte where an opcode must be is none."""

    IMMEDIATE_CUT = "immediate-cut"
    """The code ends inside an immediate."""

    IMMEDIATE_LONG = "immediate-long"
    """An immediate is 2**32 or more."""

    IMMEDIATE_PADDED = "immediate-padded"
    """An immediate is longer than it must be."""

    CONSTANT_UNKNOWN = "constant-unknown"
    """There is no constant of this index."""

    LOCAL_UNKNOWN = "local-unknown"
    """There is no local of this index."""

    FIELD_UNKNOWN = "field-unknown"
    """The record has no field of this index."""

    STORAGE_UNKNOWN = "storage-unknown"
    """There is no storage field of this index."""

    FUNCTION_UNKNOWN = "function-unknown"
    """There is no function of this index."""

    METHOD_UNKNOWN = "method-unknown"
    """There is no method of this index."""

    EVENT_UNKNOWN = "event-unknown"
    """There is no event of this index."""

    TYPE_UNFIT = "type-unfit"
    """The type in the immediate is not of the kind that the opcode needs."""

    MESSAGE_TYPE = "message-type"
    """The message of REQUIRE is not a Str."""

    STORAGE_SHAPE = "storage-shape"
    """An opcode for stored values is used on a stored list, or the other way round."""

    CALL_KIND = "call-kind"
    """CALL of a function that is not INTERNAL or VIEW."""

    SCHEDULE_KIND = "schedule-kind"
    """SCHEDULE of a function that is not SCHEDULED."""

    STACK_UNDERFLOW = "stack-underflow"
    """An operand is missing above the floor of the block."""

    STACK_OVERFLOW = "stack-overflow"
    """The stack grows higher than STACK_HEIGHT_MAX."""

    STACK_LEFTOVER = "stack-leftover"
    """Operands are left above the floor where a block is left."""

    OPERAND_TYPE = "operand-type"
    """An operand is of another type than the opcode takes."""

    NESTING = "nesting"
    """More than NESTING_MAX blocks are open."""

    ELSE_WITHOUT_IF = "else-without-if"
    """ELSE, and the innermost open block is not the first arm of an IF."""

    END_WITHOUT_IF = "end-without-if"
    """END, and the innermost open block is no IF."""

    REPEAT_WITHOUT_LOOP = "repeat-without-loop"
    """REPEAT, and the innermost open block is no LOOP."""

    OUTSIDE_LOOP = "outside-loop"
    """BREAK or CONTINUE, and no LOOP is open."""

    UNREACHABLE = "unreachable"
    """An instruction other than ELSE, END and REPEAT is never reached."""

    UNCLOSED = "unclosed"
    """A block is open at the end of the code."""

    FALLS_OFF = "falls-off"
    """Control can get to the end of the code."""

    CALL_CYCLE = "call-cycle"
    """A function calls itself, perhaps through others."""

    CALL_DEPTH = "call-depth"
    """Internal calls nest deeper than INTERNAL_CALL_DEPTH_MAX."""

    VIEW_WRITES = "view-writes"
    """A VIEW has an instruction that writes, or calls a function that has."""


class InvalidModuleError(VmError):
    """Refuse a module that breaks a rule of the bytecode.

    Args:
        reason: the rule.
        detail: what was found, for people.
        function: the index of the function with the bad code or signature, None elsewhere.
        offset: of the bad instruction in the code, None outside code.
    """

    code: ClassVar[str] = "invalid_module"

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        function: int | None = None,
        offset: int | None = None,
    ) -> None:
        place = "" if function is None else f" in function {function}"
        place += "" if offset is None else f" at offset {offset}"
        super().__init__(f"{reason.value}{place}: {detail}")
        self.reason = reason
        self.detail = detail
        self.function = function
        self.offset = offset

    def at(self, offset: int) -> "InvalidModuleError":
        """Return the same error, at this offset unless it knows a better one."""
        offset = offset if self.offset is None else self.offset
        return InvalidModuleError(self.reason, self.detail, function=self.function, offset=offset)

    def within(self, function: int) -> "InvalidModuleError":
        """Return the same error, in this function."""
        return InvalidModuleError(self.reason, self.detail, function=function, offset=self.offset)

"""Fetch, charge the segment, step; until the outermost function returns or something traps."""

from typing import Final

from node.vm.interpreter import steering, steps
from node.vm.interpreter.machine import Machine
from node.vm.interpreter.storing import access_storage
from node.vm.opcodes import Op
from node.vm.operations.comparison import COMPARISONS
from node.vm.operations.lists import LIST_OPERATIONS
from node.vm.operations.numbers import NUMBER_OPERATIONS
from node.vm.operations.texts import TEXT_OPERATIONS
from node.vm.operations.world import FRAME_FIELDS, QUESTIONS
from node.vm.run import Run
from node.vm.shapes import Value

_VALUES: Final = (Op.CONST, Op.INT, Op.TRUE, Op.FALSE, Op.UNIT, Op.NONE, Op.DEFAULT)
_PARTS: Final = (
    *(Op.RECORD, Op.FIELD, Op.WITH, Op.SOME),
    *(Op.IS_SOME, Op.UNWRAP, Op.UNWRAP_OR),
)
_STORAGE: Final = (
    *(Op.LOAD, Op.LOAD_OPTION, Op.STORE, Op.REMOVE, Op.HAS),
    *(Op.SLLEN, Op.SLGET, Op.SLSET, Op.SLAPPEND, Op.SLPOP, Op.SLCLEAR, Op.SLLOAD),
)
_STEERING: Final = (Op.IF, Op.ELSE, Op.END, Op.LOOP, Op.REPEAT, Op.BREAK, Op.CONTINUE)

STEPS: Final[dict[Op, steps.Step]] = {
    **dict.fromkeys(_VALUES, steps.push_value),
    **dict.fromkeys((Op.DROP, Op.DUP, Op.GET, Op.SET), steps.move),
    **dict.fromkeys(NUMBER_OPERATIONS, steps.calculate),
    **dict.fromkeys(COMPARISONS, steps.compare),
    Op.NOT: steps.negate,
    **dict.fromkeys(TEXT_OPERATIONS, steps.work_on_text),
    **dict.fromkeys(LIST_OPERATIONS, steps.work_on_list),
    **dict.fromkeys(_PARTS, steps.work_on_parts),
    **dict.fromkeys(_STORAGE, access_storage),
    **dict.fromkeys(_STEERING, steering.steer),
    **dict.fromkeys((Op.RETURN, Op.FAIL, Op.REQUIRE), steering.end),
    Op.CALL: steering.call,
    Op.INVOKE: steering.invoke,
    **dict.fromkeys(FRAME_FIELDS, steering.read_frame),
    **dict.fromkeys(QUESTIONS, steering.ask_host),
    **dict.fromkeys((Op.TRANSFER, Op.EMIT, Op.SCHEDULE), steering.move_host),
}
"""Every opcode by its family."""


def interpret(run: Run, *, function: int, arguments: tuple[Value, ...]) -> Value:
    """Return the result of the function.

    Raises:
        VmTrap: it ended in a trap.
    """
    machine = Machine(run, function=function, arguments=arguments)
    while machine.result is None:
        activation = machine.top
        instruction = activation.function.instructions[activation.place]
        activation.place += 1
        run.meter.charge(instruction.segment_gas)
        STEPS[instruction.op](machine, instruction)
    return machine.result[0]

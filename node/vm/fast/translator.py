"""Turn one verified function into the text of one Python function.

The text holds nothing but Python's own words, integer literals, and names that are made here from
indices: `l3` a local, `t7` something computed, `C2` a constant, `Z16` a zero value, `F0` a field
of storage, `P0` how its slots begin, `load0`, `store0` and `emit0` what is made to measure, `K2`
a key encoder, `f4` a function, `op_...` an operation. No name, constant or text of a contract is
ever part of it.
"""

from node.vm import types
from node.vm.fast.emitter import Emitter, pop_operands, tuple_text
from node.vm.fast.moving import MOVING_TRANSLATIONS
from node.vm.fast.numbers import NUMBER_TRANSLATIONS, Translation
from node.vm.fast.reaching import REACHING_TRANSLATIONS
from node.vm.linked import LinkedModule
from node.vm.opcodes import Op
from node.vm.verified import Instruction

TRANSLATIONS: dict[Op, Translation] = {
    **NUMBER_TRANSLATIONS,
    **MOVING_TRANSLATIONS,
    **REACHING_TRANSLATIONS,
}
"""Every opcode but CONST and INVOKE, whose translation depends on the module."""


def translate(linked: LinkedModule, index: int) -> str:
    """Return the source of the Python function `f{index}(r, l0, l1, ...)`."""
    function = linked.module.functions[index]
    emitter = Emitter()
    parameters = "".join(f", l{place}" for place in range(len(function.params)))
    emitter.open(f"def f{index}(r{parameters}):")
    emitter.line("m = r.meter")
    emitter.line("g = m.gas")
    for place in range(len(function.params), len(function.locals)):
        emitter.line(f"l{place} = Z{function.locals[place]}")
    for instruction in function.instructions:
        emitter.charge(instruction.segment_gas)
        match instruction.op:
            case Op.CONST:
                _push_constant(emitter, instruction, linked=linked)
            case Op.INVOKE:
                _invoke(emitter, instruction, linked=linked)
            case op:
                TRANSLATIONS[op](emitter, instruction)
    return emitter.source()


def _push_constant(emitter: Emitter, instruction: Instruction, *, linked: LinkedModule) -> None:
    index = instruction.immediates[0]
    value = linked.module.constants[index]
    if linked.module.constant_types[index] in {types.INT, types.FIXED}:
        assert isinstance(value, int)
        emitter.push_literal(value)
    else:
        emitter.push_name(f"C{index}")


def _invoke(emitter: Emitter, instruction: Instruction, *, linked: LinkedModule) -> None:
    method = instruction.immediates[0]
    target, *arguments = pop_operands(emitter, instruction)
    value = arguments.pop(0).text if linked.is_method_payable(method) else "0"
    texts = ("r", str(method), target.text, value, tuple_text(arguments))
    emitter.stack.append(emitter.call("op_INVOKE", *texts))

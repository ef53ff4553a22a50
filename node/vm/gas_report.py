"""What a function costs, as far as its code alone tells: run by run, before it ever runs.

A straight run is a gas segment that costs anything: it is charged as a whole when control reaches
it. What an instruction adds by the size of what it works on is told as its rate.
"""

from collections import Counter
from dataclasses import dataclass

from node.vm.gas import DYNAMIC_GAS, Measure, Rate
from node.vm.opcodes import Op
from node.vm.types import BYTES, STR
from node.vm.verified import Instruction, VerifiedFunction


@dataclass(frozen=True, slots=True)
class DynamicPart:
    """What instructions of one opcode may add to a run.

    Args:
        count: how many there are in the run.
    """

    op: Op
    count: int
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class StraightRun:
    """Instructions that are charged at once.

    Args:
        offset: of the first one in the code.
        gas: charged each time that control gets there.
        loop_depth: how many loops it is in.
        calls: the functions of the module that it calls; their runs come on top.
        methods: the methods of other contracts that it calls; what those use comes on top.
    """

    offset: int
    gas: int
    loop_depth: int
    dynamic: tuple[DynamicPart, ...]
    calls: tuple[int, ...]
    methods: tuple[int, ...]


def straight_runs(function: VerifiedFunction) -> tuple[StraightRun, ...]:
    """Return the runs of a function in the order of its code."""
    return tuple(_run(depth, run) for depth, run in _split(function.instructions))


def _split(instructions: tuple[Instruction, ...]) -> list[tuple[int, list[Instruction]]]:
    """Return each run, with the number of loops around it."""
    runs: list[tuple[int, list[Instruction]]] = []
    loops = 0
    for instruction in instructions:
        if instruction.segment_gas:
            runs.append((loops, []))
        if runs:
            # Those behind a run that cost nothing, such as END, change nothing about it.
            runs[-1][1].append(instruction)
        loops += (instruction.op is Op.LOOP) - (instruction.op is Op.REPEAT)
    return runs


def _run(depth: int, run: list[Instruction]) -> StraightRun:
    counts = Counter(instruction.op for instruction in run if _is_dynamic(instruction))
    return StraightRun(
        offset=run[0].offset,
        gas=run[0].segment_gas,
        loop_depth=depth,
        dynamic=tuple(DynamicPart(op, count, DYNAMIC_GAS[op.name]) for op, count in counts.items()),
        calls=tuple(step.immediates[0] for step in run if step.op is Op.CALL),
        methods=tuple(step.immediates[0] for step in run if step.op is Op.INVOKE),
    )


def _is_dynamic(instruction: Instruction) -> bool:
    """Tell whether sizes can add anything; comparing numbers costs the same for all."""
    rate = DYNAMIC_GAS.get(instruction.op.name)
    if rate is None:
        return False
    is_sized = any(operand in {BYTES, STR} for operand in instruction.operands)
    return is_sized or rate.measure is not Measure.OPERAND_BYTES

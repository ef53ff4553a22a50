"""Add the static gas of code up, by the segments that are charged at once."""

from collections.abc import Sequence

from node.vm.bytecode import RawInstruction
from node.vm.opcodes import SEGMENT_ENDS, TERMINATORS


def segment_costs(code: Sequence[RawInstruction]) -> list[int]:
    """Return for each instruction the cost of the segment that begins with it, else 0.

    An END, ELSE or REPEAT behind an instruction where control stops is in no segment.
    """
    costs = [0] * len(code)
    leader: int | None = 0
    for index, raw in enumerate(code):
        if leader is not None:
            costs[leader] += raw.spec.static_gas
        if raw.spec.op in SEGMENT_ENDS:
            leader = None if raw.spec.op in TERMINATORS else index + 1
    return costs

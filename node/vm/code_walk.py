"""Verify the code of one function, in one walk from its first byte to its last.

Theory of operation: code is structured, IF .. ELSE .. END and LOOP .. REPEAT nest, and there are no
jumps by address. A stack of types is kept along the walk, and a stack of open blocks, each with the
height at which it began, its floor. No block may reach below its floor, and each path out of a
block ends at its floor; so all paths that meet have the same stack, and one walk types every
instruction. Behind BREAK, CONTINUE, RETURN and FAIL nothing may stand but the end of the block:
code that never runs would have no types, and has no use.
"""

from typing import Final, NamedTuple

from node.vm.bytecode import RawInstruction, decode_code
from node.vm.limits import CODE_BYTES_MAX, NESTING_MAX
from node.vm.module import FunctionKind
from node.vm.opcodes import TERMINATORS, Effect, Op
from node.vm.operand_stack import OperandStack
from node.vm.patterns import StackEffect
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.segments import segment_costs
from node.vm.stack_rules import Scope, method_of, stack_effect
from node.vm.types import BOOL
from node.vm.verified import Instruction

_NOTHING: Final = StackEffect((), ())
_BLOCK_OPS: Final = frozenset({Op.IF, Op.ELSE, Op.END, Op.LOOP, Op.REPEAT, Op.BREAK, Op.CONTINUE})
_CLOSERS: Final = frozenset({Op.ELSE, Op.END, Op.REPEAT})


class WalkedCode(NamedTuple):
    """What the walk found out.

    Args:
        calls: the functions it calls, with the offset of the first call of each.
        write_offset: of its first instruction that writes, None if there is none.
    """

    instructions: tuple[Instruction, ...]
    stack_height_max: int
    calls: dict[int, int]
    write_offset: int | None


class _Block:
    """An open IF, ELSE or LOOP.

    Args:
        opener: the index of the instruction that opened it.
    """

    __slots__ = ("breaks", "floor", "op", "opener", "then_ends")

    def __init__(self, op: Op, *, opener: int, floor: int) -> None:
        self.op = op
        self.opener = opener
        self.floor = floor
        self.breaks: list[int] = []
        self.then_ends = False


def walk_code(code: bytes, scope: Scope) -> WalkedCode:
    """Verify the code of a function.

    Raises:
        InvalidModuleError: it breaks a rule; the error has the offset, but not the function.
    """
    if len(code) > CODE_BYTES_MAX:
        raise InvalidModuleError(Reason.CODE_SIZE, f"{len(code)} bytes > limit {CODE_BYTES_MAX}")
    walk = _Walk(scope)
    for raw in decode_code(code):
        try:
            walk.step(raw)
        except InvalidModuleError as error:
            raise error.at(raw.offset) from None
    walk.finish(len(code))
    return walk.result()


class _Walk:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._stack = OperandStack()
        self._blocks: list[_Block] = []
        self._loops: list[_Block] = []
        self._reachable = True
        self._steps: list[tuple[RawInstruction, int, StackEffect]] = []
        self._targets: dict[int, int] = {}
        self._calls: dict[int, int] = {}
        self._write_offset: int | None = None

    def step(self, raw: RawInstruction) -> None:
        """Take the next instruction in."""
        op = raw.spec.op
        if not self._reachable and op not in _CLOSERS:
            raise InvalidModuleError(Reason.UNREACHABLE, f"{op.name} is never reached")
        height = self._stack.height
        effect = self._block_effect(op) if op in _BLOCK_OPS else self._plain(raw)
        self._steps.append((raw, height, effect))

    def finish(self, offset: int) -> None:
        """Refuse code that does not end where a function may end."""
        if self._blocks:
            detail = f"{len(self._blocks)} blocks are open at the end"
            raise InvalidModuleError(Reason.UNCLOSED, detail, offset=offset)
        if self._reachable:
            detail = "the code ends without RETURN or FAIL"
            raise InvalidModuleError(Reason.FALLS_OFF, detail, offset=offset)

    def result(self) -> WalkedCode:
        """Return everything found out; only after `finish`."""
        costs = segment_costs([raw for raw, _, _ in self._steps])
        instructions = tuple(
            Instruction(
                op=raw.spec.op,
                offset=raw.offset,
                immediates=raw.immediates,
                target=self._targets.get(index, 0),
                segment_gas=costs[index],
                height=height,
                operands=effect.operands,
                results=effect.results,
            )
            for index, (raw, height, effect) in enumerate(self._steps)
        )
        return WalkedCode(instructions, self._stack.height_max, self._calls, self._write_offset)

    def _block_effect(self, op: Op) -> StackEffect:
        index = len(self._steps)
        match op:
            case Op.ELSE:
                return self._else(index)
            case Op.END:
                return self._end(index)
            case Op.REPEAT:
                return self._repeat(index)
            case Op.BREAK | Op.CONTINUE:
                return self._leave(op, index)
            case _:
                return self._open(op, index)

    def _plain(self, raw: RawInstruction) -> StackEffect:
        effect = stack_effect(raw, self._stack, self._scope)
        self._stack.replace(len(effect.operands), effect.results)
        op = raw.spec.op
        if op is Op.CALL:
            self._calls.setdefault(raw.immediates[0], raw.offset)
        if self._write_offset is None and _writes(raw, self._scope):
            self._write_offset = raw.offset
        if op in TERMINATORS:
            self._stack.require_height(self._stack.floor)
            self._stop()
        return effect

    def _open(self, op: Op, index: int) -> StackEffect:
        effect = _NOTHING
        if op is Op.IF:
            effect = StackEffect((BOOL,), ())
            if self._stack.top(1) != effect.operands:
                raise InvalidModuleError(Reason.OPERAND_TYPE, "IF takes a Bool")
            self._stack.replace(1, ())
        if len(self._blocks) == NESTING_MAX:
            raise InvalidModuleError(Reason.NESTING, f"more than {NESTING_MAX} open blocks")
        block = _Block(op, opener=index, floor=self._stack.height)
        self._blocks.append(block)
        if op is Op.LOOP:
            self._loops.append(block)
        self._stack.floor = block.floor
        return effect

    def _else(self, index: int) -> StackEffect:
        if not self._blocks or self._blocks[-1].op is not Op.IF:
            raise InvalidModuleError(Reason.ELSE_WITHOUT_IF, "the innermost block is no IF")
        block = self._blocks[-1]
        self._end_arm(block)
        block.then_ends = self._reachable
        block.op = Op.ELSE
        self._targets[block.opener] = index + 1
        block.opener = index
        self._reachable = True
        return _NOTHING

    def _end(self, index: int) -> StackEffect:
        if not self._blocks or self._blocks[-1].op is Op.LOOP:
            raise InvalidModuleError(Reason.END_WITHOUT_IF, "the innermost block is no IF")
        block = self._blocks[-1]
        self._end_arm(block)
        self._targets[block.opener] = index + 1
        self._reachable = self._reachable or block.op is Op.IF or block.then_ends
        self._close()
        return _NOTHING

    def _repeat(self, index: int) -> StackEffect:
        if not self._blocks or self._blocks[-1].op is not Op.LOOP:
            raise InvalidModuleError(Reason.REPEAT_WITHOUT_LOOP, "the innermost block is no LOOP")
        block = self._loops.pop()
        self._end_arm(block)
        self._targets[index] = block.opener + 1
        for place in block.breaks:
            self._targets[place] = index + 1
        self._reachable = bool(block.breaks)
        self._close()
        return _NOTHING

    def _leave(self, op: Op, index: int) -> StackEffect:
        if not self._loops:
            raise InvalidModuleError(Reason.OUTSIDE_LOOP, f"{op.name} is in no loop")
        loop = self._loops[-1]
        self._stack.require_height(loop.floor)
        if op is Op.BREAK:
            loop.breaks.append(index)
        else:
            self._targets[index] = loop.opener + 1
        self._stop()
        return _NOTHING

    def _end_arm(self, block: _Block) -> None:
        if self._reachable:
            self._stack.require_height(block.floor)

    def _stop(self) -> None:
        self._stack.cut_to(self._stack.floor)
        self._reachable = False

    def _close(self) -> None:
        self._blocks.pop()
        self._stack.floor = self._blocks[-1].floor if self._blocks else 0


def _writes(raw: RawInstruction, scope: Scope) -> bool:
    if raw.spec.op is Op.INVOKE:
        return method_of(raw.immediates[0], scope).kind is not FunctionKind.VIEW
    return raw.spec.effect is Effect.WRITE

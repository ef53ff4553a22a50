"""The stack of types that the verifier keeps while it walks through the code of one function."""

from collections.abc import Sequence

from node.vm.limits import STACK_HEIGHT_MAX
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.types import TypeIndex


class OperandStack:
    """Types, the top last. Below the floor lies what belongs to the blocks around.

    A block can neither see nor take what lies below its floor. So when it ends at the height of its
    floor, the stack is what it was when the block began, and there is nothing to compare.
    """

    __slots__ = ("_types", "floor", "height_max")

    def __init__(self) -> None:
        self._types: list[TypeIndex] = []
        self.floor = 0
        self.height_max = 0

    @property
    def height(self) -> int:
        """Count what is on the stack, below the floor too."""
        return len(self._types)

    def top(self, count: int) -> tuple[TypeIndex, ...]:
        """Return the types of the upper operands, the deepest first.

        Raises:
            InvalidModuleError: there are fewer above the floor.
        """
        start = len(self._types) - count
        if start < self.floor:
            detail = f"{count} operands needed, {len(self._types) - self.floor} there"
            raise InvalidModuleError(Reason.STACK_UNDERFLOW, detail)
        return tuple(self._types[start:])

    def replace(self, count: int, results: Sequence[TypeIndex]) -> None:
        """Pop this many and push the results.

        Raises:
            InvalidModuleError: the stack grows too high.
        """
        del self._types[len(self._types) - count :]
        self._types.extend(results)
        if len(self._types) > self.height_max:
            self.height_max = len(self._types)
            if self.height_max > STACK_HEIGHT_MAX:
                detail = f"height {self.height_max} > limit {STACK_HEIGHT_MAX}"
                raise InvalidModuleError(Reason.STACK_OVERFLOW, detail)

    def cut_to(self, height: int) -> None:
        """Drop everything above this height; control never gets here with more."""
        del self._types[height:]

    def require_height(self, height: int) -> None:
        """Refuse to leave a block with operands that nobody takes.

        Raises:
            InvalidModuleError: the stack is higher.
        """
        if len(self._types) != height:
            detail = f"{len(self._types) - height} operands are left"
            raise InvalidModuleError(Reason.STACK_LEFTOVER, detail)

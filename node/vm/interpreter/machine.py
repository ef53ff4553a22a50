"""The state of an interpreted call: activations of functions, each with locals and a stack."""

from typing import Final

from node.vm.run import Run
from node.vm.shapes import Value
from node.vm.verified import VerifiedFunction


class Activation:
    """A function that runs, or waits for one that it called.

    Attributes:
        place: the index of the next instruction.
    """

    __slots__ = ("function", "locals", "place", "stack")

    def __init__(self, function: VerifiedFunction, local_values: list[Value]) -> None:
        self.function: Final = function
        self.locals: Final = local_values
        self.stack: Final[list[Value]] = []
        self.place = 0


class Machine:
    """Run functions without calling ourselves: who waits for whom is a list.

    Attributes:
        top: the activation that runs.
        result: what the outermost function returned, once it did.
    """

    __slots__ = ("_waiting", "result", "run", "top")

    def __init__(self, run: Run, *, function: int, arguments: tuple[Value, ...]) -> None:
        self.run: Final = run
        self._waiting: list[Activation] = []
        self.result: tuple[Value] | None = None
        self.top = self._activation(function, arguments)

    def call(self, function: int, arguments: tuple[Value, ...]) -> None:
        """Begin a function; the one that runs waits for it."""
        self._waiting.append(self.top)
        self.top = self._activation(function, arguments)

    def leave(self, value: Value) -> None:
        """End the function that runs; its result goes to the one that waits."""
        if not self._waiting:
            self.result = (value,)
            return
        self.top = self._waiting.pop()
        self.push(value)

    def push(self, value: Value) -> None:
        """Put a value on top of the stack."""
        self.top.stack.append(value)

    def pop(self, count: int) -> tuple[Value, ...]:
        """Take values off the stack, and return them with the deepest first."""
        stack = self.top.stack
        start = len(stack) - count
        values = tuple(stack[start:])
        del stack[start:]
        return values

    def _activation(self, function: int, arguments: tuple[Value, ...]) -> Activation:
        linked = self.run.linked
        verified = linked.module.functions[function]
        fresh = verified.locals[len(arguments) :]
        return Activation(verified, [*arguments, *(linked.zero(index) for index in fresh)])

"""The text of a function while it is written: lines, indentation, and the stack of expressions."""

from typing import Final, NamedTuple

from node.vm.verified import Instruction

EXPRESSION_DEPTH_MAX: Final = 12
"""Deeper expressions get a name of their own; the parser of CPython has a limit near 100."""


class Expression(NamedTuple):
    """Python text that yields a value, can neither trap nor change anything, and may wait.

    Args:
        reads: the locals it reads, as bits; it must be named before one of them changes.
        depth: of its text; 0 for a name or a literal, which may be written twice.
        literal: its value, where that is an integer known now.
    """

    text: str
    reads: int = 0
    depth: int = 0
    literal: int | None = None


class Emitter:
    """Lines of a function, and what stands for each place of the stack."""

    __slots__ = ("_indentation", "_lines", "_names", "stack")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._indentation = 0
        self._names = 0
        self.stack: list[Expression] = []

    def source(self) -> str:
        """Return the text so far."""
        return "\n".join(self._lines) + "\n"

    def line(self, text: str) -> None:
        """Write a line."""
        self._lines.append(" " * self._indentation + text)

    def open(self, text: str) -> None:
        """Write the head of a block."""
        self.line(text)
        self._indentation += 1

    def close(self) -> None:
        """End a block, which may be empty."""
        if self._lines[-1].endswith(":"):
            self.line("pass")
        self._indentation -= 1

    def charge(self, gas: int) -> None:
        """Take gas that is known now."""
        if gas:
            self.line(f"g -= {gas}")
            self.line("if g < 0: exhaust(m)")

    def allocate_items(self, size_bytes: int) -> None:
        """Count memory that is known now."""
        self.line(f"y = m.memory_bytes - {size_bytes}")
        self.line("if y < 0: trap_memory(m, g)")
        self.line("m.memory_bytes = y")

    def push(self, text: str, *parts: Expression) -> None:
        """Push an expression made of these parts; no part may be used after."""
        reads = 0
        depth = 0
        for part in parts:
            reads |= part.reads
            depth = max(depth, part.depth)
        expression = Expression(text, reads, depth + 1)
        self.stack.append(expression if depth < EXPRESSION_DEPTH_MAX else self.named(expression))

    def push_name(self, text: str) -> None:
        """Push a name or literal that never changes."""
        self.stack.append(Expression(text))

    def push_literal(self, value: int) -> None:
        """Push an integer."""
        self.stack.append(Expression(str(value) if value >= 0 else f"({value})", literal=value))

    def push_local(self, place: int) -> None:
        """Push what a local holds now."""
        self.stack.append(Expression(f"l{place}", 1 << place))

    def assign(self, text: str) -> Expression:
        """Compute now, under a new name."""
        self._names += 1
        name = f"t{self._names}"
        self.line(f"{name} = {text}")
        return Expression(name)

    def pop(self, count: int) -> list[Expression]:
        """Take expressions off the stack, the deepest first."""
        start = len(self.stack) - count
        popped = self.stack[start:]
        del self.stack[start:]
        return popped

    def pop_atoms(self, count: int) -> list[Expression]:
        """Take expressions off the stack that may be written more than once."""
        return [self.named(part) if part.depth else part for part in self.pop(count)]

    def named(self, expression: Expression) -> Expression:
        """Compute an expression now; its value no longer depends on anything."""
        return self.assign(expression.text)

    def settle(self, reads: int) -> None:
        """Name everything on the stack that reads one of these locals; they are about to change."""
        for place, expression in enumerate(self.stack):
            if expression.reads & reads:
                self.stack[place] = self.named(expression)

    def call(self, function: str, *arguments: str) -> Expression:
        """Call a function that may charge, trap, or both."""
        self.line("m.gas = g")
        result = self.assign(f"{function}({', '.join(arguments)})")
        self.line("g = m.gas")
        return result


def operand_texts(operands: list[Expression]) -> list[str]:
    """Return the texts alone."""
    return [operand.text for operand in operands]


def tuple_text(operands: list[Expression]) -> str:
    """Return the text of a tuple."""
    return "(" + "".join(f"{operand.text}, " for operand in operands) + ")"


def pop_operands(emitter: Emitter, instruction: Instruction) -> list[Expression]:
    """Take the operands of the instruction off the stack."""
    return emitter.pop(len(instruction.operands))

"""Follow control through a method: values before use, and a result on every path.

`Paths` walks the checked steps in order and keeps the variables that surely have a value; None in
place of them means that control does not get there.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from node.vm.lang.errors import Findings, ProblemError
from node.vm.lang.tree import (
    Assign,
    Branch,
    Expression,
    Fail,
    Label,
    Leave,
    Literal,
    Loop,
    Operation,
    Origin,
    Perform,
    Read,
    Repeat,
    Require,
    Return,
    Staged,
    Step,
    TakeLast,
    Variable,
)

Known: TypeAlias = frozenset[Variable] | None


@dataclass(slots=True)
class Paths:
    """One walk through a method.

    Args:
        findings: where uses without a value are noted.
    """

    findings: Findings
    _leaves: dict[Label, list[frozenset[Variable]]] = field(default_factory=dict)

    def walk(self, steps: tuple[Step, ...], known: Known) -> Known:
        """Return the variables that have a value behind the steps, None if nothing gets there."""
        for step in steps:
            # Lines that are never reached were refused before.
            assert known is not None
            known = self._step(step, known)
        return known

    def _step(self, step: Step, known: frozenset[Variable]) -> Known:
        match step:
            case Assign(variable=variable, value=value):
                return self._value(value, known) | {variable}
            case Branch(test=test, yes=yes, no=no):
                known = self._value(test, known)
                return _met([self.walk(yes, known), self.walk(no, known)])
            case Loop():
                return self._loop(step, known)
            case Leave(label=label):
                self._leaves[label].append(known)
                return None
            case Repeat():
                return None
            case _:
                return self._plain_step(step, known)

    def _plain_step(
        self, step: Perform | Require | Return | Fail, known: frozenset[Variable]
    ) -> Known:
        match step:
            case Perform(operation=value) | Require(test=value):
                return self._value(value, known)
            case Return(value=value) | Fail(message=value):
                self._value(value, known)
                return None

    def _loop(self, loop: Loop, known: frozenset[Variable]) -> Known:
        self._leaves[loop.label] = []
        self.walk(loop.body, known)
        return _met(list(self._leaves.pop(loop.label)))

    def _value(self, value: Expression, known: frozenset[Variable]) -> frozenset[Variable]:
        match value:
            case Literal():
                return known
            case Read(variable=variable, at=at):
                # The compiler's own variables hang together in ways that this walk does not see.
                if variable not in known and variable.origin is not Origin.HIDDEN:
                    message = f"{variable.name!r} may have no value here"
                    hint = "assign it on every way that leads here"
                    self.findings.note(ProblemError(at, message, hint=hint))
                return known
            case Operation(operands=operands):
                for operand in operands:
                    known = self._value(operand, known)
                return known
            case TakeLast(whole=whole, item=item):
                return self._value(whole, known) | {item}
            case Staged(steps=steps, result=result):
                after = self.walk(steps, known)
                assert after is not None
                return self._value(result, after)


def _met(ways: list[Known] | list[frozenset[Variable]]) -> Known:
    """Return what is known where ways meet: what is known on all of those that get there."""
    arriving = [way for way in ways if way is not None]
    if not arriving:
        return None
    return frozenset.intersection(*arriving)

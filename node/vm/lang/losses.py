"""Find changes that nobody sees: values are copies, so `r = self.m[k]; r.x = 1` changes only `r`.

A backward walk keeps the variables that are read later. A change of a part of a variable that is
not read later is lost; in Python the same line would change what the name was taken from, so it is
an error here and not a warning.
"""

from dataclasses import dataclass, field

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
    Purpose,
    Read,
    Repeat,
    Require,
    Return,
    Staged,
    Step,
    TakeLast,
    Variable,
)

_REASONS = {
    Origin.PARAMETER: "'{}' is a copy of what the caller passed",
    Origin.LOOP: "'{}' is a copy of the item",
    Origin.ASSIGNED: "nothing reads '{}' afterwards",
    Origin.HIDDEN: "nothing reads it",
}
_HINTS = {
    Origin.PARAMETER: "return it, or store it in a field",
    Origin.LOOP: "loop over range(len(xs)) and change xs[i]",
    Origin.ASSIGNED: "every assignment copies; store it back, or change self.... itself",
    Origin.HIDDEN: "",
}


@dataclass(slots=True)
class Losses:
    """One backward walk through a method."""

    findings: Findings
    _behind: dict[Label, frozenset[Variable]] = field(default_factory=dict)
    _start: dict[Label, frozenset[Variable]] = field(default_factory=dict)
    _tries: int = 0

    def walk(self, steps: tuple[Step, ...], live: frozenset[Variable]) -> frozenset[Variable]:
        """Return the variables that are read from here on, given those behind the steps."""
        for step in reversed(steps):
            live = self._step(step, live)
        return live

    def _step(self, step: Step, live: frozenset[Variable]) -> frozenset[Variable]:
        match step:
            case Assign():
                return self._assign(step, live)
            case Branch(test=test, yes=yes, no=no):
                return self._value(test, self.walk(yes, live) | self.walk(no, live))
            case Loop():
                return self._loop(step, live)
            case Perform(operation=value) | Require(test=value):
                return self._value(value, live)
            case _:
                return self._ending(step)

    def _ending(self, step: Leave | Repeat | Return | Fail) -> frozenset[Variable]:
        match step:
            case Leave(label=label):
                return self._behind[label]
            case Repeat(label=label):
                return self._start[label]
            case Return(value=value) | Fail(message=value):
                return self._value(value, frozenset())

    def _assign(self, step: Assign, live: frozenset[Variable]) -> frozenset[Variable]:
        variable = step.variable
        if step.purpose is Purpose.ASSIGN or variable in live:
            return self._value(step.value, live - {variable})
        if self._tries == 0:
            reason = _REASONS[variable.origin].format(variable.name)
            message = f"this change is lost: {reason}"
            hint = _HINTS[variable.origin]
            self.findings.note(ProblemError(step.at, message, hint=hint))
        # What a lost change reads of its own variable does not make an earlier change count.
        return live | (self._value(step.value, frozenset()) - {variable})

    def _loop(self, loop: Loop, live: frozenset[Variable]) -> frozenset[Variable]:
        """Walk the body until it is known what its start reads, and only then report.

        Within an outer loop that is still being tried, the last try is the answer; and every try
        begins with what the one before found. So nested loops cost a sum and not a product.
        """
        label = loop.label
        self._behind[label] = live
        self._tries += 1
        while True:
            start = self._start.setdefault(label, frozenset())
            wider = start | self.walk(loop.body, start)
            if wider == start:
                break
            self._start[label] = wider
        self._tries -= 1
        return start if self._tries else self.walk(loop.body, start)

    def _value(self, value: Expression, live: frozenset[Variable]) -> frozenset[Variable]:
        match value:
            case Literal():
                return live
            case Read(variable=variable):
                return live | {variable}
            case Operation(operands=operands):
                for operand in reversed(operands):
                    live = self._value(operand, live)
                return live
            case TakeLast(whole=whole, item=item):
                return self._value(whole, live - {item})
            case Staged(steps=steps, result=result):
                return self.walk(steps, self._value(result, live))

"""Write random contracts that are Python too, so that Python can say what they mean.

Everything is kept inside the part that both share: numbers stay far from 256 bits, divisors are
positive, places are inside their lists, no list has two names, none grows while it is walked, and
no change of a list is lost.
"""

import random
from dataclasses import dataclass, field

NUMBERS = ("a", "b", "n")
LISTS = ("xs", "ys")
FIELDS = ("self.total", "self.other", "self.cells[1]", "self.cells[n]", "self.part.count")
HEAD = """
class Part(Record):
    count: Int
    marks: List[Int]


class Lab(Contract):
    total: Int
    other: Int
    cells: Map[Int, Int]
    part: Part

    def turned(self, n: Int) -> Int:
        self.total += 1
        return (n * 7 + self.total) % 1009

    @external
    def f(self, n: Int) -> Int:
        a = 1
        b = 2
        xs = [3, 4]
        ys: List[Int] = []
        marks = [n]
        self.part = Part(count=1, marks=marks)
"""
ALL = "a * 31 + b * 37 + sum(xs) * 41 + sum(ys) + sum(self.part.marks) + self.total"
TAIL = f"""
        seen = {ALL}
        return seen + self.other * 3 + self.cells[1] + self.cells[n] + self.part.count
"""


@dataclass
class Writer:
    """One random method body."""

    dice: random.Random
    lines: list[str] = field(default_factory=list)
    walked: list[str] = field(default_factory=list)
    loops: int = 0
    made: int = 0

    def source(self) -> str:
        self._block(2, depth=0, size=6)
        return HEAD + "".join(f"{line}\n" for line in self.lines) + TAIL

    def _add(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    def _block(self, indent: int, *, depth: int, size: int) -> None:
        for _ in range(self.dice.randint(1, size)):
            self._statement(indent, depth)

    def _statement(self, indent: int, depth: int) -> None:
        plain = [
            self._assign,
            self._change,
            self._list_change,
            self._part_change,
        ]
        nested = [self._if, self._range, self._walk, self._while]
        chosen = self.dice.choice(plain if depth >= 3 else [*plain, *plain, *nested])
        chosen(indent, depth)

    def _assign(self, indent: int, _depth: int) -> None:
        target = self.dice.choice([*NUMBERS[:2], *FIELDS])
        self._add(indent, f"{target} = ({self._number(3)}) % 1009")

    def _change(self, indent: int, _depth: int) -> None:
        target = self.dice.choice([*NUMBERS[:2], *FIELDS])
        operator = self.dice.choice(["+", "-", "^"])
        self._add(indent, f"{target} {operator}= {self._number(2)} % 101")
        self._add(indent, f"{target} %= 1009")

    def _list_change(self, indent: int, _depth: int) -> None:
        name = self.dice.choice(LISTS)
        if name in self.walked:
            self._add(indent, "pass")
            return
        match self.dice.randrange(4):
            case 0:
                self._add(indent, f"if len({name}) < 9:")
                self._add(indent + 1, f"{name}.append({self._number(2)} % 1009)")
            case 1:
                self._add(indent, f"if len({name}) > 0:")
                self._add(indent + 1, f"a = {name}.pop()")
            case 2:
                self._add(indent, f"if len({name}) > 0:")
                place = f"{self._number(1)} % len({name})"
                self._add(indent + 1, f"{name}[{place}] = {self._number(2)} % 1009")
            case _:
                self._add(indent, f"{name} = [sum({name}) % 101, {self._number(1)} % 101]")

    def _part_change(self, indent: int, _depth: int) -> None:
        if self.dice.random() < 0.5:
            self._add(indent, f"self.part.marks[0] += {self._number(1)} % 101")
            self._add(indent, "self.part.marks[0] %= 1009")
        else:
            self._add(indent, "if len(self.part.marks) < 5:")
            self._add(indent + 1, f"self.part.marks.append({self._number(2)} % 1009)")

    def _if(self, indent: int, depth: int) -> None:
        self._add(indent, f"if {self._truth(2)}:")
        self._block(indent + 1, depth=depth + 1, size=2)
        for _ in range(self.dice.randrange(2)):
            self._add(indent, f"elif {self._truth(2)}:")
            self._block(indent + 1, depth=depth + 1, size=2)
        if self.dice.random() < 0.5:
            self._add(indent, "else:")
            self._block(indent + 1, depth=depth + 1, size=2)

    def _range(self, indent: int, depth: int) -> None:
        self.made += 1
        name = f"i{self.made}"
        bounds = self.dice.choice(["3", "1, 4", "n % 4", "5, 0, -2", "0, 9, 4"])
        self._add(indent, f"for {name} in range({bounds}):")
        self._add(indent + 1, f"b = (b + {name}) % 1009")
        self._loop_body(indent + 1, depth)

    def _walk(self, indent: int, depth: int) -> None:
        self.made += 1
        name, item = self.dice.choice(LISTS), f"x{self.made}"
        self._add(indent, f"for {item} in {name}:")
        self._add(indent + 1, f"a = (a + {item}) % 1009")
        self.walked.append(name)
        self._loop_body(indent + 1, depth)
        self.walked.pop()

    def _while(self, indent: int, depth: int) -> None:
        self.made += 1
        name = f"w{self.made}"
        self._add(indent, f"{name} = {self.dice.randint(1, 3)}")
        self._add(indent, f"while {name} > 0 and {self._truth(1)}:")
        self._add(indent + 1, f"{name} -= 1")
        self._loop_body(indent + 1, depth)

    def _loop_body(self, indent: int, depth: int) -> None:
        self._block(indent, depth=depth + 1, size=2)
        if self.dice.random() < 0.4:
            self._add(indent, f"if {self._truth(2)}:")
            self._add(indent + 1, self.dice.choice(["break", "continue", f"return {ALL}"]))
            self._block(indent, depth=depth + 1, size=1)

    def _number(self, depth: int) -> str:
        if depth == 0:
            return self.dice.choice([*NUMBERS, *FIELDS, "len(xs)", str(self.dice.randint(-9, 99))])
        one, two = self._number(depth - 1), self._number(depth - 1)
        return self.dice.choice(
            [
                f"({one} + {two})",
                f"({one} - {two})",
                f"({one} * {two})",
                f"{one} // (abs({two}) + 1)",
                f"{one} % (abs({two}) + 1)",
                f"({one} & {two} | 5)",
                f"min({one}, {two}, 7)",
                f"max({one}, -{two})",
                f"({one} if {self._truth(depth - 1)} else {two})",
                f"self.turned({one} % 1009)",
                f"sum([{one}, {two}])",
                f"[{one}, {two}][{self._number(0)} % 2]",
                one,
            ]
        )

    def _truth(self, depth: int) -> str:
        one, two = self._number(max(depth - 1, 0)), self._number(max(depth - 1, 0))
        choices = [
            f"{one} < {two}",
            f"{one} == {two}",
            f"{one} <= {two} != 4",
            f"0 <= {one} < {two}",
            f"{one} in xs",
            f"{one} not in [{two}, 3]",
            "n in self.cells",
        ]
        if depth:
            left, right = self._truth(depth - 1), self._truth(depth - 1)
            choices += [f"({left} and {right})", f"({left} or {right})", f"not ({left})"]
        return self.dice.choice(choices)

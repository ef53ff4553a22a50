"""What a source can outgrow, and the corners of the language that no other test passes through."""

import inspect
import sys

import msgspec
import pytest

from node.vm.lang.compiler import compile_contract
from node.vm.lang.errors import ContractError, Position
from node.vm.lang.outgrown import checked_module
from node.vm.lang.source import parse
from node.vm.lang.steadiness import is_steady
from node.vm.lang.tree import Literal, Origin, TakeLast, Variable
from node.vm.lang.types import INT_TYPE, ListOf
from node.vm.module import encode_module
from node.vm.rejection import InvalidModuleError
from node.vm.verifier import verify
from tests.vm.lang.stage import Stage

METHOD = "class A(Contract):\n    total: Int\n\n    @external\n    def f(self, n: Int) -> Int:\n"


def _with_body(*lines: str) -> str:
    return METHOD + "".join(f"        {line}\n" for line in lines)


def _wide(name: str, parts: int, part: str) -> str:
    fields = "".join(f"    f{number}: {part}\n" for number in range(parts))
    return f"class {name}(Record):\n{fields}\n\n"


def _deep_condition() -> str:
    value = "n"
    for _ in range(17):
        value = f"(1 if n > self.total else {value})"
    return value


OUTGROWN = {
    "code": (
        _with_body(*["self.total += n"] * 2_000, "return n"),
        (5, 5),
        "the method takes more than 4096 bytes of code",
    ),
    "stack": (
        _with_body(f"xs = [{', '.join(['n'] * 48)}]", f"return {'(n + ' * 40}n{')' * 40}").replace(
            "return", f"return len([{', '.join(['n'] * 47)}, "
        )
        + "        ])\n",
        (5, 5),
        "an expression of this method needs more than 64 values at once",
    ),
    "nesting": (
        _with_body(f"return {_deep_condition()}"),
        (5, 5),
        "blocks and conditions nest more than 16 deep",
    ),
    "variables": (
        _with_body(*[f"x{number} = n" for number in range(64)], "return n"),
        (69, 9),
        "the method has more than 64 variables",
    ),
    "hidden variables": (
        _with_body(
            *[f"x{number} = n" for number in range(62)],
            "xs = [[n]]",
            "xs[n][n + 1] += 1",
            "return xs[0][0]",
        ),
        (5, 5),
        "the method outgrows a limit: 66 locals > limit 64",
    ),
    "records": (
        "".join(f"class R{n}(Record):\n    a: R{n + 1}\n" for n in range(7))
        + "class R7(Record):\n    a: Int\n"
        + METHOD
        + "        return n\n",
        (11, 1),
        "records are nested more than 4 deep",
    ),
    "parts": (
        _with_body(f"return max({', '.join(['n'] * 257)})"),
        (6, 16),
        "an expression of more than 256 parts",
    ),
    "values at once": (
        _with_body(f"return 1 if {' < '.join(['n + 1'] * 80)} else 0"),
        (6, 9),
        "the statement needs too many values at once",
    ),
    "constants": (
        _with_body(*[f'require(n > {number}, "m{number}")' for number in range(257)], "return n"),
        (1, 1),
        "the contract outgrows a limit: 257 constants > limit 256",
    ),
    "type": (
        _wide("Inner", 32, "Int")
        + _wide("Outer", 9, "Inner")
        + METHOD.replace("total: Int", "total: Outer")
        + "        return n\n",
        (36, 1),
        "the record has more than 256 fields, inner ones counted",
    ),
    "module": (
        _with_body(*[f'require(n > 0, "{number:0>250}")' for number in range(250)], "return n"),
        (1, 1),
        "the module takes more than 32768 bytes",
    ),
    "wide declarations": (
        _wide("Inner", 32, "Int")
        + _wide("Outer", 8, "Inner")
        + METHOD.replace(
            "total: Int", "total: Int\n" + "".join(f"    f{n}: Outer\n" for n in range(16))
        )
        + "        return n\n",
        (1, 1),
        "fields, events and signatures hold more than 4096 values together",
    ),
    "literal": (
        _with_body(f'x = "{"a" * 4097}"', "return n"),
        (6, 13),
        "4097 bytes are written out, more than 4096",
    ),
    "methods": (
        "class A(Contract):\n"
        + "".join(f"    def m{number}(self):\n        pass\n\n" for number in range(257)),
        (1, 1),
        "the contract has more than 256 methods",
    ),
}


@pytest.mark.parametrize(("source", "place", "message"), OUTGROWN.values(), ids=OUTGROWN)
def test_outgrown_limit_is_explained(source: str, place: tuple[int, int], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        compile_contract(source, filename="large.contract")
    (problem,) = caught.value.problems
    assert ((problem.line, problem.column), problem.message) == (place, message)
    assert problem.hint


CORNERS = {
    "loop that never begins": ("while False:\n    n += 1\nreturn n", 5),
    "if that only has an else": ("if n > 3:\n    pass\nelse:\n    n = 1\nreturn n", 5),
    "if not": ("if not n > 9:\n    n = 1\nreturn n", 1),
    "empty if not": ("if not n > 9:\n    pass\nelse:\n    n = 1\nreturn n", 5),
    "empty if of a flag": ("b = n > 9\nif b:\n    pass\nelse:\n    n = 2\nreturn n", 2),
    "empty if of a joined flag": (
        "if n > 9 and self.turned(n) > 1 and n < 3:\n    pass\nelse:\n    n = 2\nreturn n",
        2,
    ),
    "clear of a variable": ("xs = [n]\nxs.clear()\nreturn len(xs)", 0),
    "pop on its own line": ("xs = [n, 1]\nxs.pop()\nreturn len(xs)", 1),
    "pop of a part on the right": (
        "self.box.xs.append(3)\nself.box.n = self.box.xs.pop()\nreturn self.box.n",
        3,
    ),
    "clear of a part": ("self.box.xs.append(3)\nself.box.xs.clear()\nreturn len(self.box.xs)", 0),
    "item of a stored record": (
        "self.boxes[1].xs.append(n)\nself.boxes[1].xs[0] = 9\nreturn self.boxes[1].xs[0]",
        9,
    ),
    "item of an option": ("o = some([n])\nreturn o.unwrap()[0]", 5),
    "list in a map of records read by place": ("return len(self.boxes[n].xs[0:0])", 0),
    "long texts are joined when they run": (f'return len("{"a" * 3000}" + "{"b" * 3000}")', 6000),
    "long bytes are joined when they run": (
        f'return len(b"{"a" * 3000}" + b"{"b" * 3000}")',
        6000,
    ),
    "bytes are joined beforehand": ('return len(b"a" + b"b")', 2),
    "powers of one": ("return (-1) ** 10 + 1 ** (2 ** 200) + 0 ** 0 + (-1) ** (2 ** 200 + 1)", 2),
    "quotient of literals": ('return Int(fixed("1") / fixed("0.25"))', 4),
    "shift of literals": ("return (1 << 8) >> 4", 16),
    "order of texts in a chain": ('return 1 if "a" < "b" < "c" else 0', 1),
    "none of a known type": ("o: Option[Int] = none\no = some(n)\nreturn o.unwrap_or(0)", 5),
    "shadowed built-in": ("value = n\nsum = value\nreturn sum", 5),
    "unused value of a method": ("self.turned(n)\nreturn self.total", 1),
    "return of None": ("self.nothing()\nreturn n", 5),
    "negative step to a literal": ("for i in range(3, -1, -1):\n    n += i\nreturn n", 11),
    "endless loop that breaks": (
        "while True:\n    n += 1\n    if n > 8:\n        break\nreturn n",
        9,
    ),
    "loops in loops that change a list": (
        "xs: List[Int] = []\nwhile len(xs) < 3:\n    for i in range(2):\n        xs.append(i)\n"
        "    for x in xs:\n        if x > 5:\n            continue\n        n += x\nreturn n",
        8,
    ),
}
CORNER_HEAD = """
class Box(Record):
    n: Int
    xs: List[Int]


class Remote(Interface):
    def told(self):
        "Says nothing."

    def asked(self):
        "Says nothing either."
        ...

    def passed(self):
        pass

    @external
    @payable
    def paid(self): ...


class A(Contract):
    total: Int
    box: Box
    boxes: Map[Int, Box]

    def turned(self, n: Int) -> Int:
        self.total += 1
        return n

    def nothing(self):
        return None

    @external
    def f(self, n: Int) -> Int:
"""


@pytest.mark.parametrize(("body", "expected"), CORNERS.values(), ids=CORNERS)
def test_corner_of_the_language_holds(body: str, expected: int) -> None:
    source = CORNER_HEAD + "".join(f"        {line}\n" for line in body.split("\n"))
    assert Stage(source).call("f", 5) == expected


def test_list_that_gives_an_item_away_is_not_steady() -> None:
    type_ = ListOf(INT_TYPE)
    xs = Variable("xs", type_, Origin.ASSIGNED)
    taken = TakeLast(type_, Literal(type_, 0), xs, Position(1, 1))
    assert not is_steady(taken)


def test_bug_of_the_compiler_is_no_mistake_of_the_source() -> None:
    module = compile_contract(_with_body("return n"), filename="a.contract")
    broken = msgspec.structs.replace(module, version=99)
    source = parse("a = 1", file="a.contract")
    with pytest.raises(InvalidModuleError):
        checked_module(broken, nodes=[], source=source)


def _below(frames: int, source: str) -> None:
    if frames:
        _below(frames - 1, source)
    else:
        compile_contract(source, filename="deep.contract")


def test_deep_stack_of_the_caller_is_no_bug_of_the_compiler() -> None:
    source = _with_body(f"return {'abs(' * 20}n{')' * 20}")
    room = sys.getrecursionlimit() - len(inspect.stack(context=0))
    with pytest.raises(ContractError, match="nested more than 64 deep"):
        _below(room - 100, source)


def test_largest_literals_fit() -> None:
    source = _with_body(f"return n + {2**255 - 1} + -{2**255} + {2**31} - {2**31 - 1}")
    assert Stage(source).call("f", 0) == 0


def test_contract_may_be_a_page_long() -> None:
    methods = "".join(
        f"    @external\n    def m{number}(self, n: Int) -> Int:\n        return n + {number}\n\n"
        for number in range(200)
    )
    module = compile_contract("class A(Contract):\n" + methods, filename="long.contract")
    assert len(verify(module).functions) == 200
    assert len(encode_module(module)) < 10_000

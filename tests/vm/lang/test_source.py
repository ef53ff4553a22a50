"""Any text at all ends in a module or in one kind of error, soon."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.vm.lang.compiler import compile_contract
from node.vm.lang.errors import ContractError
from tests.vm.lang.stage import SAMPLES

HOSTILE = {
    "empty": ("", 1, 1, "the source has no contract"),
    "zero byte": ("a\0b", 1, 2, "a control character"),
    "byte order mark": ("\ufeffa = 1", 1, 1, "a control character"),
    "form feed": ("a = 1\n\f\n", 2, 1, "a control character"),
    "half of a pair": ("a = '\ud800'", 1, 6, "a character that is not Unicode"),
    "half of a pair, escaped": (
        "A = '\\ud800'",
        1,
        5,
        "the text has a character that is not Unicode",
    ),
    "reordered text": ("# \u202e", 1, 3, "changes the order in which text is shown"),
    "too long": ("x" * 10_000_000, 1, 1, "the source has 10000000 bytes, more than 262144"),
    "many brackets": ("(" * 100_000, 1, 201, "not Python syntax: "),
    "closed brackets": ("A = " + "(" * 180 + "1" + ")" * 180, 1, 1, "no contract"),
    "many signs": ("A = " + "-" * 100_000 + "1", 1, 1, "nested more than 64 deep"),
    "long sum": ("A = 1" + "+1" * 20_000, 1, 1, "nested more than 64 deep"),
    "long name": ("a." + "b" * 65 + " = 1", 1, 1, "a name of 65 characters, more than 64"),
    "long path": ("a" + ".a" * 100_000, 1, 1, "nested more than 64 deep"),
    "deep sum": ("A = 1" + "+1" * 80, 1, 41, "nested more than 64 deep"),
    "long number": ("A = " + "1" * 5_000, 1, 5, "the number has too many digits"),
    "wide number": ("A = 0x" + "f" * 100_000, 1, 5, "a number of 400000 bits does not fit Int"),
    "many indents": (
        "".join(" " * depth + "if a:\n" for depth in range(120)),
        101,
        1,
        "not Python syntax: ",
    ),
    "open at the end": ("A = (", 1, 5, "not Python syntax: "),
    "warning of the parser": ("A = 1if A else 2", 1, 5, "not Python syntax: "),
    "other line ends": ("A = 1\r\rb = c\r\n", 3, 5, "unknown name 'c'"),
    "column after wide letters": ("A = 'ä€😀' + b", 1, 13, "unknown name 'b'"),
}


@pytest.mark.parametrize(("text", "line", "column", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_where_it_goes_wrong(
    text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(ContractError) as caught:
        compile_contract(text, filename="hostile.contract")
    problems = [p for p in caught.value.problems if message in p.message]
    assert [(p.line, p.column) for p in problems[:1]] == [(line, column)]


SOURCES = [path.read_text(encoding="utf-8") for path in sorted(SAMPLES.glob("*.contract"))]
WORDS = sorted({word for source in SOURCES for word in source.replace("(", " ( ").split()})


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_damaged_contract_compiles_or_is_explained(dice: random.Random) -> None:
    lines = dice.choice(SOURCES).split("\n")
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(lines))
        words = lines[place].replace("(", " ( ").split(" ")
        words[dice.randrange(len(words))] = dice.choice(["", *WORDS])
        lines[place] = " ".join(words)
    try:
        compile_contract("\n".join(lines), filename="damaged.contract")
    except ContractError as error:
        assert error.problems  # noqa: PT017 - to compile is the other good ending


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_compiles_or_is_explained(text: str) -> None:
    with pytest.raises(ContractError):
        compile_contract(text, filename="any.contract")


def test_compiler_stops_looking_after_many_problems() -> None:
    source = "".join(f"a{number} = b{number}\n" for number in range(300))
    with pytest.raises(ContractError) as caught:
        compile_contract(source, filename="many.contract")
    assert len(caught.value.problems) == 10


def test_parts_of_parts_take_no_exponential_time() -> None:
    inner = "n"
    for _ in range(15):
        inner = f"a[{inner}].pop()"
    source = f"""
class A(Contract):
    total: Int

    @external
    def f(self, n: Int, a: List[List[Int]]) -> Int:
        return {inner}
"""
    compile_contract(source, filename="deep.contract")

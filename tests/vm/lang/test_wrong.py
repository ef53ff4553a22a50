"""What the compiler says about wrong contracts, word by word: messages are part of the language.

The files in wrong/ hold cases: a name, a source, and behind the dashes the place, the message and
the hint of every problem. A source without a class is the body of the last method of the prelude.
"""

from pathlib import Path

import pytest

from node.vm.lang.compiler import compile_contract
from node.vm.lang.errors import PROBLEMS_MAX, ContractError, Problem

WRONG = Path(__file__).parent / "wrong"
PRELUDE = (WRONG / "prelude.contract").read_text(encoding="utf-8")
FILES = ("names", "types", "statements", "contracts")
# What follows these words is the wording of one version of Python.
PARSER = "not Python syntax: "


def _cases() -> list[tuple[str, str, str]]:
    found = []
    for name in FILES:
        text = (WRONG / f"{name}.txt").read_text(encoding="utf-8")
        for block in text.split("=== ")[1:]:
            title, _, rest = block.partition("\n")
            source, _, expected = rest.partition("---\n")
            whole = source if "class A" in source or name == "contracts" else _as_body(source)
            found.append((title, whole, expected))
    return found


def _as_body(source: str) -> str:
    return PRELUDE + "".join(f"        {line}\n" for line in source.splitlines())


def _problems(source: str) -> tuple[Problem, ...]:
    with pytest.raises(ContractError) as caught:
        compile_contract(source, filename="wrong.contract")
    return caught.value.problems


def _shown(problem: Problem) -> str:
    message, hint = problem.message, problem.hint
    if message.startswith(PARSER):
        message, hint = PARSER, ""
    text = f"{problem.line}:{problem.column}: {message}\n"
    return f"{text}    {hint}\n" if hint else text


def _as_expected(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(
        f"{line.partition(PARSER)[0]}{PARSER}\n" if PARSER in line else line
        for place, line in enumerate(lines)
        if not (line.startswith("    ") and PARSER in lines[place - 1])
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [pytest.param(source, expected, id=title) for title, source, expected in _cases()],
)
def test_wrong_contract_is_explained(source: str, expected: str) -> None:
    assert "".join(map(_shown, _problems(source))) == _as_expected(expected)


def test_table_of_wrong_contracts_is_long_and_its_names_differ() -> None:
    titles = [title for title, _, _ in _cases()]
    assert len(titles) > 200
    assert len(set(titles)) == len(titles)


def test_error_reads_like_that_of_other_compilers() -> None:
    source = PRELUDE + "        return self.totl\n"
    with pytest.raises(ContractError) as caught:
        compile_contract(source, filename="rounds.contract")
    line = PRELUDE.count("\n") + 1
    assert str(caught.value) == (
        f"rounds.contract:{line}:16: the contract has no field 'totl'\n"
        "    hint: did you mean 'total'?"
    )


def test_many_problems_are_cut_to_the_first_ones() -> None:
    source = PRELUDE + "".join(f"        x{number} = y{number}\n" for number in range(30))
    problems = _problems(source)
    assert len(problems) == PROBLEMS_MAX
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)

"""Seeded changes to the source of contracts: of lines, of words, of the shape of expressions."""

import random
import re
from collections.abc import Callable, Sequence
from typing import Final

Lines = list[str]
Change = Callable[[Lines, random.Random, Sequence[str]], None]

_WORD: Final = re.compile(r"\w+|\"[^\"\n]*\"|[^\w\s]")
WORDS: Final = (
    *("Int", "Bool", "Bytes", "Str", "Address", "Fixed", "List", "Option", "Map", "Record"),
    *("Contract", "Interface", "List[Int]", "Map[Int, Int]", "Option[Int]", "self", "self.x"),
    *("if", "else", "elif", "while", "for", "in", "range", "return", "break", "continue", "pass"),
    *(
        "not",
        "and",
        "or",
        "is",
        "lambda",
        "yield",
        "await",
        "async",
        "with",
        "try",
        "import",
        "del",
    ),
    *("class", "def", "global", "match", "assert", "raise", "True", "False", "None", "none", "_"),
    *("require", "emit", "fail", "some", "fixed", "schedule", "transfer", "sender()", "sorted"),
    *("@view", "@external", "@payable", "@init", "@scheduled", "->", ":=", "**", "//", "<<", ">>"),
    *("0", "1", "-1", "2**255", "2**256", "10**10**10", "0x", "1e9", "1.5", "1_000", "1j", "0o7"),
    *('""', '"a"', "b'\\xff'", "f'{x}'", "'''", '"\\ud800"', '"\\N{BULLET}"', "[]", "{}", "()"),
    *(
        "...",
        "*",
        "**x",
        "\\",
        "\t",
        "\f",
        "#",
        ";",
        "é",
        "\u2028",
        "\x00",
        "\ufeff",
        "\U0001d7d9",
        "\ufb01",
    ),
)
DEEP: Final = (20, 90, 300, 3_000)


def change_source(text: str, dice: random.Random, *, sources: Sequence[str]) -> str:
    """Return the source with a few things changed."""
    lines = text.split("\n")
    for _ in range(dice.choice((1, 1, 2, 3, 6))):
        dice.choice(CHANGES)(lines, dice, sources)
    return "\n".join(lines)


def _change_word(lines: Lines, dice: random.Random, sources: Sequence[str]) -> None:
    """Put another word in the place of one, or before it, or nothing."""
    at = dice.randrange(len(lines))
    words = list(_WORD.finditer(lines[at]))
    if not words:
        return
    word = dice.choice(words)
    other = dice.choice((dice.choice(WORDS), _any_word(dice, sources)))
    text = dice.choice((other, other, other, f"{other} {word[0]}", ""))
    lines[at] = lines[at][: word.start()] + text + lines[at][word.end() :]


def _swap_words(lines: Lines, dice: random.Random, _: Sequence[str]) -> None:
    at = dice.randrange(len(lines))
    words = list(_WORD.finditer(lines[at]))
    if len(words) > 1:
        one, two = sorted(dice.sample(words, 2), key=lambda word: word.start())
        line = lines[at]
        middle = line[one.end() : two.start()]
        lines[at] = line[: one.start()] + two[0] + middle + one[0] + line[two.end() :]


def _wrap(lines: Lines, dice: random.Random, _: Sequence[str]) -> None:
    """Put a word into something deep."""
    at = dice.randrange(len(lines))
    words = list(_WORD.finditer(lines[at]))
    if not words:
        return
    word, depth = dice.choice(words), dice.choice(DEEP)
    before, after = dice.choice((("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("List[", "]")))
    joined = dice.choice((" + ", " and ", " < ", ".x", "[0]", " if x else "))
    text = dice.choice((before * depth + word[0] + after * depth, joined.join([word[0]] * depth)))
    lines[at] = lines[at][: word.start()] + text + lines[at][word.end() :]


def _drop_line(lines: Lines, dice: random.Random, _: Sequence[str]) -> None:
    if len(lines) > 1:
        start = dice.randrange(len(lines))
        del lines[start : start + dice.choice((1, 1, 3))]
        if not lines:
            lines.append("")


def _repeat_line(lines: Lines, dice: random.Random, _: Sequence[str]) -> None:
    start = dice.randrange(len(lines))
    part = lines[start : start + dice.choice((1, 1, 2, 6))]
    lines[start:start] = part * dice.choice((1, 1, 2, 40))


def _swap_lines(lines: Lines, dice: random.Random, _: Sequence[str]) -> None:
    one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]


def _indent(lines: Lines, dice: random.Random, _: Sequence[str]) -> None:
    start = dice.randrange(len(lines))
    for at in range(start, min(len(lines), start + dice.choice((1, 1, 4)))):
        lines[at] = dice.choice(("    " + lines[at], lines[at][4:], " " + lines[at]))


def _nest(lines: Lines, dice: random.Random, _: Sequence[str]) -> None:
    """Put a line below a block, or many blocks."""
    at = dice.randrange(len(lines))
    line = lines[at]
    margin = line[: len(line) - len(line.lstrip())]
    heads = dice.choice(("if True:", "while True:", "for i in range(3):", "def f(self):"))
    depth = dice.choice((1, 1, 2, 20, 110))
    lines[at : at + 1] = [
        *(f"{margin}{'    ' * level}{heads}" for level in range(depth)),
        "    " * depth + line,
    ]


def _borrow_lines(lines: Lines, dice: random.Random, sources: Sequence[str]) -> None:
    other = dice.choice(sources).split("\n")
    start = dice.randrange(len(other))
    at = dice.randrange(len(lines) + 1)
    lines[at:at] = other[start : start + dice.choice((1, 1, 3, 12))]


def _any_word(dice: random.Random, sources: Sequence[str]) -> str:
    words = _WORD.findall(dice.choice(sources))
    return dice.choice(words) if words else "x"


CHANGES: Final[tuple[Change, ...]] = (
    *(_change_word,) * 8,
    *(_swap_words,) * 2,
    _wrap,
    _drop_line,
    _repeat_line,
    _swap_lines,
    _indent,
    _nest,
    *(_borrow_lines,) * 2,
)

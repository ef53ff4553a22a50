"""Draw code that keeps every rule: uses of opcodes with their operands, in blocks."""

from hypothesis import strategies as st

from tests.vm.code.effects import USES, Use
from tests.vm.code.listing import push

DEPTH_MAX = 4

Lines = tuple[str, ...]


def _statement(use: Use) -> Lines:
    drops = ["DROP"] * len(use.results.split())
    return (*map(push, use.operands.split()), use.instruction, *drops)


_STATEMENTS = st.sampled_from(USES).map(_statement)
_RETURN: Lines = ("UNIT", "RETURN")
_FAIL: Lines = (push("Str"), "FAIL")


def _joined(parts: list[Lines]) -> Lines:
    return tuple(line for part in parts for line in part)


@st.composite
def _bodies(draw: st.DrawFn, *, depth: int, loops: int) -> Lines:
    """Draw statements that control comes out of at the end."""
    parts = draw(st.lists(_STATEMENTS, max_size=3))
    if depth < DEPTH_MAX:
        blocks = _blocks(depth=depth + 1, loops=loops)
        parts.extend(draw(st.lists(blocks, max_size=2)))
    return _joined(draw(st.permutations(parts)))


@st.composite
def _arms(draw: st.DrawFn, *, depth: int, loops: int) -> Lines:
    """Draw statements, and at times an instruction that control does not come out of."""
    ends: list[Lines] = [(), (), _RETURN, _FAIL]
    if loops:
        ends += [("BREAK",), ("CONTINUE",)]
    return draw(_bodies(depth=depth, loops=loops)) + draw(st.sampled_from(ends))


@st.composite
def _blocks(draw: st.DrawFn, *, depth: int, loops: int) -> Lines:
    """Draw a block that control comes out of."""
    kind = draw(st.sampled_from(("if", "else", "loop", "over operands")))
    if kind == "loop":
        body = draw(_bodies(depth=depth, loops=loops + 1))
        leave = (push("Bool"), "IF", "BREAK", "END")
        return ("LOOP", *leave, *body, "REPEAT")
    if kind == "over operands":
        # What breaks out of here would leave the operand behind.
        body = draw(_bodies(depth=depth, loops=0))
        return (push("t18"), push("Bool"), "IF", *body, "END", "DROP")
    arm = draw(_arms(depth=depth, loops=loops))
    if kind == "if":
        return (push("Bool"), "IF", *arm, "END")
    other = draw(_bodies(depth=depth, loops=loops))
    return (push("Bool"), "IF", *arm, "ELSE", *other, "END")


def programs() -> st.SearchStrategy[str]:
    """Draw the code of a function that returns Unit."""
    bodies = _bodies(depth=0, loops=0)
    return st.tuples(bodies, st.sampled_from((_RETURN, _FAIL))).map(
        lambda parts: "\n".join(parts[0] + parts[1])
    )

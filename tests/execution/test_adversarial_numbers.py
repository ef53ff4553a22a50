"""Every operation on numbers at the edges of 256 bits: what Python says, or the named trap."""

import itertools
import math
from collections.abc import Callable

import pytest

from node.execution.deployed import DeployedContract
from node.ledger.receipt import Receipt
from node.ledger.transaction import Call
from node.vm.limits import INT_MAX, INT_MIN
from node.vm.types import FIXED, INT
from node.vm.values import ValueCodec
from primitives.ids import Grain
from tests.execution.arena import Arena

ONE = 10**18
EDGES = (INT_MIN, INT_MIN + 1, -1, 0, 1, 2, INT_MAX - 1, INT_MAX)
MORE_EDGES = (
    *EDGES,
    *(-(1 << 128), -(1 << 64), -(1 << 63) - 1, -(1 << 63), -3, 3, 7, 255, 256),
    *((1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, (1 << 127), (1 << 128) - 1, 1 << 128),
    *(math.isqrt(INT_MAX), math.isqrt(INT_MAX) + 1, ONE - 1, ONE, ONE + 1, 1 << 254),
)
Reference = Callable[[int, int], int]


def raises(condition: bool, error: type[Exception]) -> None:
    """Raise the error if the condition holds."""
    if condition:
        raise error


def power(a: int, b: int) -> int:
    """Return a ** b without ever making a number that is too long."""
    raises(b < 0, ValueError)
    raises(abs(a) > 1 and b > 256, OverflowError)
    return int(a**b) if abs(a) > 1 else (1 if b == 0 else a if b & 1 else a * a)


def shift(a: int, b: int, *, left: bool) -> int:
    """Return the shifted number."""
    raises(not 0 <= b <= 255, ValueError)
    return a << b if left else a >> b


def root(a: int) -> int:
    """Return the integer square root."""
    raises(a < 0, ValueError)
    return math.isqrt(a)


def bytes_of(a: int, size: int) -> int:
    """Return the number again that went through its bytes."""
    raises(not 0 <= size <= 32, ValueError)
    raises(a < 0, OverflowError)
    return int.from_bytes(a.to_bytes(size, "big"), "big")


INT_OPERATIONS: dict[str, tuple[str, Reference]] = {
    "add": ("a + b", lambda a, b: a + b),
    "sub": ("a - b", lambda a, b: a - b),
    "mul": ("a * b", lambda a, b: a * b),
    "div": ("a // b", lambda a, b: a // b),
    "mod": ("a % b", lambda a, b: a % b),
    "pow": ("a ** b", power),
    "neg": ("-a", lambda a, _: -a),
    "absolute": ("abs(a)", lambda a, _: abs(a)),
    "least": ("min(a, b)", min),
    "greatest": ("max(a, b)", max),
    "both": ("a & b", lambda a, b: a & b),
    "either": ("a | b", lambda a, b: a | b),
    "differ": ("a ^ b", lambda a, b: a ^ b),
    "left": ("a << b", lambda a, b: shift(a, b, left=True)),
    "right": ("a >> b", lambda a, b: shift(a, b, left=False)),
    "root": ("isqrt(a)", lambda a, _: root(a)),
    "scale": ("muldiv(a, b, a)", lambda a, b: a * b // a),
    "scale_up": ("muldiv(a, a, b)", lambda a, b: a * a // b),
    "total": ("sum([a, b])", lambda a, b: a + b),
    "total_of_three": ("sum([a, a, b])", lambda a, b: 2 * a + b),
    "sort": ("sorted([a, b])[0]", min),
    "median": ("weighted_median([a, b], [1, 1])", min),
    "rank": ("quantile([a, b], 1, 1)", max),
    "through_text": ("len(Str(a)) + len(Str(b))", lambda a, b: len(f"{a}{b}")),
    "through_bytes": ("Int(Bytes(a, b))", bytes_of),
    "to_fixed": ("Int(Fixed(a))", lambda a, _: fits(a * ONE) // ONE),
}
FIXED_OPERATIONS: dict[str, tuple[str, Reference]] = {
    "add": ("a + b", lambda a, b: a + b),
    "sub": ("a - b", lambda a, b: a - b),
    "mul": ("a * b", lambda a, b: a * b // ONE),
    "div": ("a / b", lambda a, b: a * ONE // b),
    "neg": ("-a", lambda a, _: -a),
    "absolute": ("abs(a)", lambda a, _: abs(a)),
    "floor": ("Fixed(Int(a))", lambda a, _: fits(a // ONE * ONE)),
    "total": ("sum([a, b])", lambda a, b: a + b),
}


def fits(value: int) -> int:
    """Return the number if it has at most 256 bits."""
    raises(not INT_MIN <= value <= INT_MAX, OverflowError)
    return value


def contract(kind: str, operations: dict[str, tuple[str, Reference]]) -> str:
    """Return a contract with one method for each operation."""
    methods = "".join(
        f"    @external\n    def {name}(self, a: {kind}, b: {kind}) -> {kind}:\n"
        f"        return {expression}\n"
        for name, (expression, _) in operations.items()
    )
    return f"class Abacus(Contract):\n{methods}"


def expected(reference: Reference, a: int, b: int) -> tuple[str, int | None]:
    """Return the code of the receipt, and the result if there is one."""
    try:
        return "", fits(reference(a, b))
    except ZeroDivisionError:
        return "vm-trap-division-by-zero", None
    except OverflowError:
        return "vm-trap-overflow", None
    except ValueError:
        return "vm-trap-range", None


@pytest.fixture(scope="module")
def arena() -> Arena:
    return Arena()


def results(
    arena: Arena, abacus: DeployedContract, *, method: str, pairs: list[tuple[int, int]]
) -> list[Receipt]:
    """Return the receipts of the method for each pair, all in one commit."""
    codec = ValueCodec.of_fields((), (INT, INT))
    calls = [
        Call(
            contract=abacus.address,
            method=method,
            arguments=codec.encode(pair),
            value=Grain(0),
        )
        for pair in pairs
    ]
    return list(arena.commit(arena.sign_all(calls, gas_limit=20_000)).receipts)


def check_all(
    arena: Arena,
    kind: str,
    operations: dict[str, tuple[str, Reference]],
    *,
    edges: tuple[int, ...],
) -> None:
    """Compare every operation on every pair of edges with its reference."""
    abacus = arena.deploy(contract(kind, operations))
    codec = ValueCodec.of_type((), INT if kind == "Int" else FIXED)
    pairs = list(itertools.product(edges, edges))
    for method, (_, reference) in operations.items():
        receipts = results(arena, abacus, method=method, pairs=pairs)
        for (a, b), receipt in zip(pairs, receipts, strict=True):
            result = codec.decode(receipt.result) if receipt.result else None
            assert (receipt.code, result) == expected(reference, a, b), (method, a, b)


def test_integers_at_their_edges_give_what_fits_or_trap(arena: Arena) -> None:
    check_all(arena, "Int", INT_OPERATIONS, edges=EDGES[::3])


def test_decimals_at_their_edges_give_what_fits_or_trap(arena: Arena) -> None:
    check_all(arena, "Fixed", FIXED_OPERATIONS, edges=EDGES[::3])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "operations"), [("Int", INT_OPERATIONS), ("Fixed", FIXED_OPERATIONS)]
)
def test_all_pairs_of_edges_give_what_fits_or_trap(
    arena: Arena, kind: str, operations: dict[str, tuple[str, Reference]]
) -> None:
    check_all(arena, kind, operations, edges=MORE_EDGES)

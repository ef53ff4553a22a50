"""Random contracts: what is emitted verifies, both engines agree, and Python means the same."""

import random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.vm.lang.generated import Writer
from tests.vm.lang.stage import Stage


class _Map(dict[int, int]):
    def __missing__(self, key: int) -> int:
        return 0


class _Contract:
    """Stands for the contract of the language when Python runs the source."""

    total = 0
    other = 0

    def __init__(self) -> None:
        self.cells = _Map()


class _Record:
    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


def _external(method: object) -> object:
    return method


def _meaning(source: str, n: int) -> object:
    names: dict[str, Any] = {
        "Contract": _Contract,
        "Record": _Record,
        "external": _external,
        "Int": int,
        "List": list,
        "Map": dict,
    }
    exec(source, names)  # noqa: S102 - the test wrote the source itself
    return names["Lab"]().f(n)


def _check(seed: int, n: int) -> None:
    source = Writer(random.Random(seed)).source()
    assert Stage(source).call("f", n) == _meaning(source, n)


# A smaller seed is no simpler contract, so there is nothing to shrink.
@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(st.integers(0, 2**32), st.integers(0, 9))
def test_generated_contract_means_what_python_means(seed: int, n: int) -> None:
    _check(seed, n)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, phases=[Phase.generate])
@given(st.integers(0, 2**32), st.integers(0, 9))
def test_many_generated_contracts_mean_what_python_means(seed: int, n: int) -> None:
    _check(seed, n)

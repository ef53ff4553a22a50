"""Golden aggregates beside the slow reference."""

from hashlib import sha256

import numpy as np
import pytest

from fl.rules.aggregation.outer import OuterOptimizer, OuterRule
from fl.rules.aggregation.rule import Rule
from tests.fl.aggregation import reference
from tests.fl.aggregation.write_vectors import FILE, expanded, text
from tests.vectors import Row, cases


def expected(row: Row, vectors: list[list[int]]) -> list[int]:
    """Ask the reference."""
    return reference.aggregate(
        vectors,
        row["weights"],
        rule=Rule(row["rule"]),
        byzantine=row["byzantine"],
        radius=row["radius"],
    )


def test_the_file_is_what_the_code_writes() -> None:
    # A difference is a changed meaning, not a reason to write the file again.
    # Where it is meant: python -m tests.fl.aggregation.write_vectors
    assert FILE.read_text(encoding="ascii") == text()


@pytest.mark.parametrize("row", cases("aggregation", "rounds"))
def test_a_golden_aggregate_is_that_of_the_reference(row: Row) -> None:
    assert sum(row["weights"]) == 2**16
    assert row["aggregate"] == expected(row, row["vectors"])


@pytest.mark.slow
@pytest.mark.parametrize("row", cases("aggregation", "hashes"))
def test_a_golden_hash_is_that_of_the_reference(row: Row) -> None:
    vectors = [expanded(index, row["size"]).tolist() for index in range(row["count"])]
    found = np.array(expected(row, vectors), dtype="<i4")
    assert sha256(found.tobytes()).hexdigest() == row["digest"]


@pytest.mark.parametrize("row", cases("aggregation", "projections"))
def test_a_golden_projection_is_that_of_python_integers(row: Row) -> None:
    assert row["step"] == reference.projected(row["update"], row["model"], row["tensors"])


@pytest.mark.parametrize("row", cases("aggregation", "steps"))
def test_golden_steps_are_those_of_python_integers(row: Row) -> None:
    optimizer = OuterOptimizer(
        rule=OuterRule(row["comment"]),
        rate=row["rate"],
        momentum=row["momentum"],
        memory=row["memory"],
        floor=row["floor"],
    )
    assert reference.walk(optimizer, row["deltas"]) == row["applied"]

"""Write the golden vectors of aggregation: `python -m tests.fl.aggregation.write_vectors`.

Run it only when a meaning changed on purpose: it changes every chain that trains.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from fl.rules.aggregation.outer import OuterOptimizer, OuterRule
from fl.rules.aggregation.rule import Rule, aggregate
from fl.rules.aggregation.stacked import projected
from fl.rules.limits import ONE
from fl.rules.select import apportion
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from tests.fl.aggregation.cast import arrays
from tests.vectors import Row

FILE: Final = Path(__file__).parents[2] / "vectors" / "aggregation.json"
ROUND_COUNT: Final = 20
ROUND_SIZE: Final = 1_000
STACKED: Final = TensorLayout.of(
    [
        TensorSpec("q.lora_A.weight", (2, 5)),
        TensorSpec("q.lora_B.weight", (3, 2)),
        TensorSpec("score.weight", (2, 2)),
    ]
)


def vectors() -> dict[str, str | list[Row]]:
    """Return small rounds in full, a large one by its hash, steps of the optimisers and stacks."""
    return {
        "about": "Weights are Q16, numbers int32. Rounds by hash: coordinate c of vector v is the "
        "little-endian int32 at 4 (c mod 8) of SHA-256('hanse vector' | v | c // 8), both numbers "
        "4 bytes big-endian, shifted right by v mod 16 bits; the digest is the SHA-256 of the "
        "aggregate, little-endian int32. Projections: `step` is what a stack takes of an update of "
        "both factors and a head; flat, in the order of the tensors.",
        "rounds": _rounds(),
        "hashes": _hashes(),
        "steps": _steps(),
        "projections": _projections(),
    }


def text() -> str:
    """Return the text of the file."""
    return json.dumps(vectors(), indent=2) + "\n"


def expanded(index: int, size: int) -> Int32s:
    """Return the vector of a round by hash."""
    raw = b"".join(
        sha256(b"hanse vector" + index.to_bytes(4, "big") + block.to_bytes(4, "big")).digest()
        for block in range(-(-size // 8))
    )
    numbers: Int32s = np.frombuffer(raw, dtype="<i4")[:size].astype(np.int32)
    return np.right_shift(numbers, index % 16)


def _rounds() -> list[Row]:
    far = [COORDINATE_MAX, -COORDINATE_MAX, COORDINATE_MAX]
    near = [[100 * place, -7 * place, 2**20 + place] for place in range(1, 7)]
    given = {
        "one update alone": ([[1, -1, 2**31 - 1]], [1]),
        "halves are rounded up": ([[1, -1, 3], [0, 0, 0]], [1, 1]),
        "uneven weights": (near, [1, 2, 3, 4, 5, 6]),
        "a liar among seven": ([far, *near], [1] * 7),
        "a heavy liar": ([far, *near], [3, 1, 1, 1, 1, 1, 1]),
        "equal updates of unequal weight": ([near[0], near[0], near[1], far], [5, 1, 1, 1]),
        "the greatest numbers": ([far, [-number for number in far], far], [1, 1, 1]),
        "a weight of nothing": ([far, *near], [0, 1, 1, 1, 1, 1, 1]),
    }
    return [
        _round(f"{comment}: {rule.value}", rows, apportion(ONE, shares), rule)
        for comment, (rows, shares) in given.items()
        for rule in Rule
    ]


def _round(comment: str, rows: list[list[int]], weights: list[int], rule: Rule) -> Row:
    byzantine, radius = len(rows) // 4, 2**18
    found = aggregate(arrays(rows), weights, rule=rule, byzantine=byzantine, radius=radius)
    return {
        "comment": comment,
        "rule": rule.value,
        "byzantine": byzantine,
        "radius": radius,
        "vectors": rows,
        "weights": weights,
        "aggregate": found.tolist(),
    }


def _hashes() -> list[Row]:
    given = [expanded(index, ROUND_SIZE) for index in range(ROUND_COUNT)]
    weights = apportion(ONE, [100 + 7 * index for index in range(ROUND_COUNT)])
    return [
        {
            "comment": f"{ROUND_COUNT} updates, 4 feared: {rule.value}",
            "rule": rule.value,
            "byzantine": 4,
            "radius": 2**24,
            "count": ROUND_COUNT,
            "size": ROUND_SIZE,
            "weights": weights,
            "digest": sha256(
                aggregate(given, weights, rule=rule, byzantine=4, radius=2**24).tobytes()
            ).hexdigest(),
        }
        for rule in Rule
    ]


def _steps() -> list[Row]:
    deltas = [2**20, -(2**20), 2**31 - 1, 2**31 - 1, 0, -5, 1]
    optimizers = (
        OuterOptimizer(),
        OuterOptimizer(rule=OuterRule.NESTEROV, rate=45_875, momentum=58_982),
        OuterOptimizer(rule=OuterRule.FEDADAM, rate=655),
    )
    rows: list[Row] = []
    for optimizer in optimizers:
        state, applied = optimizer.start(1), []
        for delta in deltas:
            step = optimizer.step(state, np.array([delta], dtype=np.int32))
            state = step.state
            applied += step.applied.tolist()
        rows.append(
            {
                "comment": optimizer.rule.value,
                "rate": optimizer.rate,
                "momentum": optimizer.momentum,
                "memory": optimizer.memory,
                "floor": optimizer.floor,
                "deltas": deltas,
                "applied": applied,
                "state": state.encode().hex(),
            }
        )
    return rows


def _projections() -> list[Row]:
    seeded = [expanded(index, STACKED.size) for index in (8, 10, 12, 15)]
    model = seeded[0].copy()
    model[STACKED.spans["q.lora_A.weight"]] = np.eye(2, 5, dtype=np.int32).ravel() << 24
    far = np.full(STACKED.size, COORDINATE_MAX, dtype=np.int32)
    still = seeded[1].copy()
    still[STACKED.spans["q.lora_A.weight"]] = 0
    return [
        _projection("both factors move", seeded[1], model),
        _projection("smaller numbers", seeded[3], model),
        _projection("rows that are not orthonormal", seeded[1], seeded[2]),
        _projection("A does not move", still, model),
        _projection("nothing moves", np.zeros_like(far), model),
        _projection("the greatest numbers", far, far),
        _projection("the greatest numbers against each other", -far, far),
    ]


def _projection(comment: str, update: Int32s, model: Int32s) -> Row:
    return {
        "comment": comment,
        "tensors": [[tensor.name, list(tensor.shape)] for tensor in STACKED.tensors],
        "update": update.tolist(),
        "model": model.tolist(),
        "step": projected(update, model=model, layout=STACKED).tolist(),
    }


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")

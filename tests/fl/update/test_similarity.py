"""Copies, near-copies and replays are found; honest updates that resemble each other are not."""

import itertools
import math
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.rules.limits import ONE
from fl.rules.scorecard import MALFORMED, REPLAY, VALID
from fl.rules.update.layout import TensorLayout, TensorSpec
from fl.rules.update.norms import norm
from fl.rules.update.products import SHIFT, products
from fl.rules.update.root import content_digest
from fl.rules.update.rows import COORDINATE_MAX, Int32s
from fl.rules.update.similarity import Candidate, cosines, find_facts, find_repeats
from fl.rules.update.spans import Execution

SIZE = 3_000
LAYOUT = TensorLayout.of([TensorSpec("weights", (SIZE,))])
EIGHT = TensorSpec("weights", (8,))
SIGNAL, NOISE = 0.02, 0.02

Real = npt.NDArray[np.float64]


def quantised(real: Real) -> Int32s:
    return np.rint(real * 2**24).astype(np.int32)


def signal(seed: int = 1) -> Real:
    return np.random.default_rng(seed).normal(0, SIGNAL, SIZE)


def honest(count: int, *, seed: int = 2, noise: float = NOISE) -> list[Int32s]:
    """Return updates that share a direction: raw cosines of one half and more."""
    dice = np.random.default_rng(seed)
    return [quantised(signal() + dice.normal(0, noise, SIZE)) for _ in range(count)]


def candidate(
    vector: Int32s, own: Sequence[Int32s] = (), foreign: Sequence[Int32s] = ()
) -> Candidate:
    earlier = [*((one, 0) for one in own), *((one, -1) for one in foreign)]
    return Candidate(
        vector=vector,
        content=content_digest(vector, layout=LAYOUT),
        is_again=find_repeats([vector], earlier)[0],
    )


def facts(
    vectors: Sequence[Int32s | None],
    *,
    past: Sequence[Int32s] = (),
    own: dict[int, list[Int32s]] | None = None,
    execution: Execution | None = None,
) -> list[tuple[int, int, int]]:
    """Return verdict, original and cluster of each."""
    candidates = [
        None if vector is None else candidate(vector, (own or {}).get(place, ()))
        for place, vector in enumerate(vectors)
    ]
    norms = [0 if vector is None else norm(vector) for vector in vectors]
    found = find_facts(
        candidates, norms=norms, global_deltas=past, execution=execution or Execution()
    )
    assert [one.norm for one in found] == norms
    assert all(one.fits(len(vectors)) for one in found)
    return [(one.verdict, one.original, one.cluster) for one in found]


def apart(count: int) -> list[tuple[int, int, int]]:
    return [(VALID, place, place) for place in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 20])
@pytest.mark.parametrize("noise", [0.005, 0.02, 0.1])
def test_honest_updates_that_resemble_each_other_stay_apart(count: int, noise: float) -> None:
    assert facts(honest(count, noise=noise)) == apart(count)


def test_two_camps_of_honest_trainers_stay_apart() -> None:
    dice = np.random.default_rng(5)
    camps = (signal(10), signal(11))
    updates = [quantised(1.5 * camps[n % 2] + dice.normal(0, NOISE, SIZE)) for n in range(12)]
    assert facts(updates) == apart(12)


def test_exact_copies_have_the_first_as_original_and_one_cluster() -> None:
    first, second, third = honest(3)
    found = facts([first, second, first, third, first])
    assert found == [(VALID, 0, 0), (VALID, 1, 1), (VALID, 0, 0), (VALID, 3, 3), (VALID, 0, 0)]


@pytest.mark.parametrize("copies", [1, 4, 8])
@pytest.mark.parametrize("noise", [0.0001, 0.002, 0.005])
def test_copies_with_noise_are_one_cluster(copies: int, noise: float) -> None:
    dice = np.random.default_rng(6)
    updates = honest(12)
    source = updates[0].astype(np.float64) / 2**24
    hidden = [quantised(source + dice.normal(0, noise, SIZE)) for _ in range(copies)]
    found = facts([*updates, *hidden])
    assert [one[2] for one in found] == [*range(12), *[0] * copies]
    assert [one[1] for one in found] == list(range(12 + copies))


def test_most_updates_being_near_copies_hides_none() -> None:
    dice = np.random.default_rng(7)
    updates = honest(4)
    source = updates[0].astype(np.float64) / 2**24
    hidden = [quantised(source + dice.normal(0, 0.0005, SIZE)) for _ in range(16)]
    assert [one[2] for one in facts([*updates, *hidden])] == [*range(4), *[0] * 16]


def test_a_chain_of_near_copies_is_one_cluster() -> None:
    updates = honest(10)
    dice = np.random.default_rng(8)
    step = quantised(dice.normal(0, 0.0015, SIZE))
    chain = [updates[0] + place * step for place in range(1, 4)]
    assert [one[2] for one in facts([*updates, *chain])] == [*range(10), 0, 0, 0]


def test_zero_updates_are_nobody_s_copies_and_no_replay() -> None:
    zero = np.zeros(SIZE, dtype=np.int32)
    assert facts([zero, *honest(4), zero], past=[zero]) == apart(6)
    assert facts([zero] * 4) == apart(4)


def test_malformed_updates_are_facts_of_their_own() -> None:
    first, second, third = honest(3)
    found = facts([None, first, None, second, first, third])
    assert found[0] == (MALFORMED, 0, 0)
    assert found[2] == (MALFORMED, 2, 2)
    assert found[4] == (VALID, 1, 1)
    assert facts([None]) == [(MALFORMED, 0, 0)]
    assert facts([]) == []


def global_delta(seed: int) -> Int32s:
    """Return the aggregate of an earlier round, in much the same direction as this one."""
    dice = np.random.default_rng(seed)
    return quantised(signal() + dice.normal(0, NOISE / 3, SIZE))


@pytest.mark.parametrize("others", [0, 1, 12])
@pytest.mark.parametrize("factor", [0.1, 0.8, 1.0, 1.3, 8.0])
@pytest.mark.parametrize("part", [0.0, 1 / 32, 1 / 16])
def test_a_scaled_and_noisy_replay_is_found(others: int, factor: float, part: float) -> None:
    past = [global_delta(seed) for seed in range(100, 108)]
    delta = past[3].astype(np.float64) / 2**24
    noise = np.random.default_rng(9).normal(0, 1, SIZE)
    noise *= part * np.linalg.norm(delta) / np.linalg.norm(noise)
    replayed = quantised(factor * (delta + noise))
    found = facts([*honest(others), replayed], past=past)
    assert found == [*apart(others), (REPLAY, others, others)]


def test_half_of_the_updates_replaying_hides_none() -> None:
    past = [global_delta(100)]
    dice = np.random.default_rng(9)
    replays = [past[0] + quantised(dice.normal(0, 0.001, SIZE)) for _ in range(10)]
    found = facts([*honest(10), *replays], past=past)
    assert [verdict for verdict, _, _ in found] == [VALID] * 10 + [REPLAY] * 10


def junk(kind: str, count: int) -> list[Int32s]:
    dice = np.random.default_rng(13)
    spread = {"noise": 1.0, "loud noise": 30.0, "zeros": 0.0}[kind] * NOISE
    return [quantised(dice.normal(0, spread, SIZE)) for _ in range(count)]


@pytest.mark.parametrize("kind", ["noise", "loud noise", "zeros"])
@pytest.mark.parametrize("noise", [0.005, 0.01, 0.02])
@pytest.mark.parametrize("count", [1, 6, 10, 14])
def test_junk_around_them_makes_no_honest_update_a_replay(
    kind: str, noise: float, count: int
) -> None:
    past = [quantised(signal())]
    found = facts([*honest(20 - count, noise=noise), *junk(kind, count)], past=past)
    assert [verdict for verdict, _, _ in found] == [VALID] * 20


def test_going_the_way_of_the_last_round_is_no_replay() -> None:
    """At an eighth of its norm from the multiple nothing is proven, whoever else sends what."""
    past = [quantised(signal())]
    for others in ([], honest(9), junk("noise", 9), honest(9, noise=NOISE / 8)):
        found = facts([*honest(1, seed=14, noise=SIGNAL / 8), *others], past=past)
        assert [verdict for verdict, _, _ in found] == [VALID] * (1 + len(others))


def test_the_opposite_of_a_global_delta_is_no_replay() -> None:
    past = [global_delta(100)]
    assert facts([*honest(4), -past[0]], past=past)[4][0] == VALID


def test_an_exact_replay_is_found_among_any_number_of_updates() -> None:
    past = [global_delta(100)]
    assert facts([past[0]], past=past) == [(REPLAY, 0, 0)]
    assert facts([*honest(2), past[0]], past=past)[2][0] == REPLAY


def test_deltas_of_long_ago_are_not_compared() -> None:
    past = [global_delta(seed) for seed in range(100, 109)]
    assert facts([*honest(6), past[0]], past=past)[6][0] == VALID
    assert facts([*honest(6), past[1]], past=past)[6][0] == REPLAY


def test_an_own_earlier_update_is_found_and_the_same_bias_is_not() -> None:
    dice = np.random.default_rng(12)
    bias = signal(20) * 3
    earlier = quantised(signal() + bias + dice.normal(0, NOISE, SIZE))
    now = quantised(signal() + bias + dice.normal(0, NOISE, SIZE))
    others = honest(10)
    assert facts([now, *others], own={0: [earlier]})[0][0] == VALID
    assert facts([earlier + 3, *others], own={0: [earlier]})[0][0] == REPLAY


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("part", [0.0, 1 / 32])
def test_scaled_and_noisy_copy_of_an_earlier_update_of_another_is_found(
    factor: float, part: float
) -> None:
    stolen, *others = honest(6)
    source = stolen.astype(np.float64) / 2**24
    noise = np.random.default_rng(15).normal(0, 1, SIZE)
    noise *= part * np.linalg.norm(source) / np.linalg.norm(noise)
    copy = quantised(factor * (source + noise))
    assert candidate(copy, foreign=[stolen, *others]).is_again
    assert find_repeats([*others, copy], [(stolen, -1)]) == [False] * 5 + [True]


@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_honest_update_repeats_no_earlier_one_of_anybody(noise: float) -> None:
    earlier = [(one, place) for place, one in enumerate(honest(8, seed=30, noise=noise))]
    assert not any(find_repeats(honest(8, seed=31, noise=noise), earlier))


@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_cosines_are_those_of_updates_without_their_mean_to_the_last_digit(count: int) -> None:
    dice = np.random.default_rng(count)
    vectors = dice.integers(-COORDINATE_MAX, COORDINATE_MAX, (count, 50), dtype=np.int32)
    found = cosines(products(list(vectors), list(vectors)))
    # Of the numbers as `products` sees them, times the count so that the mean is whole.
    moved = (vectors >> SHIFT).astype(object)
    rest = moved * count - moved.sum(axis=0)
    gram = [[int((one * other).sum()) for other in rest] for one in rest]
    for one, other in itertools.product(range(count), repeat=2):
        squares = gram[one][one] * gram[other][other]
        expected = gram[one][other] * ONE // math.isqrt(squares) if squares else 0
        assert found[one][other] == expected


def test_work_grows_with_the_pairs_of_updates() -> None:
    updates = [vector[:8] for vector in honest(120)]
    contents = [content_digest(vector, layout=TensorLayout.of([EIGHT])) for vector in updates]
    candidates = [
        Candidate(vector=one, content=two) for one, two in zip(updates, contents, strict=True)
    ]
    began_s = time.process_time()
    find_facts(candidates, norms=[0] * len(updates), global_deltas=())
    # Summing all products for each pair takes ten seconds.
    assert time.process_time() - began_s < 5


def test_facts_do_not_depend_on_spans() -> None:
    updates = honest(6)
    vectors = [*updates, updates[2] + 5]
    past = [global_delta(100)]
    there = facts(vectors, past=past)
    for columns in (1_000, 977, 64):
        assert facts(vectors, past=past, execution=Execution(columns=columns)) == there


def of_every_kind() -> list[Int32s | None]:
    """Return honest updates, copies, loose and close near-copies, replays, junk and no update."""
    dice = np.random.default_rng(16)
    first, second, *others = honest(6)
    close, loose = (quantised(dice.normal(0, spread, SIZE)) for spread in (0.0005, 0.005))
    zero, most = np.zeros(SIZE, dtype=np.int32), np.full(SIZE, COORDINATE_MAX, dtype=np.int32)
    copies = [first, first, first + close, second + loose, second + 2 * loose]
    return [second, *others, *copies, global_delta(100), zero, zero, most, -most, None, None]


def groups(leaders: Sequence[int], names: Sequence[int]) -> set[frozenset[int]]:
    """Return which of the names belong together."""
    return {
        frozenset(name for name, at in zip(names, leaders, strict=True) if at == leader)
        for leader in leaders
    }


@given(order=st.permutations(range(len(of_every_kind()))), count=st.integers(1, 16))
def test_facts_do_not_depend_on_the_order_of_the_updates(order: list[int], count: int) -> None:
    """Of those that belong together another may come first, and nothing else changes."""
    vectors, past = of_every_kind(), [global_delta(100)]
    chosen, turned = sorted(order[:count]), order[:count]
    there = facts([vectors[name] for name in chosen], past=past)
    here = facts([vectors[name] for name in turned], past=past)
    verdicts = [
        dict(zip(names, (one[0] for one in found), strict=True))
        for names, found in ((chosen, there), (turned, here))
    ]
    assert verdicts[0] == verdicts[1]
    for part in (1, 2):
        leaders = [[one[part] for one in found] for found in (there, here)]
        assert groups(leaders[0], chosen) == groups(leaders[1], turned)
        assert all(at <= place for found in leaders for place, at in enumerate(found))


def test_the_greatest_updates_do_not_wrap() -> None:
    most = np.full(SIZE, COORDINATE_MAX, dtype=np.int32)
    assert facts([most, -most, most], past=[-most]) == [
        (VALID, 0, 0),
        (REPLAY, 1, 1),
        (VALID, 0, 0),
    ]

from itertools import combinations

import pytest

from consensus.schedule import first_schedule
from devnet.simulator.twins.cast import Cast
from devnet.simulator.twins.space import Permutation, Space, partitions


@pytest.mark.parametrize("size", [1, 2, 3, 16, 17, 424, 1000])
@pytest.mark.parametrize("seed", [0, 1])
def test_walk_meets_every_number_once(size: int, seed: int) -> None:
    order = Permutation(size, seed=seed)
    assert sorted(order.at(place) for place in range(size)) == list(range(size))


def test_seeds_walk_in_different_orders() -> None:
    walks = {tuple(Permutation(100, seed=seed).at(place) for place in range(5)) for seed in (1, 2)}
    assert len(walks) == 2


def test_partitions_are_all_patterns_of_distances_each_once() -> None:
    patterns = [
        tuple(abs(places[first] - places[second]) for first, second in combinations(range(5), 2))
        for places in partitions(5)
    ]
    # Together; two groups, near or far; three groups with any of them in the middle.
    assert len(patterns) == len(set(patterns)) == 1 + 2 * 15 + 3 * 25


@pytest.mark.parametrize(("nodes", "patterns"), [(4, 106), (7, 9586)])
def test_space_is_leaders_times_partitions(nodes: int, patterns: int) -> None:
    assert Space(nodes=nodes, rounds=2, seed=1).size == (nodes * patterns) ** 2


def test_scenarios_of_a_space_are_all_different() -> None:
    space = Space(nodes=4, rounds=1, seed=3)
    scenarios = [space.at(index) for index in range(space.size)]
    assert len({(scenario.chain, scenario.partitions) for scenario in scenarios}) == space.size


def test_rounds_after_the_partitioned_ones_are_whole() -> None:
    space = Space(nodes=4, rounds=1, seed=3)
    parted = next(space.at(i) for i in range(9) if space.at(i).distance(1, 0, 4) > 0)
    assert parted.distance(2, 0, 4) == 0


def test_chains_enumerate_the_leaders() -> None:
    cast = Cast(4)
    sequences = set()
    for chain in range(4**3):
        schedule = first_schedule(cast.context(chain))
        sequences.add(tuple(schedule.leaders(number) for number in (1, 2, 3)))
    # Drawing as often as there are sequences meets 1 - 1/e of them.
    assert 32 <= len(sequences) <= 50

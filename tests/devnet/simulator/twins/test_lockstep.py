from devnet.simulator.twins.cast import Cast
from devnet.simulator.twins.lockstep import LockStep
from devnet.simulator.twins.space import FAR, Partition, Scenario

WHOLE = (0, 0, 0, 0, 0)


def ran(*partitions: Partition, chain: int = 0) -> LockStep:
    network = LockStep(Scenario(index=0, chain=chain, partitions=partitions), Cast(4))
    network.run()
    return network


def test_whole_network_commits_a_leader_three_delays_after_its_proposal() -> None:
    # Everybody makes round r in step r; the leader of round 2 is the first above the partitions.
    network = ran(WHOLE)
    assert network.step == 2 + 3
    assert network.oracle.twin_rounds == 0


def test_near_places_hear_late() -> None:
    assert ran((0, 0, 0, 0, 1)).step == ran(WHOLE).step
    assert ran((0, 0, 1, 1, 1)).step == ran(WHOLE).step + 2


def test_instance_that_hears_nothing_for_a_while_catches_up() -> None:
    alone = (0, 0, FAR, 0, 0)
    network = ran(*[alone] * 6)
    assert min(network.oracle.leader_rounds) > 6


def test_split_twins_equivocate() -> None:
    assert ran((0, 0, 1, 0, 1), WHOLE).oracle.twin_rounds > 0


def test_same_scenario_runs_the_same() -> None:
    first, second = (ran((0, 1, 2, 0, 2), (0, 0, 1, 2, 1), chain=5) for _ in range(2))
    assert first.step == second.step
    assert first.oracle.commit_count == second.oracle.commit_count
    assert first.oracle.leader_rounds == second.oracle.leader_rounds

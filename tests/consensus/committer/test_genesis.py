from tests.dsl.committee import over_leader_counts
from tests.dsl.dag import commit, committer_of, decided, draw, name_of, rotation

Powers = tuple[int, ...]


@over_leader_counts
def test_empty_dag_decides_nothing(powers: Powers, count: int) -> None:
    assert decided(draw("", powers=powers), rotation(len(powers), count)) == []


@over_leader_counts
def test_rounds_one_and_two_alone_commit_nothing(powers: Powers, count: int) -> None:
    leaders = rotation(len(powers), count)
    assert decided(draw("r1: all", powers=powers), leaders) == []
    assert decided(draw("r1: all / r2: all", powers=powers), leaders) == []


@over_leader_counts
def test_first_decided_slots_are_those_of_round_one(powers: Powers, count: int) -> None:
    leaders = rotation(len(powers), count)
    drawing = draw("r1: all / r2: all / r3: all", powers=powers)
    assert decided(drawing, leaders) == [commit(name_of(1, author)) for author in leaders(1)]


@over_leader_counts
def test_implicit_genesis_is_no_leader_and_no_vertex(powers: Powers, count: int) -> None:
    leaders = rotation(len(powers), count)
    drawing = draw("r1: all / r2: all / r3: all", powers=powers)
    dag = drawing.dag()
    committer = committer_of(drawing, dag, leaders)
    assert committer.decided_round == 0
    assert dag.round(0).authors == 0
    assert all(vertex.parents == 0 for vertex in dag.round(1).arrivals)
    assert min(decision.round for decision in committer.decide()) == 1

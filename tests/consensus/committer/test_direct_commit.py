from tests.dsl.committee import over_committees, over_leader_counts
from tests.dsl.dag import commit, decided, decisions, draw, name_of, rotation

Powers = tuple[int, ...]


@over_committees
def test_leader_certified_by_a_quorum_is_committed(powers: Powers) -> None:
    drawing = draw("r1: all / r2: all / r3: all", powers=powers)
    assert decisions(drawing, "A1") == [commit("A1")]


@over_leader_counts
def test_every_leader_of_a_full_dag_is_committed_in_slot_order(powers: Powers, count: int) -> None:
    size = len(powers)
    rounds = size + 3
    drawing = draw("/".join(f"r{number}: all" for number in range(1, rounds + 1)), powers=powers)
    leaders = rotation(size, count)
    assert decided(drawing, leaders) == [
        commit(name_of(number, author))
        for number in range(1, rounds - 1)
        for author in leaders(number)
    ]


@over_committees
def test_leader_is_committed_whatever_comes_after_its_certificates(powers: Powers) -> None:
    drawing = draw(
        """
        r1: all
        r2: all
        r3: all
        r4: quorum <- all -A
        r5: quorum <- quorum
        """,
        powers=powers,
    )
    assert decisions(drawing, "A1") == [commit("A1")]


def test_quorum_is_of_power_not_of_heads() -> None:
    drawing = draw(
        """
        r1: all
        r2: A D <- A D B; B C <- all -A
        r3: A <- A D B; D <- all
        """,
        powers=(2, 1, 1, 5),
    )
    assert decisions(drawing, "A1") == [commit("A1")]

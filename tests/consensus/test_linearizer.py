import msgspec
import pytest

from consensus.commit import CommittedSubDag, commit_digest
from consensus.errors import CommitChainError
from consensus.linearizer import Linearizer
from consensus.parameters import Parameters
from tests.dsl.committee import over_committees
from tests.dsl.dag import Drawing, draw

Powers = tuple[int, ...]


class Node:
    """A linearizer over a whole drawing, told which leaders were committed."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing
        self.dag = drawing.dag()
        self.linearizer = Linearizer(drawing.context, self.dag)

    def commit(self, name: str) -> CommittedSubDag:
        """Commit the leader of this name."""
        leader = self.dag.get(self._drawing[name].ref)
        assert leader is not None
        return self.linearizer.extend(leader)[0]

    def names(self, name: str) -> list[str]:
        """Commit the leader of this name and return the names of its sub-DAG."""
        return [self._drawing.names[block.ref] for block in self.commit(name).blocks]


def _rounds(count: int) -> str:
    return "/".join(f"r{number}: all" for number in range(1, count + 1))


@over_committees
def test_every_block_is_delivered_once_leader_last(powers: Powers) -> None:
    drawing = draw(_rounds(6), powers=powers)
    node = Node(drawing)
    delivered = [name for leader in ("A1", "B2", "A4", "C6") for name in node.names(leader)]
    assert delivered[0] == "A1"
    assert delivered[-1] == "C6"
    assert len(set(delivered)) == len(delivered)
    assert set(delivered) == {drawing.names[block.ref] for block in drawing.cone("C6")}


def test_block_that_was_linked_late_is_delivered_late_not_lost() -> None:
    # D's blocks of rounds 1 and 2 enter after D's own later blocks would have hidden them.
    drawing = draw(
        """
        r1: all
        r2: A B C <- all -D; D
        r3: A B C <- all -D
        r4: A B C <- all D2
        """
    )
    node = Node(drawing)
    assert node.names("A3") == ["A1", "B1", "C1", "A2", "B2", "C2", "A3"]
    assert node.names("A4") == ["D1", "D2", "B3", "C3", "A4"]


def test_older_block_of_an_author_is_delivered_after_a_newer_one() -> None:
    drawing = draw("r1: all D' / r2: A B C <- all; D <- all D1' / r3: A B C <- all -D / r4: A")
    node = Node(drawing)
    assert "D1" in node.names("A3")
    later = draw("r1: all D' / r2: A B C <- all; D <- all D1' / r3: A B C <- all / r4: A")
    assert sorted(Node(later).names("A4")) == sorted(later.names.values())


def test_second_block_of_a_slot_is_void_within_a_sub_dag() -> None:
    drawing = draw("r1: all A' A'' / r2: A; B <- all A1'; C <- all A1''; D / r3: D")
    node = Node(drawing)
    sub_dag = node.commit("D3")
    twins = sorted(drawing[name].ref for name in ("A1", "A1'", "A1''"))
    assert sub_dag.commit.void == tuple(twins[1:])
    assert set(twins) <= set(sub_dag.commit.blocks)


@pytest.mark.parametrize(("first", "second"), [("A1", "A1'"), ("A1'", "A1")])
def test_second_block_of_a_slot_is_void_across_sub_dags(first: str, second: str) -> None:
    drawing = draw(f"r1: all A' / r2: B C <- all {first}; D <- all {second} / r3: B C D / r4: B")
    node = Node(drawing)
    assert node.commit("B2").commit.void == ()
    assert node.commit("B4").commit.void == (drawing[second].ref,)


def test_two_blocks_of_an_author_in_two_rounds_are_not_void() -> None:
    assert Node(draw(_rounds(4))).commit("A4").commit.void == ()


def test_nothing_at_or_below_the_floor_is_delivered() -> None:
    drawing = draw(
        "r1: all / r2: all -D <- all -D / r3: all -D / r4: all -D / r5: all -D / r2: D / r3: D"
        "/ r6: all <- all D3",
        parameters=Parameters(gc_depth=3),
    )
    node = Node(drawing)
    assert node.linearizer.floor == 0
    node.commit("A5")
    assert node.linearizer.floor == 2
    assert node.names("B6") == ["D3", "B5", "C5", "B6"]


def test_floor_is_the_round_of_the_last_leader_less_the_depth() -> None:
    # Neither what else the DAG holds nor when it is collected has a say.
    node = Node(draw(_rounds(12), parameters=Parameters(gc_depth=3)))
    node.commit("A4")
    assert node.linearizer.floor == 1
    node.commit("A7")
    assert node.linearizer.floor == 4
    assert node.dag.gc_round == 0


def test_commits_form_a_chain() -> None:
    drawing = draw(_rounds(6))
    node = Node(drawing)
    first, second = node.commit("A2"), node.commit("B3")
    assert (first.index, second.index) == (1, 2)
    assert second.commit.previous == first.digest == commit_digest(first.commit)
    assert node.linearizer.index == 2
    assert node.linearizer.digest == second.digest
    assert node.linearizer.leader_round == 3
    assert first.commit.genesis == drawing.context.genesis_digest
    assert repr(first).startswith("CommittedSubDag(1, ")


def test_time_of_a_commit_is_the_median_of_the_leaders_parents() -> None:
    drawing = Drawing(draw("").context)
    for author, stamp in enumerate((100, 300, 200, 10_000)):
        genesis = [drawing.ref(0, other) for other in range(4)]
        drawing.add(1, author, ancestors=genesis, timestamp_ms=stamp)
    for author in range(4):
        parents = [drawing.ref(1, other) for other in range(4)]
        drawing.add(2, author, ancestors=parents, timestamp_ms=9_999_999)
    assert Node(drawing).commit("A2").commit.timestamp_ms == 200


def test_time_of_commits_never_goes_back() -> None:
    drawing = Drawing(draw("").context)
    for number, stamp in ((1, 500), (2, 100), (3, 100)):
        for author in range(4):
            parents = [drawing.ref(number - 1, other) for other in range(4)]
            drawing.add(number, author, ancestors=parents, timestamp_ms=stamp)
    node = Node(drawing)
    assert [node.commit(name).commit.timestamp_ms for name in ("A1", "A2", "A3")] == [0, 500, 500]


def test_adopted_commit_is_the_one_that_was_decided() -> None:
    drawing = draw(_rounds(5))
    decided, adopted = Node(drawing), Node(drawing)
    for name in ("A1", "C3", "B4"):
        sub_dag = decided.commit(name)
        copy, vertices = adopted.linearizer.adopt(sub_dag.commit, sub_dag.digest)
        assert copy.commit == sub_dag.commit
        assert all(vertex.committed for vertex in vertices)
    assert adopted.linearizer.digest == decided.linearizer.digest


def test_adopting_a_commit_twice_is_refused() -> None:
    drawing = draw(_rounds(5))
    node = Node(drawing)
    sub_dag = node.commit("A3")
    with pytest.raises(CommitChainError):
        node.linearizer.adopt(sub_dag.commit, sub_dag.digest)


def test_adopting_a_commit_whose_leader_is_not_here_is_refused() -> None:
    drawing = draw(_rounds(5))
    commit = Node(drawing).commit("A3").commit
    foreign = msgspec.structs.replace(commit, leader=drawing.ref(0, 0))
    with pytest.raises(CommitChainError):
        Node(drawing).linearizer.adopt(foreign, commit_digest(foreign))


def test_adopting_a_commit_with_other_blocks_is_refused_and_changes_nothing() -> None:
    drawing = draw(_rounds(5))
    commit = Node(drawing).commit("A3").commit
    node = Node(drawing)
    wrong = msgspec.structs.replace(commit, blocks=commit.blocks[1:])
    with pytest.raises(CommitChainError):
        node.linearizer.adopt(wrong, commit_digest(wrong))
    assert node.commit("A3").commit == commit

"""A chunk is called dead only if nothing in it is alive."""

from random import Random

from hypothesis import given, settings

from node.ledger.tree.bucket import LongValue, unpack_payload
from node.ledger.tree.fork import unpack_fork
from node.ledger.tree.log import chunk_of, entries_of
from node.ledger.tree.lookup import PLACE_FIRST, entries_from
from node.ledger.tree.occupancy import Occupancy
from tests.ledger.tree.memory import Changes, MemoryTree
from tests.ledger.tree.test_update import BATCHES, accounts


def inhabited(tree: MemoryTree) -> dict[int, int]:
    """Count what is alive in each chunk by walking the tree."""
    counts: dict[int, int] = {}
    source = tree.cold_source
    waiting: list[tuple[bytes | bytearray, int]] = [tree.root] if tree.root.ref else []
    while waiting:
        digest, ref = waiting.pop()
        counts[chunk_of(ref)] = counts.get(chunk_of(ref), 0) + 1
        if not entries_of(ref):
            waiting.extend(
                (child.digest, child.ref) for child in unpack_fork(source.fork(digest, ref))
            )
    for place, _, payload in entries_from(source, tree.root, PLACE_FIRST):
        _, found = unpack_payload(payload, place=place)
        if isinstance(found, LongValue):
            number = found.address >> 16
            counts[number] = counts.get(number, 0) + 1
    return counts


@settings(max_examples=40, deadline=None)
@given(BATCHES)
def test_dead_chunks_are_exactly_those_without_a_living_record(batches: list[Changes]) -> None:
    tree = MemoryTree()
    for number, changes in enumerate(batches):
        tree.apply(changes, clean_chunks=number % 2)
        alive = inhabited(tree)
        dead = {number for number in tree.chunks if tree.occupancy.is_dead(number)}
        assert dead == tree.chunks.keys() - alive.keys()


def test_most_chunks_are_dead_when_they_are_cleaned_under_load() -> None:
    tree, dice = MemoryTree(), Random(3)
    keys = sorted(accounts(2_000))
    tree.apply(accounts(2_000))
    for _ in range(40):
        tree.apply({key: dice.randbytes(50) for key in dice.sample(keys, 400)})
    dead = [number for number in tree.chunks if tree.occupancy.is_dead(number)]
    assert len(dead) * 2 > len(tree.chunks)


def test_chunks_from_before_are_never_called_dead() -> None:
    occupancy = Occupancy(known_from=10)
    occupancy.bury([3 << 16, 3 << 16 | 8, 9 << 16])
    assert not any(occupancy.is_dead(number) for number in range(10))
    assert occupancy.is_dead(10)
    occupancy.add(10, 2)
    occupancy.bury([10 << 16])
    assert not occupancy.is_dead(10)
    occupancy.bury([10 << 16])
    assert occupancy.is_dead(10)
    occupancy.add(11, 1)
    occupancy.forget(range(5, 12))
    assert occupancy.is_dead(11)

"""Blocks that wait: parents come first, no peer can stretch a bound, evicted is wanted again."""

from consensus.block import Block, BlockRef
from consensus.parameters import Tuning
from consensus.suspension import Suspension
from primitives.ids import AuthorityIndex, Round
from tests.consensus.builders import Forge, phantom, refs_of
from tests.dsl.committee import context_of

FORGE = Forge(context_of((1,) * 4))


def suspension_of(*, per_author: int = 400, missing: int = 2_000) -> Suspension:
    """Return an empty suspension with these bounds."""
    tuning = Tuning(suspended_per_author_max=per_author, missing_per_author_max=missing)
    return Suspension(size=4, tuning=tuning)


def orphan(number: int, author: int, *, missing: int = 3) -> tuple[Block, list[BlockRef]]:
    """Return a block and the first of its ancestors, none of which exist."""
    refs = [phantom(number - 1, other) for other in range(4)]
    block = FORGE.block(number, author, refs)
    return block, list(block.header.ancestors[:missing])


def test_block_waits_for_all_its_ancestors() -> None:
    suspension = suspension_of()
    block, missing = orphan(5, 0)
    assert suspension.add(block, missing) == missing
    assert list(suspension.wanted) == missing
    assert len(suspension) == 1
    assert suspension.release(missing[1]) == []
    assert suspension.release(missing[0]) == []
    assert suspension.release(missing[2]) == [block]
    assert len(suspension) == 0
    assert not suspension.wanted


def test_children_are_released_in_the_order_they_came() -> None:
    suspension = suspension_of()
    parent = phantom(4, 3)
    children = [orphan(5, author, missing=0)[0] for author in (2, 0, 1)]
    for child in children:
        suspension.add(child, [parent])
    assert suspension.release(parent) == children


def test_suspended_parent_is_not_wanted_itself() -> None:
    suspension = suspension_of()
    parent, missing = orphan(5, 0, missing=1)
    child = FORGE.block(6, 1, [parent.ref, *(phantom(5, author) for author in (1, 2))])
    assert suspension.add(child, [parent.ref]) == [parent.ref]
    assert suspension.add(parent, missing) == missing
    assert list(suspension.wanted) == missing
    assert suspension.release(missing[0]) == [parent]
    assert suspension.release(parent.ref) == [child]


def test_ref_that_two_children_wait_for_is_fetched_once() -> None:
    suspension = suspension_of()
    first, missing = orphan(5, 0, missing=1)
    second, _ = orphan(5, 1)
    assert suspension.add(first, missing) == missing
    assert suspension.add(second, missing) == []


def test_slot_and_author_list_what_waits() -> None:
    suspension = suspension_of()
    low, high = orphan(5, 0), orphan(6, 0)
    suspension.add(*low)
    suspension.add(*high)
    assert suspension.of_author(AuthorityIndex(0)) == [low[0], high[0]]
    assert suspension.of_author(AuthorityIndex(1)) == []
    assert suspension.slot(Round(6), AuthorityIndex(0)) == [high[0]]
    assert suspension.slot(Round(7), AuthorityIndex(0)) == []
    assert suspension.get(low[0].ref) is low[0]
    assert suspension.get(phantom(5, 0)) is None


def test_author_over_its_cap_loses_its_highest_block() -> None:
    suspension = suspension_of(per_author=2)
    blocks = {number: orphan(number, 0) for number in (5, 9, 7)}
    for number in (5, 9, 7):
        suspension.add(*blocks[number])
    assert suspension.of_author(AuthorityIndex(0)) == [blocks[5][0], blocks[7][0]]
    assert set(suspension.wanted) == {*blocks[5][1], *blocks[7][1]}


def test_author_over_its_cap_gains_nothing_with_a_higher_block() -> None:
    suspension = suspension_of(per_author=2)
    for number in (5, 7):
        suspension.add(*orphan(number, 0))
    high, missing = orphan(9, 0)
    assert suspension.add(high, missing) == []
    assert suspension.get(high.ref) is None
    assert not set(missing) & set(suspension.wanted)


def test_one_author_over_its_cap_costs_no_other_author() -> None:
    suspension = suspension_of(per_author=1)
    honest, _ = orphan(20, 1)
    suspension.add(*orphan(20, 1))
    for number in range(5, 15):
        suspension.add(*orphan(number, 0))
    assert suspension.get(honest.ref) is not None
    assert len(suspension) == 2


def test_evicted_block_that_others_wait_for_is_wanted_again() -> None:
    suspension = suspension_of(per_author=1)
    parent, missing = orphan(9, 0, missing=1)
    child = FORGE.block(10, 1, [parent.ref, *(phantom(9, author) for author in (1, 2))])
    suspension.add(parent, missing)
    assert suspension.add(child, [parent.ref]) == []
    suspension.add(*orphan(5, 0))
    assert suspension.get(parent.ref) is None
    assert parent.ref in suspension.wanted
    assert missing[0] not in suspension.wanted
    assert suspension.release(parent.ref) == [child]


def test_author_over_its_cap_of_missing_refs_loses_its_highest_block() -> None:
    suspension = suspension_of(missing=6)
    low, middle, far = orphan(5, 0), orphan(6, 0), orphan(200, 0)
    for block, missing in (far, low, middle):
        assert suspension.add(block, missing) == missing
    assert suspension.of_author(AuthorityIndex(0)) == [low[0], middle[0]]
    assert set(suspension.wanted) == {*low[1], *middle[1]}


def test_garbage_far_above_asks_for_nothing_when_its_author_is_at_the_cap() -> None:
    suspension = suspension_of(missing=3)
    low = orphan(5, 0)
    suspension.add(*low)
    assert suspension.add(*orphan(200, 0)) == []
    assert len(suspension) == 1
    assert list(suspension.wanted) == low[1]


def test_made_up_ancestors_of_one_author_crowd_out_nobody() -> None:
    suspension = suspension_of(missing=3)
    for number in range(2, 9):
        suspension.add(*orphan(number, 0))
    honest, missing = orphan(200, 1)
    assert suspension.add(honest, missing) == missing
    assert suspension.get(honest.ref) is honest


def test_cap_of_missing_refs_is_free_again_after_a_release() -> None:
    suspension = suspension_of(missing=3)
    low = orphan(5, 0)
    suspension.add(*low)
    for ref in low[1]:
        suspension.release(ref)
    high = orphan(200, 0)
    assert suspension.add(*high) == high[1]


def test_collection_frees_what_waited_for_old_blocks() -> None:
    suspension = suspension_of()
    low = orphan(5, 0)
    child = FORGE.block(6, 1, [low[0].ref, *(phantom(5, author) for author in (1, 2))])
    suspension.add(*low)
    suspension.add(child, refs_of([low[0]]))
    half = orphan(7, 2)
    suspension.add(half[0], [phantom(5, 3), phantom(6, 3)])
    assert suspension.collect(Round(5)) == [child]
    assert suspension.get(low[0].ref) is None
    assert list(suspension.wanted) == [phantom(6, 3)]
    assert len(suspension) == 1

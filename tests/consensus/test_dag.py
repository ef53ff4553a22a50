"""Masks against plain definitions: each is checked on random DAGs with twins and weak links."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.block import Block, BlockRef
from consensus.dag import Dag, RoundVertices, Vertex
from primitives.ids import AuthorityIndex, Digest, Round
from tests.dsl.dag import Drawing, draw
from tests.dsl.randomdag import RandomDag

seeds = st.integers(0, 2**32)
few = settings(deadline=None, max_examples=40, database=None)


def _cone(drawing: Drawing, block: Block) -> set[BlockRef]:
    return {other.ref for other in drawing.cone(drawing.names[block.ref])}


def _vertex(dag: Dag, block: Block) -> Vertex:
    vertex = dag.get(block.ref)
    assert vertex is not None
    return vertex


@few
@given(seeds)
def test_parents_and_weak_links_name_the_ancestors(seed: int) -> None:
    shape = RandomDag(seed)
    dag = shape.drawing.dag(shape.order())
    for block in shape.drawing.blocks.values():
        vertex = _vertex(dag, block)
        parents = {found.ref for found in dag.round(block.round - 1).select(vertex.parents)}
        weak = {
            found.ref for number, bit in vertex.weak for found in dag.round(number).select(1 << bit)
        }
        ancestors = {ref for ref in block.header.ancestors if ref.round > 0}
        assert parents == {ref for ref in ancestors if ref.round == block.round - 1}
        assert parents | weak == ancestors


@few
@given(seeds)
def test_bits_of_twins_fold_onto_their_authors(seed: int) -> None:
    shape = RandomDag(seed)
    dag = shape.drawing.dag(shape.order())
    dice = random.Random(seed)
    for number in range(1, dag.highest_round + 1):
        row = dag.round(number)
        chosen = [vertex for vertex in row.arrivals if dice.random() < 0.5]
        mask = sum(1 << vertex.bit for vertex in chosen)
        assert mask.bit_count() == len(chosen)
        authors = {vertex.author for vertex in chosen}
        assert row.authors_of(mask) == sum(1 << author for author in authors)
        assert row.authors == sum(1 << a for a in {vertex.author for vertex in row.arrivals})


@few
@given(seeds)
def test_slot_holds_all_blocks_of_an_author_first_accepted_first(seed: int) -> None:
    shape = RandomDag(seed)
    order = shape.order()
    dag = shape.drawing.dag(order)
    for number in range(1, dag.highest_round + 1):
        for author in shape.drawing.context.committee.indices:
            place = (number, author)
            expected = [b.ref for b in order if (b.round, b.author) == place]
            assert [vertex.ref for vertex in dag.round(number).slot(author)] == expected


@few
@given(seeds)
def test_reach_is_the_cone_cut_at_a_round(seed: int) -> None:
    shape = RandomDag(seed)
    dag = shape.drawing.dag(shape.order())
    for block in list(shape.drawing.blocks.values())[-6:]:
        cone = _cone(shape.drawing, block)
        for number in range(1, block.round + 1):
            mask = dag.reaches(_vertex(dag, block), number)
            found = {vertex.ref for vertex in dag.round(number).select(mask)}
            assert found == {ref for ref in cone if ref.round == number}


@few
@given(seeds, st.integers(0, 6))
def test_uncommitted_cone_is_what_no_commit_holds_above_the_floor(seed: int, floor: int) -> None:
    shape = RandomDag(seed)
    drawing = shape.drawing
    dag = drawing.dag(shape.order())
    blocks = list(drawing.blocks.values())
    delivered: set[BlockRef] = set()
    for block in random.Random(seed).sample(blocks, min(4, len(blocks))):
        if block.ref in delivered or block.round <= floor:
            continue
        found = dag.uncommitted_cone(_vertex(dag, block), floor=floor)
        fresh = {ref for ref in _cone(drawing, block) - delivered if ref.round > floor}
        assert [vertex.ref for vertex in found] == sorted(fresh)
        delivered |= fresh
        for vertex in found:
            dag.mark_committed(vertex)


def test_commit_order_is_round_then_author_then_digest() -> None:
    drawing = draw("r1: all D' D'' / r2: A <- all; B <- all D1'; C <- all D1''; D / r3: A")
    dag = drawing.dag()
    cone = dag.uncommitted_cone(_vertex(dag, drawing["A3"]), floor=0)
    keys = [(vertex.round, vertex.author, vertex.digest) for vertex in cone]
    assert keys == sorted(keys)
    assert len(keys) == 11


@few
@given(seeds)
def test_latest_below_is_the_highest_block_under_a_round(seed: int) -> None:
    shape = RandomDag(seed)
    dag = shape.drawing.dag(shape.order())
    for author in shape.drawing.context.committee.indices:
        rounds = {b.round for b in shape.drawing.blocks.values() if b.author == author}
        latest = dag.latest(author)
        assert (0 if latest is None else latest.round) == max(rounds, default=0)
        for number in range(1, dag.highest_round + 2):
            below = dag.latest_below(author, number)
            expected = max((found for found in rounds if found < number), default=0)
            assert (0 if below is None else below.round) == expected


def test_latest_is_the_first_accepted_of_twins() -> None:
    drawing = draw("r1: all A'")
    latest = drawing.dag().latest(AuthorityIndex(0))
    assert latest is not None
    assert latest.ref == drawing["A1"].ref


@few
@given(seeds)
def test_missing_names_the_absent_ancestors_above_gc(seed: int) -> None:
    shape = RandomDag(seed)
    blocks = list(shape.drawing.blocks.values())
    held = {block.ref for block in shape.view()}
    dag = shape.drawing.dag([block for block in blocks if block.ref in held])
    for block in blocks:
        absent = [ref for ref in block.header.ancestors if ref.round > 0 and ref not in held]
        assert dag.missing(block) == absent


def test_collected_rounds_are_gone_and_count_as_present() -> None:
    drawing = draw("r1: all / r2: all / r3: all")
    blocks = list(drawing.blocks.values())
    dag = drawing.dag(block for block in blocks if block.round < 3)
    committed = _vertex(dag, drawing["A1"])
    dag.mark_committed(committed)
    lost = dag.collect(Round(2))
    assert [vertex.ref for vertex in lost] == [b.ref for b in blocks[:8] if b.ref != committed.ref]
    assert dag.get(committed.ref) is None
    assert len(dag) == 0
    assert dag.missing(drawing["A3"]) == []
    vertex = dag.add(drawing["A3"])
    assert vertex.parents == 0
    assert vertex.weak == ()
    assert list(dag.above(0)) == [vertex]


def test_collecting_never_goes_back() -> None:
    drawing = draw("r1: all / r2: all / r3: all")
    dag = drawing.dag()
    dag.collect(Round(2))
    assert dag.collect(Round(1)) == []
    assert dag.gc_round == 2
    assert len(dag) == 4


@few
@given(seeds, st.integers(0, 5))
def test_cone_above_the_floor_is_the_same_after_gc(seed: int, floor: int) -> None:
    shape = RandomDag(seed)
    whole, cut = shape.drawing.dag(), shape.drawing.dag()
    cut.collect(Round(floor))
    top = list(shape.drawing.blocks.values())[-1]
    before = whole.uncommitted_cone(_vertex(whole, top), floor=floor)
    after = cut.uncommitted_cone(_vertex(cut, top), floor=floor)
    assert [vertex.ref for vertex in before] == [vertex.ref for vertex in after]


def test_ref_must_fit_in_full() -> None:
    drawing = draw("r1: all")
    dag = drawing.dag()
    number, author, digest = Round(1), AuthorityIndex(0), drawing["A1"].ref.digest
    assert dag.get(BlockRef(number, author, digest)) is not None
    assert dag.get(BlockRef(Round(2), author, digest)) is None
    assert dag.get(BlockRef(number, AuthorityIndex(1), digest)) is None
    assert dag.get(BlockRef(number, author, Digest(bytes(32)))) is None


def test_empty_round_has_nothing() -> None:
    row = Dag(4).round(7)
    assert isinstance(row, RoundVertices)
    assert row.authors == 0
    assert row.slot(AuthorityIndex(3)) == []
    assert list(row.select(0)) == []


def test_ancestor_that_gc_had_taken_before_a_restart_is_left_out() -> None:
    # The store was cut at a lower round than memory was when the block was accepted.
    drawing = draw("r1: all / r2: all / r3: A <- all; B <- all -D D1")
    dag = Dag(4)
    for block in drawing.blocks.values():
        if block.round == 2:
            dag.add(block)
    weakly = dag.add(drawing["B3"])
    assert weakly.weak == ()
    assert {vertex.ref for vertex in dag.round(2).select(weakly.parents)} == {
        drawing[name].ref for name in ("A2", "B2", "C2")
    }


@few
@given(seeds, st.data())
def test_beyond_a_frontier_is_what_lies_above_it_by_author(seed: int, data: st.DataObject) -> None:
    shape = RandomDag(seed)
    dag = shape.drawing.dag(shape.order())
    size = shape.drawing.context.committee.size
    heights = st.integers(0, dag.highest_round)
    frontier = data.draw(st.lists(heights, min_size=size, max_size=size))
    expected = [vertex for vertex in dag.above(0) if vertex.round > frontier[vertex.author]]
    assert list(dag.beyond(frontier)) == expected

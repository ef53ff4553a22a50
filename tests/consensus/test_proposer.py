"""What an own block says: ancestors in their order, payload and votes within their limits."""

from collections.abc import Iterable

import pytest

from consensus.block import Block, Header
from consensus.dag import Dag
from consensus.parameters import Parameters, Tuning
from consensus.proposer import Proposer
from consensus.verifier import BlockVerifier
from primitives.ids import AuthorityIndex, Round
from tests.consensus.builders import Forge, digest_of, flat, refs_of, vote
from tests.dsl.committee import context_of

OWN = AuthorityIndex(1)
PARAMETERS = Parameters(
    gc_depth=5, transaction_bytes_max=10, payload_bytes_max=25, transactions_max=3
)
CONTEXT = context_of((1,) * 4, parameters=PARAMETERS)
FORGE = Forge(CONTEXT)


def dag_of(*rounds: Iterable[Block]) -> Dag:
    """Return a DAG of these blocks."""
    dag = Dag(4)
    for block in flat(rounds):
        dag.add(block)
    return dag


def proposer_over(dag: Dag, tuning: Tuning | None = None) -> Proposer:
    """Return the proposer of seat 1 over a DAG."""
    return Proposer(CONTEXT, dag, own=OWN, tuning=tuning or Tuning())


def proposer_on(*rounds: Iterable[Block], tuning: Tuning | None = None) -> Proposer:
    """Return the proposer of seat 1 over a DAG of these blocks."""
    return proposer_over(dag_of(*rounds), tuning)


def compose(
    proposer: Proposer,
    target: int,
    *,
    excluded: int = 0,
    wall_ms: int = 0,
    payload: tuple[bytes, ...] = (),
) -> Header:
    """Compose a header and check that the network would take it."""
    ancestors = proposer.ancestors(Round(target), excluded=excluded)
    header = proposer.compose(
        Round(target), ancestors, wall_ms=wall_ms, payload=payload, reports=()
    )
    BlockVerifier(CONTEXT).verify(FORGE.sign(header, payload))
    return header


def authors(header: Header) -> list[int]:
    """Return the authors of the ancestors."""
    return [ref.author for ref in header.ancestors]


def test_first_block_stands_on_genesis() -> None:
    header = compose(proposer_on(), 1)
    assert set(header.ancestors) == set(FORGE.genesis())
    assert authors(header) == [1, 0, 2, 3]


def test_own_previous_block_comes_first_then_others_by_author() -> None:
    rounds = FORGE.layers(3)
    header = compose(proposer_on(*rounds), 4)
    assert authors(header) == [1, 0, 2, 3]
    assert set(header.ancestors) == set(refs_of(rounds[2]))


def test_own_previous_block_may_be_old_or_genesis() -> None:
    rounds = FORGE.layers(7, authors=(0, 2, 3))
    header = compose(proposer_on(*rounds), 8)
    assert header.ancestors[0] == FORGE.genesis()[OWN]
    assert authors(header) == [1, 0, 2, 3]


def test_catching_up_names_blocks_below_the_target_alone() -> None:
    rounds = FORGE.layers(6, authors=(0, 2, 3))
    header = compose(proposer_on(*rounds), 3)
    assert {ref.round for ref in header.ancestors[1:]} == {2}


def test_block_that_is_named_already_is_not_named_again() -> None:
    (below,) = FORGE.layers(1)
    dag = dag_of(below)
    proposer = proposer_over(dag)
    assert authors(compose(proposer, 2)) == [1, 0, 2, 3]
    for block in FORGE.layer(2, below, authors=(0, 1, 2)):
        dag.add(block)
    header = compose(proposer, 3)
    assert authors(header) == [1, 0, 2]


def test_late_block_is_named_as_a_weak_link() -> None:
    rounds = FORGE.layers(2)
    header = compose(proposer_on(rounds[0], rounds[1][:3]), 3)
    assert authors(header) == [1, 0, 2, 3]
    assert header.ancestors[3] == rounds[0][3].ref


@pytest.mark.parametrize(("target", "is_named"), [(6, True), (7, False)])
def test_weak_link_may_be_as_old_as_the_gc_depth(target: int, is_named: bool) -> None:
    rounds = FORGE.layers(1)
    for number in range(2, target):
        rounds.append(FORGE.layer(number, rounds[-1][:3], authors=(0, 1, 2)))
    header = compose(proposer_on(*rounds), target)
    assert (3 in authors(header)) is is_named


def test_block_below_gc_is_not_named() -> None:
    rounds = FORGE.layers(1)
    for number in range(2, 5):
        rounds.append(FORGE.layer(number, rounds[-1][:3], authors=(0, 1, 2)))
    dag = dag_of(*rounds)
    dag.collect(Round(1))
    assert authors(compose(proposer_over(dag), 5)) == [1, 0, 2]


def test_equivocator_is_left_out_and_comes_in_where_the_quorum_needs_it() -> None:
    rounds = FORGE.layers(2)
    assert authors(compose(proposer_on(*rounds), 3, excluded=1 << 3)) == [1, 0, 2]
    needed = proposer_on(rounds[0], rounds[1][1:])
    assert authors(compose(needed, 3, excluded=1 << 3)) == [1, 0, 2, 3]


def test_only_the_first_of_twins_is_named() -> None:
    rounds = FORGE.layers(2)
    twin = FORGE.block(2, 3, refs_of(rounds[0]), timestamp_ms=9)
    header = compose(proposer_on(*rounds, [twin]), 3)
    assert header.ancestors[3] == rounds[1][3].ref


def test_payload_is_taken_oldest_first_up_to_the_limits() -> None:
    proposer = proposer_on()
    items = (b"a" * 10, b"b" * 10, b"c" * 10, b"d", b"e", b"f", b"g")
    assert proposer.submit(items) == ()
    assert proposer.take_payload() == items[:2]
    assert proposer.take_payload() == items[2:5]
    assert proposer.take_payload() == items[5:]
    assert proposer.take_payload() == ()


def test_item_that_is_too_large_or_does_not_fit_comes_back() -> None:
    proposer = proposer_on(tuning=Tuning(pending_bytes_max=15))
    assert proposer.submit((b"a" * 11, b"b" * 10, b"c" * 6, b"d" * 5)) == (b"a" * 11, b"c" * 6)
    assert proposer.take_payload() == (b"b" * 10, b"d" * 5)
    assert proposer.submit((b"e" * 10,)) == ()


def test_queued_payload_is_given_back_once() -> None:
    proposer = proposer_on()
    proposer.submit((b"a", b"b"))
    assert proposer.surrender() == (b"a", b"b")
    assert proposer.surrender() == ()
    assert proposer.take_payload() == ()


def test_newest_votes_go_out_once_up_to_the_committee_size() -> None:
    proposer = proposer_on()
    votes = [vote(index, digest_of(index)) for index in range(1, 8)]
    for each in votes:
        proposer.vote(each)
    assert compose(proposer, 1).commit_votes == tuple(votes[-4:])
    assert compose(proposer, 1).commit_votes == ()


def test_time_of_own_blocks_is_that_of_the_wall_clock_and_never_negative() -> None:
    proposer = proposer_on()
    stamps = [compose(proposer, 1, wall_ms=wall).timestamp_ms for wall in (-5, 700, 300, 800)]
    assert stamps == [0, 700, 300, 800]


def test_resumed_proposer_goes_on_after_its_last_block() -> None:
    rounds = FORGE.layers(2)
    own = FORGE.block(3, OWN, refs_of(rounds[1]))
    others = FORGE.layer(3, rounds[1], authors=(0, 2))
    proposer = proposer_on(*rounds, [own, *others])
    proposer.resume(own)
    header = compose(proposer, 4)
    assert header.ancestors == (own.ref, *refs_of(others))

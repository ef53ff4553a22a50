"""Answers from the store: what votes certify, what one message may hold, what is not delivered."""

import pytest

from consensus.block import Block
from consensus.commit import Commit, commit_digest
from consensus.events import StoreBlocks, StoreCommit
from consensus.messages import MESSAGE_BYTES_MAX, MESSAGE_CODEC, CommitRequestMessage
from consensus.parameters import Parameters, Tuning
from consensus.serving import answer_blocks, answer_commits, undelivered
from primitives.errors import StorageError
from primitives.ids import CommitIndex
from tests.conformance.memory import MemoryBlockStore, MemoryDisk
from tests.consensus.builders import Forge, digest_of, flat, refs_of, vote
from tests.consensus.chain import Chain
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4)
GENESIS = CONTEXT.genesis_digest
CHAIN = Chain(CONTEXT, 10)
FORGE = Forge(CONTEXT)
TUNING = Tuning(commit_batch=5, fetch_blocks_max=3)


def store_of(*blocks: Block, commits: tuple[Commit, ...] = CHAIN.run(1, 10)) -> MemoryBlockStore:
    """Return a store with these blocks and commits."""
    store = MemoryDisk().open()
    store.append(StoreBlocks(blocks))
    for commit in commits:
        store.append(StoreCommit(commit, commit_digest(commit), None))
    return store


def answered(store: MemoryBlockStore, first: int, last: int) -> tuple[int, list[int]]:
    """Return the last commit of the answer, and the authors that certify it."""
    answer = answer_commits(
        CommitRequestMessage(GENESIS, first, last), store=store, context=CONTEXT, tuning=TUNING
    )
    assert answer.genesis == GENESIS
    assert answer.commits == CHAIN.run(first, first + len(answer.commits) - 1)
    blocks = {block.signed: block for block in store.recover(gc_depth=99).blocks}
    authors = sorted(int(blocks[signed].author) for signed in answer.certifiers)
    return (answer.commits[-1].index if answer.commits else 0), authors


def test_longest_prefix_that_a_quorum_certifies_is_served() -> None:
    store = store_of(*CHAIN.voters(4, (0, 1, 2)), *CHAIN.voters(5, (0, 1)))
    assert answered(store, 2, 5) == (4, [0, 1, 2])


def test_range_that_is_certified_to_its_end_is_served_whole() -> None:
    store = store_of(*CHAIN.voters(4, (0, 1, 2)), *CHAIN.voters(3, (1, 2, 3)))
    assert answered(store, 1, 3) == (3, [1, 2, 3])


def test_no_more_than_a_batch_is_served() -> None:
    store = store_of(*CHAIN.voters(10, (0, 1, 2)), *CHAIN.voters(6, (0, 1, 2)))
    assert answered(store, 2, 10) == (6, [0, 1, 2])


def test_nothing_certified_is_nothing_served() -> None:
    assert answered(store_of(*CHAIN.voters(4, (0, 1))), 1, 5) == (0, [])


def test_commits_that_are_not_stored_are_not_served() -> None:
    store = store_of(*CHAIN.voters(3, (0, 1, 2)), commits=CHAIN.run(1, 3))
    assert answered(store, 1, 5) == (3, [0, 1, 2])
    assert answered(store, 4, 8) == (0, [])
    assert answered(store, 9, 4) == (0, [])


def test_votes_for_another_digest_do_not_certify() -> None:
    liars = [CHAIN.voter(author, vote(4, digest_of("fork"))) for author in (0, 1, 2)]
    assert answered(store_of(*liars), 4, 4) == (0, [])


def test_author_that_voted_twice_counts_once() -> None:
    twins = [FORGE.block(1, 0, votes=(CHAIN.vote(4),), timestamp_ms=stamp) for stamp in range(3)]
    assert answered(store_of(*twins, *CHAIN.voters(4, (1,))), 4, 4) == (0, [])


def test_answer_that_would_be_too_long_to_send_is_not_made() -> None:
    size = 8
    context = context_of((1,) * size, parameters=Parameters(payload_bytes_max=4_000_000))
    chain = Chain(context, 2)
    forge = Forge(context)
    heavy = [
        forge.block(1, author, votes=(chain.vote(2),), payload=(bytes(60_000),) * 50)
        for author in range(6)
    ]
    store = store_of(*heavy, *chain.voters(1, range(6)), commits=chain.run(1, 2))
    answer = answer_commits(
        CommitRequestMessage(context.genesis_digest, 1, 2),
        store=store,
        context=context,
        tuning=TUNING,
    )
    assert sum(block.signed.size_bytes for block in heavy) > MESSAGE_BYTES_MAX
    assert answer.commits == chain.run(1, 1)
    MESSAGE_CODEC.encode(answer)


def test_light_certifiers_come_before_heavy_ones() -> None:
    heavy = FORGE.block(1, 0, votes=(CHAIN.vote(1),), payload=(bytes(60_000),))
    store = store_of(heavy, *CHAIN.voters(1, (1, 2, 3)))
    assert answered(store, 1, 1) == (1, [1, 2, 3])


def test_stored_blocks_are_served_up_to_the_limits_of_one_answer() -> None:
    blocks = FORGE.layers(1)[0]
    store = store_of(*blocks)
    refs = tuple(refs_of(blocks))
    message = answer_blocks(refs, store=store, context=CONTEXT, tuning=TUNING)
    assert message.blocks == tuple(block.signed for block in blocks[:3])
    room = Tuning(fetch_bytes_max=2 * blocks[0].signed.size_bytes)
    message = answer_blocks(refs, store=store, context=CONTEXT, tuning=room)
    assert message.blocks == tuple(block.signed for block in blocks[:2])


def test_stored_commits_that_the_executor_lacks_are_delivered_on_boot() -> None:
    rounds = FORGE.layers(3)
    commits = tuple(
        Commit(
            genesis=GENESIS,
            index=index,
            previous=digest_of(index),
            timestamp_ms=index,
            leader=blocks[0].ref,
            blocks=tuple(refs_of(blocks)),
            void=(),
        )
        for index, blocks in enumerate(rounds, start=1)
    )
    store = store_of(*flat(rounds), commits=commits)
    found = list(undelivered(CommitIndex(1), store=store, context=CONTEXT))
    assert [sub_dag.commit for sub_dag in found] == list(commits[1:])
    assert [refs_of(sub_dag.blocks) for sub_dag in found] == [refs_of(b) for b in rounds[1:]]
    assert list(undelivered(CommitIndex(3), store=store, context=CONTEXT)) == []


def test_stored_commit_without_its_blocks_is_damage() -> None:
    with pytest.raises(StorageError):
        list(undelivered(CommitIndex(0), store=store_of(), context=CONTEXT))

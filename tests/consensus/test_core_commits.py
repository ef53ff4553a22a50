"""Answers with commits, as the core takes them: asked for, certified, chained, or of no use."""

import msgspec

from consensus.block import Block
from consensus.commit import Commit, commit_digest, genesis_commit_digest
from consensus.core import Core
from consensus.events import (
    BlocksReceived,
    CommitsReceived,
    Deliver,
    Effect,
    Origin,
    RaiseAlarm,
    ReportPeer,
    Send,
    StoreBlocks,
    StoreCommit,
    Timer,
    TimerFired,
)
from consensus.messages import CommitRequestMessage
from consensus.parameters import Parameters, Tuning
from consensus.schedule import first_schedule
from primitives.ids import AuthorityIndex
from tests.consensus.builders import Forge, at, core_of, flat, vote
from tests.consensus.lockstep import Network
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4, parameters=Parameters(gc_depth=10, schedule_window=5))
FORGE = Forge(CONTEXT)
TUNING = Tuning(commit_batch=1, fetch_timeout_ms=100)
OTHERS = (1, 2, 3)
FIRST, SECOND = FORGE.layers(2, authors=OTHERS)


def commit_led_by(leader: Block) -> Commit:
    """Return a first commit of one block, whoever leads its round."""
    return Commit(
        genesis=CONTEXT.genesis_digest,
        index=1,
        previous=genesis_commit_digest(CONTEXT.genesis_digest),
        timestamp_ms=0,
        leader=leader.ref,
        blocks=(leader.ref,),
        void=(),
    )


def voters_for(commit: Commit) -> tuple[Block, ...]:
    """Return blocks of everybody else that vote for a commit."""
    votes = (vote(commit.index, commit_digest(commit)),)
    return tuple(
        FORGE.block(2, author, [block.ref for block in FIRST], votes=votes) for author in OTHERS
    )


def asking_core(commit: Commit) -> tuple[Core, AuthorityIndex]:
    """Return a core that has asked for a commit that it was told of, and whom it asked."""
    core = core_of(CONTEXT, tuning=TUNING)
    blocks = (*FIRST, *voters_for(commit))
    core.handle(BlocksReceived(AuthorityIndex(1), blocks, Origin.RELAYED), now=at(0))
    return core, asked(core, now_ms=0)


def asked(core: Core, *, now_ms: int) -> AuthorityIndex:
    """Let a tick pass and return whom the core asks for commits first."""
    effects = core.handle(TimerFired(Timer.TICK), now=at(now_ms))
    peer, *_ = [
        effect.peer
        for effect in effects
        if isinstance(effect, Send) and isinstance(effect.message, CommitRequestMessage)
    ]
    return peer


def answer(
    core: Core, peer: AuthorityIndex, commit: Commit, *, certifiers: tuple[Block, ...]
) -> list[Effect]:
    """Let a peer answer with one commit."""
    return core.handle(CommitsReceived(peer, (commit,), certifiers), now=at(1))


def of(effects: list[Effect], *kinds: type) -> list[Effect]:
    """Return the effects of some kinds."""
    return [effect for effect in effects if isinstance(effect, kinds)]


def led_by(*, is_leader: bool) -> Block:
    """Return a block of round 1, by its leader or by another seat."""
    leader = first_schedule(CONTEXT).leaders(1)[0]
    assert leader in OTHERS
    return next(block for block in FIRST if (block.author == leader) is is_leader)


def test_certified_commit_is_delivered_before_we_could_decide_it() -> None:
    commit = commit_led_by(led_by(is_leader=True))
    core, peer = asking_core(commit)
    effects = answer(core, peer, commit, certifiers=voters_for(commit))
    (delivery,) = of(effects, Deliver)
    assert isinstance(delivery, Deliver)
    assert delivery.sub_dag.commit == commit
    assert core.commit_index == 1


def test_certificate_that_is_none_costs_the_peer() -> None:
    commit = commit_led_by(led_by(is_leader=True))
    core, peer = asking_core(commit)
    (report,) = of(answer(core, peer, commit, certifiers=()), ReportPeer)
    assert isinstance(report, ReportPeer)
    assert report.peer == peer
    assert report.reason.startswith("commit-certificate")
    assert asked(core, now_ms=2) != peer


def test_commit_of_another_epoch_costs_the_peer() -> None:
    commit = commit_led_by(led_by(is_leader=True))
    core, peer = asking_core(commit)
    other = msgspec.structs.replace(commit, genesis=bytes(32))
    (report,) = of(answer(core, peer, other, certifiers=()), ReportPeer)
    assert isinstance(report, ReportPeer)
    assert report.reason.startswith("commit-chain")


def test_answer_that_comes_late_or_from_another_peer_costs_nobody() -> None:
    commit = commit_led_by(led_by(is_leader=True))
    core, peer = asking_core(commit)
    voters = voters_for(commit)
    other = AuthorityIndex(peer % 3 + 1)
    assert not of(answer(core, other, commit, certifiers=voters), ReportPeer, Deliver)
    assert of(answer(core, peer, commit, certifiers=voters), Deliver)
    assert not of(answer(core, peer, commit, certifiers=voters), ReportPeer, Deliver)


def test_peer_that_has_nothing_is_not_asked_again_at_once() -> None:
    commit = commit_led_by(led_by(is_leader=True))
    core, peer = asking_core(commit)
    core.handle(CommitsReceived(peer, (), ()), now=at(1))
    assert asked(core, now_ms=2) != peer


def test_certified_commit_that_is_not_what_our_dag_yields_is_left_alone() -> None:
    for commit in (
        commit_led_by(led_by(is_leader=False)),
        msgspec.structs.replace(commit_led_by(led_by(is_leader=True)), timestamp_ms=9),
        msgspec.structs.replace(commit_led_by(led_by(is_leader=True)), blocks=()),
        msgspec.structs.replace(commit_led_by(led_by(is_leader=True)), previous=bytes(32)),
    ):
        core, peer = asking_core(commit)
        effects = answer(core, peer, commit, certifiers=voters_for(commit))
        assert not of(effects, Deliver, StoreCommit, RaiseAlarm)
        assert core.commit_index == 0
        assert asked(core, now_ms=2)


def test_blocks_of_a_certified_commit_are_fetched_though_their_slot_is_taken() -> None:
    leader = led_by(is_leader=True)
    commit = commit_led_by(leader)
    twin = FORGE.block(1, leader.author, timestamp_ms=1)
    core = core_of(CONTEXT, tuning=TUNING)
    first = [twin if block is leader else block for block in FIRST]
    votes = (vote(1, commit_digest(commit)),)
    below = [block.ref for block in first]
    voters = tuple(FORGE.block(2, author, below, votes=votes) for author in OTHERS)
    event = BlocksReceived(AuthorityIndex(1), (*first, *voters), Origin.RELAYED)
    core.handle(event, now=at(0))
    peer = asked(core, now_ms=0)
    answer(core, peer, commit, certifiers=voters)
    effects = core.handle(BlocksReceived(peer, (leader,), Origin.RELAYED), now=at(2))
    assert of(effects, Deliver)


def test_votes_of_a_seat_that_lags_are_counted_though_its_blocks_are_not_taken() -> None:
    network = Network(CONTEXT)
    network.run_until_commit(12)
    blocks = [
        block
        for write in network.seats[1].disk.writes
        if isinstance(write, StoreBlocks)
        for block in write.blocks
    ]
    core = core_of(CONTEXT, tuning=TUNING)
    late = [block for block in blocks if block.header.commit_votes][-8:]
    core.handle(BlocksReceived(AuthorityIndex(1), tuple(late), Origin.RELAYED), now=at(0))
    asked(core, now_ms=0)
    before = core.memory
    for block in flat(FORGE.layers(1)):
        event = BlocksReceived(block.author, (block,), Origin.STREAM)
        core.handle(event, now=at(1))
    assert core.memory == before

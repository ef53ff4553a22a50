"""Catching up by commits: only what was asked for, chains, and is certified by a quorum."""

import msgspec
import pytest

from consensus.block import BlockRef, CommitVote
from consensus.commit import COMMIT_BYTES_MAX, Commit
from consensus.commit_sync import STALL_TICKS, CommitSync
from consensus.errors import CommitCertificateError, CommitChainError, CommitRangeError
from consensus.messages import MESSAGE_BYTES_MAX, CommitRequestMessage
from consensus.parameters import Tuning
from primitives.errors import InvalidCommitError
from primitives.ids import AuthorityIndex, CommitIndex
from tests.consensus.builders import digest_of, vote
from tests.consensus.chain import Chain
from tests.dsl.committee import context_of

OWN = AuthorityIndex(0)
TUNING = Tuning(commit_batch=10, commit_requests_max=3, fetch_timeout_ms=100)
CONTEXT = context_of((1,) * 4)
CHAIN = Chain(CONTEXT, 60)
QUORUM = (1, 2, 3)

Plan = list[tuple[AuthorityIndex, CommitRequestMessage]]


def sync_of(*, voted: int = 0, tuning: Tuning = TUNING) -> CommitSync:
    """Return the sync of seat 0; the others have voted for a commit."""
    sync = CommitSync(CONTEXT, own=OWN, tuning=tuning)
    if voted:
        for block in CHAIN.voters(voted, QUORUM):
            assert not sync.observe(block)
    return sync


def asked(sync: CommitSync, *, index: int = 0, now_ms: int = 0) -> AuthorityIndex:
    """Let the sync make its first request and return whom it asks."""
    plan = sync.tick(CommitIndex(index), now_ms=now_ms)
    return plan[0][0]


def ranges(plan: Plan) -> list[tuple[int, int]]:
    """Return the ranges of a plan."""
    return [(message.first, message.last) for _, message in plan]


def take(
    sync: CommitSync, peer: int, commits: tuple[Commit, ...], *, voters: tuple[int, ...] = QUORUM
) -> None:
    """Let a peer answer, the last commit certified by these voters."""
    certifiers = CHAIN.voters(commits[-1].index, voters) if commits else []
    sync.accept(AuthorityIndex(peer), commits, certifiers)


def test_node_that_keeps_up_asks_for_nothing() -> None:
    sync = sync_of(voted=9)
    assert sync.tick(CommitIndex(0), now_ms=0) == []


def test_lag_of_a_batch_is_asked_for_in_ranges_of_distinct_peers() -> None:
    plan = sync_of(voted=35).tick(CommitIndex(2), now_ms=0)
    assert ranges(plan) == [(3, 12), (13, 22), (23, 32)]
    assert sorted(peer for peer, _ in plan) == [1, 2, 3]


def test_last_range_ends_where_the_quorum_ends() -> None:
    assert ranges(sync_of(voted=12).tick(CommitIndex(0), now_ms=0)) == [(1, 10), (11, 12)]


def test_range_in_flight_is_asked_again_after_its_timeout() -> None:
    sync = sync_of(voted=10)
    first = sync.tick(CommitIndex(0), now_ms=0)
    assert sync.tick(CommitIndex(0), now_ms=199) == []
    second = sync.tick(CommitIndex(0), now_ms=200)
    assert ranges(first) == ranges(second) == [(1, 10)]
    assert first[0][0] != second[0][0]


def test_peers_that_voted_that_far_are_asked_first() -> None:
    sync = sync_of()
    for author, index in ((1, 12), (2, 30), (3, 12)):
        sync.observe(CHAIN.voter(author, CHAIN.vote(index)))
    sync.observe(CHAIN.voter(0, CHAIN.vote(12)))
    plan = sync.tick(CommitIndex(0), now_ms=0)
    assert ranges(plan) == [(1, 10), (11, 12)]
    assert OWN not in [peer for peer, _ in plan]


def test_quorum_index_is_what_a_quorum_of_power_voted_for_or_beyond() -> None:
    sync = sync_of()
    for author, index in ((1, 50), (2, 20), (3, 30)):
        sync.observe(CHAIN.voter(author, CHAIN.vote(index)))
    sync.tick(CommitIndex(0), now_ms=0)
    assert sync.quorum_index == 20
    sync.observe(CHAIN.voter(2, CHAIN.vote(5)))
    sync.tick(CommitIndex(0), now_ms=0)
    assert sync.quorum_index == 20


def test_votes_of_less_than_a_quorum_move_nothing() -> None:
    sync = sync_of()
    for author in (1, 2):
        sync.observe(CHAIN.voter(author, vote(2**62, digest_of(1))))
    assert sync.tick(CommitIndex(0), now_ms=0) == []
    assert sync.quorum_index == 0


@pytest.mark.parametrize(("index", "is_lagging"), [(9, True), (10, False)])
def test_more_than_five_batches_behind_is_lagging(index: int, is_lagging: bool) -> None:
    sync = sync_of(voted=60)
    sync.tick(CommitIndex(index), now_ms=0)
    assert sync.is_lagging(CommitIndex(index)) is is_lagging


def test_certified_run_is_taken_and_given_out_in_order() -> None:
    sync = sync_of(voted=10)
    take(sync, asked(sync), CHAIN.run(1, 10))
    assert sync.next_certified(CommitIndex(0)) == (CHAIN.commits[0], CHAIN.digest(1))
    assert sync.next_certified(CommitIndex(10)) is None
    assert sync.tick(CommitIndex(0), now_ms=0) == []
    sync.installed(CommitIndex(1), CHAIN.digest(1))
    assert sync.next_certified(CommitIndex(0)) is None


def test_answer_may_stop_short_of_what_was_asked() -> None:
    sync = sync_of(voted=10)
    take(sync, asked(sync), CHAIN.run(1, 4))
    assert ranges(sync.tick(CommitIndex(0), now_ms=0)) == [(5, 10)]


def test_blocks_of_certified_commits_are_needed_in_order() -> None:
    sync = sync_of(voted=10)
    take(sync, asked(sync), CHAIN.run(1, 10))
    refs: list[BlockRef] = [commit.leader for commit in CHAIN.run(3, 10)]
    assert sync.needed_refs(CommitIndex(2), count_max=100) == refs
    assert sync.needed_refs(CommitIndex(2), count_max=3) == refs[:3]
    assert sync.needed_refs(CommitIndex(10), count_max=3) == []


def test_answer_that_nobody_asked_for_is_refused() -> None:
    sync = sync_of(voted=10)
    peer = asked(sync)
    other = next(author for author in QUORUM if author != peer)
    for sender, commits in ((other, CHAIN.run(1, 5)), (peer, CHAIN.run(2, 5)), (peer, ())):
        with pytest.raises(CommitRangeError):
            take(sync, sender, commits)


def test_answer_that_comes_twice_is_refused_the_second_time() -> None:
    sync = sync_of(voted=10)
    peer = asked(sync)
    take(sync, peer, CHAIN.run(1, 10))
    with pytest.raises(CommitRangeError):
        take(sync, peer, CHAIN.run(1, 10))


def test_answer_longer_than_a_batch_is_refused() -> None:
    sync = sync_of(voted=10)
    with pytest.raises(CommitRangeError):
        take(sync, asked(sync), CHAIN.run(1, 11))


def spoiled(place: int, **changes: object) -> tuple[Commit, ...]:
    """Return commits 1..4 of which one is changed."""
    commits = list(CHAIN.run(1, 4))
    commits[place] = msgspec.structs.replace(commits[place], **changes)
    return tuple(commits)


@pytest.mark.parametrize(
    "commits",
    [
        pytest.param(spoiled(0, genesis=bytes(32)), id="first of another epoch"),
        pytest.param(spoiled(3, genesis=bytes(32)), id="last of another epoch"),
        pytest.param(spoiled(2, index=7), id="a gap"),
        pytest.param(spoiled(2, index=2), id="an index twice"),
        pytest.param(spoiled(2, previous=bytes(32)), id="wrong predecessor"),
        pytest.param(spoiled(1, timestamp_ms=99), id="changed in the middle"),
        pytest.param((CHAIN.commits[0], CHAIN.commits[2]), id="one left out"),
    ],
)
def test_run_that_is_no_chain_is_refused(commits: tuple[Commit, ...]) -> None:
    sync = sync_of(voted=10)
    with pytest.raises(CommitChainError):
        take(sync, asked(sync), commits)
    assert not sync.has_certified


@pytest.mark.parametrize("voters", [(), (1,), (1, 2), (1, 1, 2, 2)])
def test_too_few_voters_certify_nothing(voters: tuple[int, ...]) -> None:
    sync = sync_of(voted=10)
    with pytest.raises(CommitCertificateError):
        take(sync, asked(sync), CHAIN.run(1, 10), voters=voters)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(vote(10, digest_of("other")), id="another digest"),
        pytest.param(CHAIN.vote(9), id="the commit before"),
        pytest.param(CHAIN.vote(11), id="the commit after"),
        pytest.param(vote(11, CHAIN.digest(10)), id="the digest at another index"),
    ],
)
def test_other_votes_do_not_count(wrong: CommitVote) -> None:
    sync = sync_of(voted=10)
    peer = asked(sync)
    assert wrong != CHAIN.vote(10)
    certifiers = [*CHAIN.voters(10, (1, 2)), CHAIN.voter(3, wrong)]
    with pytest.raises(CommitCertificateError):
        sync.accept(peer, CHAIN.run(1, 10), certifiers)


def test_last_commit_that_was_changed_is_not_certified() -> None:
    sync = sync_of(voted=10)
    peer = asked(sync)
    *head, last = CHAIN.run(1, 10)
    forged = msgspec.structs.replace(last, timestamp_ms=99)
    with pytest.raises(CommitCertificateError):
        take(sync, peer, (*head, forged))


def test_refused_peer_frees_its_ranges() -> None:
    sync = sync_of(voted=10)
    peer = asked(sync)
    sync.refused(AuthorityIndex((peer % 3) + 1))
    assert sync.tick(CommitIndex(0), now_ms=0) == []
    sync.refused(peer)
    assert ranges(sync.tick(CommitIndex(0), now_ms=0)) == [(1, 10)]


def test_discarded_commits_are_asked_for_again() -> None:
    sync = sync_of(voted=10)
    take(sync, asked(sync), CHAIN.run(1, 10))
    sync.discard()
    assert ranges(sync.tick(CommitIndex(0), now_ms=0)) == [(1, 10)]


def test_votes_of_faulty_power_against_ours_are_no_alarm_and_of_validity_power_are() -> None:
    sync = sync_of()
    sync.installed(CommitIndex(3), CHAIN.digest(3))
    assert not sync.observe(CHAIN.voter(1, vote(3, digest_of("fork"))))
    assert not sync.observe(CHAIN.voter(1, vote(3, digest_of("fork again"))))
    assert not sync.observe(CHAIN.voter(2, CHAIN.vote(3)))
    assert sync.observe(CHAIN.voter(3, vote(3, digest_of("fork"))))


def test_votes_that_came_before_our_commit_are_compared_too() -> None:
    sync = sync_of()
    for author in (1, 2):
        assert not sync.observe(CHAIN.voter(author, vote(3, digest_of("fork"))))
    assert not sync.installed(CommitIndex(2), CHAIN.digest(2))
    assert sync.installed(CommitIndex(3), CHAIN.digest(3))


def stalled(sync: CommitSync, *, index: int = 0, now_ms: int = 0) -> Plan:
    """Let ticks pass without a commit and return the last plan."""
    plan: Plan = []
    for _ in range(STALL_TICKS + 1):
        plan = sync.tick(CommitIndex(index), now_ms=now_ms)
        if plan:
            break
    return plan


def test_stall_asks_for_the_next_batch_whatever_the_votes() -> None:
    assert ranges(stalled(sync_of(voted=3))) == [(1, 10)]


def test_moving_node_is_not_stalled() -> None:
    sync = sync_of(voted=3)
    for index in range(3 * STALL_TICKS):
        assert sync.tick(CommitIndex(index), now_ms=0) == []


def test_commits_that_we_made_meanwhile_do_not_silence_a_later_stall() -> None:
    sync = sync_of(voted=10)
    peer = asked(sync)
    for index in range(1, 6):
        sync.installed(CommitIndex(index), CHAIN.digest(index))
    take(sync, peer, CHAIN.run(1, 4))
    assert ranges(stalled(sync, index=5)) == [(6, 15)]
    assert not sync.has_certified


def test_peer_that_claims_too_much_is_not_the_only_one_asked_in_a_stall() -> None:
    sync = sync_of(voted=3)
    sync.observe(CHAIN.voter(2, vote(2**62, digest_of("liar"))))
    asked_peers = {stalled(sync, now_ms=step * 1_000)[0][0] for step in range(6)}
    assert asked_peers == {1, 2, 3}


def test_lone_seat_has_nobody_to_ask() -> None:
    sync = CommitSync(context_of((1,)), own=OWN, tuning=TUNING)
    assert stalled(sync) == []


def test_largest_commit_of_a_message_is_refused_not_fatal() -> None:
    assert COMMIT_BYTES_MAX >= MESSAGE_BYTES_MAX
    sync = sync_of(voted=10)
    peer = asked(sync)
    huge = msgspec.structs.replace(CHAIN.commits[0], blocks=(CHAIN.commits[0].leader,) * 230_000)
    with pytest.raises(InvalidCommitError):
        sync.accept(peer, (huge,), CHAIN.voters(1, QUORUM))

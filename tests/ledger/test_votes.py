import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.checkpoint import Checkpoint, CheckpointVote, sign_checkpoint, verify_certificate
from node.ledger.conflict import verify_conflict
from node.ledger.errors import CertificateSignatureError, CertificateSignerError
from node.ledger.votes import (
    OPEN_NUMBERS_MAX,
    Certified,
    CheckpointVotes,
    Conflicting,
    Split,
    Unremarkable,
    VoteOutcome,
)
from primitives.ids import AuthorityIndex, Digest, Epoch
from tests.ledger.builders import CHAIN, checkpoint, key_of, seats_with

SEATS = seats_with(1, 1, 1, 1)
FORK = Digest(b"\x99" * 32)
HONEST, FORKED = checkpoint(1), checkpoint(1, state_root=FORK)


def collector() -> CheckpointVotes:
    return CheckpointVotes(chain_id=CHAIN, epoch=Epoch(0), seats=SEATS, first_number=0)


def vote(author: int, made: Checkpoint = HONEST) -> CheckpointVote:
    return sign_checkpoint(made, author=AuthorityIndex(author), key=key_of(author))


def add_all(votes: CheckpointVotes, *authors: int, made: Checkpoint = HONEST) -> list[VoteOutcome]:
    return [votes.add(vote(author, made)) for author in authors]


def test_a_quorum_of_votes_makes_a_certificate() -> None:
    votes = collector()
    assert add_all(votes, 3, 0) == [Unremarkable.COUNTED] * 2
    outcome = votes.add(vote(2))
    assert isinstance(outcome, Certified)
    assert outcome.certificate.checkpoint == HONEST
    assert outcome.certificate.signers == b"\x0d"
    verify_certificate(outcome.certificate, chain_id=CHAIN, epoch=Epoch(0), seats=SEATS)
    assert votes.next_number == 1


def test_the_same_vote_again_counts_once() -> None:
    votes = collector()
    assert add_all(votes, 0, 0, 0) == [Unremarkable.COUNTED, *[Unremarkable.DUPLICATE] * 2]


def test_a_vote_after_the_certificate_changes_nothing() -> None:
    votes = collector()
    add_all(votes, 0, 1, 2)
    assert votes.add(vote(3)) is Unremarkable.OUTSIDE_WINDOW


def test_votes_may_come_in_any_order_of_checkpoints() -> None:
    votes = collector()
    add_all(votes, 0, 1, made=checkpoint(2))
    add_all(votes, 0, 1)
    assert isinstance(votes.add(vote(2, checkpoint(2))), Certified)
    # The second covers the first through the digests of predecessors.
    assert votes.add(vote(2)) is Unremarkable.OUTSIDE_WINDOW
    assert votes.next_number == 2


def test_a_seat_that_votes_twice_for_one_commit_is_proven_guilty() -> None:
    votes = collector()
    add_all(votes, 1)
    outcome = votes.add(vote(1, FORKED))
    assert isinstance(outcome, Conflicting)
    assert verify_conflict(outcome.conflict, chain_id=CHAIN, seats=SEATS) == 1


def test_a_seat_that_votes_twice_for_one_number_is_proven_guilty() -> None:
    votes = collector()
    add_all(votes, 1)
    outcome = votes.add(vote(1, checkpoint(2, number=0)))
    assert isinstance(outcome, Conflicting)
    assert verify_conflict(outcome.conflict, chain_id=CHAIN, seats=SEATS) == 1


def test_a_seat_is_proven_guilty_once() -> None:
    votes = collector()
    add_all(votes, 1)
    assert isinstance(votes.add(vote(1, FORKED)), Conflicting)
    assert votes.add(vote(1, FORKED)) is Unremarkable.DUPLICATE
    assert votes.add(vote(1, checkpoint(1, state_root=HONEST.receipts_root))) is (
        Unremarkable.DUPLICATE
    )


def test_a_seat_that_goes_on_after_it_closed_the_epoch_is_proven_guilty() -> None:
    votes = collector()
    closing = checkpoint(1, next_committee=FORK)
    assert isinstance(add_all(votes, 0, 1, 2, made=closing)[-1], Certified)
    outcome = votes.add(vote(1, checkpoint(5)))
    assert isinstance(outcome, Conflicting)
    assert verify_conflict(outcome.conflict, chain_id=CHAIN, seats=SEATS) == 1


def test_the_second_vote_of_a_seat_does_not_count() -> None:
    votes = collector()
    add_all(votes, 0, made=FORKED)
    add_all(votes, 1, 2)
    votes.add(vote(0))
    assert votes.next_number == 0
    assert isinstance(votes.add(vote(3)), Certified)


def test_votes_that_can_no_longer_reach_a_quorum_are_a_split() -> None:
    votes = collector()
    assert add_all(votes, 0, 1) == [Unremarkable.COUNTED] * 2
    assert add_all(votes, 2, made=FORKED) == [Unremarkable.COUNTED]
    assert add_all(votes, 3, made=FORKED) == [Split(HONEST.number)]


def test_votes_beyond_the_window_are_not_kept() -> None:
    made = checkpoint(OPEN_NUMBERS_MAX + 1)
    assert collector().add(vote(0, made)) is Unremarkable.OUTSIDE_WINDOW


def test_votes_of_an_earlier_epoch_are_outside_the_window() -> None:
    votes = CheckpointVotes(chain_id=CHAIN, epoch=Epoch(0), seats=SEATS, first_number=1)
    assert votes.add(vote(0)) is Unremarkable.OUTSIDE_WINDOW


def test_the_window_moves_with_the_certificates() -> None:
    votes = collector()
    add_all(votes, 0, 1, 2)
    made = checkpoint(OPEN_NUMBERS_MAX + 1)
    assert votes.add(vote(0, made)) is Unremarkable.COUNTED


def test_a_chain_that_was_idle_for_thousands_of_commits_is_certified_again() -> None:
    votes = collector()
    add_all(votes, 0, 1, 2)
    made = checkpoint(100_000, number=1)
    assert isinstance(add_all(votes, 0, 1, 2, made=made)[-1], Certified)


def test_a_forged_vote_is_refused() -> None:
    forged = sign_checkpoint(HONEST, author=AuthorityIndex(1), key=key_of(0))
    with pytest.raises(CertificateSignatureError):
        collector().add(forged)


def test_a_vote_by_nobody_is_refused() -> None:
    with pytest.raises(CertificateSignerError):
        collector().add(vote(4))


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 3))
def test_any_order_of_votes_makes_a_certificate(order: list[int], late: int) -> None:
    votes = collector()
    outcomes = [votes.add(vote(author)) for author in order if author != late]
    assert [type(outcome) for outcome in outcomes[:2]] == [Unremarkable] * 2
    assert isinstance(outcomes[2], Certified)

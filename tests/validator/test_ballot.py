import pytest

from node.ledger.checkpoint import (
    Certificate,
    Checkpoint,
    CheckpointVote,
    checkpoint_digest,
    sign_checkpoint,
)
from node.ledger.votes import OPEN_NUMBERS_MAX, Certified, Conflicting, Unremarkable
from node.validator.ballot import LATE_NUMBERS_MAX, OWN_NUMBERS_MAX, Ballot, VotingEpoch
from node.validator.errors import StateDivergedError
from primitives.ids import AuthorityIndex, Digest, Epoch
from tests.ledger.builders import CHAIN, checkpoint, key_of, seats_with

SEATS = seats_with(1, 1, 1, 1)
FORK = Digest(b"\x99" * 32)


def ballot() -> Ballot:
    made = Ballot(CHAIN)
    made.begin(VotingEpoch(epoch=Epoch(0), seats=SEATS, first_number=0))
    return made


def certified_by(votes: Ballot, made: Checkpoint) -> Certificate:
    for author in (1, 2):
        votes.add(vote(author, made))
    outcome = votes.add(vote(3, made))
    assert isinstance(outcome, Certified)
    return outcome.certificate


def vote(author: int, made: Checkpoint) -> CheckpointVote:
    return sign_checkpoint(made, author=AuthorityIndex(author), key=key_of(author))


def test_own_votes_wait_until_a_quorum_certified_that_very_checkpoint() -> None:
    votes = ballot()
    first, second = checkpoint(1), checkpoint(2)
    votes.sign(vote(0, first))
    votes.sign(vote(0, second))
    assert [one.checkpoint for one in votes.waiting] == [first, second]
    votes.add(vote(1, second))
    assert isinstance(votes.add(vote(2, second)), Certified)
    assert [one.checkpoint for one in votes.waiting] == [first]


def test_a_checkpoint_that_a_later_one_passed_over_gets_its_own_certificate_still() -> None:
    votes = ballot()
    first, second = checkpoint(1), checkpoint(2)
    votes.sign(vote(0, first))
    for author in (1, 2, 3):
        votes.add(vote(author, second))
    assert votes.add(vote(1, first)) is Unremarkable.COUNTED
    outcome = votes.add(vote(2, first))
    assert isinstance(outcome, Certified)
    assert outcome.certificate.checkpoint == first
    assert votes.waiting == ()


def test_who_executes_after_a_later_certificate_still_votes_and_counts() -> None:
    votes = ballot()
    first, second = checkpoint(1), checkpoint(2)
    for author in (1, 2, 3):
        votes.add(vote(author, second))
    votes.add(vote(1, first))
    votes.add(vote(2, first))
    votes.compute(first.number, checkpoint_digest(first))
    assert isinstance(votes.sign(vote(0, first)), Certified)


def test_numbers_that_were_passed_over_are_given_up_when_they_are_many_and_old() -> None:
    votes = ballot()
    votes.sign(vote(0, checkpoint(1)))
    late = checkpoint(LATE_NUMBERS_MAX + 2)
    for author in (1, 2, 3):
        votes.add(vote(author, late))
    assert votes.waiting == ()
    assert votes.add(vote(1, checkpoint(1))) is Unremarkable.OUTSIDE_WINDOW
    assert votes.add(vote(1, checkpoint(3))) is Unremarkable.COUNTED


def test_who_was_away_for_long_counts_again_behind_the_certificate_that_others_formed() -> None:
    votes, others = ballot(), ballot()
    far = 2 * OPEN_NUMBERS_MAX
    certificate = certified_by(others, checkpoint(OPEN_NUMBERS_MAX))
    votes.certify(certificate)
    assert votes.add(vote(1, checkpoint(far))) is Unremarkable.COUNTED


def test_a_certificate_from_elsewhere_takes_no_votes_away_that_were_counted() -> None:
    votes, others = ballot(), ballot()
    votes.add(vote(0, checkpoint(2)))
    votes.add(vote(1, checkpoint(2)))
    votes.certify(certified_by(others, checkpoint(1)))
    assert isinstance(votes.add(vote(2, checkpoint(2))), Certified)


def test_own_votes_of_an_epoch_that_is_given_up_wait_no_longer() -> None:
    votes = ballot()
    votes.sign(vote(0, checkpoint(1)))
    for epoch in (1, 2):
        votes.begin(VotingEpoch(epoch=Epoch(epoch), seats=SEATS, first_number=0))
    assert votes.waiting == ()


def test_the_end_of_an_epoch_is_certified_after_the_next_one_has_begun_to_certify() -> None:
    votes = ballot()
    last = checkpoint(1)
    votes.sign(vote(0, last))
    votes.begin(VotingEpoch(epoch=Epoch(1), seats=SEATS, first_number=0))
    after = checkpoint(2, epoch=Epoch(1))
    for author in (1, 2, 3):
        votes.add(vote(author, after))
    votes.add(vote(1, last))
    assert isinstance(votes.add(vote(2, last)), Certified)


def test_a_vote_of_an_epoch_that_has_not_begun_here_changes_nothing() -> None:
    later = checkpoint(1, epoch=Epoch(1))
    assert ballot().add(vote(0, later)) is Unremarkable.OUTSIDE_WINDOW


def test_votes_of_the_epoch_before_count_and_those_of_the_one_before_that_do_not() -> None:
    votes = ballot()
    votes.begin(VotingEpoch(epoch=Epoch(1), seats=SEATS, first_number=1))
    assert votes.add(vote(0, checkpoint(1))) is Unremarkable.COUNTED
    votes.begin(VotingEpoch(epoch=Epoch(2), seats=SEATS, first_number=2))
    assert votes.add(vote(1, checkpoint(1))) is Unremarkable.OUTSIDE_WINDOW


def test_beginning_an_epoch_again_keeps_its_votes() -> None:
    votes = ballot()
    votes.add(vote(0, checkpoint(1)))
    votes.begin(VotingEpoch(epoch=Epoch(0), seats=SEATS, first_number=0))
    assert votes.add(vote(0, checkpoint(1))) is Unremarkable.DUPLICATE


def test_a_certificate_of_another_state_stops_who_computed_first() -> None:
    votes = ballot()
    own, theirs = checkpoint(1), checkpoint(1, state_root=FORK)
    votes.compute(own.number, checkpoint_digest(own))
    votes.add(vote(1, theirs))
    votes.add(vote(2, theirs))
    with pytest.raises(StateDivergedError, match="checkpoint 0"):
        votes.add(vote(3, theirs))


def test_a_certificate_of_another_state_stops_who_computes_later() -> None:
    votes = ballot()
    own, theirs = checkpoint(1), checkpoint(1, state_root=FORK)
    for author in (1, 2, 3):
        votes.add(vote(author, theirs))
    with pytest.raises(StateDivergedError):
        votes.compute(own.number, checkpoint_digest(own))


def test_the_same_state_stops_nobody_whoever_is_first() -> None:
    votes = ballot()
    agreed = checkpoint(1)
    votes.compute(agreed.number, checkpoint_digest(agreed))
    for author in (1, 2, 3):
        votes.add(vote(author, agreed))
    votes.compute(agreed.number, checkpoint_digest(agreed))


def test_votes_that_leave_no_quorum_possible_stop_the_node() -> None:
    votes = ballot()
    votes.add(vote(0, checkpoint(1)))
    votes.add(vote(1, checkpoint(1)))
    votes.add(vote(2, checkpoint(1, state_root=FORK)))
    with pytest.raises(StateDivergedError, match="no checkpoint can get a quorum"):
        votes.add(vote(3, checkpoint(1, state_root=FORK)))


def test_a_seat_that_votes_twice_is_named() -> None:
    votes = ballot()
    votes.add(vote(0, checkpoint(1)))
    assert isinstance(votes.add(vote(0, checkpoint(1, state_root=FORK))), Conflicting)


def test_own_votes_that_nobody_certifies_are_bounded() -> None:
    votes = ballot()
    for number in range(OWN_NUMBERS_MAX + 8):
        votes.sign(vote(0, checkpoint(number + 1)))
    assert len(votes.waiting) == OWN_NUMBERS_MAX
    assert votes.waiting[-1].checkpoint.number == OWN_NUMBERS_MAX + 7


def test_what_a_late_node_computes_below_a_certificate_stops_nobody() -> None:
    votes = ballot()
    late = checkpoint(5)
    for author in (1, 2, 3):
        votes.add(vote(author, late))
    votes.compute(0, FORK)

import msgspec
import pytest

from node.ledger.checkpoint import Checkpoint, CheckpointVote, sign_checkpoint
from node.ledger.conflict import (
    CONFLICT_CODEC,
    CheckpointConflict,
    conflicts_between,
    prove_conflict,
    read_conflict,
    verify_conflict,
)
from node.ledger.errors import ConflictFormatError, ConflictSignatureError, ConflictSlotError
from primitives.errors import InvalidEvidenceError
from primitives.ids import AuthorityIndex, ChainId, CommitIndex, Digest, Epoch
from tests.ledger.builders import CHAIN, certificate_of, checkpoint, key_of, seats_with

SEATS = seats_with(1, 1, 1, 1)
FORK = Digest(b"\x99" * 32)


def vote(made: Checkpoint, *, author: int = 2, signer: int = 2) -> CheckpointVote:
    return sign_checkpoint(made, author=AuthorityIndex(author), key=key_of(signer))


def judge(conflict: CheckpointConflict, chain_id: ChainId = CHAIN) -> int:
    return verify_conflict(conflict, chain_id=chain_id, seats=SEATS)


ONE, OTHER = vote(checkpoint(3)), vote(checkpoint(3, state_root=FORK))
PROOF = prove_conflict(ONE, OTHER)


def test_two_states_of_one_commit_convict_the_seat() -> None:
    assert judge(PROOF) == 2
    assert (PROOF.author, PROOF.epoch) == (2, 0)


def test_two_checkpoints_of_one_number_convict_wherever_their_commits_are() -> None:
    # A forked chain may avoid the commits at which the honest one has checkpoints.
    assert judge(prove_conflict(ONE, vote(checkpoint(9, number=2)))) == 2


def test_the_proof_is_the_same_whichever_vote_was_seen_first() -> None:
    assert prove_conflict(OTHER, ONE) == PROOF


def test_the_proof_survives_the_wire() -> None:
    assert read_conflict(CONFLICT_CODEC.encode(PROOF)) == PROOF


SWAPPED = CheckpointConflict(PROOF.second, PROOF.first)
INNOCENT: dict[str, tuple[CheckpointConflict, type[InvalidEvidenceError]]] = {
    "one vote twice": (CheckpointConflict(ONE, ONE), ConflictFormatError),
    "descending digests": (SWAPPED, ConflictFormatError),
    "two commits": (prove_conflict(ONE, vote(checkpoint(4))), ConflictSlotError),
    "two seats": (
        prove_conflict(ONE, vote(checkpoint(3, state_root=FORK), author=1, signer=1)),
        ConflictSlotError,
    ),
    "two epochs, judged by one committee": (
        prove_conflict(ONE, vote(checkpoint(3, epoch=Epoch(1)))),
        ConflictSlotError,
    ),
    "a bad second signature": (
        msgspec.structs.replace(
            PROOF, second=msgspec.structs.replace(PROOF.second, signature=bytes(64))
        ),
        ConflictSignatureError,
    ),
    "a bad first signature": (
        msgspec.structs.replace(
            PROOF, first=msgspec.structs.replace(PROOF.first, signature=bytes(64))
        ),
        ConflictSignatureError,
    ),
    "swapped signatures": (
        CheckpointConflict(
            msgspec.structs.replace(PROOF.first, signature=PROOF.second.signature),
            msgspec.structs.replace(PROOF.second, signature=PROOF.first.signature),
        ),
        ConflictSignatureError,
    ),
    "signed by another key": (
        prove_conflict(vote(checkpoint(3), signer=1), vote(OTHER.checkpoint, signer=1)),
        ConflictSignatureError,
    ),
    "a seat that is not there": (
        prove_conflict(
            vote(checkpoint(3), author=4, signer=4), vote(OTHER.checkpoint, author=4, signer=4)
        ),
        ConflictSignatureError,
    ),
    "one of them of another chain": (
        prove_conflict(ONE, vote(checkpoint(3, chain_id=ChainId(bytes(32))))),
        ConflictSignatureError,
    ),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_proves_nothing_convicts_nobody(name: str) -> None:
    conflict, expected = INNOCENT[name]
    with pytest.raises(expected):
        judge(conflict)


def test_evidence_of_another_chain_convicts_nobody() -> None:
    with pytest.raises(ConflictSignatureError):
        judge(PROOF, chain_id=ChainId(bytes(32)))


def test_a_change_of_any_byte_convicts_nobody() -> None:
    raw = CONFLICT_CODEC.encode(PROOF)
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(InvalidEvidenceError):
            judge(read_conflict(changed))


def test_two_certificates_of_one_commit_convict_all_who_signed_both() -> None:
    one = certificate_of(checkpoint(3), SEATS, signers=(0, 1, 2))
    other = certificate_of(checkpoint(3, state_root=FORK), SEATS, signers=(1, 2, 3))
    conflicts = conflicts_between(one, other, seats=SEATS)
    assert [judge(conflict) for conflict in conflicts] == [1, 2]


CLOSING = checkpoint(10, next_committee=FORK)
PAST_THE_END = checkpoint(20)
LATER = checkpoint(20, epoch=Epoch(1), commit_index=CommitIndex(10))
ELSEWHERE = seats_with(1, 1, 1, 1, first_key=10)


def test_who_closes_an_epoch_and_goes_on_in_it_is_convicted() -> None:
    assert judge(prove_conflict(vote(CLOSING), vote(PAST_THE_END))) == 2


def test_two_votes_that_no_chain_can_have_convict() -> None:
    # Two checkpoints later, but one commit only.
    assert judge(prove_conflict(ONE, vote(checkpoint(4, number=4)))) == 2


def test_one_number_in_two_epochs_convicts_whatever_seat_it_was_signed_in() -> None:
    conflict = prove_conflict(vote(PAST_THE_END), vote(LATER, author=1, signer=11))
    verdict = verify_conflict(conflict, chain_id=CHAIN, seats=SEATS, later_seats=ELSEWHERE)
    assert verdict == 2
    assert conflict.seats == ((0, 2), (1, 1))


def test_the_closing_vote_and_one_of_the_next_epoch_convict_nobody() -> None:
    conflict = prove_conflict(vote(CLOSING), vote(LATER))
    with pytest.raises(ConflictSlotError):
        verify_conflict(conflict, chain_id=CHAIN, seats=SEATS, later_seats=SEATS)


@pytest.mark.parametrize("signers", [(0, 12), (2, 0)])
def test_a_conflict_of_two_epochs_needs_a_good_signature_in_each(signers: tuple[int, int]) -> None:
    conflict = prove_conflict(vote(PAST_THE_END, signer=signers[0]), vote(LATER, signer=signers[1]))
    with pytest.raises(ConflictSignatureError):
        verify_conflict(conflict, chain_id=CHAIN, seats=SEATS, later_seats=ELSEWHERE)

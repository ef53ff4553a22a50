"""Nothing is signed twice: not after a crash, nor without a journal or answers of a quorum."""

import pytest

from consensus.block import Header
from consensus.signer import Signer, SigningState, StoredJournal
from primitives.ids import AuthorityIndex, Round
from tests.consensus.builders import Forge, phantom
from tests.dsl.committee import context_of, key_of

OWN = AuthorityIndex(1)
CONTEXT = context_of((1,) * 4)
FORGE = Forge(CONTEXT)


def signer_of(
    *,
    powers: tuple[int, ...] = (1,) * 4,
    journal: StoredJournal = StoredJournal.INTACT,
    watermark: int = 0,
) -> Signer:
    """Return the signer of seat 1 as it boots."""
    return Signer(
        key_of(OWN),
        own=OWN,
        context=context_of(powers),
        journal=journal,
        watermark=Round(watermark),
    )


def signing(*, watermark: int = 0) -> Signer:
    """Return a signer that a quorum has answered."""
    signer = signer_of(watermark=watermark)
    for peer in (0, 2):
        signer.note_answer(AuthorityIndex(peer))
    assert signer.state is SigningState.SIGNING
    return signer


def header(number: int, author: int = OWN) -> Header:
    """Return a header of a round."""
    return FORGE.header(number, author, [phantom(number - 1, seat) for seat in range(4)])


def test_block_and_journal_entry_name_the_same_round_and_digest() -> None:
    signer = signing()
    block, entry = signer.sign(header(3), ())
    assert (entry.epoch, entry.round, entry.digest) == (0, 3, block.ref.digest)
    assert signer.watermark == 3


@pytest.mark.parametrize("number", [1, 6, 7])
def test_round_at_or_below_the_watermark_is_never_signed(number: int) -> None:
    signer = signing(watermark=7)
    with pytest.raises(AssertionError):
        signer.sign(header(number), ())


def test_round_is_never_signed_again() -> None:
    signer = signing()
    signer.sign(header(5), ())
    for number in (4, 5):
        with pytest.raises(AssertionError):
            signer.sign(header(number), ())
    signer.sign(header(6), ())


def test_header_of_another_author_is_never_signed() -> None:
    with pytest.raises(AssertionError):
        signing().sign(header(3, author=0), ())


def answered(signer: Signer, *peers: int) -> tuple[SigningState, list[int]]:
    """Let peers answer; return the state and who has not answered yet."""
    for peer in peers:
        signer.note_answer(AuthorityIndex(peer))
    return signer.state, [int(peer) for peer in signer.unanswered]


def test_boot_needs_answers_that_hold_a_quorum_with_us() -> None:
    signer = signer_of()
    assert answered(signer) == (SigningState.ASKING, [0, 2, 3])
    assert answered(signer, 3, 3) == (SigningState.ASKING, [0, 2])
    with pytest.raises(AssertionError):
        signer.sign(header(3), ())
    assert answered(signer, 0) == (SigningState.SIGNING, [])


def test_boot_counts_power_not_heads() -> None:
    signer = signer_of(powers=(9, 1, 1, 1, 1))
    assert answered(signer, 2, 3, 4) == (SigningState.ASKING, [0])
    assert answered(signer, 0) == (SigningState.SIGNING, [])


def test_seat_that_is_a_quorum_asks_nobody() -> None:
    assert signer_of(powers=(1, 9)).state is SigningState.SIGNING


def test_lost_journal_means_no_signature_whatever_the_answers() -> None:
    signer = signer_of(journal=StoredJournal.LOST)
    assert signer.unanswered == ()
    for peer in (0, 2, 3):
        signer.note_answer(AuthorityIndex(peer))
    assert signer.state is SigningState.ABSTAINING
    with pytest.raises(AssertionError):
        signer.sign(header(3), ())


def test_abstaining_is_for_good() -> None:
    signer = signing()
    signer.abstain()
    signer.note_answer(AuthorityIndex(3))
    with pytest.raises(AssertionError):
        signer.sign(header(3), ())


@pytest.mark.parametrize(("number", "is_foreign"), [(6, False), (7, False), (8, True)])
def test_own_block_above_the_journal_is_foreign(number: int, is_foreign: bool) -> None:
    refs = [phantom(number - 1, seat) for seat in range(4)]
    assert signer_of(watermark=7).is_foreign(FORGE.block(number, OWN, refs)) is is_foreign


def test_stored_block_that_a_crash_kept_from_the_journal_is_journalled_on_boot() -> None:
    signer = signing(watermark=7)
    refs = [phantom(7, seat) for seat in range(4)]
    block = FORGE.block(8, OWN, refs)
    assert signer.resume(block).digest == block.ref.digest
    assert signer.watermark == 8
    with pytest.raises(AssertionError):
        signer.sign(header(8), ())

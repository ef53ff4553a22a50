"""Judge a proven offence: does it still count, and what does it cost?

The room that reads the proof verifies its signatures with the keys of the committee that
`judging_committee` returns, which are those of the epoch of the offence, rotated away or not.

One offence is punished once, however many proofs of it there are, and a tombstone needs no second,
so that one misconfigured machine does not lose its stake many times. But a graver offence still
costs the difference: otherwise a validator that is about to attack light clients would first report
a harmless equivocation of its own and be immune.
"""

from dataclasses import dataclass
from typing import assert_never

import msgspec

from node.ledger.overlay import Overlay, StateReader
from node.ledger.staking.errors import (
    AlreadyPunishedError,
    EvidenceAuthorError,
    EvidenceEpochError,
    EvidenceExpiredError,
    LesserOffenceError,
    UnbondedError,
)
from node.ledger.staking.parameters import WHOLE_BP, StakingParameters
from node.ledger.staking.records import Member, Members, Offence, Standing, Validator
from node.ledger.staking.slashing import at_stake, take_stake
from node.ledger.staking.tables import read_committee, read_validator, write_validator
from node.ledger.staking.term import Term
from node.ledger.staking.vault import burn_stake, release
from primitives.ids import Address, AuthorityIndex, Epoch, Grain


@dataclass(frozen=True, slots=True)
class Charge:
    """A seat of the committee of an epoch, and what it did."""

    epoch: Epoch
    author: AuthorityIndex
    offence: Offence


@dataclass(frozen=True, slots=True)
class Sentence:
    """What an offence cost."""

    operator: Address
    burned: Grain
    rewarded: Grain


def judging_committee(state: StateReader, *, term: Term, epoch: Epoch) -> Members:
    """Return the committee of the epoch of an offence, with the keys that it had then.

    Raises:
        EvidenceExpiredError: the epoch is too long ago.
        EvidenceEpochError: it has not begun.
    """
    if epoch > term.epoch:
        raise EvidenceEpochError(offence=epoch, epoch=term.epoch)
    if epoch < term.oldest_evidence:
        raise EvidenceExpiredError(offence=epoch, oldest=term.oldest_evidence)
    return read_committee(state, epoch)


def check_charge(state: StateReader, *, term: Term, charge: Charge) -> Member:
    """Return the accused as it was then, if a proof of the charge would be punished.

    It costs nothing next to a signature, so it is asked before the proof is verified.

    Raises:
        StakingEvidenceError: it would not.
    """
    members = judging_committee(state, term=term, epoch=charge.epoch)
    if charge.author >= len(members):
        raise EvidenceAuthorError(author=charge.author, size=len(members))
    member = members[charge.author]
    validator = read_validator(state, member.operator)
    if charge.offence in validator.offences:
        raise AlreadyPunishedError(validator=member.operator)
    if _fraction_left(validator, charge.offence, term.parameters) <= 0 and validator.offences:
        raise LesserOffenceError(validator=member.operator)
    if not at_stake(state, term=term, operator=member.operator, offence_epoch=charge.epoch):
        raise UnbondedError(validator=member.operator)
    return member


def punish(overlay: Overlay, *, term: Term, charge: Charge, reporter: Address | None) -> Sentence:
    """Slash and tombstone the offender; the proof has been verified.

    Args:
        overlay: the state.
        term: of the running epoch.
        charge: what was proven.
        reporter: who brought the proof; None if the chain itself came upon it.

    Raises:
        StakingEvidenceError: the offence is not punished, or not again; nothing is written.
    """
    member = check_charge(overlay, term=term, charge=charge)
    before = read_validator(overlay, member.operator)
    fraction_bp = _fraction_left(before, charge.offence, term.parameters)
    lost = take_stake(
        overlay,
        term=term,
        operator=member.operator,
        offence_epoch=charge.epoch,
        due=-(-member.stake * fraction_bp // WHOLE_BP),
    )
    _tombstone(overlay, member.operator, charge.offence, term.parameters)
    share_bp = 0 if reporter is None else term.parameters.reporter_share_bp
    # Of what the offender lost itself: a report of oneself never pays, whoever else pays for it.
    rewarded = Grain(lost.own * share_bp // WHOLE_BP)
    if reporter is not None:
        release(overlay, owner=reporter, amount=rewarded)
    burned = Grain(lost.total - rewarded)
    burn_stake(overlay, burned)
    return Sentence(operator=member.operator, burned=burned, rewarded=rewarded)


def _tombstone(
    overlay: Overlay, operator: Address, offence: Offence, parameters: StakingParameters
) -> None:
    validator = read_validator(overlay, operator)
    tombstoned = msgspec.structs.replace(
        validator,
        standing=Standing.TOMBSTONED,
        offences=(*validator.offences, offence),
        penalty_bp=_fraction_of(offence, parameters),
    )
    write_validator(overlay, tombstoned)


def _fraction_left(validator: Validator, offence: Offence, parameters: StakingParameters) -> int:
    """Return the part of the stake that the offence costs beyond what was lost for others."""
    return _fraction_of(offence, parameters) - validator.penalty_bp


def _fraction_of(offence: Offence, parameters: StakingParameters) -> int:
    match offence:
        case Offence.EQUIVOCATION:
            return parameters.slash_equivocation_bp
        case Offence.CONFLICTING_VOTES:
            return parameters.slash_conflict_bp
        case _:
            assert_never(offence)

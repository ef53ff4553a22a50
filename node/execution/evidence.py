"""Judge what was brought against a validator: who, when, proven, and what it costs.

The cheap questions come first: whether the accused can still be punished costs nothing next to two
signatures. A proof is judged with the committee, keys and facts of the epoch that it is about.
"""

from typing import assert_never

from consensus.block import HEADER_CODEC
from consensus.evidence import EVIDENCE_CODEC, verify_evidence
from node.execution.epochs import read_context
from node.execution.errors import ForeignEvidenceError
from node.execution.facts import CommitFacts
from node.ledger.conflict import read_conflict, verify_conflict
from node.ledger.errors import ConflictSlotError
from node.ledger.overlay import Overlay
from node.ledger.parameters import JUDGE_GAS
from node.ledger.staking.evidence import Charge, check_charge, judging_committee, punish
from node.ledger.staking.queries import seats_of
from node.ledger.staking.records import Offence
from node.ledger.transaction import Evidence, EvidenceKind
from node.vm.meter import Meter
from primitives.errors import InvalidEvidenceError, MalformedBytesError
from primitives.ids import Address, AuthorityIndex, Epoch


def punish_reported(
    overlay: Overlay, *, facts: CommitFacts, report: Evidence, reporter: Address, meter: Meter
) -> None:
    """Judge the evidence of a transaction and slash the offender.

    Raises:
        VmTrap: the gas does not reach for the committee that has to judge.
        InvalidEvidenceError: it proves nothing, or nothing that is punished, or not again.
    """
    match report.kind:
        case EvidenceKind.EQUIVOCATION:
            charge = _judge_blocks(overlay, facts, report.proof, meter)
        case EvidenceKind.CONFLICTING_CHECKPOINTS:
            charge = _judge_checkpoints(overlay, facts, report.proof, meter)
        case _:
            assert_never(report.kind)
    punish(overlay, term=facts.term, charge=charge, reporter=reporter)


def punish_twins(
    overlay: Overlay, *, facts: CommitFacts, authors: tuple[AuthorityIndex, ...]
) -> None:
    """Slash authors of whom the chain itself holds two blocks of one slot.

    Consensus verified both blocks, and every node has them, so there is nothing left to prove and
    no proposer who could keep the evidence out.
    """
    for author in authors:
        charge = Charge(epoch=facts.epoch, author=author, offence=Offence.EQUIVOCATION)
        try:
            punish(overlay, term=facts.term, charge=charge, reporter=None)
        except InvalidEvidenceError:
            # Punished before, for this or for worse.
            continue


def _judge_blocks(overlay: Overlay, facts: CommitFacts, proof: bytes, meter: Meter) -> Charge:
    try:
        evidence = EVIDENCE_CODEC.decode(proof)
        header = HEADER_CODEC.decode(evidence.first_header)
    except MalformedBytesError as error:
        raise ForeignEvidenceError(str(error)) from error
    epoch = Epoch(header.epoch)
    charge = Charge(epoch=epoch, author=header.author, offence=Offence.EQUIVOCATION)
    check_charge(overlay, term=facts.term, charge=charge)
    members = judging_committee(overlay, term=facts.term, epoch=epoch)
    meter.charge(JUDGE_GAS * len(members))
    context = read_context(
        overlay,
        chain_id=facts.chain_id,
        epoch=epoch,
        parameters=facts.parameters,
        members=members,
    )
    verify_evidence(evidence, context)
    return charge


def _judge_checkpoints(overlay: Overlay, facts: CommitFacts, proof: bytes, meter: Meter) -> Charge:
    """Return the charge of two votes, in the earlier epoch if they are of two.

    What was at stake then is what the votes vouched with, and all who left since are still liable.
    """
    conflict = read_conflict(proof)
    (epoch, author), (later_epoch, later_author) = conflict.seats
    charge = Charge(epoch=epoch, author=author, offence=Offence.CONFLICTING_VOTES)
    accused = check_charge(overlay, term=facts.term, charge=charge)
    members = judging_committee(overlay, term=facts.term, epoch=epoch)
    later_members = judging_committee(overlay, term=facts.term, epoch=later_epoch)
    meter.charge(JUDGE_GAS * (len(members) + len(later_members)))
    if later_author >= len(later_members):
        raise ConflictSlotError("no such seat in the later epoch")
    # By operator and not by key: a key may be rotated from epoch to epoch.
    if later_members[later_author].operator != accused.operator:
        raise ConflictSlotError("votes of two validators")
    verify_conflict(
        conflict,
        chain_id=facts.chain_id,
        seats=seats_of(members),
        later_seats=seats_of(later_members),
    )
    return charge

import msgspec
import pytest

from consensus.commit import Commit, CommittedSubDag, commit_digest
from consensus.evidence import EVIDENCE_CODEC
from node.execution.commit import CommitInput, Machine, apply_commit
from node.execution.library import Library
from node.execution.local_chain import LocalChain, TransactionFailedError, key_named
from node.ledger.chain import read_chain
from node.ledger.checkpoint import CheckpointVote, sign_checkpoint
from node.ledger.conflict import CONFLICT_CODEC, prove_conflict
from node.ledger.parameters import LedgerParameters, read_parameters
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.queries import holding_of
from node.ledger.staking.records import Standing
from node.ledger.staking.tables import read_roster, read_validator
from node.ledger.staking.term import Term
from node.ledger.transaction import Evidence, EvidenceKind, Undelegate
from node.vm.engine import FastTier
from primitives.ids import (
    AuthorityIndex,
    CommitIndex,
    Digest,
    DurationMs,
    Epoch,
    Grain,
    TimestampMs,
)
from tests.execution.accusations import (
    checkpoint_vote,
    committee_of,
    equivocation,
    operator_name,
    signed_block,
    tampered,
    two_faced,
)

HOUR_MS = 3_600_000


def chain_with_history(*, unbonding_epochs: int = 504, window_epochs: int = 480) -> LocalChain:
    parameters = LedgerParameters(
        trusting_period_ms=DurationMs(HOUR_MS),
        staking=StakingParameters(
            stake_join_min=Grain(1),
            stake_leave_min=Grain(1),
            stake_drop_min=Grain(1),
            stake_pool_min=Grain(1),
            delegation_min=Grain(1),
            unbonding_epochs=unbonding_epochs,
            evidence_window_epochs=window_epochs,
        ),
    )
    chain = LocalChain(parameters=parameters)
    chain.commit(())
    return chain


def stake(chain: LocalChain, author: int) -> int:
    return read_validator(chain.state, committee_of(chain)[author].operator).tokens


def standing(chain: LocalChain, author: int) -> Standing:
    return read_validator(chain.state, committee_of(chain)[author].operator).standing


def stakes(chain: LocalChain) -> list[int]:
    return [read_validator(chain.state, operator).tokens for operator in read_roster(chain.state)]


def refuse(chain: LocalChain, action: Evidence, *, code: str) -> None:
    before = stakes(chain)
    with pytest.raises(TransactionFailedError) as failure:
        chain.send(action, sender="carol")
    assert failure.value.receipt.code == code
    assert failure.value.receipt.fee > 0
    assert stakes(chain) == before


def turn_epochs(chain: LocalChain, count: int) -> None:
    for _ in range(count):
        chain.advance(HOUR_MS)
        chain.commit(())


def test_a_proven_equivocation_costs_five_percent_and_the_seat_for_ever() -> None:
    chain = chain_with_history()
    before = stake(chain, 2)
    chain.send(equivocation(chain, author=2), sender="carol")
    assert stake(chain, 2) == before - before * 500 // 10_000
    assert standing(chain, 2) is Standing.TOMBSTONED


def test_the_reporter_earns_a_share_of_what_was_slashed() -> None:
    chain = chain_with_history()
    slashed = stake(chain, 2) * 500 // 10_000
    before = chain.balance(chain.account("carol"))
    receipt = chain.send(equivocation(chain, author=2), sender="carol")
    assert chain.balance(chain.account("carol")) == before - receipt.fee + slashed * 500 // 10_000


def test_two_checkpoints_for_one_commit_cost_the_whole_stake() -> None:
    chain = chain_with_history()
    chain.send(two_faced(chain, author=1), sender="carol")
    assert stake(chain, 1) == 0
    assert standing(chain, 1) is Standing.TOMBSTONED


def test_a_bad_second_signature_names_nobody() -> None:
    chain = chain_with_history()
    action = tampered(equivocation(chain, author=2), second_signature=bytes(64))
    refuse(chain, action, code="evidence-signature")


def test_signatures_with_swapped_keys_name_nobody() -> None:
    chain = chain_with_history()
    one = EVIDENCE_CODEC.decode(equivocation(chain, author=2).proof)
    # The headers claim seat 2, the signatures are those of seat 3 over its own two blocks.
    other = EVIDENCE_CODEC.decode(equivocation(chain, author=3).proof)
    action = tampered(
        equivocation(chain, author=2),
        first_signature=other.first_signature,
        second_signature=other.second_signature,
    )
    assert one.first_header != other.first_header
    refuse(chain, action, code="evidence-signature")


def test_blocks_of_two_rounds_are_no_equivocation() -> None:
    chain = chain_with_history()
    one = signed_block(chain, author=2, round_number=1)
    other = signed_block(chain, author=2, round_number=2)
    first, second = sorted((one, other), key=lambda block: block.ref.digest)
    action = tampered(
        equivocation(chain, author=2),
        first_header=first.signed.header,
        first_signature=first.signed.signature,
        second_header=second.signed.header,
        second_signature=second.signed.signature,
    )
    refuse(chain, action, code="evidence-slot")


def test_evidence_of_another_chain_names_nobody() -> None:
    chain = chain_with_history()
    elsewhere = LocalChain(validators=4, parameters=LedgerParameters())
    elsewhere.commit(())
    refuse(chain, equivocation(elsewhere, author=2), code="evidence-slot")


def test_evidence_that_was_judged_is_not_judged_again() -> None:
    chain = chain_with_history()
    action = equivocation(chain, author=2)
    chain.send(action, sender="carol")
    refuse(chain, action, code="evidence-already-punished")


def test_evidence_of_an_old_epoch_is_judged_by_the_old_committee() -> None:
    chain = chain_with_history()
    action = equivocation(chain, author=2)
    offender = committee_of(chain)[2].operator
    turn_epochs(chain, 3)
    assert read_chain(chain.state).epoch == 3
    chain.send(action, sender="carol")
    assert read_validator(chain.state, offender).standing is Standing.TOMBSTONED


def test_evidence_of_an_epoch_to_come_names_nobody() -> None:
    chain = chain_with_history()
    ahead = chain_with_history()
    turn_epochs(ahead, 1)
    refuse(chain, equivocation(ahead, author=2, epoch=1), code="evidence-epoch-unknown")


def test_expired_evidence_is_refused() -> None:
    chain = chain_with_history(unbonding_epochs=3, window_epochs=2)
    action = equivocation(chain, author=2)
    turn_epochs(chain, 3)
    refuse(chain, action, code="evidence-expired")


def test_evidence_reaches_the_unbonding_stake_of_a_validator_that_has_left() -> None:
    chain = chain_with_history()
    name, before = operator_name(chain, 2), stake(chain, 2)
    operator = chain.account(name)
    action = equivocation(chain, author=2)
    chain.send(Undelegate(operator, Grain(before)), sender=name)
    turn_epochs(chain, 2)
    assert operator not in {member.operator for member in committee_of(chain, epoch=2)}
    chain.send(action, sender="carol")
    waiting = holding_of(
        chain.state,
        term=Term(Epoch(2), read_parameters(chain.state).staking),
        validator=operator,
        delegator=operator,
    ).leaving
    # The reward of the epoch left with it, and is not at stake for what was before.
    assert waiting >= before - before * 500 // 10_000
    assert waiting < before


def test_evidence_about_a_validator_whose_stake_is_free_is_refused() -> None:
    chain = chain_with_history(unbonding_epochs=3, window_epochs=2)
    name = operator_name(chain, 2)
    action = equivocation(chain, author=2)
    chain.send(Undelegate(chain.account(name), Grain(stake(chain, 2))), sender=name)
    turn_epochs(chain, 4)
    refuse(chain, action, code="evidence-expired")


@pytest.mark.parametrize("kind", EvidenceKind)
@pytest.mark.parametrize("proof", [b"", b"\x90", b"\xc1", bytes(500)], ids=len)
def test_garbage_is_no_evidence(kind: EvidenceKind, proof: bytes) -> None:
    chain = chain_with_history()
    with pytest.raises(TransactionFailedError) as failure:
        chain.send(Evidence(kind, proof), sender="carol")
    assert failure.value.receipt.code.startswith(("evidence-", "conflict-"))


def test_twins_inside_the_committed_dag_are_punished_without_a_report() -> None:
    chain = chain_with_history()
    one, other = (signed_block(chain, author=3, label=label) for label in (1, 2))
    void = max(one.ref, other.ref)
    blocks = tuple(sorted((one, other), key=lambda block: block.ref))
    commit = Commit(
        genesis=chain.chain_id,
        index=CommitIndex(read_chain(chain.state).commit_index + 1),
        previous=Digest(bytes(32)),
        timestamp_ms=TimestampMs(chain.now_ms),
        leader=one.ref,
        blocks=tuple(block.ref for block in blocks),
        void=(void,),
    )
    sub_dag = CommittedSubDag(commit, digest=commit_digest(commit), blocks=blocks)
    before = stake(chain, 3)
    outcome = apply_commit(
        chain.state,
        CommitInput(sub_dag=sub_dag, last_checkpoint=Digest(bytes(32))),
        machine=Machine(engine=FastTier(), library=Library()),
    )
    chain.state.write(outcome.changes)
    assert stake(chain, 3) == before - before * 500 // 10_000
    assert standing(chain, 3) is Standing.TOMBSTONED


def vote_for_number_nine(chain: LocalChain, operator: str, *, epoch: int) -> CheckpointVote:
    names = [operator_name(chain, seat, epoch=epoch) for seat in range(len(committee_of(chain)))]
    author = names.index(operator)
    vote = checkpoint_vote(chain, author=author, label=epoch)
    made = msgspec.structs.replace(vote.checkpoint, epoch=Epoch(epoch), number=9)
    key = key_named(f"{operator} consensus")
    return sign_checkpoint(made, author=AuthorityIndex(author), key=key)


def across_epochs(one: CheckpointVote, other: CheckpointVote) -> Evidence:
    raw = CONFLICT_CODEC.encode(prove_conflict(one, other))
    return Evidence(EvidenceKind.CONFLICTING_CHECKPOINTS, raw)


def test_one_number_in_two_epochs_costs_the_operator_everything() -> None:
    chain = chain_with_history()
    turn_epochs(chain, 1)
    votes = [vote_for_number_nine(chain, "validator-1", epoch=epoch) for epoch in (1, 0)]
    (author,) = (seat for seat in range(4) if operator_name(chain, seat) == "validator-1")
    chain.send(across_epochs(*votes), sender="carol")
    assert stake(chain, author) == 0
    assert standing(chain, author) is Standing.TOMBSTONED


def test_one_number_in_two_epochs_by_two_operators_convicts_nobody() -> None:
    chain = chain_with_history()
    turn_epochs(chain, 1)
    one = vote_for_number_nine(chain, "validator-1", epoch=0)
    other = vote_for_number_nine(chain, "validator-2", epoch=1)
    refuse(chain, across_epochs(one, other), code="conflict-slot")

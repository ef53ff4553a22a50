"""Consensus starts each epoch on every node with the same facts, and evidence is judged by them."""

from pathlib import Path

import pytest

from consensus.committee import EpochContext
from consensus.evidence import EVIDENCE_CODEC, prove_equivocation
from node.chain.chain import Chain
from node.chain.errors import CommitteeUnknownError
from node.execution.epochs import read_context
from node.ledger.parameters import LedgerParameters, read_parameters
from node.ledger.receipt import ReceiptStatus
from node.ledger.staking.parameters import StakingParameters
from node.ledger.transaction import Evidence, EvidenceKind, Transfer
from primitives.ids import DurationMs, Epoch, Grain, Round, TimestampMs
from tests.chain.founded import SMALL_STAKES, address_of, chain_at, genesis_file
from tests.chain.proposer import Proposer, signed_block

PAY_BOB = Transfer(address_of("bob"), Grain(5))
HOUR_MS = 3_600_000


def judged_by(chain: Chain, epoch: int) -> EpochContext:
    """Return what evidence about an epoch is judged by."""
    with chain.view() as view:
        return read_context(
            view,
            chain_id=chain.chain_id,
            epoch=Epoch(epoch),
            parameters=read_parameters(view),
            members=chain.members_of(Epoch(epoch)),
        )


@pytest.mark.asyncio
async def test_facts_are_the_same_before_and_after_the_first_commit_and_a_restart(
    tmp_path: Path,
) -> None:
    digests = []
    for epoch in range(3):
        with chain_at(tmp_path) as chain:
            assert chain.head.epoch == epoch
            before = chain.context()
            proposer = Proposer(chain)
            await proposer.send(PAY_BOB)
            assert chain.context().genesis_digest == before.genesis_digest
            assert judged_by(chain, epoch).genesis_digest == before.genesis_digest
        with chain_at(tmp_path) as chain:
            assert chain.context().genesis_digest == before.genesis_digest
            await Proposer(chain).commit(pause_ms=HOUR_MS)
            assert chain.context_of(Epoch(epoch)).genesis_digest == before.genesis_digest
        digests.append(before.genesis_digest)
    with chain_at(tmp_path) as chain:
        assert [chain.context_of(Epoch(n)).genesis_digest for n in range(3)] == digests
    assert len(set(digests)) == 3


@pytest.mark.asyncio
async def test_nodes_agree_on_the_facts_of_every_epoch(tmp_path: Path) -> None:
    with (
        chain_at(tmp_path / "one", node_id=b"one") as one,
        chain_at(tmp_path / "other", node_id=b"other") as other,
    ):
        proposer = Proposer(one)
        for pause_ms in (1, HOUR_MS, 1, HOUR_MS, 1):
            sub_dag = proposer.order(proposer.sign(PAY_BOB, sender="alice"), pause_ms=pause_ms)
            assert await one.execute(sub_dag) == await other.execute(sub_dag)
            assert one.context().genesis_digest == other.context().genesis_digest
            assert one.head == other.head


@pytest.mark.asyncio
async def test_parameters_of_consensus_are_those_of_genesis(tmp_path: Path) -> None:
    agreed = LedgerParameters(
        staking=SMALL_STAKES.staking, consensus=type(SMALL_STAKES.consensus)(gc_depth=42)
    )
    with chain_at(tmp_path, genesis=genesis_file(parameters=agreed)) as chain:
        assert chain.context().parameters.gc_depth == 42
        span = chain.context().span
        assert span.closes_at_ms == span.starts_at_ms + agreed.epoch_duration_ms


@pytest.mark.asyncio
async def test_twins_of_an_epoch_are_punished_by_what_consensus_was_started_with(
    tmp_path: Path,
) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        await proposer.commit()
        context = chain.context()
        twins = [
            signed_block(context, (), round_number=Round(1), time_ms=TimestampMs(label))
            for label in (1, 2)
        ]
        raw = EVIDENCE_CODEC.encode(prove_equivocation(*twins))
        for pause_ms in (1, HOUR_MS):
            await proposer.commit(pause_ms=pause_ms)
        executed = await proposer.send(Evidence(EvidenceKind.EQUIVOCATION, raw))
        (receipt,) = executed.receipts
        assert receipt.status is ReceiptStatus.DONE, receipt
        assert chain.head.epoch == 1


@pytest.mark.asyncio
async def test_epochs_that_are_not_known_are_refused(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        for epoch in (1, -1):
            with pytest.raises(CommitteeUnknownError):
                chain.context_of(Epoch(epoch))
            with pytest.raises(CommitteeUnknownError):
                chain.members_of(Epoch(epoch))
        with pytest.raises(CommitteeUnknownError):
            chain.executed_in(Epoch(1))


@pytest.mark.asyncio
async def test_epochs_before_the_evidence_window_are_forgotten(tmp_path: Path) -> None:
    staking = StakingParameters(
        stake_join_min=Grain(1),
        stake_leave_min=Grain(1),
        stake_drop_min=Grain(1),
        stake_pool_min=Grain(1),
        delegation_min=Grain(1),
        evidence_window_epochs=2,
        unbonding_epochs=3,
    )
    agreed = LedgerParameters(staking=staking, trusting_period_ms=DurationMs(HOUR_MS))
    with chain_at(tmp_path, genesis=genesis_file(parameters=agreed)) as chain:
        proposer = Proposer(chain)
        for _ in range(7):
            await proposer.commit(pause_ms=HOUR_MS)
        with pytest.raises(CommitteeUnknownError):
            chain.context_of(Epoch(0))
        assert chain.members_of(Epoch(6))

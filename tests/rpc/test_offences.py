"""An offence that cost a validator its place is told with its proof, wherever that lay."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from consensus.block import Block, BlockRef, SignedBlock
from consensus.commit import Commit, CommittedSubDag, commit_digest
from consensus.events import StoreBlocks, StoreCommit
from consensus.evidence import EVIDENCE_CODEC, prove_equivocation
from node.chain.feed import CommitExecuted
from node.ledger.staking.records import Offence
from node.ledger.transaction import Evidence, EvidenceKind, Transfer
from node.rpc.offence_search import OffenceSearch
from node.rpc.participant_schemas import Participant
from node.rpc.texts import account_text
from node.storage.block_store import LmdbBlockStore
from primitives.ids import CommitIndex, Grain, Round, TimestampMs
from tests.chain.founded import address_of
from tests.chain.proposer import last_digest, signed_block
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_THE_CHAIN, REPORTED, HONEST = 1, 2, 3
"""Seats: of whom a commit orders two blocks, of whom somebody brings two, and neither."""


def twins(stage: Stage, seat: int) -> tuple[Block, Block]:
    """Return two blocks of a seat for one round."""
    context = stage.chain.context()
    number = Round(context.committee.size * 100 + seat)
    one, other = (
        signed_block(context, (), round_number=number, time_ms=TimestampMs(label))
        for label in (1, 2)
    )
    return one, other


async def executed(stage: Stage, sub_dag: CommittedSubDag) -> CommitExecuted:
    """Have a commit stored, as consensus does, and executed."""
    chain = stage.chain
    store = LmdbBlockStore.open(chain.environment, chain.writer, chain.context())
    store.append(StoreBlocks(sub_dag.blocks))
    store.append(StoreCommit(sub_dag.commit, sub_dag.digest, None))
    store.sync()
    done = await chain.execute(sub_dag)
    assert done is not None
    return done


def with_twins(stage: Stage, blocks: tuple[Block, Block]) -> CommittedSubDag:
    """Return a commit that orders two blocks of one slot."""
    chain = stage.chain
    commit = Commit(
        genesis=chain.context().genesis_digest,
        index=CommitIndex(chain.head.commit_index + 1),
        previous=last_digest(chain),
        timestamp_ms=TimestampMs(chain.head.time_ms + 100),
        leader=blocks[0].ref,
        blocks=tuple(block.ref for block in blocks),
        void=(blocks[1].ref,),
    )
    return CommittedSubDag(commit, digest=commit_digest(commit), blocks=blocks)


def report(blocks: tuple[Block, Block]) -> Evidence:
    proof = EVIDENCE_CODEC.encode(prove_equivocation(*blocks))
    return Evidence(EvidenceKind.EQUIVOCATION, proof)


async def idle(stage: Stage) -> None:
    action = Transfer(address_of("bob"), Grain(1))
    await executed(stage, stage.proposer.order(stage.proposer.sign(action, sender="alice")))


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Yield a node on whose chain two validators lied, and whose blocks are stored."""
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        await idle(stage)
        await executed(stage, with_twins(stage, twins(stage, IN_THE_CHAIN)))
        await idle(stage)
        brought = stage.proposer.sign(report(twins(stage, REPORTED)), sender="carol")
        await executed(stage, stage.proposer.order(brought))
        # A second proof of the same changes nothing, and is not taken for the first.
        await executed(stage, with_twins(stage, twins(stage, REPORTED)))
        await idle(stage)
        yield stage


async def seated(stage: Stage, seat: int) -> Participant:
    operator = stage.chain.members()[seat].operator
    return await stage.client.participant(account_text(operator))


async def test_blocks_that_a_commit_ordered_prove_an_offence(stage: Stage) -> None:
    shown = await seated(stage, IN_THE_CHAIN)
    assert shown.validator is not None
    assert (shown.validator.standing, shown.faults) == ("tombstoned", 1)
    (offence,) = shown.validator.offences
    assert (offence.code, offence.basis_points) == ("equivocation", 500)
    assert offence.evidence is not None
    blocks = twins(stage, IN_THE_CHAIN)
    assert (offence.evidence.height, offence.evidence.transaction) == (2, None)
    assert offence.evidence.round == blocks[0].round
    assert offence.evidence.digests == tuple(block.ref.digest.hex() for block in blocks)


async def test_transaction_that_brought_a_proof_is_named_with_who_brought_it(stage: Stage) -> None:
    shown = await seated(stage, REPORTED)
    assert shown.validator is not None
    (offence,) = shown.validator.offences
    assert offence.evidence is not None
    commit = await stage.client.commit(4)
    assert (offence.evidence.height, offence.evidence.round) == (4, twins(stage, REPORTED)[0].round)
    assert offence.evidence.transaction == commit.receipts[-1].transaction_id
    assert offence.evidence.reporter == account_text(address_of("carol"))
    digests = {block.ref.digest.hex() for block in twins(stage, REPORTED)}
    assert set(offence.evidence.digests) == digests


async def test_honest_validator_has_no_offence(stage: Stage) -> None:
    shown = await seated(stage, HONEST)
    assert shown.validator is not None
    assert (shown.validator.offences, shown.faults) == ((), 0)


async def test_list_of_participants_counts_offences_and_leaves_their_proofs_out(
    stage: Stage,
) -> None:
    page = await stage.client.participants()
    told = [one for one in page.participants if one.validator and one.validator.offences]
    assert [one.faults for one in told] == [1, 1]
    assert all(one.validator and one.validator.offences[0].evidence is None for one in told)


async def test_proof_that_is_kept_no_longer_is_not_known(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # A commit whose blocks were never stored stands for one whose blocks are pruned.
    async with open_stage(tmp_path_factory.mktemp("forgetful")) as stage:
        await stage.chain.execute(with_twins(stage, twins(stage, IN_THE_CHAIN)))
        shown = await seated(stage, IN_THE_CHAIN)
        assert shown.validator is not None
        (offence,) = shown.validator.offences
        assert (offence.code, offence.evidence) == ("equivocation", None)


async def test_search_goes_on_from_question_to_question_and_blocks_nobody(stage: Stage) -> None:
    operator = stage.chain.members()[IN_THE_CHAIN].operator
    search = OffenceSearch(stage.chain, reads_max=1)
    answers = [search.evidence(operator, Offence.EQUIVOCATION) for _ in range(40)]
    assert answers[0] is None
    assert answers[-1] == OffenceSearch(stage.chain).evidence(operator, Offence.EQUIVOCATION)
    assert answers[-1] is not None


async def test_commit_that_comes_while_a_search_reads_moves_no_height(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with open_stage(tmp_path_factory.mktemp("growing")) as stage:
        await executed(stage, with_twins(stage, twins(stage, IN_THE_CHAIN)))
        await idle(stage)
        operator = stage.chain.members()[IN_THE_CHAIN].operator
        search = OffenceSearch(stage.chain, reads_max=1)
        assert search.evidence(operator, Offence.EQUIVOCATION) is None
        await idle(stage)
        found = [search.evidence(operator, Offence.EQUIVOCATION) for _ in range(20)][-1]
        assert found is not None
        assert found.height == 1


async def test_plain_transfers_have_no_block_read_for_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = stage.chain.members()[HONEST].operator
    read = list[int]()
    read_blocks = LmdbBlockStore.read_blocks

    def counted(store: LmdbBlockStore, refs: tuple[BlockRef, ...]) -> tuple[SignedBlock, ...]:
        read.extend(ref.round for ref in refs)
        return read_blocks(store, refs)

    monkeypatch.setattr(LmdbBlockStore, "read_blocks", counted)
    OffenceSearch(stage.chain).evidence(operator, Offence.CONFLICTING_VOTES)
    # Of six commits only one has a report.
    assert len(read) == 1

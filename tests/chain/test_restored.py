"""A chain that begins with a snapshot goes on like one that executed every commit."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from consensus.commit import CommittedSubDag
from node.chain.chain import Chain
from node.chain.errors import CommitteeUnknownError
from node.chain.limits import DEFAULT_LIMITS
from node.chain.opening import open_ledger
from node.chain.record import COMMIT_RECORD_CODEC, restored_record
from node.ledger.checkpoint import Checkpoint
from node.ledger.transaction import Transfer
from node.storage.errors import DamagedDatabaseError
from node.storage.state_restore import StateRestorer
from node.storage.writer import Writer
from primitives.ids import Epoch, Grain, Height
from tests.chain.founded import NODE_ID, StillClock, address_of, chain_at, genesis_file
from tests.chain.proposer import Proposer

PAY_BOB = Transfer(address_of("bob"), Grain(5))
HOUR_MS = 3_600_000


def restore(source: Chain, folder: Path, checkpoint: Checkpoint, *, record: bytes) -> None:
    """Put the state at a checkpoint together in an empty folder."""
    with (
        open_ledger(
            folder,
            genesis=genesis_file(),
            node_id=NODE_ID,
            clock=StillClock(),
            limits=DEFAULT_LIMITS,
        ) as environment,
        Writer.start(environment) as writer,
        source.view(checkpoint.height) as view,
    ):
        restorer = StateRestorer.open(environment, writer, target=checkpoint.state_root)
        while restorer.gaps:
            restorer.accept(view.cut_chunk(restorer.gaps[0].low))
        restorer.finish(checkpoint.height, record=record)


async def history(chain: Chain) -> tuple[list[CommittedSubDag], dict[Height, Checkpoint]]:
    """Run a chain through two epochs; return its commits and checkpoints."""
    proposer = Proposer(chain)
    commits, checkpoints = [], {}
    for pause_ms in (1, HOUR_MS, 1, 1, 1, HOUR_MS, 1):
        payload = [proposer.sign(PAY_BOB, sender="alice")] if pause_ms == 1 else []
        commits.append(proposer.order(*payload, pause_ms=pause_ms))
        executed = await chain.execute(commits[-1])
        assert executed is not None
        if executed.checkpoint is not None:
            checkpoints[executed.height] = executed.checkpoint
            await chain.add_certificate(proposer.certify(executed.checkpoint))
    return commits, checkpoints


async def _follow(chain: Chain, commits: Sequence[CommittedSubDag]) -> None:
    for sub_dag in commits:
        assert await chain.execute(sub_dag) is not None


@pytest.mark.asyncio
@pytest.mark.parametrize("height", [2, 4, 6])
async def test_chain_goes_on_from_a_snapshot(height: int, tmp_path: Path) -> None:
    with chain_at(tmp_path / "one") as one:
        commits, checkpoints = await history(one)
        checkpoint = checkpoints[Height(height)]
        record = COMMIT_RECORD_CODEC.encode(restored_record(checkpoint))
        restore(one, tmp_path / "other", checkpoint, record=record)
        with chain_at(tmp_path / "other") as other:
            assert other.head.height == height
            assert other.head.state_root == checkpoint.state_root
            await other.add_chain_file(one.chain_file())
            await _follow(other, commits[height:])
            assert other.head == one.head
            assert other.context().genesis_digest == one.context().genesis_digest
            assert other.chain_file() == one.chain_file()
            assert await other.execute(commits[-1]) is None
            with pytest.raises(CommitteeUnknownError):
                other.executed_in(Epoch(-5))


@pytest.mark.asyncio
async def test_commit_from_before_the_snapshot_changes_nothing(tmp_path: Path) -> None:
    with chain_at(tmp_path / "one") as one:
        commits, checkpoints = await history(one)
        checkpoint = checkpoints[Height(5)]
        record = COMMIT_RECORD_CODEC.encode(restored_record(checkpoint))
        restore(one, tmp_path / "other", checkpoint, record=record)
        with chain_at(tmp_path / "other") as other:
            for sub_dag in commits[2:5]:
                assert await other.execute(sub_dag) is None
            with pytest.raises(CommitteeUnknownError):
                other.executed_in(Epoch(0))


@pytest.mark.asyncio
async def test_record_that_no_chain_wrote_is_damage(tmp_path: Path) -> None:
    with chain_at(tmp_path / "one") as one:
        _, checkpoints = await history(one)
        restore(one, tmp_path / "other", checkpoints[Height(2)], record=b"garbage")
    with (
        pytest.raises(DamagedDatabaseError, match="the record of commit 2"),
        chain_at(tmp_path / "other"),
    ):
        pass


@pytest.mark.asyncio
async def test_snapshot_that_was_never_finished_is_dropped_when_the_chain_is_founded(
    tmp_path: Path,
) -> None:
    with chain_at(tmp_path / "one") as one:
        _, checkpoints = await history(one)
        checkpoint = checkpoints[Height(2)]
        with (
            open_ledger(
                tmp_path / "other",
                genesis=genesis_file(),
                node_id=NODE_ID,
                clock=StillClock(),
                limits=DEFAULT_LIMITS,
            ) as environment,
            Writer.start(environment) as writer,
            one.view(checkpoint.height) as view,
        ):
            restorer = StateRestorer.open(environment, writer, target=checkpoint.state_root)
            restorer.accept(view.cut_chunk(restorer.gaps[0].low))
    with chain_at(tmp_path / "other") as other:
        assert other.head.height == 0
        await Proposer(other).send(PAY_BOB)
        assert other.head.height == 1

"""What the store in LMDB does beyond the conformance suite: epochs, bounds, contradictions."""

from pathlib import Path

import pytest

from consensus.committee import EpochContext
from consensus.events import StoreBlocks
from consensus.parameters import Parameters
from node.storage.batch import WriteBatch
from node.storage.block_store import (
    BLOCK_TABLES,
    BLOCKS,
    COMMITS,
    EPOCHS,
    LmdbBlockStore,
    drop_epoch,
    has_begun,
)
from node.storage.errors import DamagedDatabaseError, ForeignDatabaseError
from node.storage.schema import Schema
from node.storage.writer import Writer
from primitives.errors import StorageError
from primitives.ids import CommitIndex, Epoch
from tests.conformance.block_store import CONTEXT, GC_DEPTH, ROUNDS, fill, signed
from tests.consensus.builders import flat, refs_of
from tests.dsl.committee import context_of
from tests.storage.faults import Fault, failing_disk
from tests.storage.places import opened

SCHEMA = Schema(purpose="consensus", tables=BLOCK_TABLES)
NEXT = EpochContext(
    chain_id=CONTEXT.chain_id,
    epoch=Epoch(1),
    committee=CONTEXT.committee,
    parameters=CONTEXT.parameters,
)


def test_epochs_are_kept_apart(tmp_path: Path) -> None:
    with opened(tmp_path, schema=SCHEMA) as (environment, writer):
        first = LmdbBlockStore.open(environment, writer, CONTEXT)
        assert not has_begun(environment, NEXT.epoch)
        second = LmdbBlockStore.open(environment, writer, NEXT)
        assert has_begun(environment, NEXT.epoch)
        fill(first, boundaries=(2,))
        first.sync()
        assert second.recover(gc_depth=GC_DEPTH).blocks == ()
        assert second.read_commits(CommitIndex(1), CommitIndex(9)) == ()
        assert second.read_blocks(tuple(refs_of(ROUNDS[0]))) == ()


def test_another_epoch_of_the_same_number_is_refused(tmp_path: Path) -> None:
    other = context_of((1,) * 4, parameters=Parameters(gc_depth=4))
    assert other.epoch == CONTEXT.epoch
    with opened(tmp_path, schema=SCHEMA) as (environment, writer):
        LmdbBlockStore.open(environment, writer, CONTEXT)
        with pytest.raises(ForeignDatabaseError) as refusal:
            LmdbBlockStore.open(environment, writer, other)
        assert refusal.value.subject == "epoch 0"


def test_dropped_epoch_is_gone_and_remembered(tmp_path: Path) -> None:
    with opened(tmp_path, schema=SCHEMA) as (environment, writer):
        first = LmdbBlockStore.open(environment, writer, CONTEXT)
        second = LmdbBlockStore.open(environment, writer, NEXT)
        for store in (first, second):
            fill(store, boundaries=(2,))
            store.sync()
        commits = writer.commit_count
        drop_epoch(environment, writer, Epoch(0), records_max=5)
        assert writer.commit_count == commits + (24 + 6 + 1 + 4) // 5
        assert first.recover(gc_depth=GC_DEPTH).blocks == ()
        assert has_begun(environment, Epoch(0))
        assert len(second.recover(gc_depth=GC_DEPTH).commits) == 6
        with environment.snapshot() as snapshot:
            assert [key[0] for key, _ in snapshot.scan(BLOCKS)] == [1] * 24
            assert [epoch for epoch, _ in snapshot.scan(EPOCHS)] == [0, 1]


def test_writes_wait_for_sync_and_are_one_commit(tmp_path: Path) -> None:
    with opened(tmp_path, schema=SCHEMA) as (environment, writer):
        store = LmdbBlockStore.open(environment, writer, CONTEXT)
        before = environment.last_commit
        fill(store)
        assert (environment.last_commit, store.pending_count) == (before, 24 + 6)
        store.sync()
        assert (environment.last_commit, store.pending_count) == (before + 1, 0)
        store.sync()
        assert environment.last_commit == before + 1


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    with opened(tmp_path, schema=SCHEMA) as (environment, writer):
        store = LmdbBlockStore.open(environment, writer, CONTEXT, pending_bytes_max=5_000)
        for block in flat(ROUNDS):
            store.append(StoreBlocks((block,)))
            assert store.pending_count < 20
        assert store.read_blocks(tuple(refs_of(flat(ROUNDS)))) == signed(*flat(ROUNDS))


def filled(tmp_path: Path) -> None:
    """Fill a store, and close it."""
    with opened(tmp_path, schema=SCHEMA) as (environment, writer):
        store = LmdbBlockStore.open(environment, writer, CONTEXT)
        fill(store, boundaries=(2,))
        store.sync()


def lose_commit(writer: Writer, index: int) -> None:
    """Delete one commit."""
    batch = WriteBatch()
    batch.delete(COMMITS, (0, index))
    writer.write(batch)


@pytest.mark.parametrize("index", [2, 4])
def test_commit_that_is_missing_is_noticed(index: int, tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path, schema=SCHEMA) as (environment, writer):
        lose_commit(writer, index)
        store = LmdbBlockStore.open(environment, writer, CONTEXT)
        with pytest.raises(DamagedDatabaseError, match=f"commit {index} is missing"):
            store.recover(gc_depth=GC_DEPTH)


def test_sync_that_fails_stops_the_store(tmp_path: Path) -> None:
    with opened(tmp_path, schema=SCHEMA) as (environment, writer):
        store = LmdbBlockStore.open(environment, writer, CONTEXT)
        store.append(StoreBlocks(tuple(ROUNDS[0])))
        with failing_disk(environment, Fault.BROKEN), pytest.raises(StorageError):
            store.sync()
        with pytest.raises(StorageError):
            store.append(StoreBlocks(tuple(ROUNDS[1])))
        with pytest.raises(StorageError):
            store.recover(gc_depth=GC_DEPTH)

"""Opening the ledger of a chain on disk, and founding the chain in one that is empty."""

from pathlib import Path
from typing import Final

from node.chain.limits import ChainLimits
from node.chain.record import COMMIT_RECORD_CODEC, CommitRecord, genesis_record
from node.execution.commit import Machine
from node.execution.founding import found_chain
from node.ledger.genesis import Genesis, chain_id_of
from node.storage.environment import Environment
from node.storage.errors import DamagedDatabaseError
from node.storage.ledger_schema import LEDGER_SCHEMA
from node.storage.stamp import Identity
from node.storage.state_restore import StateRestorer
from node.storage.state_store import StateLimits, StateStore
from node.storage.state_tables import PROGRESS, PROGRESS_KEY
from node.storage.state_view import NO_HEIGHT, StateView
from node.storage.writer import Writer
from primitives.clock import Clock
from primitives.errors import MalformedBytesError
from primitives.ids import ChainId, Height, TimestampMs

LEDGER_NAME: Final = "ledger"
"""The folder of the environment in the folder of the node."""


def open_ledger(
    folder: Path, *, genesis: bytes, node_id: bytes, clock: Clock, limits: ChainLimits
) -> Environment:
    """Open the environment of a chain in the folder of a node, or begin it.

    Raises:
        ForeignDatabaseError: it is of another chain or another node.
        StorageError: it cannot be opened; the class says why.
    """
    return Environment.open(
        folder / LEDGER_NAME,
        schema=LEDGER_SCHEMA,
        identity=Identity(chain_id=chain_id_of(genesis), node_id=node_id),
        now_ms=TimestampMs(clock.wall_ms()),
        limits=limits.map,
    )


def open_state(
    environment: Environment,
    writer: Writer,
    *,
    genesis: Genesis,
    chain_id: ChainId,
    machine: Machine,
    limits: ChainLimits,
) -> StateStore:
    """Open the state of a chain at its last commit, or found the chain.

    Raises:
        GenesisError: a founder or a contract does not do what genesis asks of it.
        StorageError: what is stored is not what was written.
    """
    kept = StateLimits(kept_versions=limits.kept_versions, kept_history=limits.kept_history)
    store = StateStore.open(environment, writer, limits=kept)
    if store.height != NO_HEIGHT:
        with store.view() as view:
            machine.recall(view)
        return store
    _drop_unfinished(environment, writer)
    changes = found_chain(
        genesis, chain_id=chain_id, engine=machine.engine, library=machine.library
    )
    record = COMMIT_RECORD_CODEC.encode(genesis_record(genesis.time_ms))
    store.commit(Height(0), changes, receipts=(), record=record)
    return store


def newest_record(view: StateView, *, path: Path) -> CommitRecord:
    """Return the record of the commit of a view, which is the newest.

    Raises:
        DamagedDatabaseError: there is none, or it is not what a chain writes.
    """
    raw = view.commit_record()
    if raw is None:
        raise DamagedDatabaseError(path=path, reason=f"commit {view.height} has no record")
    try:
        return COMMIT_RECORD_CODEC.decode(raw)
    except MalformedBytesError as error:
        reason = f"the record of commit {view.height}: {error}"
        raise DamagedDatabaseError(path=path, reason=reason) from error


def _drop_unfinished(environment: Environment, writer: Writer) -> None:
    """Drop a snapshot that was never put together, or its chunks would stand in the way."""
    with environment.snapshot() as snapshot:
        is_unfinished = snapshot.get(PROGRESS, PROGRESS_KEY) is not None
    if is_unfinished:
        StateRestorer.open(environment, writer)

"""What the processes do that are killed: transfers in tables, and rounds of a validator."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from consensus.block import Block
from consensus.commit import Commit, commit_digest, genesis_commit_digest
from consensus.events import JournalEntry, StoreBlocks, StoreCommit
from consensus.parameters import Parameters
from consensus.schedule import ScheduleRecord
from node.storage.batch import WriteBatch
from node.storage.block_store import BLOCK_TABLES, LmdbBlockStore, has_begun
from node.storage.environment import Environment
from node.storage.schema import Schema
from node.storage.signer_journal import FileJournal, JournalOwner
from node.storage.table import Number, RawBytes, Table
from primitives.hashing import sha256
from primitives.ids import CommitIndex
from tests.consensus.builders import Forge, refs_of
from tests.dsl.committee import context_of, key_of
from tests.storage.places import SMALL, opened

if TYPE_CHECKING:
    from concurrent.futures import Future

ACCOUNTS: Final = 64
BALANCE_FIRST: Final = 1_000
IN_FLIGHT_MAX: Final = 16

BALANCES: Final[Table[int, int]] = Table("balances", key=Number(), value=Number())
PROGRESS: Final[Table[bytes, bytes]] = Table("progress", key=RawBytes(), value=RawBytes())
"""The number of the last step, and the root after it."""

TRANSFERS: Final = Schema(purpose="transfers", tables=(BALANCES, PROGRESS))


class Bank:
    """Balances after any number of steps; step n is the same in every process."""

    def __init__(self) -> None:
        self.step = 0
        self.balances = dict.fromkeys(range(ACCOUNTS), BALANCE_FIRST)
        self.root = b""

    def advance(self) -> WriteBatch:
        """Take the next step, and return what it writes."""
        self.step += 1
        dice = Random(self.step)
        batch = WriteBatch()
        for _ in range(dice.randrange(1, 20)):
            sender, recipient = dice.sample(range(ACCOUNTS), 2)
            amount = dice.randint(0, self.balances[sender])
            self.balances[sender] -= amount
            self.balances[recipient] += amount
            for account in (sender, recipient):
                batch.put(BALANCES, account, self.balances[account])
        self.root = sha256(self.root + repr(sorted(self.balances.items())).encode())
        batch.put(PROGRESS, b"step", self.step.to_bytes(8, "big"))
        batch.put(PROGRESS, b"root", self.root)
        return batch


def found_bank(environment: Environment) -> Bank:
    """Return the balances that are stored."""
    bank = Bank()
    with environment.snapshot() as snapshot:
        step = snapshot.get(PROGRESS, b"step")
        bank.step = 0 if step is None else int.from_bytes(step, "big")
        bank.root = snapshot.get(PROGRESS, b"root") or b""
        bank.balances.update(snapshot.scan(BALANCES))
    return bank


class Transfers:
    """Many transfers in flight at once, so that commits are of groups."""

    def __init__(self) -> None:
        self._expected = Bank()

    def run(self, folder: Path, acknowledge: Callable[[int], None]) -> None:
        room = threading.Semaphore(IN_FLIGHT_MAX)
        with opened(folder, schema=TRANSFERS, limits=SMALL) as (environment, writer):
            bank = found_bank(environment)

            def settle(step: int, done: "Future[None]") -> None:
                if done.exception() is None:
                    acknowledge(step)
                room.release()

            while True:
                room.acquire()
                batch = bank.advance()
                writer.submit(batch).add_done_callback(partial(settle, bank.step))

    def check(self, folder: Path) -> int:
        with opened(folder, schema=TRANSFERS, limits=SMALL) as (environment, _):
            found = found_bank(environment)
        while self._expected.step < found.step:
            self._expected.advance()
        assert found.step == self._expected.step
        assert found.root == self._expected.root
        assert found.balances == self._expected.balances
        assert sum(found.balances.values()) == ACCOUNTS * BALANCE_FIRST
        return found.step


class HastyTransfers(Transfers):
    """Acknowledges a transfer before it is durable: what the rig must find."""

    @override
    def run(self, folder: Path, acknowledge: Callable[[int], None]) -> None:
        with opened(folder, schema=TRANSFERS, limits=SMALL) as (environment, writer):
            bank = found_bank(environment)
            while True:
                batch = bank.advance()
                acknowledge(bank.step)
                writer.write(batch)


CONTEXT: Final = context_of((1,) * 4, parameters=Parameters(gc_depth=3))
FORGE: Final = Forge(CONTEXT)
OWN: Final = 0
WINDOW: Final = 5
CONSENSUS: Final = Schema(purpose="consensus", tables=BLOCK_TABLES)
OWNER: Final = JournalOwner(
    epoch=CONTEXT.epoch, genesis=CONTEXT.genesis_digest, public_key=key_of(OWN).public.raw
)


class Rounds:
    """A validator's disk: each round is stored, then journalled, then shown to the others."""

    def run(self, folder: Path, acknowledge: Callable[[int], None]) -> None:
        journal_path = folder / "journal"
        with opened(folder / "ledger", schema=CONSENSUS, limits=SMALL) as (environment, writer):
            if not has_begun(environment, CONTEXT.epoch) and not journal_path.exists():
                FileJournal.create(journal_path, OWNER).close()
            journal = FileJournal.open(journal_path, OWNER)
            # Every write is a commit of its own, so that a kill finds rounds half stored.
            store = LmdbBlockStore.open(environment, writer, CONTEXT, pending_bytes_max=0)
            below = _last_own_layer(store)
            commits = _commits(store)
            last = journal.last()
            if below and (last is None or below[OWN].round > last.round):
                journal.append((_entry(below[OWN]),))
            while True:
                below = _next_round(below, commits, store)
                journal.append((_entry(below[OWN]),))
                acknowledge(below[OWN].round)

    def check(self, folder: Path) -> int:
        with opened(folder / "ledger", schema=CONSENSUS, limits=SMALL) as (environment, writer):
            if not has_begun(environment, CONTEXT.epoch):
                return 0
            journal = FileJournal.open(folder / "journal", OWNER)
            last = journal.last()
            journal.close()
            store = LmdbBlockStore.open(environment, writer, CONTEXT)
            _check_store(store, last)
            return 0 if last is None else last.round


def _check_store(store: LmdbBlockStore, last: JournalEntry | None) -> None:
    """Check that commits are a chain, their blocks are there, and no round was signed twice."""
    state = store.recover(gc_depth=CONTEXT.parameters.gc_depth)
    commits = _commits(store)
    assert state.commits == tuple(c for c in commits if c.leader.round > state.floor)
    assert (state.schedule is not None) == (len(commits) >= WINDOW)
    previous = genesis_commit_digest(CONTEXT.genesis_digest)
    for commit in commits:
        assert commit.previous == previous
        previous = commit_digest(commit)
        assert len(store.read_blocks(commit.blocks)) == len(commit.blocks)
    own = [block for block in state.blocks if block.author == OWN]
    assert len({block.round for block in own}) == len(own)
    if last is not None:
        assert last == _entry(next(block for block in own if block.round == last.round))


def _next_round(below: list[Block], commits: list[Commit], store: LmdbBlockStore) -> list[Block]:
    """Store the next round, others first, and a commit of the one below; then sync."""
    layer = FORGE.layer(below[OWN].round + 1 if below else 1, below)
    store.append(StoreBlocks(tuple(layer[1:])))
    if below and below[OWN].round > len(commits):
        commits.append(_commit(commits, below))
        index = CommitIndex(len(commits))
        schedule = ScheduleRecord(index, ()) if index % WINDOW == 0 else None
        store.append(StoreCommit(commits[-1], commit_digest(commits[-1]), schedule))
    store.append(StoreBlocks((layer[OWN],)))
    store.sync()
    return layer


def _commit(commits: list[Commit], blocks: list[Block]) -> Commit:
    """Return the commit of a round, under its last block."""
    return Commit(
        genesis=CONTEXT.genesis_digest,
        index=len(commits) + 1,
        previous=commit_digest(commits[-1])
        if commits
        else genesis_commit_digest(CONTEXT.genesis_digest),
        timestamp_ms=0,
        leader=blocks[-1].ref,
        blocks=tuple(refs_of(blocks)),
        void=(),
    )


def _entry(block: Block) -> JournalEntry:
    return JournalEntry(CONTEXT.epoch, block.round, block.ref.digest)


def _commits(store: LmdbBlockStore) -> list[Commit]:
    return list(store.read_commits(CommitIndex(1), CommitIndex(10**6)))


def _last_own_layer(store: LmdbBlockStore) -> list[Block]:
    """Return the stored blocks of the last round that has one of ours."""
    blocks = store.recover(gc_depth=CONTEXT.parameters.gc_depth).blocks
    newest = max((block.round for block in blocks if block.author == OWN), default=0)
    return [block for block in blocks if block.round == newest]

"""The chain of one node: executes commits, and answers what became of them.

Guards: `head` moves, and whoever listens is told, on the event loop only and after the commit is
durable, in the order of the commits, whether or not the caller waits for it. Reading may be done
from any thread.

    consensus, sync --> execute --> thread of the chain --> one durable write --> head --> feed
    votes, peers ----> add_certificate ----------------------> durable write ------------> feed
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

import structlog

from consensus.commit import CommittedSubDag
from consensus.committee import EpochContext
from node.chain.certificates import Certificates, Trust
from node.chain.certified import certificate_covering, certificate_numbered
from node.chain.committees import members_in
from node.chain.errors import CommitteeUnknownError
from node.chain.executor import Executed, Executor
from node.chain.feed import CertificateFormed, CommitExecuted, Feed
from node.chain.head import Head
from node.chain.index import EventPlace, ReceiptLookup
from node.chain.limits import DEFAULT_LIMITS, ChainLimits
from node.chain.opening import open_ledger, open_state
from node.chain.proofs import FIRST_EPOCH, Proof, Prover
from node.chain.record import COMMIT_RECORD_CODEC, CommitRecord
from node.execution.commit import Closing, Machine
from node.execution.library import Library
from node.execution.transactions import SignatureCheck, check_now
from node.ledger.account import account_key
from node.ledger.checkpoint import Certificate, Checkpoint
from node.ledger.contract import storage_key
from node.ledger.genesis import Genesis, chain_id_of, read_genesis
from node.ledger.parameters import LedgerParameters
from node.ledger.receipt import Receipt
from node.ledger.staking.records import Members
from node.storage.batch import WriteBatch
from node.storage.errors import DiskReserveError
from node.storage.history import record_at
from node.storage.state_store import StateStore
from node.storage.state_view import StateView
from node.storage.writer import Writer
from node.vm.engine import FastTier
from primitives.clock import Clock
from primitives.ids import Address, ChainId, CommitIndex, Digest, Epoch, Height, TimestampMs

EVENTS_LIMIT: Final = 100
GENESIS_HEIGHT: Final = Height(0)

T = TypeVar("T")

_log: Final = structlog.get_logger("node.chain")


class Chain:
    """A chain on disk; `open` makes one, leave it to close it.

    Attributes:
        genesis_file: its digest is the chain id.
        environment: the ledger; its one writer is `writer`.
        store: the versions of the state.
        machine: what executes.
        certificates: what `add_certificate` stands on, for who verifies before.
        feed: tells what became durable.
        head: after the last durable commit.
        certified: the newest certificate, None before the first; it may be ahead of the head.
    """

    store: StateStore
    head: Head
    certified: Certificate | None

    def __init__(
        self,
        *,
        genesis_file: bytes,
        genesis: Genesis,
        writer: Writer,
        machine: Machine,
        clock: Clock,
        limits: ChainLimits,
    ) -> None:
        self.genesis_file: Final = genesis_file
        self.genesis: Final = genesis
        self.chain_id: Final[ChainId] = chain_id_of(genesis_file)
        self.environment: Final = writer.environment
        self.writer: Final = writer
        self.machine: Final = machine
        self.feed: Final = Feed()
        self.store = open_state(
            self.environment,
            writer,
            genesis=genesis,
            chain_id=self.chain_id,
            machine=machine,
            limits=limits,
        )
        self._clock: Final = clock
        self._limits: Final = limits
        self._executor: Final = Executor(
            self.environment, writer, self.store, machine=machine, limits=limits
        )
        self.certificates: Final = Certificates(
            self.environment,
            self.store,
            chain_id=self.chain_id,
            genesis=genesis,
            committees=self._executor.committees,
        )
        self._prover: Final = Prover(self.environment, self.store)
        self._receipts: Final = ReceiptLookup(self.environment)
        self._executing: Final = asyncio.Lock()
        self._certifying: Final = asyncio.Lock()
        self._resources = ExitStack()
        self.head = self._executor.head
        self.certified = self.certificates.newest()
        self._check_certified()
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="chain")

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        genesis: bytes,
        node_id: bytes,
        clock: Clock,
        limits: ChainLimits = DEFAULT_LIMITS,
        check: SignatureCheck = check_now,
    ) -> Self:
        """Open the chain in the folder of a node, or found it there; blocks.

        Args:
            folder: of the node; the ledger is a folder in it.
            genesis: the bytes of the genesis file.
            node_id: whose database it is, at most 64 bytes.
            clock: tells when the database was begun, and when certificates came.
            limits: how much of the past is kept.
            check: of the signatures of transactions.

        Raises:
            GenesisError: no chain could start from the file.
            ForeignDatabaseError: the ledger is of another genesis or another node.
            StateDivergedError: the committee certified another state than the one that is stored.
            StorageError: the ledger cannot be opened; the class says why.
        """
        read = read_genesis(genesis)
        with ExitStack() as opening:
            environment = opening.enter_context(
                open_ledger(folder, genesis=genesis, node_id=node_id, clock=clock, limits=limits)
            )
            writer = opening.enter_context(Writer.start(environment))
            chain = cls(
                genesis_file=genesis,
                genesis=read,
                writer=writer,
                machine=Machine(engine=FastTier(), library=Library(), check=check),
                clock=clock,
                limits=limits,
            )
            opening.callback(chain._thread.shutdown)
            chain._resources = opening.pop_all()
        return chain

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread after its last write, then close the ledger; harmless if it is closed."""
        self._resources.close()

    @property
    def parameters(self) -> LedgerParameters:
        """Return what genesis agreed on."""
        return self.genesis.parameters

    async def execute(
        self, sub_dag: CommittedSubDag, *, closing: Closing = Closing.BY_TIME
    ) -> CommitExecuted | None:
        """Execute the next commit; on return it is durable. None if it was executed before.

        One commit at a time executes, in the order of the calls. While the disk is nearly full
        this waits, as do the other methods that write.

        Raises:
            InvalidCommitError: it does not follow from what was executed; the class says why.
            StateDivergedError: the committee certified another result: the node must stop.
            StorageError: nothing of it was written, and nothing ever will be.
        """
        work = partial(self._execute, sub_dag, closing)
        async with self._executing:
            executed = await self._patiently(partial(self._in_thread, work))
        return None if executed is None else executed.commit

    def view(self, height: Height | None = None) -> StateView:
        """Return the state at the head, or after the commit at a height; close it soon.

        Raises:
            StatePrunedError: it is kept no longer, or is not there yet.
        """
        return self.store.view(self.head.height if height is None else height)

    def members(self) -> Members:
        """Return the committee of the running epoch."""
        return self.members_of(self.head.epoch)

    def members_of(self, epoch: Epoch) -> Members:
        """Return the committee of the running epoch, or of one that the state still has.

        Raises:
            CommitteeUnknownError: it has not begun, or is too long ago.
        """
        known = self._executor.committees.known_members(epoch)
        if known is not None:
            return known
        with self.view() as view:
            return members_in(view, epoch)

    def context(self) -> EpochContext:
        """Return the running epoch as consensus takes it: the same on every node."""
        return self.context_of(self.head.epoch)

    def context_of(self, epoch: Epoch) -> EpochContext:
        """Return the running epoch as consensus takes it, or one before it.

        Raises:
            CommitteeUnknownError: it has not begun, or is too long ago.
        """
        known = self._executor.committees.known(epoch)
        if known is not None:
            return known
        with self.view() as view:
            return self._executor.committees.past(view, epoch)

    def executed_in(self, epoch: Epoch) -> CommitIndex:
        """Return the index of the last commit of an epoch that is durable; 0 before the first.

        Raises:
            CommitteeUnknownError: the epoch has not begun, or its end is kept no longer.
        """
        height, index = self.head.height, self.head.commit_index
        for _ in range(self.head.epoch - epoch):
            height = Height(height - index)
            record = self.record_at(height)
            if record is None:
                raise CommitteeUnknownError(epoch=epoch)
            index = record.commit_index
        if epoch > self.head.epoch:
            raise CommitteeUnknownError(epoch=epoch)
        return CommitIndex(index)

    async def add_certificate(
        self, certificate: Certificate, *, trust: Trust = Trust.UNVERIFIED
    ) -> None:
        """Verify a certificate and store it; on return it is durable, and the feed has told it.

        One of a checkpoint that is certified already changes nothing. It may be ahead of the head,
        in an epoch whose committee is known.

        Raises:
            InvalidCheckpointError: its committee did not sign it.
            CommitteeUnknownError: its committee is not known here.
            StateDivergedError: this node computed something else: it must stop.
            StorageError: it was not stored.
        """
        if self.certificates.is_known(certificate):
            return
        if trust is Trust.UNVERIFIED:
            await asyncio.to_thread(self.certificates.verify, certificate)
        async with self._certifying:
            # Another task may have brought it meanwhile, and each is told once.
            if not self.certificates.is_known(certificate):
                await self._write(self.certificates.additions(certificate))
                await self._announce(certificate)

    async def add_chain_file(self, raw: bytes) -> None:
        """Verify the certificates of epochs that this node did not see, and store them.

        Raises:
            InvalidCheckpointError: a link does not follow from what is trusted.
            CommitteeUnknownError: the committee of its first link is not known here.
            StateDivergedError: this node computed something else: it must stop.
        """
        batches, last = await asyncio.to_thread(self.certificates.walk, raw)
        for batch in batches:
            await self._write(batch)
        await self.add_certificate(last, trust=Trust.VERIFIED)

    def certificate(self, number: int) -> Certificate | None:
        """Return the certificate of a checkpoint, None if it is not here, or pruned."""
        with self.environment.snapshot() as snapshot:
            return certificate_numbered(snapshot, number)

    def certificate_covering(self, height: Height) -> Certificate | None:
        """Return the first certificate at or above a height, None if there is none yet."""
        with self.environment.snapshot() as snapshot:
            return certificate_covering(snapshot, height)

    def chain_file(self, after_epoch: Epoch = FIRST_EPOCH) -> bytes:
        """Return the certificates for a client that knows the committee of an epoch.

        Raises:
            NotCertifiedError: there is none from that epoch on.
            CommitteeUnknownError: one of the epochs between is not certified here.
        """
        return self._prover.chain_file(after_epoch=after_epoch)

    def prove_receipt(self, height: Height, index: int) -> Proof:
        """Prove a receipt of a commit that is certified itself.

        Raises:
            NotCertifiedError: the commit has no certificate of its own here, or no such receipt.
        """
        return self._prover.receipt(height, index)

    def prove_entry(self, key: bytes) -> Proof:
        """Prove what stands at a key of the state after the newest certified commit.

        Raises:
            NotCertifiedError: nothing that was executed is certified.
            StatePrunedError: that state is kept no longer.
        """
        return self._prover.entry(key, head=self.head.height)

    def prove_account(self, address: Address) -> Proof:
        """Prove an account, as `prove_entry` does."""
        return self.prove_entry(account_key(address))

    def prove_slot(self, contract: Address, slot: bytes) -> Proof:
        """Prove what a contract stores, as `prove_entry` does."""
        return self.prove_entry(storage_key(contract, slot))

    def find_transaction(self, transaction_id: Digest) -> tuple[Height, int] | None:
        """Return height and index of the receipt of a transaction, None if there is none here."""
        return self._receipts.find(transaction_id)

    def receipt(self, height: Height, index: int) -> Receipt | None:
        """Return a receipt, None if it was pruned or there is none."""
        return self._receipts.receipt(height, index)

    def receipts(self, height: Height) -> tuple[Receipt, ...] | None:
        """Return the receipts of a commit, None if they were pruned or it is not there yet."""
        return self._receipts.receipts(height)

    def record_at(self, height: Height) -> CommitRecord | None:
        """Return what is kept of a commit, None if it was pruned or is not there yet."""
        with self.environment.snapshot() as snapshot:
            raw = record_at(snapshot, height)
        return None if raw is None else COMMIT_RECORD_CODEC.decode(raw)

    def checkpoint_at(self, height: Height) -> Checkpoint | None:
        """Return the checkpoint of a commit, None if it got none, or `record_at` has none."""
        record = self.record_at(height)
        return None if record is None else record.checkpoint

    def events(
        self,
        contract: Address,
        *,
        first_height: Height = GENESIS_HEIGHT,
        last_height: Height | None = None,
        limit: int = EVENTS_LIMIT,
        after: EventPlace | None = None,
    ) -> tuple[EventPlace, ...]:
        """Return what a contract told, the oldest first; go on with `after` the last one."""
        last = self.head.height if last_height is None else last_height
        return self._receipts.events(
            contract, first=first_height, last=last, limit=limit, after=after
        )

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Do what writes, again and again while the disk is nearly full."""
        is_told = False
        while True:
            try:
                return await attempt()
            except DiskReserveError as error:
                if not is_told:
                    _log.error("the disk is nearly full: the chain waits", reason=str(error))
                is_told = True
            await asyncio.sleep(self._limits.disk_retry_ms / 1_000)

    async def _write(self, batch: WriteBatch) -> None:
        async def attempt() -> None:
            try:
                await self.writer.write_soon(batch)
            except DiskReserveError:
                batch.unseal()
                raise

        await self._patiently(attempt)

    async def _in_thread(self, work: Callable[[], Executed | None]) -> Executed | None:
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        # Before anybody waits for it: a caller that is cancelled must not leave the head behind.
        future.add_done_callback(self._advance)
        return await asyncio.shield(future)

    def _execute(self, sub_dag: CommittedSubDag, closing: Closing) -> Executed | None:
        executed = self._executor.execute(sub_dag, closing=closing)
        if executed is not None and executed.commit.next_members is not None:
            batch = self.certificates.missing_seats(executed.commit.epoch)
            if batch is not None:
                # The commit itself is durable; what is not written now is when the chain opens.
                with suppress(DiskReserveError):
                    self.writer.write(batch)
        return executed

    def _advance(self, future: "asyncio.Future[Executed | None]") -> None:
        """Move the head, and tell it, once a commit is durable."""
        if future.cancelled() or future.exception() is not None:
            return
        executed = future.result()
        if executed is not None:
            self.head = executed.head
            self.feed.publish(executed.commit)

    async def _announce(self, certificate: Certificate) -> None:
        """Tell a certificate that is durable."""
        self.certificates.compare(certificate)
        known = self.certified
        if known is None or known.checkpoint.number < certificate.checkpoint.number:
            self.certified = certificate
        if certificate.checkpoint.next_committee is not None:
            # Its commit may have been executed while it was written.
            batch = self.certificates.missing_seats(certificate.checkpoint.epoch)
            if batch is not None:
                await self._write(batch)
        formed_ms = TimestampMs(self._clock.wall_ms())
        self.feed.publish(CertificateFormed(certificate, formed_ms))

    def _check_certified(self) -> None:
        """Do what a crash may have kept from being done after the last writes."""
        if self.certified is not None:
            self.certificates.compare(self.certified)
        batch = self.certificates.missing_seats(Epoch(self.head.epoch - 1))
        if batch is not None:
            self.writer.write(batch)

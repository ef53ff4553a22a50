"""The mempool of a node: takes transactions from clients and peers, passes them on, feeds blocks.

                          +--> outbox --> gossip, in batches
    submit ---> entrance -+
    gossip ---> entrance ----> pool --> feeder --> own blocks
                                ^
    commits, returned payload --+

Nothing is stored, so a restart forgets what waited here: clients send again, and who was passed a
transaction proposes it in its turn.
"""

import asyncio
from typing import Final

import structlog

from node.chain.errors import SubscriberLagError
from node.chain.feed import CommitExecuted
from node.ledger.errors import EntryError
from node.mempool.agenda import Seat
from node.mempool.batch import BATCH_CODEC, ITEM_BYTES_MAX, Outbox, transaction_topic
from node.mempool.entrance import (
    Candidate,
    check_candidate,
    is_lie,
    read_candidate,
    refuse_signature,
)
from node.mempool.entry import LOCAL, Admission, Claim, Offer
from node.mempool.errors import PoolError
from node.mempool.feeder import Feeder, Submit
from node.mempool.ledger_view import LedgerView
from node.mempool.limits import DEFAULT_LIMITS, PoolLimits
from node.mempool.pool import Pool
from node.signatures.checks import SignatureChecks
from p2p.gossip.events import Deliver, Message, Verdict
from p2p.pubsub import PubSub
from p2p.wire.peer_id import PeerId
from primitives.clock import Clock
from primitives.errors import MalformedBytesError
from primitives.ids import AuthorityIndex, Digest

FLUSH_S: Final = 0.01
"""How long a transaction waits for others to travel with."""
TICK_S: Final = 0.1
UNHEARD_MS: Final = 5_000
"""A transaction of this node that was not executed for so long is passed on again."""
SHARED_MAX: Final = 256
"""While more wait, a validator proposes what it is handed without passing it on as well: blocks
bring it to everybody, and what is not executed in time is passed on after all."""
SLICE_ITEMS: Final = 64
"""Of a batch looked at between two turns of the loop: a millisecond."""

_log: Final = structlog.get_logger("node.mempool")


class Mempool:
    """Transactions that wait at one node; `run` must run.

    Attributes:
        pool: what waits; only to read from.
        signatures: what is known of them, for whoever executes transactions.
    """

    def __init__(
        self,
        ledger: LedgerView,
        pubsub: PubSub,
        signatures: SignatureChecks,
        *,
        clock: Clock,
        limits: PoolLimits = DEFAULT_LIMITS,
    ) -> None:
        self._ledger = ledger
        self._pubsub = pubsub
        self.signatures: Final = signatures
        self._clock = clock
        self._outbox = Outbox()
        self._flush_due: asyncio.TimerHandle | None = None
        self._topic = transaction_topic(ledger.chain_id).name
        self.pool = Pool(base_fee=ledger.entry_context().base_fee, limits=limits)
        self._feeder = Feeder(self.pool, ledger, clock=clock)

    async def submit(self, raw: bytes) -> Digest:
        """Take a transaction of a client and return its id; one that waits already is no error.

        Raises:
            EntryError: it may not enter; the same class that the executor would raise.
            PoolError: there is no place for it; it may come again.
        """
        candidate = read_candidate(raw, self._ledger)
        claim = Claim.OWN if self._feeder.is_attached else Claim.OPEN
        if candidate.name not in self.pool:
            account = check_candidate(candidate, self._ledger)
            if not (await self.signatures.check([candidate.claim]))[0]:
                raise refuse_signature(candidate, account)
        if self._admit(candidate, claim, LOCAL) is not Admission.KNOWN:
            if claim is Claim.OPEN:
                self._pass_on(raw, claim)
            elif len(self.pool) <= SHARED_MAX:
                self._pass_on(raw, Claim.TAKEN)
        self._feeder.wake()
        return candidate.name

    def attach_proposer(self, submit: Submit, *, seat: AuthorityIndex, seats: int) -> None:
        """Feed own blocks from now on; again in each epoch in which we have a seat."""
        self._feeder.attach(submit, Seat(seat, seats))

    def detach_proposer(self) -> None:
        """Feed no blocks: we have lost our seat."""
        self._feeder.detach()

    def returned(self, items: tuple[bytes, ...]) -> None:
        """Take back payload that consensus gave back (`PayloadReturned`)."""
        self.pool.returned(items)
        self._feeder.rest()

    async def run(self) -> None:
        """Follow the chain, talk to peers and feed own blocks until cancelled."""
        self._pubsub.validate(self._topic, self._judge)
        self._pubsub.subscribe(self._topic, _ignore)
        try:
            async with asyncio.TaskGroup() as parts:
                parts.create_task(self._follow(), name="mempool: chain")
                parts.create_task(self._feeder.run(), name="mempool: feeder")
                parts.create_task(self._tick(), name="mempool: tick")
        finally:
            if self._flush_due is not None:
                self._flush_due.cancel()

    def _admit(self, candidate: Candidate, claim: Claim, origin: bytes) -> Admission:
        offer = Offer(
            raw=candidate.raw,
            name=candidate.name,
            signed=candidate.signed,
            origin=origin,
            claim=claim,
        )
        account = self._ledger.account(candidate.signed.transaction.sender)
        return self.pool.admit(offer, account=account, now_ms=self._clock.monotonic_ms())

    def _pass_on(self, raw: bytes, claim: Claim) -> None:
        full = self._outbox.add(raw, claim)
        if full is not None:
            self._pubsub.publish(self._topic, full)
        if self._flush_due is None:
            self._flush_due = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flush_due = None
        for batch in self._outbox.flush():
            self._pubsub.publish(self._topic, batch)

    async def _judge(self, message: Message, sender: PeerId) -> Verdict:
        """Let in what a peer passed on, and say whether it should go further.

        Only what nobody could have taken for good is held against the sender.
        """
        try:
            batch = BATCH_CODEC.decode(message.payload)
            candidates = await self._read(batch.items)
        except (MalformedBytesError, EntryError) as error:
            _log.debug("batch refused", code=error.code)
            return Verdict.REJECT
        verdicts = await self.signatures.check([candidate.claim for candidate in candidates])
        if not all(verdicts):
            return Verdict.REJECT
        claim = Claim(batch.claim)
        fresh = [candidate for candidate in candidates if self._is_taken(candidate, claim, sender)]
        self._feeder.wake()
        fresh_bytes = sum(len(candidate.raw) for candidate in fresh)
        if 2 * fresh_bytes >= sum(map(len, batch.items)):
            return Verdict.ACCEPT
        # Old transactions with a new one among them would travel as far as we let them.
        for candidate in fresh:
            self._pass_on(candidate.raw, claim)
        return Verdict.IGNORE

    async def _read(self, items: tuple[bytes, ...]) -> list[Candidate]:
        """Return what is new and may wait, but for its signature.

        Raises:
            EntryError: something is no transaction of this chain, whatever its state.
        """
        candidates: list[Candidate] = []
        for place, raw in enumerate(items):
            if place and place % SLICE_ITEMS == 0:
                await asyncio.sleep(0)
            candidate = read_candidate(raw, self._ledger)
            if candidate.name in self.pool:
                continue
            try:
                check_candidate(candidate, self._ledger)
            except EntryError as error:
                if is_lie(error):
                    raise
            else:
                candidates.append(candidate)
        return candidates

    def _is_taken(self, candidate: Candidate, claim: Claim, sender: PeerId) -> bool:
        try:
            return self._admit(candidate, claim, sender) is not Admission.KNOWN
        except (EntryError, PoolError):
            return False

    async def _follow(self) -> None:
        while True:
            try:
                with self._ledger.feed.subscribe() as events:
                    async for event in events:
                        if isinstance(event, CommitExecuted):
                            self._on_commit(event)
            except SubscriberLagError:
                _log.warning("mempool fell behind the chain")
                context = self._ledger.entry_context()
                self.pool.caught_up(
                    time_ms=context.now_ms,
                    base_fee=context.base_fee,
                    account_of=self._ledger.account,
                )

    def _on_commit(self, event: CommitExecuted) -> None:
        self.pool.committed(
            event.receipts,
            time_ms=event.time_ms,
            base_fee=self._ledger.entry_context().base_fee,
            account_of=self._ledger.account,
        )
        self._feeder.wake()

    async def _tick(self) -> None:
        """Stand in for others in time, and repeat what nobody seems to have heard."""
        while True:
            await asyncio.sleep(TICK_S)
            now_ms = self._clock.monotonic_ms()
            due_ms = self.pool.due_ms()
            if due_ms is not None and due_ms <= now_ms:
                self._feeder.wake()
            before_ms = now_ms - UNHEARD_MS
            for raw in self.pool.unheard(
                before_ms=before_ms, now_ms=now_ms, bytes_max=ITEM_BYTES_MAX
            ):
                self._pass_on(raw, Claim.OPEN)


def _ignore(delivery: Deliver) -> None:
    """Let a message go: its validator has taken what is in it."""
    del delivery

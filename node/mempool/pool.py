"""The pool: which transactions wait, which of them go into own blocks, and how each of them leaves.

Sans-I/O. Guards: one transaction for each nonce of a sender; never more bytes than allowed; what is
in an own block that may still commit is not proposed a second time here; everything that leaves has
a reason that can be asked for. Nothing is stored: after a restart clients send again.

What it is offered has passed the entry rules at the newest state. That state moves on, so accounts
are looked up again before anything is proposed, and after each commit for some senders in turn.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from node.ledger.account import Account
from node.ledger.errors import NonceWindowError, ReplayedNonceError, UnaffordableError
from node.ledger.receipt import Receipt, ReceiptStatus
from node.ledger.transaction import encoded_transaction_id
from node.mempool.agenda import Agenda, Seat
from node.mempool.entry import LOCAL, Admission, Claim, Departure, Entry, Offer
from node.mempool.errors import PoolFullError, ReplacementFeeError, ReplacementLateError
from node.mempool.farewells import Farewells
from node.mempool.flights import Flights
from node.mempool.lazy_heap import LazyHeap
from node.mempool.limits import DEFAULT_LIMITS, PoolLimits
from node.mempool.sender_queue import SenderQueue
from node.mempool.space import Space
from primitives.ids import Address, Digest, Grain, TimestampMs

AccountOf: TypeAlias = Callable[[Address], Account]
"""Looks an account up in the newest state."""

_PERCENT: Final = 100


class Lead(NamedTuple):
    """How much may be in own blocks, or on the way there, and not yet executed.

    Args:
        step_max: how many are taken at a time.
    """

    bytes_max: int
    count_max: int
    step_max: int


class Pending(NamedTuple):
    """A transaction that waits, as it is shown to people."""

    name: Digest
    nonce: int
    size_bytes: int
    is_in_flight: bool


class Pool:
    """All that waits; belongs to one task.

    Attributes:
        admissions: what became of offers, counted.
        proposals: what happened to those that were handed to consensus, counted.
    """

    def __init__(self, *, base_fee: Grain, limits: PoolLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._entries: dict[Digest, Entry] = {}
        self._queues: OrderedDict[Address, SenderQueue] = OrderedDict()
        self._gapped: OrderedDict[Address, None] = OrderedDict()
        self._flights = Flights()
        self._farewells = Farewells(kept_max=limits.departures_kept)
        self._expiry: LazyHeap[Entry] = LazyHeap(_is_here)
        self._space = Space(limits)
        self._agenda = Agenda(self._queues, base_fee=base_fee, limits=limits)
        self._commits = 0
        self._offers = 0
        self._local: OrderedDict[Digest, int] = OrderedDict()
        self.admissions: Counter[Admission] = Counter()
        self.proposals: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: Digest) -> bool:
        """Tell whether the transaction with this id waits."""
        return name in self._entries

    @property
    def used_bytes(self) -> int:
        """What it takes in memory, by its own estimate."""
        return self._space.used_bytes

    @property
    def flying_count(self) -> int:
        """Transactions in own blocks, or on the way there."""
        return len(self._flights)

    @property
    def departures(self) -> Counter[Departure]:
        """How transactions left, counted."""
        return self._farewells.counts

    @property
    def sender_count(self) -> int:
        """Accounts that have something waiting."""
        return len(self._queues)

    @property
    def seat(self) -> Seat | None:
        """Our place among the proposers."""
        return self._agenda.seat

    def departure(self, name: Digest) -> Departure | None:
        """Return how a transaction left, None if it did not or that was long ago."""
        return self._farewells.get(name)

    def pending(self, address: Address) -> tuple[Pending, ...]:
        """Return what waits from a sender, by nonce."""
        return tuple(
            Pending(entry.name, entry.nonce, len(entry.raw), entry.is_in_flight)
            for entry in self._queues.get(address, ())
        )

    def next_nonce(self, address: Address, *, account: Account) -> int:
        """Return the nonce that the sender should use next."""
        nonce = account.nonce
        queue = self._queues.get(address)
        while queue is not None and queue.get(nonce) is not None:
            nonce += 1
        return nonce

    def admit(self, offer: Offer, *, account: Account, now_ms: int) -> Admission:
        """Let a transaction wait.

        Args:
            offer: what passed the entry rules.
            account: of its sender, in the newest state.
            now_ms: monotonic.

        Raises:
            ReplayedNonceError: the account moved on since the rules were checked.
            UnaffordableError: with what waits already, the sender cannot pay for it.
            NonceWindowError: the sender has as many waiting as it may.
            PoolError: the class says why there is no place for it.
        """
        known = self._entries.get(offer.name)
        if known is not None:
            self._claim(known, offer.claim)
            return self._admitted(Admission.KNOWN)
        self._offers += 1
        entry = Entry(offer, order=self._offers, arrived_ms=now_ms)
        queue = self._queues.get(entry.sender)
        if queue is None:
            queue = SenderQueue(entry.sender, next_nonce=account.nonce)
        self._refresh(queue, account)
        rival = queue.get(entry.nonce)
        self._check_rival(entry, rival)
        self._check_queue(queue, entry, rival=rival, account=account)
        self._make_room(entry, queue, rival=rival)
        if rival is not None:
            self._depart(rival, Departure.REPLACED)
        self._add(entry, queue)
        return self._admitted(Admission.ADDED if rival is None else Admission.REPLACED)

    def sit(self, seat: Seat | None) -> None:
        """Propose from this seat from now on, or from none; what is on its way stays so."""
        self._agenda.sit(seat)

    def due_ms(self) -> int | None:
        """Return when something becomes ours to propose because others did not."""
        return self._agenda.due_ms()

    def take(self, lead: Lead, *, now_ms: int, account_of: AccountOf) -> tuple[bytes, ...]:
        """Take what should go into own blocks now, in order; it is in flight from then on.

        Args:
            lead: counts what is in flight already.
            now_ms: monotonic.
            account_of: looks senders up again before their transactions go.
        """
        self._agenda.promote(now_ms)
        taken: list[bytes] = []
        while len(self._flights) < lead.count_max and len(taken) < lead.step_max:
            entry = self._next(lead)
            if entry is None:
                break
            queue = self._queues[entry.sender]
            if self._flights.flying_bytes + len(entry.raw) > lead.bytes_max and len(self._flights):
                self._agenda.place(queue)
                break
            if self._may_go(entry, queue, account_of):
                self._launch(entry, queue)
                taken.append(entry.raw)
        return tuple(taken)

    def _next(self, lead: Lead) -> Entry | None:
        """Take from the agenda; few places are for backups, which may be proposed elsewhere too."""
        backups_max = max(lead.count_max // self._limits.backup_share, 1)
        entry = self._agenda.next_backup() if self._flights.backups < backups_max else None
        return self._agenda.next_own() if entry is None else entry

    def unheard(self, *, before_ms: int, now_ms: int, bytes_max: int) -> tuple[bytes, ...]:
        """Return what was handed in here, last passed on before a time and never executed.

        It counts as passed on now.
        """
        names: list[Digest] = []
        left = bytes_max
        for name, passed_on_ms in self._local.items():
            left -= len(self._entries[name].raw)
            if passed_on_ms >= before_ms or left < 0:
                break
            names.append(name)
        for name in names:
            self._local[name] = now_ms
            self._local.move_to_end(name)
        return tuple(self._entries[name].raw for name in names)

    def returned(self, items: Iterable[bytes]) -> None:
        """Take back what consensus gave back; it waits again."""
        for raw in items:
            entry = self._flights.get(encoded_transaction_id(raw))
            if entry is not None:
                self.proposals["returned"] += 1
                self._land(entry)

    def committed(
        self,
        receipts: Sequence[Receipt],
        *,
        time_ms: TimestampMs,
        base_fee: Grain,
        account_of: AccountOf,
    ) -> None:
        """Follow the chain by one commit.

        Args:
            receipts: of the commit.
            time_ms: of the commit.
            base_fee: per gas, of the next one.
            account_of: looks accounts up after the commit.
        """
        self._commits += 1
        self._agenda.reprice(base_fee)
        refused: list[Digest] = []
        for receipt in receipts:
            if receipt.status is ReceiptStatus.REFUSED:
                refused.append(receipt.transaction_id)
            else:
                self._executed(receipt.transaction_id)
        if refused and len(self._flights):
            self._refused(refused, account_of)
        self._give_up_overdue()
        self._expire(time_ms)
        self._refresh_some(account_of)

    def caught_up(self, *, time_ms: TimestampMs, base_fee: Grain, account_of: AccountOf) -> None:
        """Follow the chain over commits whose receipts were missed."""
        self._agenda.reprice(base_fee)
        for queue in list(self._queues.values()):
            self._refresh(queue, account_of(queue.address))
            self._settle(queue)
        for entry in self._flights.all():
            if entry.nonce < self._queues[entry.sender].next_nonce:
                self._land(entry)
        self._expire(time_ms)

    def _admitted(self, admission: Admission) -> Admission:
        self.admissions[admission] += 1
        return admission

    def _claim(self, entry: Entry, claim: Claim) -> None:
        """Let a transaction that others brought be ours too, once it is handed in here."""
        if claim is Claim.OWN and entry.claim is not Claim.OWN:
            entry.claim = Claim.OWN
            self._agenda.place(self._queues[entry.sender])

    def _check_rival(self, entry: Entry, rival: Entry | None) -> None:
        if rival is None:
            return
        if rival.is_in_flight:
            raise ReplacementLateError(actual=entry.nonce)
        share = _PERCENT + self._limits.replace_percent
        for offered, before in zip(entry.price, rival.price, strict=True):
            if offered * _PERCENT < before * share:
                raise ReplacementFeeError(actual=offered, limit=-(-before * share // _PERCENT))

    def _check_queue(
        self, queue: SenderQueue, entry: Entry, *, rival: Entry | None, account: Account
    ) -> None:
        if entry.nonce < queue.next_nonce:
            raise ReplayedNonceError(actual=entry.nonce, limit=queue.next_nonce)
        cost = queue.cost + entry.cost - (0 if rival is None else rival.cost)
        if account.balance < cost:
            raise UnaffordableError(actual=account.balance, limit=cost)
        if rival is None and len(queue) >= self._limits.per_sender_max:
            limit = queue.next_nonce + self._limits.per_sender_max
            raise NonceWindowError(actual=entry.nonce, limit=limit)

    def _make_room(self, entry: Entry, queue: SenderQueue, *, rival: Entry | None) -> None:
        """Evict what is worth less, tails first, so that no queue gets a gap.

        Raises:
            PoolError: everything that could go is worth as much.
        """
        self._space.check_share(entry)
        needed_bytes = entry.size_bytes - (0 if rival is None else rival.size_bytes)
        while self._space.lacks(needed_bytes):
            victim = self._victim(entry)
            if victim is None or victim.sender == entry.sender or self._makes_gap(entry, queue):
                tip = 0 if victim is None else victim.price.tip
                raise PoolFullError(actual=entry.price.tip, limit=tip)
            self._depart(victim, Departure.EVICTED)

    def _victim(self, entry: Entry) -> Entry | None:
        for address in self._gapped:
            # What cannot execute pays nothing, however much it offers.
            tail = self._queues[address].tail()
            if not tail.is_in_flight:
                return tail
        cheapest = self._space.cheapest()
        if cheapest is None or cheapest.price >= entry.price:
            return None
        # What comes after it cannot execute before it, so is worth no more.
        tail = self._queues[cheapest.sender].tail()
        return cheapest if tail.is_in_flight else tail

    def _makes_gap(self, entry: Entry, queue: SenderQueue) -> bool:
        return entry.nonce != queue.next_nonce and queue.get(entry.nonce - 1) is None

    def _add(self, entry: Entry, queue: SenderQueue) -> None:
        self._entries[entry.name] = entry
        self._farewells.forget(entry.name)
        self._queues[entry.sender] = queue
        queue.add(entry)
        self._space.add(entry)
        self._expiry.push(entry, key=entry.valid_until)
        if entry.origin == LOCAL:
            self._local[entry.name] = entry.arrived_ms
        self._settle(queue)

    def _settle(self, queue: SenderQueue) -> None:
        """Bring what follows from a queue up to date after a change of it."""
        if len(queue) == 0:
            self._queues.pop(queue.address, None)
            self._gapped.pop(queue.address, None)
            return
        if queue.is_gapped:
            self._gapped[queue.address] = None
        else:
            self._gapped.pop(queue.address, None)
        self._agenda.place(queue)

    def _depart(self, entry: Entry, why: Departure) -> None:
        self._flights.remove(entry)
        queue = self._queues[entry.sender]
        queue.remove(entry)
        entry.is_gone = True
        del self._entries[entry.name]
        self._local.pop(entry.name, None)
        self._space.remove(entry)
        self._farewells.note(entry.name, why)
        self._settle(queue)

    def _launch(self, entry: Entry, queue: SenderQueue) -> None:
        self.proposals["taken"] += 1
        queue.launch(entry)
        self._flights.add(entry, commits=self._commits)
        self._agenda.place(queue)

    def _land(self, entry: Entry) -> None:
        """Let what was on its way wait again."""
        queue = self._queues[entry.sender]
        self._flights.remove(entry)
        queue.land(entry)
        if entry.nonce < queue.next_nonce:
            self._depart(entry, Departure.OVERTAKEN)
            return
        self._space.offer(entry)
        self._settle(queue)

    def _may_go(self, entry: Entry, queue: SenderQueue, account_of: AccountOf) -> bool:
        """Look at the sender's account again; drop what is void now."""
        account = account_of(entry.sender)
        self._refresh(queue, account)
        if entry.is_gone:
            return False
        if queue.candidate() is not entry:
            self._agenda.place(queue)
            return False
        if account.balance >= queue.cost_up_to(entry.nonce):
            return True
        if queue.flying == 0:
            self._depart(entry, Departure.UNAFFORDABLE)
        # Else it gets its place back when what is before it has been executed.
        return False

    def _executed(self, name: Digest) -> None:
        entry = self._entries.get(name)
        if entry is None:
            self._farewells.correct(name)
            return
        queue = self._queues[entry.sender]
        queue.advance(entry.nonce + 1)
        self._depart(entry, Departure.EXECUTED)
        self._drop_used_up(queue)

    def _refused(self, names: Iterable[Digest], account_of: AccountOf) -> None:
        flying = self._flights.by_refused_name()
        for name in names:
            entry = flying.pop(name, None)
            if entry is None:
                continue
            self.proposals["refused"] += 1
            entry.refusals += 1
            queue = self._queues[entry.sender]
            self._land(entry)
            self._refresh(queue, account_of(entry.sender))
            if entry.name in self._entries and entry.refusals >= self._limits.refusals_max:
                self._depart(entry, Departure.REFUSED)

    def _give_up_overdue(self) -> None:
        last = self._commits - self._limits.flight_commits_max
        while (entry := self._flights.first()) is not None and entry.fed_at <= last:
            self.proposals["overdue"] += 1
            self._land(entry)

    def _expire(self, time_ms: TimestampMs) -> None:
        while (entry := self._expiry.peek()) is not None and entry.valid_until < time_ms:
            self._depart(entry, Departure.EXPIRED)

    def _refresh_some(self, account_of: AccountOf) -> None:
        """Look up some senders in turn, half of them among those that lack a transaction."""
        count = self._limits.refreshed_per_commit // 2
        for ring in (self._gapped, self._queues):
            for address in [address for address, _ in zip(ring, range(count), strict=False)]:
                queue = self._queues.get(address)
                if queue is None:
                    continue
                if address in ring:
                    ring.move_to_end(address)
                self._refresh(queue, account_of(address))
                self._settle(queue)

    def _refresh(self, queue: SenderQueue, account: Account) -> None:
        """Follow an account."""
        queue.advance(account.nonce)
        self._drop_used_up(queue)

    def _drop_used_up(self, queue: SenderQueue) -> None:
        """Drop what can never execute; what is in flight may just have done so: wait."""
        for entry in queue.used_up():
            if not entry.is_in_flight:
                self._depart(entry, Departure.OVERTAKEN)


def _is_here(entry: Entry, ticket: int) -> bool:
    del ticket
    return not entry.is_gone

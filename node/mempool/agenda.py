"""What this node may propose, and in which order.

Of each sender one transaction stands in the agenda, the next that is in no block yet: so nonces go
out in order. It waits in one of four places:

    parked --(base fee falls)--> turn: own ------------------------> proposed, best tip first
                                 turn: another's --> later --> backup --> proposed, a few of them

Whose turn it is: what was handed in at a validator that validator proposes, and says so when it
passes it on. All else is the turn of the validator that the sender's address points to; of the
address and not of the transaction, since two proposers would bring the nonces of one sender out of
order. Each further `patience_ms` is the next validator's turn too, until it is everybody's: a
censor delays, and stops nothing.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from node.mempool.entry import Claim, Entry
from node.mempool.lazy_heap import LazyHeap
from node.mempool.limits import PoolLimits
from node.mempool.sender_queue import SenderQueue
from primitives.ids import Address, AuthorityIndex, Grain

_PRIMARY_BYTES: Final = 8


class Seat(NamedTuple):
    """Our place among the validators that propose.

    Args:
        seats: how many the committee has.
    """

    own: AuthorityIndex
    seats: int


class Agenda:
    """The places; the pool says what changes.

    Attributes:
        base_fee: per gas, of the next commit.
    """

    def __init__(
        self, queues: Mapping[Address, SenderQueue], *, base_fee: Grain, limits: PoolLimits
    ) -> None:
        self._queues = queues
        self._limits = limits
        self._seat: Seat | None = None
        self._clear()
        self.base_fee = base_fee

    @property
    def seat(self) -> Seat | None:
        """Our place, None while we propose nothing."""
        return self._seat

    def sit(self, seat: Seat | None) -> None:
        """Take another seat, or none; everything finds its place anew."""
        if seat == self._seat:
            return
        self._seat = seat
        self._clear()
        for queue in self._queues.values():
            self.place(queue)

    def place(self, queue: SenderQueue) -> None:
        """Give the next transaction of a sender its place."""
        if self._seat is None:
            return
        entry = queue.candidate()
        if entry is not None:
            self._put(entry, self._seat)

    def reprice(self, base_fee: Grain) -> None:
        """Note the base fee of the next commit; what it no longer keeps out may go."""
        self.base_fee = base_fee
        seat = self._seat
        while seat is not None and (entry := self._parked.peek()) is not None:
            if entry.price.fee_max < base_fee:
                return
            self._put(entry, seat)

    def promote(self, now_ms: int) -> None:
        """Let those stand in for others that waited long enough."""
        seat = self._seat
        while seat is not None and (entry := self._later.peek()) is not None:
            if self._due_ms(entry, seat) > now_ms:
                return
            entry.is_backup = True
            self._offer(self._backup, entry)

    def due_ms(self) -> int | None:
        """Return when `promote` has something to do, None if nothing waits for that."""
        entry = self._later.peek()
        return None if entry is None or self._seat is None else self._due_ms(entry, self._seat)

    def next_own(self) -> Entry | None:
        """Take what pays best of that whose turn is ours."""
        return self._next(self._own)

    def next_backup(self) -> Entry | None:
        """Take what pays best of that which others should have proposed."""
        return self._next(self._backup)

    def _clear(self) -> None:
        self._own: LazyHeap[Entry] = LazyHeap(_is_current)
        self._backup: LazyHeap[Entry] = LazyHeap(_is_current)
        self._later: LazyHeap[Entry] = LazyHeap(_is_current)
        self._parked: LazyHeap[Entry] = LazyHeap(_is_current)

    def _put(self, entry: Entry, seat: Seat) -> None:
        entry.is_backup = False
        if entry.price.fee_max < self.base_fee:
            entry.ticket += 1
            self._parked.push(entry, key=-entry.price.fee_max, ticket=entry.ticket)
        elif self._rank(entry, seat) == 0:
            self._offer(self._own, entry)
        else:
            entry.ticket += 1
            self._later.push(entry, key=self._due_ms(entry, seat), ticket=entry.ticket)

    def _offer(self, heap: LazyHeap[Entry], entry: Entry) -> None:
        entry.ticket += 1
        entry.offered_tip = self._tip(entry)
        heap.push(entry, key=(-entry.offered_tip, entry.order), ticket=entry.ticket)

    def _next(self, heap: LazyHeap[Entry]) -> Entry | None:
        while (entry := heap.pop()) is not None:
            if self._queues[entry.sender].candidate() is not entry:
                # An earlier one came back; this one finds a place after it.
                continue
            tip = self._tip(entry)
            if tip < 0:
                entry.ticket += 1
                self._parked.push(entry, key=-entry.price.fee_max, ticket=entry.ticket)
            elif tip < entry.offered_tip:
                self._offer(heap, entry)
            else:
                entry.ticket += 1
                return entry
        return None

    def _tip(self, entry: Entry) -> int:
        """Return what the base fee leaves of the tip; below zero it may not enter at all."""
        return min(entry.price.tip, entry.price.fee_max - self.base_fee)

    def _rank(self, entry: Entry, seat: Seat) -> int:
        """Return how many turns come before ours."""
        if entry.claim is Claim.OWN:
            return 0
        primary = int.from_bytes(entry.sender[:_PRIMARY_BYTES], "big") % seat.seats
        rank = (seat.own - primary) % seat.seats
        if entry.claim is Claim.TAKEN:
            rank += 1
        return min(rank, self._limits.ranks_max)

    def _due_ms(self, entry: Entry, seat: Seat) -> int:
        return entry.arrived_ms + self._rank(entry, seat) * self._limits.patience_ms


def _is_current(entry: Entry, ticket: int) -> bool:
    return entry.ticket == ticket and not entry.is_gone and not entry.is_in_flight

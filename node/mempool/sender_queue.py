"""The transactions of one sender, by nonce: what comes next, and what they may cost together."""

from collections.abc import Iterator

from node.mempool.entry import Entry
from primitives.ids import Address


class SenderQueue:
    """One sender; at most one transaction for each nonce, none below the account's.

    Attributes:
        next_nonce: of the account, as it was last seen.
        cost: what all of them may take together.
        flying: how many are in blocks on their way.
    """

    __slots__ = ("_by_nonce", "_feed_nonce", "address", "cost", "flying", "next_nonce")

    def __init__(self, address: Address, *, next_nonce: int) -> None:
        self.address = address
        self.next_nonce = next_nonce
        self.cost = 0
        self.flying = 0
        self._by_nonce: dict[int, Entry] = {}
        self._feed_nonce = next_nonce

    def __len__(self) -> int:
        return len(self._by_nonce)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the transactions by nonce."""
        return iter([self._by_nonce[nonce] for nonce in sorted(self._by_nonce)])

    @property
    def is_gapped(self) -> bool:
        """Tell whether the next transaction of the account is missing."""
        return bool(self._by_nonce) and self.next_nonce not in self._by_nonce

    def get(self, nonce: int) -> Entry | None:
        """Return the transaction with this nonce."""
        return self._by_nonce.get(nonce)

    def tail(self) -> Entry:
        """Return the last transaction of a queue that has one."""
        return self._by_nonce[max(self._by_nonce)]

    def add(self, entry: Entry) -> None:
        """Add a transaction whose nonce is free."""
        assert entry.nonce not in self._by_nonce, "one transaction for each nonce"
        self._by_nonce[entry.nonce] = entry
        self.cost += entry.cost

    def remove(self, entry: Entry) -> None:
        """Remove one of the transactions."""
        del self._by_nonce[entry.nonce]
        self.cost -= entry.cost
        self.land(entry)

    def launch(self, entry: Entry) -> None:
        """Note that a transaction is on its way."""
        entry.is_in_flight = True
        self.flying += 1

    def land(self, entry: Entry) -> None:
        """Note that a transaction is no longer on its way, if it was."""
        if entry.is_in_flight:
            entry.is_in_flight = False
            self.flying -= 1
            self._feed_nonce = min(self._feed_nonce, entry.nonce)

    def advance(self, next_nonce: int) -> None:
        """Note the nonce of the account; it never falls."""
        self.next_nonce = max(self.next_nonce, next_nonce)

    def used_up(self) -> list[Entry]:
        """Return the transactions whose nonce the account has passed."""
        if len(self._by_nonce) == 0 or min(self._by_nonce) >= self.next_nonce:
            return []
        return [entry for entry in self if entry.nonce < self.next_nonce]

    def candidate(self) -> Entry | None:
        """Return the transaction that may be proposed next, None if it is missing."""
        nonce = max(self._feed_nonce, self.next_nonce)
        while (entry := self._by_nonce.get(nonce)) is not None and entry.is_in_flight:
            nonce += 1
        self._feed_nonce = nonce
        return entry

    def cost_up_to(self, nonce: int) -> int:
        """Return what the transactions up to this nonce may cost together."""
        return sum(entry.cost for entry in self._by_nonce.values() if entry.nonce <= nonce)

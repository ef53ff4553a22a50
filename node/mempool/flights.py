"""What is in own blocks, or on the way there, and was not executed yet."""

from collections import OrderedDict

from node.mempool.entry import Entry
from primitives.ids import Digest


class Flights:
    """Transactions under way, by when they left.

    Attributes:
        flying_bytes: of all of them.
        backups: how many of them others should have proposed.
    """

    def __init__(self) -> None:
        self._by_name: OrderedDict[Digest, Entry] = OrderedDict()
        self.flying_bytes = 0
        self.backups = 0

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: Digest) -> Entry | None:
        """Return the transaction with this id, None if it is not under way."""
        return self._by_name.get(name)

    def all(self) -> list[Entry]:
        """Return all of them, the first to leave first."""
        return list(self._by_name.values())

    def first(self) -> Entry | None:
        """Return the first that left."""
        return next(iter(self._by_name.values()), None)

    def add(self, entry: Entry, *, commits: int) -> None:
        """Note that a transaction leaves after so many commits."""
        entry.fed_at = commits
        self._by_name[entry.name] = entry
        self.flying_bytes += len(entry.raw)
        self.backups += entry.is_backup

    def remove(self, entry: Entry) -> None:
        """Note that a transaction is under way no longer, if it was."""
        if self._by_name.pop(entry.name, None) is not None:
            self.flying_bytes -= len(entry.raw)
            self.backups -= entry.is_backup

    def by_refused_name(self) -> dict[Digest, Entry]:
        """Return them by the names that receipts would have for them, were they refused."""
        return {entry.refused_name: entry for entry in self._by_name.values()}

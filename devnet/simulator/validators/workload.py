"""Clients that submit payload to honest nodes until it is committed.

Every node has one client. It submits again what a crash may have swallowed and what came back,
so the same payload may be committed twice; executors drop duplicates, and so does the oracle.
"""

from consensus.commit import CommittedSubDag

RESUBMIT_AFTER_US = 5_000_000


class Outstanding:
    """A payload item on its way."""

    __slots__ = ("first_us", "item", "last_us", "node")

    def __init__(self, item: bytes, node: int, now_us: int) -> None:
        self.item = item
        self.node = node
        self.first_us = now_us
        self.last_us = now_us


class Workload:
    """Items submitted and not yet committed by the node they were given to."""

    def __init__(self) -> None:
        self.outstanding: dict[bytes, Outstanding] = {}
        self.committed_count = 0
        self.resubmitted_count = 0
        self._sequence = 0

    def create(self, node: int, now_us: int) -> bytes:
        """Make a fresh item for a node."""
        self._sequence += 1
        item = b"%d:%d" % (node, self._sequence)
        self.outstanding[item] = Outstanding(item, node, now_us)
        return item

    def due(self, node: int, now_us: int) -> tuple[bytes, ...]:
        """Return the items that a node's client submits again now."""
        items = []
        for entry in self.outstanding.values():
            if entry.node == node and now_us - entry.last_us >= RESUBMIT_AFTER_US:
                entry.last_us = now_us
                items.append(entry.item)
        self.resubmitted_count += len(items)
        return tuple(items)

    def note_returned(self, node: int, items: tuple[bytes, ...]) -> None:
        """Make returned items due at the client's next turn."""
        for item in items:
            entry = self.outstanding.get(item)
            if entry is not None and entry.node == node:
                entry.last_us = -RESUBMIT_AFTER_US

    def note_commit(self, sub_dag: CommittedSubDag, *, node: int, now_us: int) -> None:
        """Take committed items off the list; an item counts once its own node delivered it."""
        for block in sub_dag.blocks:
            for item in block.signed.payload:
                entry = self.outstanding.get(item)
                if entry is not None and entry.node == node:
                    del self.outstanding[item]
                    self.committed_count += 1

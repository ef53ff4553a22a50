"""What is found in the receipts of commits: transactions by id, events by contract."""

from collections.abc import Iterator

import msgspec

from node.ledger.receipt import RECEIPT_CODEC, Event, Receipt
from node.storage.environment import Environment
from node.storage.history import receipt_at, receipts_at
from node.storage.receipt_index import event_places, find_receipt
from node.storage.transaction import Snapshot
from primitives.ids import Address, Digest, Height

EVENTS_READ_MAX = 10_000
"""In one answer, whatever was asked for."""


class EventPlace(msgspec.Struct, frozen=True, kw_only=True):
    """An event and where it stands.

    Args:
        height: of the commit.
        receipt_index: of the receipt in the commit.
        event_index: in the receipt.
    """

    height: Height
    receipt_index: int
    event_index: int
    event: Event

    @property
    def place(self) -> tuple[int, int, int]:
        """Return what orders events."""
        return self.height, self.receipt_index, self.event_index


class ReceiptLookup:
    """Reads receipts; may be used from any thread."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def receipt(self, height: Height, index: int) -> Receipt | None:
        """Return a receipt, None if it was pruned or there is none."""
        with self._environment.snapshot() as snapshot:
            return _receipt(snapshot, height, index)

    def receipts(self, height: Height) -> tuple[Receipt, ...] | None:
        """Return the receipts of a commit, None if they were pruned or it is not there yet."""
        with self._environment.snapshot() as snapshot:
            encoded = receipts_at(snapshot, height)
        return None if encoded is None else tuple(map(RECEIPT_CODEC.decode, encoded))

    def find(self, transaction_id: Digest) -> tuple[Height, int] | None:
        """Return height and index of the receipt of a transaction, None if there is none."""
        with self._environment.snapshot() as snapshot:
            place = find_receipt(snapshot, transaction_id)
            if place is None:
                return None
            receipt = _receipt(snapshot, *place)
        # The index holds the start of an id only, and may outlive the receipt by a few commits.
        if receipt is None or receipt.transaction_id != transaction_id:
            return None
        return place

    def events(
        self,
        contract: Address,
        *,
        first: Height,
        last: Height,
        limit: int,
        after: EventPlace | None,
    ) -> tuple[EventPlace, ...]:
        """Return events of a contract, the oldest first, at most `limit` after a place."""
        start = first if after is None else max(first, after.height)
        behind = (-1, -1, -1) if after is None else after.place
        wanted = min(limit, EVENTS_READ_MAX)
        found: list[EventPlace] = []
        if last < start or wanted <= 0:
            return ()
        with self._environment.snapshot() as snapshot:
            for event in _events(snapshot, contract, first=start, last=last):
                if event.place > behind:
                    found.append(event)
                if len(found) == wanted:
                    break
        return tuple(found)


def _events(
    snapshot: Snapshot, contract: Address, *, first: Height, last: Height
) -> Iterator[EventPlace]:
    for height, indexes in event_places(snapshot, contract, first=first, last=last):
        for index in indexes:
            receipt = _receipt(snapshot, height, index)
            for place, event in enumerate(() if receipt is None else receipt.events):
                if event.contract == contract:
                    yield EventPlace(
                        height=height, receipt_index=index, event_index=place, event=event
                    )


def _receipt(snapshot: Snapshot, height: Height, index: int) -> Receipt | None:
    raw = receipt_at(snapshot, height, index)
    return None if raw is None else RECEIPT_CODEC.decode(raw)

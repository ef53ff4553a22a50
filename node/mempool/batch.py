"""Transactions on their way to other nodes: many in a message, since a message is what costs.

One gossip message costs half a millisecond of each node it passes, a transaction in it a few
microseconds. A batch says whether the node that made it proposes what is in it; nobody can prove or
abuse that: a false claim delays what is in it by one turn.
"""

from typing import Annotated, Final

import msgspec

from node.chain.names import topic
from node.ledger.transaction import TRANSACTION_BYTES_MAX
from node.mempool.entry import Claim
from p2p.gossip.parameters import TRANSACTIONS_SCORE
from p2p.gossip.topic import TopicRules, Validation
from primitives.codec import Codec
from primitives.ids import ChainId

ITEMS_MAX: Final = 512
ITEM_BYTES_MAX: Final = 65_536
"""Of all transactions of a batch; a single one may be as long."""

_HEAD_BYTES_MAX: Final = 16
_ITEM_HEAD_BYTES_MAX: Final = 5
BATCH_BYTES_MAX: Final = ITEM_BYTES_MAX + ITEMS_MAX * _ITEM_HEAD_BYTES_MAX + _HEAD_BYTES_MAX
TOPIC_NAME: Final = "transactions"

ItemBytes = Annotated[bytes, msgspec.Meta(max_length=TRANSACTION_BYTES_MAX)]
ClaimField = Annotated[int, msgspec.Meta(ge=int(Claim.OPEN), le=int(Claim.TAKEN))]


class TransactionBatch(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Signed transactions.

    Args:
        claim: `Claim.OPEN` or `Claim.TAKEN`.
    """

    claim: ClaimField
    items: Annotated[tuple[ItemBytes, ...], msgspec.Meta(min_length=1, max_length=ITEMS_MAX)]


BATCH_CODEC: Codec[TransactionBatch] = Codec(TransactionBatch, size_bytes_max=BATCH_BYTES_MAX)


def transaction_topic(chain_id: ChainId) -> TopicRules:
    """Return the rules of the topic; every node of a chain has the same."""
    return TopicRules(
        name=topic(chain_id, TOPIC_NAME),
        size_bytes_max=BATCH_BYTES_MAX,
        validation=Validation.ASYNC,
        score=TRANSACTIONS_SCORE,
    )


class Outbox:
    """Gathers transactions into batches; holds less than one of each claim."""

    def __init__(self) -> None:
        self._items: dict[Claim, list[bytes]] = {Claim.OPEN: [], Claim.TAKEN: []}
        self._bytes: dict[Claim, int] = {Claim.OPEN: 0, Claim.TAKEN: 0}

    def add(self, raw: bytes, claim: Claim) -> bytes | None:
        """Add a transaction; return the batch that is full now, if one is."""
        full = None
        items = self._items[claim]
        if len(items) == ITEMS_MAX or self._bytes[claim] + len(raw) > ITEM_BYTES_MAX:
            full = self._close(claim)
        self._items[claim].append(raw)
        self._bytes[claim] += len(raw)
        return full

    def flush(self) -> list[bytes]:
        """Return the batches of all that is left."""
        return [self._close(claim) for claim, items in self._items.items() if items]

    def _close(self, claim: Claim) -> bytes:
        items = tuple(self._items[claim])
        self._items[claim] = []
        self._bytes[claim] = 0
        return BATCH_CODEC.encode(TransactionBatch(int(claim), items))

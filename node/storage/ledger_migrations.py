"""How a ledger of an older version becomes one of the present version; each step is one commit.

| to | what changes                                                       |
|----|--------------------------------------------------------------------|
| 2  | receipts stand in pages, no longer each in a record of its own     |
| 3  | transactions and events are found by an index over the receipts    |
| 4  | own votes are kept no longer: they follow from the commits         |
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from node.ledger.receipt import RECEIPT_CODEC
from node.storage.chain_tables import CHAIN_TABLES
from node.storage.history import receipts_at
from node.storage.receipt_index import put_index
from node.storage.receipt_pages import pack_pages
from node.storage.schema import Migration
from node.storage.state_tables import RECEIPT_COUNTS, RECEIPT_PAGES
from node.storage.table import Number, Packed, RawBytes, Table
from node.storage.transaction import WriteTransaction
from primitives.ids import Height

RECEIPTS_V1: Final[Table[tuple[int, int], bytes]] = Table(
    "receipts", key=Packed("QI"), value=RawBytes()
)
"""One receipt by height and index."""

OWN_VOTES_V3: Final[Table[int, bytes]] = Table("own_votes", key=Number(), value=RawBytes())
"""The own vote for a checkpoint by its number."""


def page_receipts(step: WriteTransaction) -> None:
    """Put the receipts of each commit into pages; those of one commit are in memory at a time."""
    step.create(RECEIPT_PAGES)
    for height, receipts in _by_height(step):
        for first, page in pack_pages(receipts):
            step.put(RECEIPT_PAGES, (height, first), page)
    step.drop(RECEIPTS_V1)


def _by_height(step: WriteTransaction) -> Iterator[tuple[int, list[bytes]]]:
    stored = ((key[0], receipt) for key, receipt in step.scan(RECEIPTS_V1))
    for height, receipts in groupby(stored, key=itemgetter(0)):
        yield height, [receipt for _, receipt in receipts]


def index_receipts(step: WriteTransaction) -> None:
    """Make the index of the receipts that are kept; the other new tables begin empty."""
    step.create(*CHAIN_TABLES)
    for number, _ in step.scan(RECEIPT_COUNTS):
        height = Height(number)
        encoded = receipts_at(step, height) or ()
        put_index(step, height, [RECEIPT_CODEC.decode(receipt) for receipt in encoded])


def drop_own_votes(step: WriteTransaction) -> None:
    """Drop what nothing wrote, where there is such a table."""
    step.drop(OWN_VOTES_V3)


LEDGER_MIGRATIONS: Final[tuple[Migration, ...]] = (page_receipts, index_receipts, drop_own_votes)

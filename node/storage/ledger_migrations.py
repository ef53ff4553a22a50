"""How a ledger of an older version becomes one of the present version; each step is one commit.

| to | what changes                                                       |
|----|--------------------------------------------------------------------|
| 2  | receipts stand in pages, no longer each in a record of its own     |
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from node.storage.receipt_pages import pack_pages
from node.storage.schema import Migration
from node.storage.state_tables import RECEIPT_PAGES
from node.storage.table import Packed, RawBytes, Table
from node.storage.transaction import WriteTransaction

RECEIPTS_V1: Final[Table[tuple[int, int], bytes]] = Table(
    "receipts", key=Packed("QI"), value=RawBytes()
)
"""One receipt by height and index."""


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


LEDGER_MIGRATIONS: Final[tuple[Migration, ...]] = (page_receipts,)

"""The tables of the chain beside its state: what finds and proves what commits left.

| table               | by                  | holds                                              |
|---------------------|---------------------|----------------------------------------------------|
| transactions        | start of the id     | height and place of the receipt                    |
| events              | contract, height    | places of the receipts with events of the contract |
| indexed             | height              | what of both a commit added, to take it away again |
| certificates        | number              | certificates of checkpoints                        |
| certified_heights   | height              | number of the certificate                          |
| epoch_links         | epoch               | its last certificate, and the seats that follow    |
"""

from typing import Annotated, Final

import msgspec

from node.ledger.checkpoint import (
    CERTIFICATE_BYTES_MAX,
    CERTIFICATE_CODEC,
    Certificate,
)
from node.ledger.committee import SEATS_BYTES_MAX
from node.ledger.light_client import ChainLink
from node.ledger.wire import AddressField
from node.storage.table import AnyTable, Number, Packed, RawBytes, Table
from primitives.codec import Codec

NAME_SIZE_BYTES: Final = 16
"""Of a transaction id in the index; the receipt that it leads to has the whole."""

INDEXED_BYTES_MAX: Final = 1 << 24


class Indexed(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """What a commit added to the index.

    Args:
        names: of its transactions, one after another.
        refused: of its items that were refused; only these may be in later commits again.
        contracts: those with events.
    """

    names: Annotated[bytes, msgspec.Meta(max_length=INDEXED_BYTES_MAX)]
    refused: Annotated[bytes, msgspec.Meta(max_length=INDEXED_BYTES_MAX)]
    contracts: tuple[AddressField, ...]


TRANSACTIONS: Final[Table[tuple[bytes], tuple[int, int]]] = Table(
    "transactions", key=Packed(f"{NAME_SIZE_BYTES}s"), value=Packed("QI")
)
EVENTS: Final[Table[tuple[bytes, int], bytes]] = Table(
    "events", key=Packed("32sQ"), value=RawBytes()
)
INDEXED: Final[Table[int, Indexed]] = Table(
    "indexed", key=Number(), value=Codec(Indexed, size_bytes_max=3 * INDEXED_BYTES_MAX)
)
CERTIFICATES: Final[Table[int, Certificate]] = Table(
    "certificates", key=Number(), value=CERTIFICATE_CODEC
)
CERTIFIED_HEIGHTS: Final[Table[int, int]] = Table("certified_heights", key=Number(), value=Number())
EPOCH_LINKS: Final[Table[int, ChainLink]] = Table(
    "epoch_links",
    key=Number(),
    value=Codec(ChainLink, size_bytes_max=CERTIFICATE_BYTES_MAX + SEATS_BYTES_MAX + 16),
)

INDEX_TABLES: Final[tuple[AnyTable, ...]] = (TRANSACTIONS, EVENTS, INDEXED)
"""What is made from receipts alone."""

CHAIN_TABLES: Final[tuple[AnyTable, ...]] = (
    *INDEX_TABLES,
    CERTIFICATES,
    CERTIFIED_HEIGHTS,
    EPOCH_LINKS,
)
"""What the schema of an environment must list for the chain."""

"""A ledger of an older version is brought to the present one with everything in it."""

from pathlib import Path

from node.storage.batch import WriteBatch
from node.storage.history import receipts_at
from node.storage.ledger_migrations import LEDGER_MIGRATIONS, RECEIPTS_V1
from node.storage.receipt_pages import PAGE_CONTENT_BYTES
from node.storage.schema import Schema
from node.storage.state_tables import RECEIPT_COUNTS, RECEIPT_PAGES, STATE_TABLES
from primitives.ids import Height
from tests.storage.places import opened

RECEIPTS = {
    0: [b"first", b"", b"second"],
    1: [],
    2: [bytes([number]) * (PAGE_CONTENT_BYTES // 3) for number in range(11)],
}
V1_TABLES = (*(table for table in STATE_TABLES if table is not RECEIPT_PAGES), RECEIPTS_V1)


def test_receipts_of_the_first_version_are_put_into_pages(tmp_path: Path) -> None:
    with opened(tmp_path, schema=Schema(purpose="state", tables=V1_TABLES)) as (_, writer):
        batch = WriteBatch()
        for height, receipts in RECEIPTS.items():
            batch.put(RECEIPT_COUNTS, height, len(receipts))
            for index, receipt in enumerate(receipts):
                batch.put(RECEIPTS_V1, (height, index), receipt)
        writer.write(batch)
    schema = Schema(purpose="state", tables=STATE_TABLES, migrations=LEDGER_MIGRATIONS)
    for _ in range(2):
        with (
            opened(tmp_path, schema=schema) as (environment, _),
            environment.snapshot() as snapshot,
        ):
            assert environment.stamp.version == 2
            assert snapshot.count(RECEIPT_PAGES) == 1 + 4
            for height, receipts in RECEIPTS.items():
                assert receipts_at(snapshot, Height(height)) == tuple(receipts)

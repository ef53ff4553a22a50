"""A ledger of an older version is brought to the present one with everything in it."""

from pathlib import Path

from node.ledger.receipt import RECEIPT_CODEC, Event, Receipt, ReceiptStatus
from node.storage.batch import WriteBatch
from node.storage.chain_tables import CHAIN_TABLES, INDEXED
from node.storage.history import put_history, receipts_at
from node.storage.ledger_migrations import LEDGER_MIGRATIONS, OWN_VOTES_V3, RECEIPTS_V1
from node.storage.receipt_index import event_places, find_receipt
from node.storage.receipt_pages import PAGE_CONTENT_BYTES
from node.storage.schema import Schema
from node.storage.state_tables import RECEIPT_COUNTS, RECEIPT_PAGES, STATE_TABLES
from primitives.hashing import sha256
from primitives.ids import Address, Digest, Height
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
    schema = Schema(purpose="state", tables=STATE_TABLES, migrations=LEDGER_MIGRATIONS[:1])
    for _ in range(2):
        with (
            opened(tmp_path, schema=schema) as (environment, _),
            environment.snapshot() as snapshot,
        ):
            assert environment.stamp.version == 2
            assert snapshot.count(RECEIPT_PAGES) == 1 + 4
            for height, receipts in RECEIPTS.items():
                assert receipts_at(snapshot, Height(height)) == tuple(receipts)


def _receipt(number: int, *contracts: Address) -> Receipt:
    return Receipt(
        transaction_id=Digest(sha256(b"%d" % number)),
        status=ReceiptStatus.DONE,
        events=tuple(Event(contract, "Told", b"") for contract in contracts),
    )


def test_receipts_of_the_second_version_are_found_by_an_index(tmp_path: Path) -> None:
    one, other = Address(b"1" * 32), Address(b"2" * 32)
    history = [[_receipt(0)], [], [_receipt(1, one), _receipt(2), _receipt(3, other, one)]]
    before = Schema(purpose="state", tables=STATE_TABLES, migrations=LEDGER_MIGRATIONS[:1])
    with opened(tmp_path, schema=before) as (_, writer):
        batch = WriteBatch()
        for height, receipts in enumerate(history):
            encoded = [RECEIPT_CODEC.encode(receipt) for receipt in receipts]
            put_history(batch, Height(height), record=b"", receipts=encoded)
        writer.write(batch)
    tables = (*STATE_TABLES, *CHAIN_TABLES)
    schema = Schema(purpose="state", tables=tables, migrations=LEDGER_MIGRATIONS[:2])
    with opened(tmp_path, schema=schema) as (environment, _), environment.snapshot() as snapshot:
        assert environment.stamp.version == 3
        assert snapshot.count(INDEXED) == 2
        for height, receipts in enumerate(history):
            for index, receipt in enumerate(receipts):
                assert find_receipt(snapshot, receipt.transaction_id) == (height, index)
        places = event_places(snapshot, one, first=Height(0), last=Height(9))
        assert list(places) == [(2, (0, 2))]


def test_own_votes_of_the_third_version_are_dropped(tmp_path: Path) -> None:
    kept = (*STATE_TABLES, *CHAIN_TABLES)
    before = Schema(purpose="state", tables=(*kept, OWN_VOTES_V3), migrations=LEDGER_MIGRATIONS[:2])
    with opened(tmp_path, schema=before) as (_, writer):
        batch = WriteBatch()
        batch.put(OWN_VOTES_V3, 7, b"a vote")
        batch.put(RECEIPT_COUNTS, 0, 3)
        writer.write(batch)
    schema = Schema(purpose="state", tables=kept, migrations=LEDGER_MIGRATIONS)
    with opened(tmp_path, schema=schema) as (environment, _), environment.snapshot() as snapshot:
        assert environment.stamp.version == 4
        assert snapshot.get(RECEIPT_COUNTS, 0) == 3

"""Records and receipts of commits: any number of any size, read one by one, pruned by history."""

from functools import partial
from pathlib import Path
from typing import Final

import pytest

from node.execution.contract_calls import EVENTS_BYTES_MAX
from node.ledger.committee import SEATS_BYTES_MAX
from node.ledger.receipt import (
    CODE_LENGTH_MAX,
    EVENT_BYTES_MAX,
    EVENTS_MAX,
    RECEIPT_BYTES_MAX,
    RECEIPT_CODEC,
    RESULT_BYTES_MAX,
    TRAP_LENGTH_MAX,
    Event,
    Receipt,
    ReceiptStatus,
)
from node.ledger.staking.parameters import COMMITTEE_SIZE_LIMIT, VALIDATORS_LIMIT
from node.ledger.staking.records import ADDRESSES_CODEC, MEMBERS_CODEC, Keys, Member
from node.ledger.tree.bucket import KEY_SIZE_BYTES_MAX, VALUE_SIZE_BYTES_MAX
from node.ledger.wire import INT63_MAX
from node.storage.batch import WriteBatch
from node.storage.errors import DamagedDatabaseError
from node.storage.history import receipt_at, receipts_at, record_at
from node.storage.receipt_pages import PAGE_CONTENT_BYTES, unpack_page
from node.storage.state_store import StateLimits, StateStore
from node.storage.state_tables import COMMIT_RECORDS, RECEIPT_COUNTS, RECEIPT_PAGES
from node.vm.limits import ENCODED_VALUE_BYTES_MAX, MODULE_BYTES_MAX
from primitives.errors import LocalProtocolError, MalformedBytesError
from primitives.ids import DIGEST_SIZE_BYTES, Address, Digest, Gas, Grain, Height, Power
from tests.storage.state_places import environment_at, store_at

RECORD_BYTES_ONCE: Final = 32 << 20
"""More than the receipts of one commit took when they were one record."""


def commit_receipts(store: StateStore, count: int) -> None:
    height = Height(store.height + 1)
    receipts = [b"%d of %d" % (index, height) for index in range(count)]
    store.commit(height, {}, receipts=receipts, record=b"record %d" % height)


def stored(store: StateStore) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Return the keys of records, counts and pages of receipts that are on disk."""
    with store._environment.snapshot() as snapshot:  # noqa: SLF001 - what is on disk
        return (
            [height for height, _ in snapshot.scan(COMMIT_RECORDS)],
            [height for height, _ in snapshot.scan(RECEIPT_COUNTS)],
            [key for key, _ in snapshot.scan(RECEIPT_PAGES)],
        )


def test_receipts_of_a_commit_have_no_bound_in_total(tmp_path: Path) -> None:
    receipts = [bytes([number]) * (RECEIPT_BYTES_MAX // 4) for number in range(33)]
    assert sum(map(len, receipts)) > RECORD_BYTES_ONCE
    with store_at(tmp_path) as store:
        store.commit(Height(0), {}, receipts=receipts, record=b"")
        with store.view() as view:
            assert view.receipts() == tuple(receipts)
            assert view.receipt(32) == receipts[32]


def test_longest_receipt_that_a_transaction_can_leave_has_an_encoding() -> None:
    share = bytes(EVENTS_BYTES_MAX // EVENTS_MAX + 1)
    event = Event(Address(bytes(DIGEST_SIZE_BYTES)), "\U0001f600" * CODE_LENGTH_MAX, share)
    receipt = Receipt(
        transaction_id=Digest(bytes(DIGEST_SIZE_BYTES)),
        status=ReceiptStatus.DONE,
        code="\U0001f600" * CODE_LENGTH_MAX,
        gas_used=Gas(INT63_MAX),
        fee=Grain(INT63_MAX),
        events=(event,) * EVENTS_MAX,
        result=bytes(RESULT_BYTES_MAX),
        created=Address(bytes(DIGEST_SIZE_BYTES)),
        trap="\U0001f600" * TRAP_LENGTH_MAX,
    )
    assert len(RECEIPT_CODEC.encode(receipt)) <= RECEIPT_BYTES_MAX


def test_longest_receipt_that_has_an_encoding_is_stored(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError):
        RECEIPT_CODEC.encode(
            Receipt(
                transaction_id=Digest(bytes(DIGEST_SIZE_BYTES)),
                status=ReceiptStatus.DONE,
                events=(Event(Address(bytes(DIGEST_SIZE_BYTES)), "E", bytes(EVENT_BYTES_MAX)),)
                * 64,
            )
        )
    longest = bytes(RECEIPT_BYTES_MAX)
    with store_at(tmp_path) as store:
        store.commit(Height(0), {}, receipts=[longest] * 2, record=longest)
        with store.view() as view:
            assert view.receipts() == (longest, longest)
            assert view.commit_record() == longest


@pytest.mark.parametrize("size_bytes", [0, 1, 65_536, VALUE_SIZE_BYTES_MAX])
def test_commit_takes_keys_and_values_of_any_size_that_the_state_has(
    tmp_path: Path, size_bytes: int
) -> None:
    changes = {bytes(min(size_bytes, KEY_SIZE_BYTES_MAX)): bytes(size_bytes), b"key": b""}
    with store_at(tmp_path) as store:
        store.commit(Height(0), changes, receipts=(), record=b"")
        with store.view() as view:
            assert {key: view.get(key) for key in changes} == changes


def test_largest_values_of_the_ledger_fit_the_state() -> None:
    address = Address(bytes(DIGEST_SIZE_BYTES))
    member = Member(
        operator=address,
        keys=Keys(bytes(DIGEST_SIZE_BYTES), bytes(DIGEST_SIZE_BYTES)),
        stake=Grain(INT63_MAX),
        weight=Grain(INT63_MAX),
        power=Power(INT63_MAX),
    )
    sizes = (
        len(MEMBERS_CODEC.encode((member,) * COMMITTEE_SIZE_LIMIT)),
        ENCODED_VALUE_BYTES_MAX,
        MODULE_BYTES_MAX,
        SEATS_BYTES_MAX,
        len(ADDRESSES_CODEC.encode((address,) * VALIDATORS_LIMIT)),
    )
    assert max(sizes) <= VALUE_SIZE_BYTES_MAX


def test_receipt_is_read_by_its_index(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        commit_receipts(store, 3)
        commit_receipts(store, 0)
        commit_receipts(store, 2)
        with store.view(Height(0)) as view:
            assert [view.receipt(index) for index in range(3)] == [b"0 of 0", b"1 of 0", b"2 of 0"]
            for index in (-1, 3, 2**32):
                assert view.receipt(index) is None
        with store.view(Height(1)) as view:
            assert view.receipts() == ()
            assert view.receipt(0) is None


def test_history_is_kept_longer_than_the_versions_of_the_state(tmp_path: Path) -> None:
    with store_at(tmp_path, limits=StateLimits(kept_versions=1)) as store:
        for _ in range(5):
            commit_receipts(store, 2)
        with store._environment.snapshot() as snapshot:  # noqa: SLF001 - what is on disk
            assert receipts_at(snapshot, Height(0)) == (b"0 of 0", b"1 of 0")
            assert receipt_at(snapshot, Height(1), 1) == b"1 of 1"
            assert record_at(snapshot, Height(2)) == b"record 2"
            assert receipts_at(snapshot, Height(5)) is None


def test_history_beyond_the_limit_is_pruned(tmp_path: Path) -> None:
    with store_at(tmp_path, limits=StateLimits(kept_history=3)) as store:
        for _ in range(8):
            commit_receipts(store, 2)
        heights = [5, 6, 7]
        assert stored(store) == (heights, heights, [(height, 0) for height in heights])
        with store.view(Height(4)) as view:
            assert (view.receipts(), view.receipt(0), view.commit_record()) == (None, None, None)


def test_pruning_of_history_is_bounded_per_commit_and_goes_on_after_a_restart(
    tmp_path: Path,
) -> None:
    page = bytes(PAGE_CONTENT_BYTES)
    with store_at(tmp_path) as store:
        for height in range(6):
            store.commit(Height(height), {}, receipts=[page] * 5, record=b"")
    limits = StateLimits(kept_history=1, pruned_records_max=2, pruned_pages_max=3)
    left = 6 * 5
    for turn in range(12):
        with store_at(tmp_path, limits=limits) as store:
            commit_receipts(store, 0)
            records, counts, pages = stored(store)
            left = max(0, left - 3)
            assert (len(records), len(counts)) == (max(1, 5 - turn),) * 2
            # A record goes before its receipts: nobody finds a part of them.
            assert len(pages) == max(left, 5 * sum(height < 6 for height in records))
    with store_at(tmp_path) as store:
        assert stored(store)[2] == []


@pytest.mark.parametrize(
    "sizes",
    [
        [0] * 5_000,
        [PAGE_CONTENT_BYTES // 3] * 10,
        [1, PAGE_CONTENT_BYTES * 40, 1, PAGE_CONTENT_BYTES - 1, 1, 0, PAGE_CONTENT_BYTES],
    ],
)
def test_receipts_of_any_size_come_back_from_their_pages(tmp_path: Path, sizes: list[int]) -> None:
    receipts = [bytes([index % 251]) * size for index, size in enumerate(sizes)]
    with store_at(tmp_path) as store:
        store.commit(Height(0), {}, receipts=receipts, record=b"")
        with store.view() as view:
            assert view.receipts() == tuple(receipts)
            for index in (0, 1, len(receipts) // 2, len(receipts) - 1):
                assert view.receipt(index) == receipts[index]
            assert view.receipt(len(receipts)) is None


@pytest.mark.parametrize(
    "page", [b"", b"\0" * 3, b"\0\0\0\x01", b"\0\0\0\1\0\0\0\2r", b"\0\0\0\0r", b"\xff" * 8]
)
def test_bytes_that_are_no_page_are_refused(page: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        unpack_page(page)


def test_page_that_is_lost_is_an_error_that_names_its_first_receipt(tmp_path: Path) -> None:
    page = bytes(PAGE_CONTENT_BYTES)
    for lost in (0, 1, 2):
        with environment_at(tmp_path / str(lost)) as (environment, writer):
            store = StateStore.open(environment, writer)
            store.commit(Height(0), {}, receipts=[page] * 3, record=b"")
            batch = WriteBatch()
            batch.delete(RECEIPT_PAGES, (0, lost))
            writer.write(batch)
            with store.view() as view:
                for read in (view.receipts, partial(view.receipt, lost)):
                    with pytest.raises(
                        DamagedDatabaseError, match=f"receipt {lost} of commit 0 is missing"
                    ):
                        read()


def test_page_that_is_none_is_an_error_that_names_its_receipt(tmp_path: Path) -> None:
    with environment_at(tmp_path) as (environment, writer):
        store = StateStore.open(environment, writer)
        commit_receipts(store, 3)
        batch = WriteBatch()
        batch.put(RECEIPT_PAGES, (0, 0), b"no page of receipts")
        writer.write(batch)
        with store.view() as view, pytest.raises(DamagedDatabaseError, match="receipt 1 of commit"):
            view.receipt(1)

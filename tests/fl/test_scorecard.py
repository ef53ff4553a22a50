"""The bytes of scorecards and commitments."""

from hypothesis import given
from hypothesis import strategies as st

from fl.rules.scorecard import (
    RECORD_SIZE_BYTES,
    Facts,
    Place,
    Record,
    commit_scores,
    commit_update,
    facts_bytes,
    read_alone,
    read_facts,
    read_left_out,
    record_at,
    write_record,
)
from primitives.hashing import sha256
from primitives.ids import Address

SCORES = st.integers(-(2**31), 2**31 - 1)
BYTE = st.integers(0, 255)
RECORDS = st.builds(
    Record,
    SCORES,
    SCORES,
    st.builds(Facts, BYTE, BYTE, BYTE, st.integers(0, 2**64 - 1)),
)
PLACE = Place(3, 5, Address(b"k" * 32))


def test_record_by_hand() -> None:
    record = write_record(Record(1, -1, Facts(verdict=2, original=7, cluster=9, norm=258)))
    assert record.hex() == "80000001" + "7fffffff" + "020709" + "0000000000000102"


@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_records_are_read_as_they_were_written(records: list[Record]) -> None:
    card = b"".join(write_record(record) for record in records)
    assert len(card) == len(records) * RECORD_SIZE_BYTES
    for index, record in enumerate(records):
        raw = record_at(card, index)
        assert read_alone(raw) == record.alone
        assert read_left_out(raw) == record.left_out
        assert read_facts(facts_bytes(raw)) == record.facts


def test_commitments_by_hand() -> None:
    place = (3).to_bytes(8, "big") + (5).to_bytes(8, "big") + b"k" * 32
    update = sha256(b"hanse/update-commitment/1" + place + b"r" * 32 + b"s" * 32)
    assert commit_update(PLACE, root=b"r" * 32, salt=b"s" * 32) == update
    scores = sha256(b"hanse/scores-commitment/1" + place + b"s" * 32 + b"card")
    assert commit_scores(PLACE, card=b"card", salt=b"s" * 32) == scores

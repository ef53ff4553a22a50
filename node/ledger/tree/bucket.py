"""Buckets as the log writes them: the entries of a small subtree, values and all.

    length (4) | kind (1) | 0 (1) | number of entries (2) | length of each payload (2) |
    place and leaf digest of each entry (64) | payload of each entry

    payload   length of the key (2) | key | value
              length of the key (2), highest bit set | key | address (8) and length (4) of the value

The digest of a bucket covers places and leaf digests, which stand together; a payload is proved by
its leaf digest. An update splices the one payload that changed into the bytes of the rest.
"""

import struct
from dataclasses import dataclass
from typing import Final

from node.ledger.tree.digests import BUCKET_SIZE_MAX
from node.ledger.tree.errors import DamagedNodeError, OversizedEntryError
from node.ledger.tree.log import BUCKET_KIND, HEAD_SIZE_BYTES, LONG_VALUE_KIND, Record

KEY_SIZE_BYTES_MAX: Final = 511
VALUE_SIZE_BYTES_MAX: Final = 1 << 17
INLINE_VALUE_SIZE_BYTES_MAX: Final = 256
"""A longer value has a record for itself, so that its neighbours in the bucket stay cheap."""

LONG_FLAG: Final = 0x80
"""In the first octet of a payload: the value has a record for itself."""

PLACE_SIZE_BYTES: Final = 32
PAIR_SIZE_BYTES: Final = 64
_LENGTH_SIZE_BYTES: Final = 2
_LONG_HEAD: Final = LONG_FLAG << 8
_HEAD: Final = struct.Struct(">IBBH")
_PAYLOAD_LENGTHS: Final = tuple(struct.Struct(f">{n}H") for n in range(BUCKET_SIZE_MAX + 1))
_LONG: Final = struct.Struct(">QI")
_LENGTH: Final = struct.Struct(">I")
_PAYLOAD_LENGTH: Final = struct.Struct(">H")

Entry = tuple[bytes, bytes, bytes]
"""One key of a bucket, or what becomes of it: place, leaf digest, payload; deleted without payload.

A plain tuple, since thousands are made and sorted per commit: a named one takes twice as long to
make, and the garbage collector goes through it again and again.
"""


@dataclass(frozen=True, slots=True)
class LongValue:
    """Where a value is that has a record for itself."""

    address: int
    size_bytes: int

    @property
    def record_size_bytes(self) -> int:
        """Return how long its record is."""
        return HEAD_SIZE_BYTES + PLACE_SIZE_BYTES + self.size_bytes


def pack_bucket(entries: list[Entry]) -> bytearray:
    """Write a bucket; the entries stand by ascending place."""
    count = len(entries)
    lengths = [len(payload) for _, _, payload in entries]
    length = HEAD_SIZE_BYTES + (_LENGTH_SIZE_BYTES + PAIR_SIZE_BYTES) * count + sum(lengths)
    record = bytearray(_HEAD.pack(length, BUCKET_KIND, 0, count))
    record += _PAYLOAD_LENGTHS[count].pack(*lengths)
    for place, leaf, _ in entries:
        record += place
        record += leaf
    for _, _, payload in entries:
        record += payload
    return record


def unpack_bucket(record: Record) -> list[Entry]:
    """Read a bucket; its payloads are not checked yet."""
    record = bytes(record)
    count = record[6] << 8 | record[7]
    at = HEAD_SIZE_BYTES + _LENGTH_SIZE_BYTES * count
    start = at + PAIR_SIZE_BYTES * count
    entries: list[Entry] = []
    for length in _PAYLOAD_LENGTHS[count].unpack_from(record, HEAD_SIZE_BYTES):
        middle, end = at + PLACE_SIZE_BYTES, at + PAIR_SIZE_BYTES
        entries.append((record[at:middle], record[middle:end], record[start : start + length]))
        at = end
        start += length
    return entries


def bucket_pairs(record: Record) -> Record:
    """Return what the digest of a bucket covers: place and leaf digest of every entry."""
    count = record[6] << 8 | record[7]
    at = HEAD_SIZE_BYTES + _LENGTH_SIZE_BYTES * count
    return record[at : at + PAIR_SIZE_BYTES * count]


def first_place(record: Record) -> bytes:
    """Return the place of the first entry of a bucket."""
    at = HEAD_SIZE_BYTES + _LENGTH_SIZE_BYTES * (record[6] << 8 | record[7])
    return bytes(record[at : at + PLACE_SIZE_BYTES])


def find_entry(record: Record, place: bytes) -> Entry | None:
    """Return the entry of a place, None if the bucket has none; its payload is not checked yet.

    Raises:
        DamagedNodeError: its parts do not fill the bucket.
    """
    located = _locate(record, place)
    if located is None:
        return None
    _, at, start, end = located
    leaf = bytes(record[at + PLACE_SIZE_BYTES : at + PAIR_SIZE_BYTES])
    return place, leaf, bytes(record[start:end])


def splice_bucket(record: bytearray, entry: Entry) -> bytes | None:
    """Replace an entry in a bucket that has one there; the fast way for what happens most.

    Returns:
        The payload that was replaced; None if there is no such entry and nothing was done.

    Raises:
        DamagedNodeError: the parts do not fill the bucket.
    """
    place, leaf, payload = entry
    located = _locate(record, place)
    if located is None:
        return None
    index, at, start, end = located
    replaced = bytes(record[start:end])
    record[at + PLACE_SIZE_BYTES : at + PAIR_SIZE_BYTES] = leaf
    record[start:end] = payload
    if len(payload) != end - start:
        _LENGTH.pack_into(record, 0, len(record))
        at = HEAD_SIZE_BYTES + _LENGTH_SIZE_BYTES * index
        _PAYLOAD_LENGTH.pack_into(record, at, len(payload))
    return replaced


def pack_payload(key: bytes, value: bytes) -> bytes:
    """Write a key with its value.

    Raises:
        OversizedEntryError: the key is longer than the state takes.
    """
    if len(key) > KEY_SIZE_BYTES_MAX:
        raise OversizedEntryError(part="key", size_bytes=len(key), limit=KEY_SIZE_BYTES_MAX)
    return _PAYLOAD_LENGTH.pack(len(key)) + key + value


def pack_long_payload(key: bytes, value: LongValue) -> bytes:
    """Write a key with the place of its value.

    Raises:
        OversizedEntryError: the key is longer than the state takes.
    """
    payload = bytearray(pack_payload(key, _LONG.pack(value.address, value.size_bytes)))
    payload[0] |= LONG_FLAG
    return bytes(payload)


def unpack_payload(payload: bytes, *, place: bytes) -> tuple[bytes, bytes | LongValue]:
    """Return the key of the entry at a place, and its value or where that is.

    Raises:
        DamagedNodeError: it is no payload.
    """
    head = int.from_bytes(payload[:_LENGTH_SIZE_BYTES], "big")
    end = _LENGTH_SIZE_BYTES + (head & ~_LONG_HEAD)
    key, rest = payload[_LENGTH_SIZE_BYTES:end], payload[end:]
    if not head & _LONG_HEAD and end <= len(payload):
        return key, rest
    if head & _LONG_HEAD and len(rest) == _LONG.size:
        return key, LongValue(*_LONG.unpack(rest))
    raise DamagedNodeError(where=place.hex(), reason="not the payload of an entry")


def pack_long_value(place: bytes, value: bytes) -> bytes:
    """Write the record of a long value.

    Raises:
        OversizedEntryError: it is longer than the state takes.
    """
    if len(value) > VALUE_SIZE_BYTES_MAX:
        raise OversizedEntryError(part="value", size_bytes=len(value), limit=VALUE_SIZE_BYTES_MAX)
    length = HEAD_SIZE_BYTES + PLACE_SIZE_BYTES + len(value)
    return _HEAD.pack(length, LONG_VALUE_KIND, 0, 0) + place + value


def unpack_long_value(record: Record) -> tuple[bytes, bytes]:
    """Return the place of the entry and its long value."""
    at = HEAD_SIZE_BYTES + PLACE_SIZE_BYTES
    return bytes(record[HEAD_SIZE_BYTES:at]), bytes(record[at:])


def _locate(record: Record, place: bytes) -> tuple[int, int, int, int] | None:
    """Return the number of an entry, where its pair begins, and where its payload begins and ends.

    None if there is no entry at the place.
    """
    count = record[6] << 8 | record[7]
    pairs_at = HEAD_SIZE_BYTES + _LENGTH_SIZE_BYTES * count
    payloads_at = pairs_at + PAIR_SIZE_BYTES * count
    at = record.find(place, pairs_at, payloads_at)
    # Bytes that look like the place may stand across two entries, where they mean nothing.
    while at >= 0 and (at - pairs_at) % PAIR_SIZE_BYTES:
        at = record.find(place, at + 1, payloads_at)
    if at < 0:
        return None
    index = (at - pairs_at) // PAIR_SIZE_BYTES
    lengths = _PAYLOAD_LENGTHS[count].unpack_from(record, HEAD_SIZE_BYTES)
    start = payloads_at + sum(lengths[:index])
    end = start + lengths[index]
    # The digest of a bucket does not cover these lengths.
    if end + sum(lengths[index + 1 :]) != len(record):
        raise DamagedNodeError(where=place.hex(), reason="not the lengths of its bucket")
    return index, at, start, end

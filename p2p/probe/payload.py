"""Payloads that tell their author and their number, and show any change on the way.

u64be(index) || sha256(author as text)[:8] || sha256(of the first 16 bytes), repeated to the size
"""

import hashlib

HEAD_SIZE_BYTES = 16
INDEX_SIZE_BYTES = 8


def payload_of(author: str, index: int, *, size_bytes: int) -> bytes:
    """Make the payload of this number; `size_bytes` is at least `HEAD_SIZE_BYTES`."""
    mark = hashlib.sha256(author.encode()).digest()[: HEAD_SIZE_BYTES - INDEX_SIZE_BYTES]
    return _extend(index.to_bytes(INDEX_SIZE_BYTES) + mark, size_bytes)


def index_of(payload: bytes) -> int | None:
    """Read the number of a payload; None where the bytes are not what its head says."""
    head = payload[:HEAD_SIZE_BYTES]
    if len(head) < HEAD_SIZE_BYTES or payload != _extend(head, len(payload)):
        return None
    return int.from_bytes(head[:INDEX_SIZE_BYTES])


def _extend(head: bytes, size_bytes: int) -> bytes:
    tail = hashlib.sha256(head).digest()
    rest = size_bytes - HEAD_SIZE_BYTES
    return head + (tail * (rest // len(tail) + 1))[:rest]

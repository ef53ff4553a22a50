"""Pages of receipts: those of a commit in order, as many of them to a record as a page holds.

    number of receipts (4) | length of each (4) | receipts

A record of its own for each receipt of a hundred bytes takes longer to checksum and to sort into
the table than its transaction takes to change the tree of a small state (3 us, measured). A receipt
that is longer than a page has one for itself.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from primitives.errors import MalformedBytesError

PAGE_CONTENT_BYTES: Final = 12_000
"""A page ends with the receipt that reaches this; with that it mostly fits four pages of LMDB."""

_NUMBER: Final = struct.Struct(">I")


def pack_pages(receipts: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the pages of a commit, each with the index of its first receipt."""
    first, size_bytes = 0, 0
    for index, receipt in enumerate(receipts):
        size_bytes += len(receipt)
        if size_bytes >= PAGE_CONTENT_BYTES:
            yield first, _pack_page(receipts[first : index + 1])
            first, size_bytes = index + 1, 0
    if first < len(receipts):
        yield first, _pack_page(receipts[first:])


def unpack_page(page: bytes) -> tuple[bytes, ...]:
    """Return the receipts of a page, in order.

    Raises:
        MalformedBytesError: it is no page.
    """
    if len(page) < _NUMBER.size:
        raise MalformedBytesError("a page of receipts without its head")
    (count,) = _NUMBER.unpack_from(page)
    start = _NUMBER.size * (1 + count)
    if start > len(page):
        raise MalformedBytesError(f"a page of {len(page)} bytes has no {count} receipts")
    lengths = struct.unpack_from(f">{count}I", page, _NUMBER.size)
    ends = tuple(accumulate(lengths, initial=start))
    if ends[-1] != len(page):
        raise MalformedBytesError("the receipts do not fill their page")
    return tuple(page[begin:end] for begin, end in pairwise(ends))


def _pack_page(receipts: Sequence[bytes]) -> bytes:
    head = struct.pack(f">I{len(receipts)}I", len(receipts), *map(len, receipts))
    return head + b"".join(receipts)

"""What the tree hashes; the root is a function of the key-value map alone.

    place of a key     = H(key, raw key)
    digest of a leaf   = H(leaf, place || value)
    digest of a bucket = H(node, 01 || place || leaf digest || place || leaf digest || ...)
    digest of a fork   = H(node, 02 || bitmap || digests of the children that are there)
    root of no entries = H(node, 00)

A subtree with 1 to `BUCKET_SIZE_MAX` entries is a bucket, one with more is a fork; this depends on
nothing but the entries, so the order in which they came and went leaves no trace. The domain keeps
a leaf from passing for a node, and the first byte keeps the three kinds of node apart.
"""

from typing import Final

from primitives.hashing import Domain, tagged_hash

BUCKET_SIZE_MAX: Final = 32
"""Entries of a bucket. Of 4, 8, 16 and 32 this cost an update least at 10**4, 10**5 and 10**6
accounts: larger buckets take longer to hash and to write, smaller ones make more nodes."""

FANOUT: Final = 16
DEPTH_MAX: Final = 64
"""Hexadecimal digits of a place."""

EMPTY_ROOT: Final = tagged_hash(Domain.STATE_NODE, b"\x00")

# The state after a domain's tag, and after the first byte of the message where that is fixed; only
# ever copied. This is `tagged_hash` without its call: an update runs these thousands of times.
_KEY: Final = Domain.STATE_KEY.state
_LEAF: Final = Domain.STATE_LEAF.state
_BUCKET: Final = Domain.STATE_NODE.state.copy()
_BUCKET.update(b"\x01")
_FORK: Final = Domain.STATE_NODE.state.copy()
_FORK.update(b"\x02")


def place_of(key: bytes) -> bytes:
    """Return where the key stands in the tree."""
    state = _KEY.copy()
    state.update(key)
    return state.digest()


def leaf_digest(place: bytes, value: bytes) -> bytes:
    """Return the digest of one entry."""
    state = _LEAF.copy()
    state.update(place + value)
    return state.digest()


def place_and_leaf(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return `place_of` and `leaf_digest`, for who needs both of thousands of keys."""
    state = _KEY.copy()
    state.update(key)
    place = state.digest()
    state = _LEAF.copy()
    state.update(place + value)
    return place, state.digest()


def bucket_digest(pairs: bytes | bytearray) -> bytes:
    """Return the digest of a bucket.

    Args:
        pairs: place and leaf digest of every entry, by ascending place.
    """
    state = _BUCKET.copy()
    state.update(pairs)
    return state.digest()


def fork_digest(message: bytes | bytearray) -> bytes:
    """Return the digest of a fork.

    Args:
        message: the bitmap as two bytes, of which bit i says that there is a child i, and the
            digests of those children in their order.
    """
    state = _FORK.copy()
    state.update(message)
    return state.digest()


def digit_at(place: bytes, depth: int) -> int:
    """Return the hexadecimal digit that chooses the child below this depth."""
    octet = place[depth >> 1]
    return octet & 15 if depth & 1 else octet >> 4

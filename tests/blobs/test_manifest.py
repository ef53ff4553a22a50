"""A manifest proves the id of a blob, and one id has one content."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.rules.update.root import LINKS_MAX, blob_root, chunk_count, chunk_digests, tree_root
from node.blobs.errors import BadBlobError, BlobTooLongError
from node.blobs.manifest import (
    BLOB_SIZE_BYTES_MAX,
    LEAVES_MAX,
    MANIFEST_CODEC,
    BlobId,
    Manifest,
    blob_id,
    check_manifest,
    cid_of,
    is_node,
)
from node.blobs.source import Memory, manifest_of
from primitives.cid import Cid
from primitives.errors import MalformedBytesError
from primitives.hashing import sha256
from tests.blobs.shelves import CHUNK, content

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5)


@pytest.mark.parametrize("size_bytes", SIZES)
def test_a_manifest_proves_the_content_id(size_bytes: int) -> None:
    raw = content(size_bytes)
    manifest = manifest_of(Memory(raw))
    assert manifest.cid == blob_root(raw)
    assert manifest.leaf_count == len(chunk_digests(raw))
    blob = blob_id(manifest.cid)
    check_manifest(manifest, blob=blob, size_bytes_max=size_bytes)
    assert cid_of(blob, leaf_count=manifest.leaf_count) == blob_root(raw)
    assert MANIFEST_CODEC.decode(MANIFEST_CODEC.encode(manifest)) == manifest


def test_trees_of_several_levels_are_proven_without_their_chunks() -> None:
    count = LINKS_MAX + 2
    digests = [sha256(n.to_bytes(4, "big")) for n in range(count)]
    manifest = Manifest.of(digests, size_bytes=count * CHUNK - 1)
    assert manifest.cid == tree_root(digests, size_bytes=count * CHUNK - 1)
    assert chunk_count(count * CHUNK - 1) == count


def test_a_manifest_of_something_else_is_refused() -> None:
    manifest = manifest_of(Memory(content(3 * CHUNK)))
    blob = blob_id(manifest.cid)
    lies = (
        Manifest(manifest.size_bytes - 1, manifest.digests),
        Manifest(manifest.size_bytes, manifest.digests[::-1]),
        Manifest(manifest.size_bytes, manifest.digests[:-32]),
        Manifest(manifest.size_bytes, manifest.digests + bytes(32)),
        Manifest(manifest.size_bytes + CHUNK, manifest.digests + bytes(32)),
        Manifest(0, b""),
        Manifest(1, b"short"),
    )
    for lie in lies:
        with pytest.raises(BadBlobError):
            check_manifest(lie, blob=blob, size_bytes_max=BLOB_SIZE_BYTES_MAX)
    with pytest.raises(BadBlobError):
        check_manifest(manifest, blob=BlobId(bytes(32)), size_bytes_max=BLOB_SIZE_BYTES_MAX)


def test_a_true_manifest_over_the_limit_is_nobodys_lie() -> None:
    manifest = manifest_of(Memory(content(CHUNK + 1)))
    with pytest.raises(BlobTooLongError, match="over the limit of 262144"):
        check_manifest(manifest, blob=blob_id(manifest.cid), size_bytes_max=CHUNK)


@pytest.mark.parametrize(
    "lie",
    [
        (BLOB_SIZE_BYTES_MAX + 1, b""),
        (-1, b""),
        (2**63, b""),
        (0, bytes(LEAVES_MAX * 32 + 1)),
        ("1", b""),
        (0, b"", 0),
    ],
    ids=["too long", "negative", "absurd", "too many", "text", "one more"],
)
def test_absurd_manifests_do_not_decode(lie: object) -> None:
    with pytest.raises(MalformedBytesError):
        MANIFEST_CODEC.decode(msgspec.msgpack.encode(lie))


def _node_over(children: list[bytes]) -> bytes:
    """Return the root of a tree, found as the block whose digest the tree has for an id."""
    links = b""
    for child in children:
        cid = Cid.of_raw(child).encode()
        link = b"\x0a" + bytes((len(cid),)) + cid + b"\x12\x00\x18\x80\x80\x10"
        links += b"\x12" + bytes((len(link),)) + link
    return links


def test_content_that_reads_as_a_node_of_a_tree_is_no_blob() -> None:
    node = _node_over([content(CHUNK), content(CHUNK, seed=1)])
    assert is_node(node)
    with pytest.raises(BadBlobError, match="ambiguous"):
        manifest_of(Memory(node))
    leaf = Manifest.of([sha256(node)], size_bytes=len(node))
    assert not leaf.has_leaf(0, node)


@given(st.binary(max_size=60))
def test_other_content_is_no_node(raw: bytes) -> None:
    assert is_node(raw) == (raw[:1] == b"\x12" and raw[2:5] == b"\x0a\x24\x01")


def test_content_longer_than_any_blob_is_refused_unread() -> None:
    class Endless:
        size_bytes = BLOB_SIZE_BYTES_MAX + 1

        def leaf(self, index: int) -> bytes:
            raise AssertionError(f"chunk {index} was read")

    with pytest.raises(BadBlobError, match="over the limit"):
        manifest_of(Endless())

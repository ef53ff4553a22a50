"""How blocks are named and encoded; the golden bytes catch a slip in a wire type."""

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from consensus.block import (
    EMPTY_PAYLOAD_ROOT,
    HEADER_CODEC,
    SIGNED_BLOCK_CODEC,
    BlockRef,
    genesis_ref,
    header_digest,
    payload_root,
)
from primitives.hashing import Domain, tagged_hash
from primitives.ids import AuthorityIndex, Digest, Round
from tests.consensus.builders import Forge, phantom
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4)
FORGE = Forge(CONTEXT)
BLOCK = FORGE.block(1, 2, payload=(b"one", b""), timestamp_ms=1_700_000_000_000)


def test_header_bytes_are_golden() -> None:
    assert tagged_hash(Domain.TRACE, BLOCK.signed.header).hex() == (
        "a156866f68f90cb8f722ac43cfdfdc7b309eb9a5a300a653dc0a3e7328b905d4"
    )
    assert CONTEXT.genesis_digest.hex() == (
        "91484b28b9847f5717a9f6281339cf2bdea116ee8bd368a9c2600785e6d94382"
    )


def test_signed_block_bytes_are_golden() -> None:
    raw = SIGNED_BLOCK_CODEC.encode(BLOCK.signed)
    assert tagged_hash(Domain.TRACE, raw).hex() == (
        "6e779437c53384a04045acb309175235ae1433f6bf1fefeca4c6069d4fe0a281"
    )


def test_second_library_reads_the_same_block() -> None:
    raw = SIGNED_BLOCK_CODEC.encode(BLOCK.signed)
    header, signature, payload = msgpack.unpackb(raw)
    assert (header, signature) == (BLOCK.signed.header, BLOCK.signed.signature)
    assert payload == [b"one", b""]
    fields = msgpack.unpackb(header)
    assert len(fields) == 12
    assert fields[3:6] == [1, 2, 1_700_000_000_000]


def test_digest_names_the_header_alone() -> None:
    assert BLOCK.ref.digest == header_digest(BLOCK.signed.header)
    assert BLOCK.ref.digest == tagged_hash(Domain.BLOCK_HEADER, BLOCK.signed.header)


def test_genesis_blocks_differ_by_author_and_epoch() -> None:
    other = context_of((1,) * 4, chain=2)
    refs = {
        genesis_ref(context.genesis_digest, author)
        for context in (CONTEXT, other)
        for author in context.committee.indices
    }
    assert len(refs) == 8
    assert {ref.round for ref in refs} == {0}


def test_payload_root_commits_to_items_and_order() -> None:
    payloads = [(), (b"",), (b"", b""), (b"a", b"b"), (b"b", b"a"), (b"ab",)]
    assert len({payload_root(payload) for payload in payloads}) == len(payloads)
    assert payload_root(()) == EMPTY_PAYLOAD_ROOT


def test_size_counts_header_signature_and_payload() -> None:
    assert BLOCK.signed.size_bytes == len(BLOCK.signed.header) + 64 + 3


def test_block_shows_its_slot() -> None:
    assert repr(BLOCK) == f"Block(1.2.{BLOCK.ref.digest.hex()[:8]})"


@given(
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.binary(max_size=40), max_size=4),
)
def test_header_decodes_to_itself(
    number: int, timestamp_ms: int, digest: bytes, payload: list[bytes]
) -> None:
    ancestors = [
        BlockRef(Round(number - 1), AuthorityIndex(2), Digest(digest)),
        phantom(number - 1, 0),
    ]
    header = FORGE.header(number, 2, ancestors, payload=tuple(payload), timestamp_ms=timestamp_ms)
    raw = HEADER_CODEC.encode(header)
    assert HEADER_CODEC.decode(raw) == header

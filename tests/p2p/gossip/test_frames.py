"""RPCs behind their lengths, in whatever pieces they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.gossip.frames import RPCS_PER_CHUNK_MAX, RpcSplitter
from p2p.gossip.parameters import RPC_SIZE_BYTES_MAX
from p2p.wire.protobuf import length_prefixed
from p2p.wire.varint import encode_varint
from primitives.errors import MalformedBytesError
from tests.p2p.cutting import CUTS, pieces


@given(st.lists(st.binary(max_size=300), max_size=6), CUTS)
def test_cuts_do_not_matter(rpcs: list[bytes], cuts: list[int]) -> None:
    splitter = RpcSplitter()
    found: list[bytes] = []
    for chunk in pieces(b"".join(map(length_prefixed, rpcs)), cuts):
        found += splitter.feed(chunk)
    assert found == [rpc for rpc in rpcs if rpc]
    assert splitter.is_between


def test_bytes_one_by_one_make_an_rpc() -> None:
    splitter = RpcSplitter()
    raw = length_prefixed(bytes(300))
    found = [splitter.feed(raw[i : i + 1]) for i in range(len(raw))]
    assert found[-1] == [bytes(300)]
    assert not any(found[:-1])


def test_stream_that_ends_inside_an_rpc_shows_it() -> None:
    splitter = RpcSplitter()
    splitter.feed(b"\x80")
    assert not splitter.is_between
    splitter.feed(b"\x01x")
    assert not splitter.is_between


@pytest.mark.parametrize(
    "raw", [encode_varint(RPC_SIZE_BYTES_MAX + 1), encode_varint(2**32), b"\xff" * 10, b"\x80\x00"]
)
def test_length_that_is_too_large_or_no_varint_is_refused_at_once(raw: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        RpcSplitter().feed(raw)


def test_chunk_of_very_many_tiny_rpcs_is_refused() -> None:
    with pytest.raises(MalformedBytesError, match="at once"):
        RpcSplitter().feed(b"\x01x" * (RPCS_PER_CHUNK_MAX + 1))
    assert RpcSplitter().feed(b"\x01x\x00" * RPCS_PER_CHUNK_MAX) == [b"x"] * RPCS_PER_CHUNK_MAX

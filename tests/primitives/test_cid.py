import pytest
from hypothesis import given
from hypothesis import strategies as st

from primitives.cid import CID_SIZE_BYTES, Cid, CidCodec
from primitives.errors import MalformedCidError
from primitives.hashing import sha256
from primitives.ids import Digest
from tests.vectors import Row, cases

CIDS = st.builds(
    Cid, codec=st.sampled_from(CidCodec), digest=st.binary(min_size=32, max_size=32).map(Digest)
)


@pytest.mark.parametrize("row", cases("cid", "valid"))
def test_a_cid_is_the_one_ipfs_gives(row: Row) -> None:
    cid = Cid(codec=CidCodec[row["codec"]], digest=sha256(bytes.fromhex(row["content"])))
    assert cid.encode().hex() == row["raw"]
    assert str(cid) == row["text"]
    assert Cid.parse(row["text"]) == cid
    assert Cid.decode(bytes.fromhex(row["raw"])) == cid


def test_raw_content_is_named_by_its_hash() -> None:
    assert Cid.of_raw(b"hello world") == Cid(codec=CidCodec.RAW, digest=sha256(b"hello world"))


@pytest.mark.parametrize("row", cases("cid", "invalid_bytes"))
def test_malformed_bytes_are_refused(row: Row) -> None:
    with pytest.raises(MalformedCidError):
        Cid.decode(bytes.fromhex(row["raw"]))


@pytest.mark.parametrize("row", cases("cid", "invalid_text"))
def test_malformed_text_is_refused(row: Row) -> None:
    with pytest.raises(MalformedCidError):
        Cid.parse(row["text"])


@given(CIDS)
def test_a_cid_survives_its_two_forms(cid: Cid) -> None:
    assert Cid.decode(cid.encode()) == cid
    assert Cid.parse(str(cid)) == cid
    assert len(cid.encode()) == CID_SIZE_BYTES


@given(CIDS, st.data())
def test_changed_bytes_are_refused_or_another_cid(cid: Cid, data: st.DataObject) -> None:
    raw = bytearray(cid.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = Cid.decode(bytes(raw))
    except MalformedCidError:
        return
    assert other != cid
    assert other.encode() == bytes(raw)


@given(CIDS, st.data())
def test_changed_text_is_refused_or_another_cid(cid: Cid, data: st.DataObject) -> None:
    text = str(cid)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters()) + text[place + 1 :]
    try:
        other = Cid.parse(changed)
    except MalformedCidError:
        return
    assert str(other) == changed
    assert (other == cid) == (changed == text)

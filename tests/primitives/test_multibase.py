from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primitives import multibase
from tests.vectors import Row, cases

ALPHABET_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ALPHABET_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


@pytest.mark.parametrize("row", cases("multibase", "valid"))
def test_texts_are_the_published_ones(row: Row) -> None:
    raw = bytes.fromhex(row["raw"])
    assert multibase.encode_base58btc(raw) == row["base58btc"]
    assert multibase.encode_base32(raw) == row["base32"]
    assert multibase.decode_base58btc(row["base58btc"]) == raw
    assert multibase.decode_base32(row["base32"]) == raw


@given(st.binary(max_size=64))
def test_bytes_survive_both_texts(raw: bytes) -> None:
    assert multibase.decode_base58btc(multibase.encode_base58btc(raw)) == raw
    assert multibase.decode_base32(multibase.encode_base32(raw)) == raw


@given(st.text(ALPHABET_BASE58, max_size=60))
def test_every_base58_text_is_the_one_text_of_its_bytes(digits: str) -> None:
    assert multibase.encode_base58btc(multibase.decode_base58btc("z" + digits)) == "z" + digits


@given(st.text(ALPHABET_BASE32 + "A=", max_size=60))
def test_every_base32_text_is_the_one_text_of_its_bytes_or_refused(digits: str) -> None:
    try:
        raw = multibase.decode_base32("b" + digits)
    except ValueError:
        return
    assert multibase.encode_base32(raw) == "b" + digits


@pytest.mark.parametrize("decode", [multibase.decode_base58btc, multibase.decode_base32])
@pytest.mark.parametrize(
    "text", ["", "x", "Zz", "\u0665", "z0", "zl", "z ", "b1", "b\u00e9", "ba="]
)
def test_malformed_text_is_refused(decode: Callable[[str], bytes], text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(text)


@pytest.mark.parametrize("length", [multibase.TEXT_LENGTH_MAX, multibase.TEXT_LENGTH_MAX + 1])
def test_text_beyond_the_bound_is_refused(length: int) -> None:
    text = "z" + "1" * (length - 1)
    if length <= multibase.TEXT_LENGTH_MAX:
        assert multibase.decode_base58btc(text) == bytes(length - 1)
    else:
        with pytest.raises(ValueError, match="limit 128"):
            multibase.decode_base58btc(text)

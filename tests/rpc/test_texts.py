"""How values look: one text for each, and whatever else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.execution.local_chain import key_named
from node.rpc.errors import BadRequestError
from node.rpc.parameters import ParameterDecoder
from node.rpc.routes.asked import AskedAddress
from node.rpc.routes.contract_routes import AskedEvents
from node.rpc.texts import (
    account_text,
    address_text,
    base64_text,
    parse_address,
    parse_base64,
    parse_digest,
)
from primitives.multibase import encode_base58btc

ALICE = key_named("alice").public
DECODER = ParameterDecoder(AskedEvents)


@given(st.binary(min_size=32, max_size=32))
def test_any_address_is_read_from_both_texts(address: bytes) -> None:
    for text in (account_text(address), address_text(address), address.hex()):
        assert parse_address(text) == address


def test_address_that_no_key_fits_is_shown_in_hex() -> None:
    assert address_text(ALICE.raw) == ALICE.did_key
    assert address_text(bytes(32)) == "00" * 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00" * 31,
        "AA" * 32,
        "zz" * 32,
        "did:key:",
        "did:key:z0",
        "did:key:" + encode_base58btc(b"\xec\x01" + bytes(32)),
        "did:key:" + encode_base58btc(b"\xed\x01" + bytes(31)),
        "did:web:example.org",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        parse_address(text)


@given(st.binary(max_size=99))
def test_base64_has_one_form(raw: bytes) -> None:
    assert parse_base64(base64_text(raw)) == raw


@pytest.mark.parametrize("text", ["A", "AB==", "AAA", "A===", "AA A", "AA\n==", "é", "_-AA"])
def test_other_base64_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        parse_base64(text)


def test_digest_is_64_hex_digits() -> None:
    assert parse_digest("ab" * 32) == b"\xab" * 32
    with pytest.raises(BadRequestError):
        parse_digest("xy" * 32)


def test_parameters_come_from_path_and_query() -> None:
    asked = DECODER.decode({"contract": "identity"}, "limit=5&first_height=7")
    assert asked == AskedEvents(contract="identity", limit=5, first_height=7)


@pytest.mark.parametrize(
    "query",
    [
        "limit",
        "limit=",
        "limit=05",
        "limit=+5",
        "limit=5.0",
        "limit=1e2",
        "limit=null",
        "limit=%D9%A5",
        "limit=1001",
        "limit=0",
        "limit=5&limit=5",
        "contract=other",
        "unknown=1",
        "limit=5;first_height=1",
        "limit=%ff",
        "&".join(f"x{n}=1" for n in range(20)),
        "first_height=99999999999999999",
    ],
)
def test_other_queries_are_refused(query: str) -> None:
    with pytest.raises(BadRequestError):
        DECODER.decode({"contract": "identity"}, query)


def test_path_must_be_utf8() -> None:
    with pytest.raises(BadRequestError, match="UTF-8"):
        ParameterDecoder(AskedAddress).decode({"address": "%ff"}, "")

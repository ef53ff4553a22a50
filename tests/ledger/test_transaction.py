import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.account import Account
from node.ledger.admission import check_signature, read_transaction
from node.ledger.errors import (
    EntryError,
    IntegerRangeError,
    NotCanonicalError,
    SenderKeyError,
    TrailingBytesError,
    TransactionFormatError,
    TransactionSignatureError,
    TransactionSizeError,
    UnknownActionError,
)
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    TRANSACTION_BYTES_MAX,
    encoded_transaction_id,
    transaction_id,
    value_moved,
)
from node.ledger.wire_fault import transaction_fault
from primitives.ids import Address
from tests.ledger.builders import ACTIONS, LIMITS, RICH, address_of, encoded, signed, transaction
from tests.vectors import Row, cases

MOVED = {"transfer": 5, "deploy": 7, "call": 9, "bond": 11, "delegate": 13}
over_actions = pytest.mark.parametrize("name", ACTIONS)


@over_actions
def test_every_action_survives_the_wire(name: str) -> None:
    made = signed(transaction(ACTIONS[name]))
    assert SIGNED_TRANSACTION_CODEC.decode(SIGNED_TRANSACTION_CODEC.encode(made)) == made


@over_actions
def test_every_action_says_what_it_takes_from_the_balance(name: str) -> None:
    assert value_moved(ACTIONS[name]) == MOVED.get(name, 0)


def test_the_identity_does_not_depend_on_the_signature() -> None:
    made = transaction()
    assert transaction_id(signed(made).transaction) == transaction_id(made)


@over_actions
def test_the_identity_can_be_read_off_the_bytes(name: str) -> None:
    made = transaction(ACTIONS[name])
    assert encoded_transaction_id(encoded(made)) == transaction_id(made)


def test_another_field_is_another_identity() -> None:
    assert transaction_id(transaction(nonce=1)) != transaction_id(transaction(nonce=0))


def fields() -> list[object]:
    value: list[object] = msgpack.unpackb(encoded())
    return value


def packed(value: object) -> bytes:
    raw: bytes = msgpack.packb(value)
    return raw


def with_field(place: int, content: object) -> bytes:
    value = fields()
    body = value[0]
    assert isinstance(body, list)
    body[place] = content
    return packed(value)


WIDER_NONCE = encoded().replace(b"\x00\xce\x00\x0f\x42\x40", b"\xcc\x00\xce\x00\x0f\x42\x40")
SHORTER_BYTES = encoded().replace(b"\xc4\x20", b"\xc5\x00\x20", 1)

MALFORMED: dict[str, tuple[bytes, type[EntryError]]] = {
    "nothing": (b"", TransactionFormatError),
    "a truncated one": (encoded()[:-1], TransactionFormatError),
    "a number of which the end is missing": (b"\xcf\x00", TransactionFormatError),
    "nil": (b"\xc0", TransactionFormatError),
    "a map": (b"\x80", TransactionFormatError),
    "a map with one key twice": (b"\x82\x01\x01\x01\x02", TransactionFormatError),
    "a number": (b"\x05", TransactionFormatError),
    "a text": (b"\xa2hi", TransactionFormatError),
    "an empty array": (b"\x90", TransactionFormatError),
    "a float where the nonce is": (with_field(2, 1.5), TransactionFormatError),
    "a text where the nonce is": (with_field(2, "1"), TransactionFormatError),
    "a short recipient": (with_field(7, [0, bytes(31), 5]), TransactionFormatError),
    "a missing field of the action": (with_field(7, [0, bytes(32)]), TransactionFormatError),
    "one field more": (with_field(7, [0, bytes(32), 5, 6]), TransactionFormatError),
    "an action without a number": (with_field(7, []), TransactionFormatError),
    "a method name that is too long": (
        with_field(7, [2, bytes(32), "m" * 65, b"", 0]),
        TransactionFormatError,
    ),
    "evidence of an unknown kind": (with_field(7, [10, 3, b""]), TransactionFormatError),
    "nested without end": (b"\x91" * 5_000, TransactionFormatError),
    "an array of four thousand million items": (b"\xdd\xff\xff\xff\xff", TransactionFormatError),
    "one byte more": (encoded() + b"\x00", TrailingBytesError),
    "the same twice": (encoded() * 2, TrailingBytesError),
    "a wide zero": (WIDER_NONCE, NotCanonicalError),
    "a long header of bytes": (SHORTER_BYTES, NotCanonicalError),
    "a long header of an array": (b"\xdc\x00\x02" + encoded()[1:], NotCanonicalError),
    "a negative nonce": (with_field(2, -1), IntegerRangeError),
    "a very negative nonce": (with_field(2, -(2**63)), IntegerRangeError),
    "a nonce of 64 bits": (with_field(2, 2**63), IntegerRangeError),
    "a transfer of 64 bits": (with_field(7, [0, bytes(32), 2**64 - 1]), IntegerRangeError),
    "an action that does not exist": (with_field(7, [12, b""]), UnknownActionError),
    "an action far away": (with_field(7, [2**40]), UnknownActionError),
    "one byte above the limit": (bytes(TRANSACTION_BYTES_MAX + 1), TransactionSizeError),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_bytes_that_are_no_transaction_are_refused_with_the_code_of_their_fault(name: str) -> None:
    raw, expected = MALFORMED[name]
    with pytest.raises(EntryError) as caught:
        read_transaction(raw, limits=LIMITS)
    assert type(caught.value) is expected


def test_a_transaction_above_the_limit_of_the_chain_is_refused_before_it_is_read() -> None:
    limits = msgspec.structs.replace(LIMITS, transaction_bytes_max=len(encoded()) - 1)
    with pytest.raises(TransactionSizeError) as caught:
        read_transaction(encoded(), limits=limits)
    assert (caught.value.actual, caught.value.limit) == (len(encoded()), len(encoded()) - 1)


def test_bytes_that_no_chain_takes_are_called_too_long() -> None:
    assert isinstance(transaction_fault(bytes(TRANSACTION_BYTES_MAX + 1)), TransactionSizeError)


def test_a_transaction_of_the_greatest_size_is_read() -> None:
    assert read_transaction(encoded(), limits=LIMITS) == signed()


NEGATIVES = (-32, -33, -128, -129, -(2**15), -(2**15) - 1, -(2**31), -(2**31) - 1, -(2**63))
POSITIVES = (0, 127, 128, 255, 256, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**63 - 1, 2**64 - 1)
WIDE = {
    -1: "d0ff d1ffff d2ffffffff d3ffffffffffffffff",
    -33: "d1ffdf d2ffffffdf",
    -129: "d2ffffff7f",
    127: "cc7f cd007f ce0000007f cf000000000000007f d07f",
    256: "ce00000100",
}


@pytest.mark.parametrize("number", NEGATIVES + POSITIVES)
def test_the_shortest_form_of_a_number_is_never_called_long(number: int) -> None:
    assert not isinstance(transaction_fault(with_field(2, number)), NotCanonicalError)


@pytest.mark.parametrize("form", [form for forms in WIDE.values() for form in forms.split()])
def test_a_longer_form_of_a_number_is_called_long(form: str) -> None:
    assert isinstance(transaction_fault(bytes.fromhex(form)), NotCanonicalError)


SCALARS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.binary(max_size=300), st.text(max_size=40))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=20)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_what_another_library_packs_is_never_called_long_or_trailed(value: object) -> None:
    fault = transaction_fault(packed(value))
    assert not isinstance(fault, NotCanonicalError | TrailingBytesError)


@settings(max_examples=100, deadline=None)
@given(VALUES, st.binary(min_size=1, max_size=9))
def test_what_follows_a_value_is_called_trailing(value: object, more: bytes) -> None:
    raw = packed(value)
    fault = transaction_fault(raw + more)
    assert isinstance(fault, TrailingBytesError)
    assert (fault.actual, fault.limit) == (len(raw) + len(more), len(raw))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_random_bytes_are_refused_with_an_entry_error(raw: bytes) -> None:
    with pytest.raises(EntryError):
        read_transaction(raw, limits=LIMITS)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(encoded()) - 1), st.integers(1, 255))
def test_a_changed_byte_never_passes_the_signature(place: int, difference: int) -> None:
    raw = bytearray(encoded())
    raw[place] ^= difference
    with pytest.raises(EntryError):
        check_signature(read_transaction(bytes(raw), limits=LIMITS), account=RICH)


def test_the_sender_s_signature_is_accepted() -> None:
    check_signature(signed(), account=RICH)
    check_signature(signed(), account=Account(nonce=1))


def test_the_signature_of_another_account_is_refused() -> None:
    with pytest.raises(TransactionSignatureError):
        check_signature(signed(signer=2), account=RICH)


@pytest.mark.parametrize("sender", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
def test_a_sender_that_is_no_usable_key_is_refused(sender: bytes) -> None:
    # For the first two, which have a small order, anybody could make a signature that verifies.
    made = transaction(sender=1)
    with pytest.raises(SenderKeyError):
        check_signature(signed(msgspec.structs.replace(made, sender=Address(sender))), account=RICH)


@pytest.mark.parametrize("row", cases("ledger", "transactions"))
def test_a_transaction_has_the_golden_bytes(row: Row) -> None:
    raw = bytes.fromhex(row["bytes"])
    made = read_transaction(raw, limits=LIMITS)
    assert made == signed(transaction(ACTIONS[row["comment"]]))
    assert transaction_id(made.transaction).hex() == row["id"]
    assert made.transaction.sender == address_of(1)


@pytest.mark.parametrize("row", cases("ledger", "transactions"))
def test_a_golden_transaction_reads_the_same_elsewhere(row: Row) -> None:
    raw = bytes.fromhex(row["bytes"])
    value = msgpack.unpackb(raw)
    assert msgpack.packb(value) == raw
    made = read_transaction(raw, limits=LIMITS).transaction
    assert value[0][:7] == [getattr(made, name) for name in made.__struct_fields__[:7]]

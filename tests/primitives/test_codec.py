import enum
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgpack
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from primitives.codec import Codec
from primitives.errors import LocalProtocolError, MalformedBytesError
from primitives.ids import Round
from tests.vectors import Row, cases

INT64_MAX = 2**63 - 1
SIZE_BYTES_MAX = 4096


class Sample(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One field of each kind that wire structs use."""

    round: Annotated[Round, msgspec.Meta(ge=0, le=INT64_MAX)]
    digest: bytes
    payload: tuple[bytes, ...]
    note: str
    parent: "Sample | None" = None


class Ballot(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """One arm of a tagged union."""

    round: Round


class Abstention(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """The other arm."""

    reason: Literal["late", "unknown"]


class Colour(enum.Enum):
    """A closed choice on the wire."""

    RED = 1


class Keyed(msgspec.Struct, frozen=True):
    """A struct that travels as a map, by mistake."""

    round: Round


class Floating(msgspec.Struct, frozen=True, array_like=True):
    """A struct that hides a float two levels down."""

    pairs: tuple[tuple[int, list[float]], ...]


CODEC = Codec(Sample, size_bytes_max=SIZE_BYTES_MAX)


def samples_with(parents: st.SearchStrategy[Sample | None]) -> st.SearchStrategy[Sample]:
    return st.builds(
        Sample,
        round=st.integers(0, INT64_MAX).map(Round),
        digest=st.binary(max_size=40),
        payload=st.lists(st.binary(max_size=8), max_size=3).map(tuple),
        note=st.text(max_size=10),
        parent=parents,
    )


SAMPLES = samples_with(st.none() | samples_with(st.none()))


def sample_of(plain: list[Any]) -> Sample:
    round_, digest, payload, note, parent = plain
    return Sample(
        round=Round(round_),
        digest=digest,
        payload=tuple(payload),
        note=note,
        parent=None if parent is None else sample_of(parent),
    )


def plain_of(sample: Sample | None) -> list[Any] | None:
    if sample is None:
        return None
    parent = plain_of(sample.parent)
    return [sample.round, sample.digest, list(sample.payload), sample.note, parent]


def without_json_bytes(value: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    match value:
        case {"bytes": text}:
            return bytes.fromhex(text)
        case list():
            return [without_json_bytes(item) for item in value]
        case _:
            return value


@pytest.mark.parametrize("row", cases("codec", "valid"))
def test_golden_bytes_mean_the_same_to_us_and_to_msgpack(row: Row) -> None:
    raw, plain = bytes.fromhex(row["raw"]), without_json_bytes(row["value"])
    assert CODEC.decode(raw) == sample_of(plain)
    assert CODEC.encode(sample_of(plain)) == raw
    assert msgpack.unpackb(raw) == plain
    assert msgpack.packb(plain) == raw


@pytest.mark.parametrize("row", cases("codec", "invalid"))
def test_any_other_bytes_are_refused(row: Row) -> None:
    with pytest.raises(MalformedBytesError):
        CODEC.decode(bytes.fromhex(row["raw"]))


@given(SAMPLES)
def test_a_value_survives_and_msgpack_writes_the_same_bytes(sample: Sample) -> None:
    raw = CODEC.encode(sample)
    assert CODEC.decode(raw) == CODEC.decode_own(raw) == sample
    assert msgpack.packb(plain_of(sample)) == raw


@pytest.mark.parametrize("raw", [b"", b"\xc0", b"\x95\xff", msgpack.packb([1, b"", [], 5, None])])
def test_bytes_of_no_value_are_refused_even_as_our_own(raw: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        CODEC.decode_own(raw)


@given(SAMPLES, st.data())
def test_changed_bytes_are_refused_or_another_value(sample: Sample, data: st.DataObject) -> None:
    raw = CODEC.encode(sample)
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 3)))
    changed = raw[:start] + data.draw(st.binary(max_size=3)) + raw[end:]
    try:
        other = CODEC.decode(changed)
    except MalformedBytesError:
        return
    assert CODEC.encode(other) == changed
    assert (other == sample) == (changed == raw)


@given(st.binary(max_size=60))
@example(b"")
def test_arbitrary_bytes_are_refused_or_canonical(raw: bytes) -> None:
    try:
        sample = CODEC.decode(raw)
    except MalformedBytesError:
        return
    assert CODEC.encode(sample) == raw


WIDER_INTEGERS = [
    ("cc", 1),
    ("cd", 2),
    ("ce", 4),
    ("cf", 8),
    ("d0", 1),
    ("d1", 2),
    ("d2", 4),
    ("d3", 8),
]


@given(st.integers(0, INT64_MAX), st.sampled_from(WIDER_INTEGERS))
def test_an_integer_has_one_width(number: int, header: tuple[str, int]) -> None:
    marker, width = header
    is_signed = marker.startswith("d")
    if number >= 1 << (8 * width - is_signed):
        return
    codec = Codec(int, size_bytes_max=9)
    raw = bytes.fromhex(marker) + number.to_bytes(width, "big")
    if msgpack.packb(number) == raw:
        assert codec.decode(raw) == number
    else:
        with pytest.raises(MalformedBytesError, match="not the canonical encoding"):
            codec.decode(raw)


def test_the_size_limit_is_checked_before_the_bytes() -> None:
    sample = Sample(round=Round(1), digest=b"", payload=(), note="")
    raw = CODEC.encode(sample)
    exact = Codec(Sample, size_bytes_max=len(raw))
    assert exact.decode(exact.encode(sample)) == sample
    tight = Codec(Sample, size_bytes_max=len(raw) - 1)
    with pytest.raises(MalformedBytesError, match="7 bytes > limit 6"):
        tight.decode(raw)
    with pytest.raises(LocalProtocolError, match="encoded 7 bytes > limit 6"):
        tight.encode(sample)


@pytest.mark.parametrize("bytes_like", [bytearray, memoryview])
def test_bytes_that_others_can_change_are_refused(bytes_like: Callable[[bytes], bytes]) -> None:
    raw = CODEC.encode(Sample(round=Round(1), digest=b"", payload=(), note=""))
    with pytest.raises(MalformedBytesError, match="expected bytes"):
        CODEC.decode(bytes_like(raw))


def test_deep_nesting_is_malformed_and_no_crash() -> None:
    depth = sys.getrecursionlimit() * 10
    codec = Codec(Sample, size_bytes_max=depth * 10)
    with pytest.raises(MalformedBytesError):
        codec.decode(bytes.fromhex("9500c40090a0") * depth + b"\xc0")


def test_each_arm_of_a_tagged_union_comes_back() -> None:
    codec: Codec[Ballot | Abstention] = Codec(
        Ballot | Abstention,  # type: ignore[arg-type]  # mypy has no type form for unions yet
        size_bytes_max=64,
    )
    assert codec.encode(Ballot(round=Round(3))) == bytes.fromhex("920103")
    for value in (Ballot(round=Round(3)), Abstention(reason="late")):
        assert codec.decode(codec.encode(value)) == value
    with pytest.raises(MalformedBytesError):
        codec.decode(bytes.fromhex("920303"))


@pytest.mark.parametrize(
    "wire_type",
    [
        int,
        Colour,
        Annotated[Round, msgspec.Meta(description="carries metadata")],
        tuple[int, str],
        tuple[Literal[1], bool | None],
        list[Sample],
    ],
)
def test_types_with_one_encoding_are_admitted(wire_type: type[object]) -> None:
    Codec(wire_type, size_bytes_max=64)


@pytest.mark.parametrize(
    "wire_type",
    [float, Any, dict[str, int], set[int], list, msgspec.Raw, Keyed, Floating, tuple[Keyed, ...]],
)
def test_types_without_one_encoding_are_refused_before_any_bytes(wire_type: type[object]) -> None:
    with pytest.raises(TypeError, match="must not be on the wire"):
        Codec(wire_type, size_bytes_max=64)

"""A few bytes of a peer must not become many of ours: false lengths, floods of tiny fields."""

import random
import tracemalloc

import pytest

from p2p.wire.protobuf import bytes_field
from tests.fuzz.mutation import mutate
from tests.fuzz.p2p_targets import P2P_TARGETS
from tests.fuzz.target import Target

FLOOD_SIZE_BYTES = 8 * 1024
# The most that a flood makes of its bytes is a short list of fields, and those of each of them.
PEAK_BYTES_MAX = 2 * 1024 * 1024


def nested(depth: int) -> bytes:
    raw = b""
    for _ in range(depth):
        raw = bytes_field(1, raw)
    return raw


FLOODS = {
    "a field of 4 GiB": b"\x0a\xff\xff\xff\xff\x0f",
    "a field of 2^63 bytes": b"\x0a" + b"\xff" * 8 + b"\x7f",
    "empty fields": b"\x0a\x00" * (FLOOD_SIZE_BYTES // 2),
    "numbers": b"\x08\x01" * (FLOOD_SIZE_BYTES // 2),
    "empty fields in each of three": bytes_field(1, b"\x0a\x00" * 1_000) * 3,
    "empty fields in control messages": bytes_field(3, b"\x0a\x00" * (FLOOD_SIZE_BYTES // 2)),
    "messages in messages": nested(2_000),
    "set bits": b"\xff" * FLOOD_SIZE_BYTES,
    "zeros": bytes(FLOOD_SIZE_BYTES),
    "newlines": b"\x01\n" * (FLOOD_SIZE_BYTES // 2),
}

over_targets = pytest.mark.parametrize(
    "target", P2P_TARGETS, ids=[target.name for target in P2P_TARGETS]
)


def peak_bytes(target: Target, raw: bytes) -> int:
    tracemalloc.start()
    try:
        target.feed(raw)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@over_targets
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_takes_no_more_memory_than_its_bound(target: Target, flood: bytes) -> None:
    for prefix in (b"", target.seeds[0], target.seeds[-1][:1]):
        assert peak_bytes(target, prefix + flood) < PEAK_BYTES_MAX


@over_targets
def test_changed_bytes_take_no_more_memory_than_the_bound(target: Target) -> None:
    dice = random.Random(3)
    for _ in range(30):
        raw = mutate(dice.choice(target.seeds), dice=dice, seeds=target.seeds)
        assert peak_bytes(target, raw[:FLOOD_SIZE_BYTES]) < PEAK_BYTES_MAX

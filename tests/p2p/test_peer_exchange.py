import random

import pytest

from p2p.peer_exchange import RECORDS_MAX, PeersAnswer, read_envelopes
from p2p.peer_store import PeerStore
from p2p.wire.identity import Identity
from p2p.wire.multiaddr import Multiaddr
from p2p.wire.protobuf import length_prefixed
from p2p.wire.records import ENVELOPE_SIZE_BYTES_MAX, PeerRecord
from primitives.errors import MalformedBytesError

OWN = Identity.from_seed(bytes(32))
ADDRESS = Multiaddr.parse("/ip4/10.1.2.3/tcp/4001")


def identity_of(number: int) -> Identity:
    return Identity.from_seed(number.to_bytes(32, "little"))


def store_of(count: int, *, answered: int) -> PeerStore:
    store = PeerStore(OWN.peer_id)
    for number in range(1, count + 1):
        identity = identity_of(number)
        store.add_record(PeerRecord(identity.peer_id, 1, (ADDRESS,)).seal(identity), now_ms=1)
        if number <= answered:
            store.answered(identity.peer_id, now_ms=2)
    return store


async def told_by(store: PeerStore, *, asker: Identity) -> set[bytes]:
    answer = PeersAnswer(store, dice=random.Random(1))
    (chunk,) = [chunk async for chunk in answer.chunks(asker.peer_id, b"")]
    return {PeerRecord.open(envelope).peer_id for envelope in read_envelopes(chunk)}


@pytest.mark.asyncio
async def test_only_peers_we_spoke_with_are_told_and_never_the_asker() -> None:
    told = await told_by(store_of(5, answered=3), asker=identity_of(2))
    assert told == {identity_of(1).peer_id, identity_of(3).peer_id}


@pytest.mark.asyncio
async def test_at_most_a_page_of_records_is_told() -> None:
    assert len(await told_by(store_of(50, answered=50), asker=OWN)) == RECORDS_MAX


@pytest.mark.parametrize(
    "answer",
    [
        length_prefixed(b"x") * (RECORDS_MAX + 1),
        length_prefixed(bytes(ENVELOPE_SIZE_BYTES_MAX + 1)),
        b"\x05abc",
        b"\x80",
    ],
    ids=["too many", "too large", "cut off", "half a length"],
)
def test_answer_that_breaks_a_bound_is_refused(answer: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        read_envelopes(answer)

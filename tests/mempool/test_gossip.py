"""Mempools that pass transactions on: in batches, to everybody, and blaming only liars."""

import pytest

from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, SignedTransaction
from node.mempool.batch import (
    BATCH_BYTES_MAX,
    BATCH_CODEC,
    ITEM_BYTES_MAX,
    ITEMS_MAX,
    Outbox,
    TransactionBatch,
)
from node.mempool.entry import Claim
from node.mempool.limits import DEFAULT_LIMITS, PoolLimits
from node.mempool.mempool import UNHEARD_MS
from p2p.gossip.report import TopicReport
from primitives.errors import MalformedBytesError
from tests.dsl.virtual_time import in_virtual_time
from tests.mempool.purse import Purse
from tests.mempool.village import TOPIC, Node, Village, village
from tests.p2p.town import now_s, pass_time, until

A, B, C = Purse(1), Purse(2), Purse(3)


def counted(node: Node) -> TopicReport:
    return node.pubsub.router.report().topics[TOPIC.name]


def publish(node: Node, *items: bytes, claim: Claim = Claim.OPEN) -> None:
    node.pubsub.publish(TOPIC.name, BATCH_CODEC.encode(TransactionBatch(claim, items)))


async def three_in_a_row(place: Village) -> tuple[Node, Node, Node]:
    """Return nodes of which the first and the last know only the second."""
    one, two, three = [await place.settle(number) for number in (1, 2, 3)]
    for node in (one, two, three):
        node.town.endow(A, B, C)
    await place.befriend(one, two)
    await place.befriend(three, two)
    return one, two, three


@in_virtual_time
async def test_transactions_reach_everybody_in_few_messages() -> None:
    async with village() as place:
        one, two, three = await three_in_a_row(place)
        sent = [purse.transfer(nonce) for nonce in range(20) for purse in (A, B, C)]
        for signed in sent:
            await one.submit(signed)
        await until(lambda: two.has(*sent) and three.has(*sent))
        assert counted(one).published <= 2
        assert counted(two).rejected == counted(three).rejected == 0


@in_virtual_time
async def test_validator_where_it_was_handed_in_proposes_and_the_others_keep_it() -> None:
    async with village() as place:
        nodes = await three_in_a_row(place)
        for seat, node in enumerate(nodes):
            node.seat(seat, seats=3)
        await nodes[0].submit(A.transfer())
        await pass_time(DEFAULT_LIMITS.patience_ms / 1_000 * 0.9)
        assert [len(node.fed) for node in nodes] == [1, 0, 0]
        await until(lambda: nodes[1].fed or nodes[2].fed)


@in_virtual_time
async def test_what_comes_from_a_node_without_a_seat_is_proposed_by_one_validator_at_once() -> None:
    async with village() as place:
        one, two, three = await three_in_a_row(place)
        one.seat(0, seats=2)
        three.seat(1, seats=2)
        began_s = now_s()
        await two.submit(A.transfer())
        await until(lambda: one.fed or three.fed)
        assert now_s() - began_s < 0.1
        await pass_time(1)
        assert len(one.fed) + len(three.fed) == 1


@pytest.mark.parametrize(
    "item",
    [
        b"garbage",
        A.raw()[:-1],
        SIGNED_TRANSACTION_CODEC.encode(SignedTransaction(A.transfer().transaction, bytes(64))),
    ],
)
def test_peer_that_passes_on_what_is_nobodys_transaction_is_blamed(item: bytes) -> None:
    @in_virtual_time
    async def check() -> None:
        async with village() as place:
            one, two, three = await three_in_a_row(place)
            publish(one, B.raw(), item)
            await until(lambda: counted(two).rejected)
            assert two.pubsub.router.score(one.host.peer_id) < 0
            await pass_time(2)
            assert len(two.mempool.pool) == len(three.mempool.pool) == 0

    check()


@in_virtual_time
async def test_batch_that_is_none_is_blamed() -> None:
    async with village() as place:
        one, two, _ = await three_in_a_row(place)
        one.pubsub.publish(TOPIC.name, b"\x92\x07\x91\xc4\x01x")
        await until(lambda: counted(two).rejected)


@in_virtual_time
async def test_what_only_a_node_elsewhere_in_time_could_take_is_ignored_and_not_blamed() -> None:
    async with village() as place:
        one, two, three = await three_in_a_row(place)
        two.town.endow(A, nonce=5)
        two.town.endow(B, balance=0)
        publish(one, A.raw(), B.raw())
        await until(lambda: counted(two).ignored)
        assert two.pubsub.router.score(one.host.peer_id) >= 0
        await pass_time(2)
        assert len(three.mempool.pool) == 0


@in_virtual_time
async def test_new_transaction_among_old_ones_goes_on_alone() -> None:
    async with village() as place:
        one, two, three = await three_in_a_row(place)
        two.town.endow(A, nonce=9)
        publish(one, *[A.raw(nonce) for nonce in range(9)], B.raw())
        await until(lambda: counted(two).ignored)
        await until(lambda: three.has(B.transfer()))
        assert not three.has(A.transfer())


@pytest.mark.slow
@in_virtual_time
async def test_transaction_that_nobody_heard_is_told_again() -> None:
    async with village() as place:
        one, two = await place.settle(1), await place.settle(2)
        for node in (one, two):
            node.town.endow(A)
        await one.submit(A.transfer())
        await pass_time(2 * UNHEARD_MS / 1_000)
        await place.befriend(one, two)
        await until(lambda: two.has(A.transfer()))


@in_virtual_time
async def test_long_batch_is_read_whole() -> None:
    async with village() as place:
        one, two, _ = await three_in_a_row(place)
        crowd = [Purse(number) for number in range(100, 300)]
        two.town.endow(*crowd)
        publish(one, *[purse.raw() for purse in crowd])
        await until(lambda: len(two.mempool.pool) == len(crowd))


@in_virtual_time
async def test_full_pool_ignores_what_peers_pass_on() -> None:
    async with village() as place:
        limits = PoolLimits(bytes_max=1)
        one, two = await place.settle(1), await place.settle(2, limits=limits)
        two.town.endow(A)
        await place.befriend(one, two)
        publish(one, A.raw())
        await until(lambda: counted(two).ignored)
        assert counted(two).rejected == 0


def test_batches_are_cut_by_bytes_and_by_count_and_keep_claims_apart() -> None:
    outbox = Outbox()
    half = bytes(ITEM_BYTES_MAX // 2)
    assert outbox.add(half, Claim.OPEN) is None
    assert outbox.add(half, Claim.OPEN) is None
    assert outbox.add(b"taken", Claim.TAKEN) is None
    full = outbox.add(b"open", Claim.OPEN)
    assert full is not None
    assert BATCH_CODEC.decode(full) == TransactionBatch(Claim.OPEN, (half, half))
    assert [BATCH_CODEC.decode(raw) for raw in outbox.flush()] == [
        TransactionBatch(Claim.OPEN, (b"open",)),
        TransactionBatch(Claim.TAKEN, (b"taken",)),
    ]
    assert outbox.flush() == []
    cut = [outbox.add(bytes(1), Claim.OPEN) for _ in range(ITEMS_MAX + 1)]
    assert [raw is not None for raw in cut] == [False] * ITEMS_MAX + [True]


def test_largest_batch_fits_the_topic() -> None:
    outbox = Outbox()
    size = ITEM_BYTES_MAX // ITEMS_MAX
    for _ in range(ITEMS_MAX):
        assert outbox.add(bytes(size), Claim.TAKEN) is None
    (raw,) = outbox.flush()
    assert len(raw) <= BATCH_BYTES_MAX == TOPIC.size_bytes_max


def test_claim_that_is_not_for_the_wire_is_malformed() -> None:
    raw = BATCH_CODEC.encode(TransactionBatch(Claim.OWN, (b"x",)))
    with pytest.raises(MalformedBytesError):
        BATCH_CODEC.decode(raw)

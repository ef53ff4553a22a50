import asyncio

from consensus.block import SignedBlock
from consensus.driver import LANE_MESSAGES_MAX
from consensus.messages import (
    MESSAGE_CODEC,
    BlockMessage,
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
    FetchMessage,
    LatestAnswerMessage,
    LatestQueryMessage,
)
from node.ledger.checkpoint import VOTE_BYTES_MAX
from node.validator.network import (
    EARLY_BYTES_MAX,
    MESSAGES_WAITING_MAX,
    Seating,
    ValidatorNetwork,
    epoch_of,
)
from p2p.host import Host
from p2p.wire.protobuf import length_prefixed
from primitives.ids import AuthorityIndex, Digest
from tests.dsl.virtual_time import in_virtual_time
from tests.p2p.town import Town, peer_of, until

PROTOCOL = "/hanse/test/validators/1"
PEERS = (peer_of(1), peer_of(2), peer_of(3))
GENESIS, LATER = bytes(range(32)), bytes(range(1, 33))
ALL, PAIR = Seating(GENESIS, PEERS), Seating(GENESIS, PEERS[:2])
FIRST, SECOND, THIRD = (AuthorityIndex(seat) for seat in range(3))


def message(rest: bytes, genesis: bytes = GENESIS) -> bytes:
    """Return what begins as a message of consensus."""
    return b"\x92\x01\xc4\x20" + genesis + rest


async def acquainted(town: Town, *hosts: Host) -> None:
    """Tell every host where the others are."""
    for host in hosts:
        for other in hosts:
            if other is not host:
                host.peers.add_addresses(other.peer_id, other.addresses, now_ms=0)


async def is_silent(network: ValidatorNetwork) -> bool:
    try:
        async with asyncio.timeout(5):
            await network.receive()
    except TimeoutError:
        return True
    return False


@in_virtual_time
async def test_messages_reach_every_other_seat_with_the_seat_of_their_sender() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two, town.open(3) as three:
        await acquainted(town, one, two, three)
        async with (
            ValidatorNetwork(one, protocol=PROTOCOL) as first,
            ValidatorNetwork(two, protocol=PROTOCOL) as second,
            ValidatorNetwork(three, protocol=PROTOCOL) as third,
        ):
            for network in (first, second, third):
                network.sit(ALL)
            await until(lambda: first.open_count == 2)
            await first.broadcast(message(b"block"))
            assert await second.receive() == (FIRST, message(b"block"))
            assert await third.receive() == (FIRST, message(b"block"))
            await second.send(THIRD, message(b"answer"))
            assert await third.receive() == (SECOND, message(b"answer"))


@in_virtual_time
async def test_votes_travel_beside_messages_and_are_kept_apart() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with (
            ValidatorNetwork(one, protocol=PROTOCOL) as first,
            ValidatorNetwork(two, protocol=PROTOCOL) as second,
        ):
            first.sit(PAIR)
            second.sit(PAIR)
            first.broadcast_vote(b"vote")
            assert await second.votes.get() == (peer_of(1), b"vote")


@in_virtual_time
async def test_a_link_comes_back_after_the_peer_was_away() -> None:
    town = Town()
    async with town.open(1) as one:
        one.peers.add_addresses(peer_of(2), (town.host(2).addresses), now_ms=0)
        async with ValidatorNetwork(one, protocol=PROTOCOL) as first:
            first.sit(PAIR)
            for _ in range(2):
                async with town.open(2) as two:
                    await acquainted(town, one, two)
                    async with ValidatorNetwork(two, protocol=PROTOCOL) as second:
                        second.sit(PAIR)
                        await until(lambda: first.open_count == 1)
                        await first.send(SECOND, message(b"again"))
                        assert (await second.receive())[1] == message(b"again")
                await until(lambda: first.open_count == 0)


@in_virtual_time
async def test_how_many_seats_listen_is_told() -> None:
    town = Town()
    counts: list[int] = []
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with ValidatorNetwork(one, protocol=PROTOCOL) as first:
            first.watcher = counts.append
            first.sit(PAIR)
            async with ValidatorNetwork(two, protocol=PROTOCOL) as second:
                second.sit(PAIR)
                await until(lambda: counts == [1])


@in_virtual_time
async def test_who_has_no_seat_is_not_heard() -> None:
    town = Town()
    async with town.open(1) as one, town.open(4) as stranger:
        await acquainted(town, one, stranger)
        async with ValidatorNetwork(one, protocol=PROTOCOL) as first:
            first.sit(PAIR)
            stream = await stranger.open_stream(one.peer_id, [PROTOCOL])
            stream.write(length_prefixed(b"\x00" + message(b"block")))
            assert await is_silent(first)


@in_virtual_time
async def test_a_seat_that_sends_nonsense_is_blamed_and_costs_no_other() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with ValidatorNetwork(one, protocol=PROTOCOL) as first:
            first.sit(PAIR)
            for nonsense in (b"", b"\x07", b"\x01" + bytes(VOTE_BYTES_MAX + 1)) * 8:
                stream = await two.open_stream(one.peer_id, [PROTOCOL])
                stream.write(length_prefixed(nonsense))
                await asyncio.sleep(1)
                if two.connections.of(one.peer_id) is None:
                    break
            assert first.votes.empty()
            assert one.bans.is_banned(two.peer_id, now_ms=one.clock.monotonic_ms())


@in_virtual_time
async def test_a_seat_that_is_given_up_is_spoken_to_no_longer() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with (
            ValidatorNetwork(one, protocol=PROTOCOL) as first,
            ValidatorNetwork(two, protocol=PROTOCOL) as second,
        ):
            first.sit(PAIR)
            second.sit(PAIR)
            await until(lambda: first.open_count == 1)
            for genesis in (LATER, bytes(32)):
                first.sit(Seating(genesis, PEERS[:1]))
            await until(lambda: first.open_count == 0)
            await first.send(SECOND, message(b"lost"))
            assert await is_silent(second)


@in_virtual_time
async def test_who_had_a_seat_before_is_sent_votes_and_nothing_else() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with (
            ValidatorNetwork(one, protocol=PROTOCOL) as first,
            ValidatorNetwork(two, protocol=PROTOCOL) as second,
        ):
            first.sit(Seating(GENESIS, PEERS[:1]), former=PEERS[:2])
            second.sit(PAIR)
            await until(lambda: second.open_count == 1)
            assert (first.open_count, first.is_alone) == (0, True)
            await first.broadcast(message(b"block"))
            first.broadcast_vote(b"vote")
            assert await second.votes.get() == (peer_of(1), b"vote")
            assert await is_silent(second)


@in_virtual_time
async def test_who_had_a_seat_before_is_heard_only_when_it_votes() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with (
            ValidatorNetwork(one, protocol=PROTOCOL) as first,
            ValidatorNetwork(two, protocol=PROTOCOL) as second,
        ):
            first.sit(PAIR)
            second.sit(Seating(GENESIS, PEERS[1:2]), former=PEERS[:1])
            await first.broadcast(message(b"block"))
            first.broadcast_vote(b"vote")
            assert await second.votes.get() == (peer_of(1), b"vote")
            assert await is_silent(second)


@in_virtual_time
async def test_a_seat_that_begins_anew_hears_who_spoke_to_it_when_nobody_listened() -> None:
    town = Town()
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with ValidatorNetwork(one, protocol=PROTOCOL) as first:
            first.sit(PAIR)
            async with ValidatorNetwork(two, protocol=PROTOCOL) as deaf:
                deaf.sit(PAIR)
                for _ in range(2 * MESSAGES_WAITING_MAX):
                    await first.broadcast(message(b"never taken"))
                await asyncio.sleep(5)
            async with ValidatorNetwork(two, protocol=PROTOCOL) as second:
                second.sit(PAIR)
                await until(lambda: first.open_count == 1)
                await asyncio.sleep(5)
                await first.broadcast(message(b"after that"))
                async with asyncio.timeout(60):
                    while (await second.receive())[1] != message(b"after that"):
                        pass


@in_virtual_time
async def test_messages_that_a_slow_or_absent_peer_missed_are_counted() -> None:
    town = Town()
    async with town.open(1) as one, ValidatorNetwork(one, protocol=PROTOCOL) as first:
        first.sit(PAIR)
        for _ in range(LANE_MESSAGES_MAX + 3):
            await first.send(SECOND, message(b"block"))
        assert first.lost_count == 3
        assert first.peer_at(GENESIS, SECOND) == peer_of(2)
        assert first.peer_at(GENESIS, THIRD) is None
        await first.send(THIRD, message(b"nobody"))


@in_virtual_time
async def test_a_seat_is_who_held_it_in_the_epoch_that_the_message_names() -> None:
    town = Town()
    turned = Seating(LATER, PEERS[1::-1])
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with (
            ValidatorNetwork(one, protocol=PROTOCOL) as first,
            ValidatorNetwork(two, protocol=PROTOCOL) as second,
        ):
            first.sit(PAIR)
            second.sit(PAIR)
            second.sit(turned)
            await first.broadcast(message(b"old"))
            assert await second.receive() == (FIRST, message(b"old"))
            first.sit(turned)
            await first.broadcast(message(b"new", LATER))
            assert await second.receive() == (SECOND, message(b"new", LATER))
            await second.send(FIRST, message(b"answer"))
            assert await first.receive() == (SECOND, message(b"answer"))


@in_virtual_time
async def test_what_comes_before_its_epoch_begins_here_is_kept_for_it() -> None:
    town = Town()
    later = Seating(LATER, PEERS[:2])
    async with town.open(1) as one, town.open(2) as two:
        await acquainted(town, one, two)
        async with (
            ValidatorNetwork(one, protocol=PROTOCOL) as first,
            ValidatorNetwork(two, protocol=PROTOCOL) as second,
        ):
            first.sit(PAIR)
            first.sit(later)
            second.sit(PAIR)
            await first.broadcast(message(bytes(EARLY_BYTES_MAX), LATER))
            await first.broadcast(message(b"block", LATER))
            assert await is_silent(second)
            second.sit(later)
            assert await second.receive() == (FIRST, message(b"block", LATER))


def test_every_message_of_consensus_names_its_epoch_at_the_same_place() -> None:
    genesis = Digest(GENESIS)
    for made in (
        LatestQueryMessage(genesis),
        LatestAnswerMessage(genesis, None),
        FetchMessage(genesis, (), ()),
        CommitRequestMessage(genesis, 1, 2),
        CommitAnswerMessage(genesis, (), ()),
        BlocksMessage(genesis, ()),
        BlockMessage(genesis, SignedBlock(b"", bytes(64), ())),
    ):
        assert epoch_of(MESSAGE_CODEC.encode(made)) == GENESIS

"""What a core says beside its blocks: bounded answers, and questions when it stands still."""

from collections.abc import Iterable

from consensus.block import Block
from consensus.events import BlocksRequested, Effect, Origin, Send, ServeFromStore
from consensus.exchange import PUSHERS_PER_PEER, Exchange
from consensus.intake import Intake
from consensus.messages import (
    BlocksMessage,
    FetchMessage,
    LatestAnswerMessage,
    LatestQueryMessage,
)
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex, Round
from tests.consensus.builders import Forge, at, flat, phantom, refs_of
from tests.dsl.committee import context_of

CONTEXT = context_of((1,) * 4)
GENESIS = CONTEXT.genesis_digest
FORGE = Forge(CONTEXT)
OWN = AuthorityIndex(0)
PEER = AuthorityIndex(2)
ROUNDS = FORGE.layers(4)


class Room:
    """An exchange over an intake that holds some blocks."""

    def __init__(self, *rounds: Iterable[Block], tuning: Tuning | None = None) -> None:
        tuning = tuning or Tuning()
        self.intake = Intake(CONTEXT, own=OWN, tuning=tuning)
        self.exchange = Exchange(CONTEXT, self.intake, own=OWN, tuning=tuning)
        self.take(*rounds)

    def take(self, *rounds: Iterable[Block]) -> None:
        """Accept blocks."""
        for block in flat(rounds):
            self.intake.offer(block, block.author, origin=Origin.RELAYED, now=at(0))
        self.intake.drain(now=at(0))

    def answer(
        self, *blocks: Block, frontier: tuple[int, ...] = ()
    ) -> list[tuple[Block, ...] | ServeFromStore]:
        """Return the answer to a request for blocks."""
        request = BlocksRequested(PEER, tuple(refs_of(blocks)), frontier)
        return [self.read(effect) for effect in self.exchange.answer(request)]

    def read(self, effect: Effect) -> tuple[Block, ...] | ServeFromStore:
        """Return the blocks that an effect sends to the peer."""
        if isinstance(effect, ServeFromStore):
            return effect
        assert isinstance(effect, Send)
        assert isinstance(effect.message, BlocksMessage)
        assert effect.peer == PEER
        known = {block.signed: block for block in flat(ROUNDS)}
        return tuple(known[signed] for signed in effect.message.blocks)


def test_blocks_are_served_in_the_order_asked() -> None:
    first, second, *_ = ROUNDS[1]
    assert Room(*ROUNDS).answer(second, first) == [(second, first)]


def test_empty_answer_is_an_answer() -> None:
    assert Room(*ROUNDS[:1]).answer(ROUNDS[3][0]) == [()]
    assert Room(*ROUNDS).answer() == [()]


def test_suspended_block_is_not_served() -> None:
    room = Room(ROUNDS[1])
    assert len(room.intake.suspension) == 4
    assert room.answer(ROUNDS[1][0]) == [()]


def test_what_gc_took_is_served_from_the_store() -> None:
    room = Room(*ROUNDS)
    room.intake.collect(Round(2))
    old, new = ROUNDS[1][0], ROUNDS[2][0]
    assert room.answer(old, new) == [(new,), ServeFromStore(PEER, (old.ref,))]
    assert room.answer(old) == [ServeFromStore(PEER, (old.ref,))]


def test_frontier_is_filled_up_from_below() -> None:
    room = Room(*ROUNDS)
    assert room.answer(frontier=(4, 4, 2, 3)) == [(ROUNDS[2][2], ROUNDS[3][2], ROUNDS[3][3])]
    assert room.answer(frontier=(9, 9, 9, 2**62)) == [()]


def test_block_that_was_asked_for_is_not_sent_again_for_the_frontier() -> None:
    room = Room(*ROUNDS)
    asked = ROUNDS[3][2]
    assert room.answer(asked, frontier=(4, 4, 2, 4)) == [(asked, ROUNDS[2][2])]


def test_answer_holds_no_more_blocks_than_one_answer_may() -> None:
    room = Room(*ROUNDS, tuning=Tuning(fetch_blocks_max=3))
    assert room.answer(*ROUNDS[0]) == [tuple(ROUNDS[0][:3])]
    assert room.answer(ROUNDS[3][0], frontier=(0, 0, 0, 0)) == [
        (ROUNDS[3][0], ROUNDS[0][0], ROUNDS[0][1])
    ]


def test_answer_holds_no_more_bytes_than_one_answer_may() -> None:
    room_bytes = 2 * ROUNDS[0][0].signed.size_bytes
    room = Room(*ROUNDS, tuning=Tuning(fetch_bytes_max=room_bytes))
    assert room.answer(*ROUNDS[0]) == [tuple(ROUNDS[0][:2])]


def test_frontiers_are_exchanged_only_while_the_clock_stands_still() -> None:
    room = Room()
    assert room.exchange.exchange_frontiers() == []
    asked = [effect.peer for effect in sends(room.exchange.exchange_frontiers())]
    asked += [effect.peer for effect in sends(room.exchange.exchange_frontiers())]
    assert set(asked) == {1, 2, 3}
    room.take(*ROUNDS[:2])
    assert room.exchange.exchange_frontiers() == []
    effects = sends(room.exchange.exchange_frontiers())
    assert {effect.message for effect in effects} == {FetchMessage(GENESIS, (), (2, 2, 2, 2))}


def sends(effects: list[Effect]) -> list[Send]:
    """Return the effects, all of which send."""
    return [effect for effect in effects if isinstance(effect, Send)]


def test_lone_seat_exchanges_nothing() -> None:
    context = context_of((1,))
    intake = Intake(context, own=OWN, tuning=Tuning())
    exchange = Exchange(context, intake, own=OWN, tuning=Tuning())
    assert exchange.exchange_frontiers() == exchange.exchange_frontiers() == []
    assert exchange.push_to_lagging(None, now_ms=0) == []


def test_question_for_our_newest_block_goes_to_whom_it_must() -> None:
    message = LatestQueryMessage(GENESIS)
    assert Room().exchange.ask_latest((AuthorityIndex(1), PEER)) == [
        Send(AuthorityIndex(1), message),
        Send(PEER, message),
    ]


def test_booting_peer_is_told_its_newest_block_accepted_or_suspended() -> None:
    room = Room(*ROUNDS[:2])
    assert room.exchange.tell_latest(PEER) == Send(
        PEER, LatestAnswerMessage(GENESIS, ROUNDS[1][PEER].signed)
    )
    high = FORGE.block(9, PEER, [phantom(8, author) for author in range(4)])
    room.take([high])
    assert room.exchange.tell_latest(PEER) == Send(PEER, LatestAnswerMessage(GENESIS, high.signed))
    assert Room().exchange.tell_latest(PEER) == Send(PEER, LatestAnswerMessage(GENESIS, None))


def without_the_peer(last: int) -> list[list[Block]]:
    """Return rounds of which seat 2 took part in the first alone."""
    rounds = [ROUNDS[0]]
    for number in range(2, last + 1):
        below = [block for block in rounds[-1] if block.author != PEER]
        rounds.append(FORGE.layer(number, below, authors=(0, 1, 3)))
    return rounds


def test_peer_that_fell_behind_is_pushed_what_its_last_block_lacks() -> None:
    rounds = without_the_peer(4)
    room = Room(*rounds)
    (effect,) = sends(room.exchange.push_to_lagging(None, now_ms=0))
    lacking = [block.signed for block in flat(rounds) if block.author != PEER]
    assert effect == Send(PEER, BlocksMessage(GENESIS, tuple(lacking[:8])))
    assert room.exchange.push_to_lagging(None, now_ms=1) == []


def test_three_seats_push_to_one_peer_in_a_round() -> None:
    size = 7
    context = context_of((1,) * size)
    forge = Forge(context)
    rounds = [forge.layer(1, [])]
    for number in range(2, 5):
        rounds.append(forge.layer(number, rounds[-1], authors=range(6)))
    pushers = []
    for own in context.committee.indices[:6]:
        intake = Intake(context, own=own, tuning=Tuning())
        exchange = Exchange(context, intake, own=own, tuning=Tuning())
        for block in flat(rounds):
            intake.offer(block, block.author, origin=Origin.RELAYED, now=at(0))
        intake.drain(now=at(0))
        own_last = rounds[-1][own]
        for effect in sends(exchange.push_to_lagging(own_last, now_ms=0)):
            assert effect.peer == 6
            assert isinstance(effect.message, BlocksMessage)
            assert own_last.signed in effect.message.blocks
            pushers.append(own)
    assert 0 < len(pushers) <= PUSHERS_PER_PEER


def test_peer_that_is_far_behind_is_left_to_fetch() -> None:
    room = Room(tuning=Tuning(push_lag_max=2))
    for number, blocks in enumerate(without_the_peer(8), start=1):
        room.take(blocks)
        pushed = room.exchange.push_to_lagging(None, now_ms=number * 10_000)
        assert number < 3 or pushed == []


def test_peers_that_keep_up_are_pushed_nothing() -> None:
    room = Room(*ROUNDS)
    assert room.exchange.push_to_lagging(ROUNDS[3][0], now_ms=0) == []

"""A string of bytes read as what three faulty peers do to one core: blocks, lies, time, crashes.

Every block is well formed and signed, so that it gets past the verifier and into the core. The
core's own blocks and commits feed back into what the peers say. Three of four seats are faulty,
which is far more than f: agreement may be lost, but nothing may be raised, and no bound broken.
"""

from collections.abc import Callable
from typing import Final

from consensus.block import Block, BlockRef, CommitVote, EquivocationReport
from consensus.events import (
    EpochCloseForced,
    PayloadSubmitted,
    StoreBlocks,
    StoreCommit,
    SubscribersChanged,
    Timer,
    TimerFired,
)
from consensus.messages import (
    MESSAGE_CODEC,
    AnyMessage,
    BlockMessage,
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
    FetchMessage,
    LatestAnswerMessage,
    LatestQueryMessage,
)
from consensus.parameters import Parameters, Tuning
from primitives.errors import RemoteProtocolError
from primitives.ids import AuthorityIndex, CommitIndex
from tests.consensus.builders import Forge, digest_of, phantom, vote
from tests.consensus.lockstep import EPOCH_START_MS, Network
from tests.dsl.committee import context_of

STEPS_MAX: Final = 120
POOL_MAX: Final = 400
OWN: Final = AuthorityIndex(0)
PARAMETERS: Final = Parameters(gc_depth=5, schedule_window=3)
CONTEXT: Final = context_of((1,) * 4, parameters=PARAMETERS)
TUNING: Final = Tuning(
    min_round_delay_ms=10,
    tick_ms=50,
    fetch_timeout_ms=100,
    fetch_refs_max=4,
    fetch_blocks_max=6,
    round_margin=3,
    suspended_per_author_max=6,
    missing_per_author_max=12,
    novelty_max=5,
    commit_batch=3,
    pending_bytes_max=100,
    unacknowledged_rounds_max=8,
)


class Reader:
    """Takes small numbers from the front of a string of bytes; zeros when it is used up."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._place = 0

    @property
    def is_over(self) -> bool:
        """Tell whether everything was read."""
        return self._place >= len(self._raw)

    def below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1."""
        if self.is_over:
            return 0
        self._place += 1
        return self._raw[self._place - 1] % limit

    def take(self, count: int) -> bytes:
        """Return the next bytes as they are."""
        self._place += count
        return self._raw[self._place - count : self._place]


class Play:
    """One core, three puppets, and the blocks that they have to refer to."""

    def __init__(self, raw: bytes) -> None:
        self.reader = Reader(raw)
        self.forge = Forge(CONTEXT)
        self.network = Network(CONTEXT, tuning=TUNING, silent=(1, 2, 3))
        self.seat = self.network.seats[OWN]
        self.pool: list[Block] = []
        self.accepted: list[Block] = []
        self._writes_seen = 0
        for peer in (1, 2, 3):
            self._tell(peer, LatestAnswerMessage(CONTEXT.genesis_digest, None))

    def run(self) -> None:
        """Act until the script is over; check the bounds after every act."""
        for _ in range(STEPS_MAX):
            if self.reader.is_over:
                return
            ACTS[self.reader.below(len(ACTS))](self)
            self._learn()
            self._check_bounds()

    def step_honestly(self) -> None:
        """Let every puppet extend the highest round that has a quorum."""
        for author in (1, 2, 3):
            number = self._frontier()
            parents = list(self._blocks_of(number - 1).values())
            self._stream(self.forge.block(number, author, parents, timestamp_ms=self._now_ms()))

    def send_block(self) -> None:
        """Send a well-formed block: any round near the frontier, any ancestors, votes, reports."""
        read = self.reader.below
        author = 1 + read(3) if read(24) else OWN
        number = max(1, self._frontier() - 3 + read(6) + 2 * read(2) * read(8))
        ancestors = self._any_of(number - 1) if read(4) else self._phantoms(number)
        kept = [ref for ref in ancestors if ref.author == author or read(8)]
        block = self.forge.block(
            number,
            author,
            kept,
            payload=(self.reader.take(read(4)),) if read(4) == 0 else (),
            timestamp_ms=self._now_ms() + 100 * read(12),
            votes=self._votes(),
            reports=self._reports(),
        )
        if author != OWN and read(2):
            self._stream(block)
        else:
            self._relay(block)

    def repeat_blocks(self) -> None:
        """Relay blocks that were said before, in any order."""
        if self.pool:
            read = self.reader.below
            self._relay(*(self.pool[-1 - read(len(self.pool))] for _ in range(1 + read(6))))

    def ask(self) -> None:
        """Ask for blocks, known and unknown, and for what is above a frontier."""
        read = self.reader.below
        refs = [self._any_ref() for _ in range(read(6))]
        frontier = tuple(read(40) for _ in range(4)) if read(2) else ()
        self._tell(1 + read(3), FetchMessage(CONTEXT.genesis_digest, tuple(refs), frontier))

    def ask_for_commits(self) -> None:
        """Ask for a run of commits."""
        read = self.reader.below
        self._tell(1, CommitRequestMessage(CONTEXT.genesis_digest, read(30), read(30)))

    def talk_of_latest(self) -> None:
        """Ask what a booting node asks, or answer it."""
        genesis = CONTEXT.genesis_digest
        match self.reader.below(4):
            case 0:
                self._tell(2, LatestQueryMessage(genesis))
            case 1:
                self._tell(2, LatestAnswerMessage(genesis, None))
            case _:
                own = [block for block in self.pool if block.author == OWN]
                signed = own[self.reader.below(len(own))].signed if own else None
                self._tell(3, LatestAnswerMessage(genesis, signed))

    def answer_commits(self) -> None:
        """Answer with commits, true or made up, that nobody may have asked for."""
        read = self.reader.below
        stored = [w.commit for w in self.seat.disk.writes if isinstance(w, StoreCommit)]
        if stored:
            start = read(len(stored))
            commits = tuple(stored[start : start + 1 + read(5)])
            voters = [block for block in self.pool if block.header.commit_votes][-4:]
            signed = tuple(block.signed for block in voters)
            message = CommitAnswerMessage(CONTEXT.genesis_digest, commits, signed)
            self._tell(1 + read(3), message)

    def wait(self) -> None:
        """Let time pass, so that timers fire."""
        self.network.run(self.network.now_ms + self.reader.below(120))

    def fire(self) -> None:
        """Fire a timer that may not be set."""
        self.seat.feed(TimerFired(list(Timer)[self.reader.below(3)]))

    def submit(self) -> None:
        """Submit payload."""
        self.seat.feed(PayloadSubmitted((self.reader.take(self.reader.below(20)),)))

    def subscribe(self) -> None:
        """Change the number of subscribers."""
        self.seat.feed(SubscribersChanged(self.reader.below(4)))

    def restart(self) -> None:
        """Crash, losing some of what was not synced, and boot again."""
        lost = self.reader.below(1 + self.seat.disk.unsynced_count)
        self.seat.crash(lost=lost)
        self.seat.restart()
        for peer in range(1, 4 - self.reader.below(4)):
            self._tell(peer, LatestAnswerMessage(CONTEXT.genesis_digest, None))

    def close(self) -> None:
        """Force the close of the epoch, rarely."""
        if self.reader.below(4) == 3:
            index = CommitIndex(self.seat.core.commit_index + 1 + self.reader.below(5))
            self.seat.feed(EpochCloseForced(index))

    def say_anything(self) -> None:
        """Send bytes of the script as they are."""
        self._say(1, self.reader.take(self.reader.below(64)))

    def _stream(self, block: Block) -> None:
        self._tell(block.author, BlockMessage(CONTEXT.genesis_digest, block.signed))
        self._remember(block)

    def _relay(self, *blocks: Block) -> None:
        signed = tuple(block.signed for block in blocks)
        self._tell(1 + self.reader.below(3), BlocksMessage(CONTEXT.genesis_digest, signed))
        for block in blocks:
            self._remember(block)

    def _tell(self, peer: int, message: AnyMessage) -> None:
        self._say(peer, MESSAGE_CODEC.encode(message))

    def _say(self, peer: int, raw: bytes) -> None:
        try:
            self.network.arrive(AuthorityIndex(peer), OWN, raw)
        except RemoteProtocolError:
            return

    def _remember(self, block: Block) -> None:
        self.pool.append(block)
        del self.pool[:-POOL_MAX]

    def _learn(self) -> None:
        """Take notice of what the core has accepted, its own blocks among it."""
        for write in self.seat.disk.writes[self._writes_seen :]:
            if isinstance(write, StoreBlocks):
                self.accepted += write.blocks
                for block in write.blocks:
                    if block.author == OWN:
                        self._remember(block)
        self._writes_seen = len(self.seat.disk.writes)
        del self.accepted[:-POOL_MAX]

    def _check_bounds(self) -> None:
        memory = self.seat.core.memory
        size = CONTEXT.committee.size
        assert memory["suspended"] <= size * TUNING.suspended_per_author_max, memory
        assert memory["wanted"] <= size * TUNING.missing_per_author_max, memory

    def _now_ms(self) -> int:
        return EPOCH_START_MS + self.network.now_ms

    def _frontier(self) -> int:
        return int(self.seat.core.clock_round)

    def _blocks_of(self, number: int) -> dict[int, BlockRef]:
        """Return the first accepted block of every author in a round."""
        if number == 0:
            return {ref.author: ref for ref in self.forge.genesis()}
        chosen: dict[int, BlockRef] = {}
        for block in self.accepted:
            if block.round == number:
                chosen.setdefault(block.author, block.ref)
        return chosen

    def _any_of(self, number: int) -> list[BlockRef]:
        """Choose one block of a round per author; of twins, whichever the script likes."""
        chosen = self._blocks_of(number)
        for block in self.pool:
            if block.round == number and self.reader.below(3) == 2:
                chosen[block.author] = block.ref
        return list(chosen.values())

    def _phantoms(self, number: int) -> list[BlockRef]:
        label = self.reader.below(4)
        return [phantom(max(1, number - 1), author, label) for author in range(4)]

    def _any_ref(self) -> BlockRef:
        if self.pool and self.reader.below(4):
            return self.pool[-1 - self.reader.below(len(self.pool))].ref
        return phantom(self.reader.below(40), self.reader.below(6))

    def _votes(self) -> tuple[CommitVote, ...]:
        read = self.reader.below
        if read(3):
            return ()
        commits = [sub_dag for sub_dag in self.seat.delivered if read(3)]
        true = [vote(sub_dag.index, sub_dag.digest) for sub_dag in commits[-4:]]
        if read(6) == 5:
            index = 2**62 if read(2) else 1 + read(20)
            return (vote(index, digest_of(read(3))),)
        return tuple(true)

    def _reports(self) -> tuple[EquivocationReport, ...]:
        """Report a block that there is, truly if it has a twin, else with one made up."""
        if self.reader.below(6) or not self.pool:
            return ()
        block = self.pool[-1 - self.reader.below(len(self.pool))]
        twins = [
            other.ref
            for other in self.pool
            if (other.round, other.author) == (block.round, block.author) and other is not block
        ]
        other = next((ref for ref in twins if ref != block.ref), phantom(block.round, block.author))
        first, second = sorted((block.ref, other))
        return (EquivocationReport(first, second),)


ACTS: Final[tuple[Callable[[Play], None], ...]] = (
    *(Play.step_honestly,) * 8,
    *(Play.send_block,) * 5,
    *(Play.wait,) * 6,
    Play.repeat_blocks,
    Play.ask,
    Play.ask_for_commits,
    Play.talk_of_latest,
    Play.answer_commits,
    Play.fire,
    Play.submit,
    Play.subscribe,
    Play.restart,
    Play.close,
    Play.say_anything,
)

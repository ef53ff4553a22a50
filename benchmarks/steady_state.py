"""One validator in the middle of a full-mesh DAG that everybody else extends round by round.

The others' blocks are made between the measured stretches, from the very blocks and commits of the
measured core, so that nothing in them is invented: they name its blocks, and vote for its commits.
Payload is empty, as its cost belongs to whoever executes it.
"""

from collections.abc import Iterable, Sequence
from random import Random

from consensus.block import (
    BLOCK_VERSION,
    EMPTY_PAYLOAD_ROOT,
    Block,
    BlockRef,
    CommitVote,
    Header,
    genesis_ref,
    sign_block,
)
from consensus.committee import Authority, Committee, EpochContext
from consensus.core import Core
from consensus.events import (
    BlocksReceived,
    Booted,
    Broadcast,
    Deliver,
    Effect,
    Input,
    LatestAnswered,
    SetTimer,
    Timer,
    TimerFired,
)
from consensus.ingress import Ingress
from consensus.messages import MESSAGE_CODEC, BlockMessage
from consensus.parameters import Parameters, Tuning
from consensus.recovery import EMPTY_STATE, Durable
from consensus.schedule import first_schedule
from consensus.verifier import BlockVerifier
from primitives.clock import Instant
from primitives.ids import AuthorityIndex, ChainId, Epoch, Power, Round, TimestampMs
from primitives.keys import PrivateKey

OWN = AuthorityIndex(0)
ROUND_MS = 100
GC_DEPTH = 50
WARM_UP_ROUNDS = GC_DEPTH + 5
"""From then on every round enters memory and another leaves it."""


class Setting:
    """An epoch of equal powers, its keys, and how many ancestors a block names."""

    def __init__(self, size: int, *, leaders: int = 1, ancestors_count: int | None = None) -> None:
        self.ancestors_count = size if ancestors_count is None else ancestors_count
        self.keys = [PrivateKey.from_seed(seat.to_bytes(32, "big")) for seat in range(size)]
        self.context = EpochContext(
            chain_id=ChainId(bytes(32)),
            epoch=Epoch(0),
            committee=Committee([Authority(Power(1), key.public.raw) for key in self.keys]),
            parameters=Parameters(leaders_per_round=leaders, gc_depth=GC_DEPTH),
        )


class Others:
    """Everybody but the measured validator."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._context = setting.context
        self._schedule = first_schedule(setting.context)
        self._rng = Random(7)
        self._below = [
            genesis_ref(self._context.genesis_digest, author)
            for author in self._context.committee.indices
        ]

    def extend(
        self, own: Block, votes: tuple[CommitVote, ...], *, wall_ms: int
    ) -> list[tuple[AuthorityIndex, bytes]]:
        """Build the others' blocks of the round of `own`, in random order of arrival."""
        blocks = [
            self._block(author, own.round, votes, wall_ms)
            for author in self._context.committee.indices
            if author != OWN
        ]
        self._below = [own.ref, *(block.ref for block in blocks)]
        genesis = self._context.genesis_digest
        messages = [
            (block.author, MESSAGE_CODEC.encode(BlockMessage(genesis, block.signed)))
            for block in blocks
        ]
        self._rng.shuffle(messages)
        return messages

    def _block(
        self, author: AuthorityIndex, number: Round, votes: tuple[CommitVote, ...], wall_ms: int
    ) -> Block:
        header = Header(
            version=BLOCK_VERSION,
            genesis=self._context.genesis_digest,
            epoch=self._context.epoch,
            round=number,
            author=author,
            timestamp_ms=TimestampMs(wall_ms),
            ancestors=self._ancestors(author, number),
            payload_root=EMPTY_PAYLOAD_ROOT,
            payload_bytes=0,
            payload_count=0,
            commit_votes=votes,
            reports=(),
        )
        return sign_block(header, (), self._setting.keys[author])

    def _ancestors(self, author: AuthorityIndex, number: Round) -> tuple[BlockRef, ...]:
        """Name the own block, those of the leaders, and as many more as there is room for.

        Leaders never change: everybody votes for all of them, so reputation excludes nobody.
        """
        size = self._context.committee.size
        chosen = dict.fromkeys((author, *self._schedule.leaders(number - 1)))
        for step in range(1, size):
            if len(chosen) >= self._setting.ancestors_count:
                break
            chosen.setdefault(AuthorityIndex((author + step) % size))
        del chosen[author]
        return (self._below[author], *(self._below[other] for other in sorted(chosen)))


class Subject:
    """The measured validator: real bytes in, effects out and not carried out."""

    def __init__(self, setting: Setting) -> None:
        self.now = Instant(0, 0)
        self.own_block: Block | None = None
        self.delivered = 0
        self._due_ms: dict[Timer, int] = {}
        self._votes: list[CommitVote] = []
        self.ingress = Ingress(
            setting.context, own=OWN, verify=BlockVerifier(setting.context).parse
        )
        self._core = Core.recover(
            setting.context,
            own=OWN,
            key=setting.keys[OWN],
            tuning=Tuning(),
            durable=Durable(state=EMPTY_STATE),
        )

    @property
    def memory(self) -> dict[str, int]:
        """Return the sizes of what the core keeps."""
        return self._core.memory

    def boot(self, peers: Iterable[AuthorityIndex]) -> None:
        """Start, and hear from everybody that we never signed anything."""
        self.handle_all([Booted(), *(LatestAnswered(peer, None) for peer in peers)])
        self.settle()

    def receive(self, messages: Sequence[tuple[AuthorityIndex, bytes]]) -> list[Effect]:
        """Take messages from bytes to effects, one after the other."""
        admit, handle, now = self.ingress.admit, self._core.handle, self.now
        effects: list[Effect] = []
        for peer, raw in messages:
            event = admit(raw, peer=peer)
            assert isinstance(event, BlocksReceived)
            effects += handle(event, now=now)
        return effects

    def handle_all(self, events: Iterable[Input]) -> None:
        """Give inputs to the core and note what it asks for."""
        for event in events:
            self.note(self._core.handle(event, now=self.now))

    def note(self, effects: Iterable[Effect]) -> None:
        """Note what the next steps depend on."""
        for effect in effects:
            match effect:
                case SetTimer():
                    self._due_ms[effect.timer] = effect.at_ms
                case Broadcast():
                    self.own_block = effect.block
                case Deliver():
                    self.delivered += 1
                    self._votes.append(CommitVote(effect.sub_dag.index, effect.sub_dag.digest))
                case _:
                    pass

    def settle(self) -> None:
        """Fire every timer that is due."""
        for timer in [timer for timer, at in self._due_ms.items() if at <= self.now.monotonic_ms]:
            del self._due_ms[timer]
            self.handle_all([TimerFired(timer)])

    def pass_time(self) -> None:
        """Let a round's time pass."""
        now_ms = self.now.monotonic_ms + ROUND_MS
        self.now = Instant(now_ms, now_ms)

    def take_votes(self) -> tuple[CommitVote, ...]:
        """Return votes for the commits since the last call."""
        votes, self._votes = tuple(self._votes), []
        return votes

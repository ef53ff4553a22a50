"""CPU that consensus costs per accepted block, the signature check apart, and bytes per header.

One validator of n takes everybody's blocks of a steady DAG from wire bytes to effects: decoding,
canonical form, hash, every validity rule, acceptance, the commit rule, linearisation, garbage
collection, its own proposals; own blocks count among the accepted ones. Effects are built and not
carried out. The peer is one Ed25519 verification, which no block of another escapes: what consensus
adds to it should be of the same order. Figures are the best of several windows.
"""

import math
import time
from collections.abc import Sequence
from itertools import pairwise

import msgspec
from nacl import bindings

from benchmarks.comparison import Row, compare, run
from benchmarks.steady_state import (
    OWN,
    WARM_UP_ROUNDS,
    Others,
    Setting,
    Subject,
)
from consensus.block import HEADER_CODEC, Block, header_digest
from consensus.events import BlocksReceived, Origin
from consensus.intake import Intake
from consensus.messages import MESSAGE_CODEC, BlockMessage
from consensus.ordering import Ordering
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex

SIZES = (4, 20, 50, 100)
BUDGET_US = 150
GOAL_VERIFICATIONS = 1.5
REF_BYTES = 40
"""A block ref in Sui's BCS encoding: round and author of 4 bytes each, a digest of 32."""

WINDOWS = 10
WINDOW_BLOCKS = 1_000
WINDOW_ROUNDS_MIN = 10
VERIFICATIONS = 200
VERIFICATION = "one Ed25519 verification"


class Effort(msgspec.Struct, frozen=True):
    """How much to measure.

    Args:
        windows: stretches of rounds of which the best counts.
        window_blocks: how many blocks one holds, unless that is too few rounds.
        warm_up_rounds: what comes before the first.
    """

    windows: int = WINDOWS
    window_blocks: int = WINDOW_BLOCKS
    window_rounds_min: int = WINDOW_ROUNDS_MIN
    warm_up_rounds: int = WARM_UP_ROUNDS

    def rounds(self, size: int) -> int:
        """Return the rounds of one window."""
        return max(self.window_rounds_min, self.window_blocks // size)


class Cost(msgspec.Struct, frozen=True):
    """What one block costs a validator, and what a verification costs meanwhile."""

    block_us: float
    verification_us: float
    header_bytes: float


class Stages(msgspec.Struct):
    """CPU of the parts of the path, in seconds, over the same blocks."""

    decode_s: float = 0
    admit_s: float = 0
    accept_s: float = 0
    commit_s: float = 0


class Dissection:
    """The rooms of the core on their own, fed with what the core was fed with."""

    def __init__(self, setting: Setting) -> None:
        self.stages = Stages()
        self._intake = Intake(setting.context, own=OWN, tuning=Tuning())
        self._ordering = Ordering(setting.context, self._intake.dag)

    def follow(
        self, subject: Subject, own: Block, messages: Sequence[tuple[AuthorityIndex, bytes]]
    ) -> None:
        """Take a round that the subject is done with through the parts of the path."""
        stages = self.stages
        started_s = time.process_time()
        for _, raw in messages:
            message = MESSAGE_CODEC.decode(raw)
            assert isinstance(message, BlockMessage)
            HEADER_CODEC.decode(message.block.header)
            header_digest(message.block.header)
        decoded_s = time.process_time()
        admitted = [subject.ingress.admit(raw, peer=peer) for peer, raw in messages]
        stages.decode_s += decoded_s - started_s
        stages.admit_s += time.process_time() - decoded_s
        self._intake.accept(own, OWN)
        for event in admitted:
            assert isinstance(event, BlocksReceived)
            self._feed(event, subject)

    def _feed(self, event: BlocksReceived, subject: Subject) -> None:
        now = subject.now
        started_s = time.process_time()
        self._intake.offer(event.blocks[0], event.peer, origin=Origin.STREAM, now=now)
        self._intake.drain(now=now)
        accepted_s = time.process_time()
        while self._ordering.advance() is not None:
            self._intake.collect(self._ordering.linearizer.floor)
        self.stages.accept_s += accepted_s - started_s
        self.stages.commit_s += time.process_time() - accepted_s


class Run:
    """A validator that has come as far as the steady state."""

    def __init__(self, setting: Setting) -> None:
        self._others = Others(setting)
        self._messages: list[tuple[AuthorityIndex, bytes]] = []
        self.dissection: Dissection | None = None
        self.subject = Subject(setting)
        self.subject.boot(AuthorityIndex(peer) for peer in range(1, len(setting.keys)))

    def advance(self, rounds: int) -> float:
        """Go through rounds; return the CPU seconds that the subject took, its own blocks too."""
        subject = self.subject
        spent_s = 0.0
        for _ in range(rounds):
            own = subject.own_block
            assert own is not None
            self._messages = self._others.extend(
                own, subject.take_votes(), wall_ms=subject.now.wall_ms
            )
            started_s = time.process_time()
            effects = subject.receive(self._messages)
            spent_s += time.process_time() - started_s
            if self.dissection is not None:
                self.dissection.follow(subject, own, self._messages)
            subject.note(effects)
            subject.pass_time()
            started_s = time.process_time()
            subject.settle()
            spent_s += time.process_time() - started_s
            assert subject.own_block is not own, "the validator stopped proposing"
        return spent_s

    def header_bytes(self) -> float:
        """Return the mean size of the headers of the last round."""
        sizes = []
        for _, raw in self._messages:
            message = MESSAGE_CODEC.decode(raw)
            assert isinstance(message, BlockMessage)
            sizes.append(len(message.block.header))
        return sum(sizes) / len(sizes)


def measure_verification_us() -> float:
    """Measure what it takes to check one signature over a digest."""
    public, secret = bindings.crypto_sign_seed_keypair(bytes(32))
    signed = bindings.crypto_sign(bytes(32), secret)
    started_s = time.process_time()
    for _ in range(VERIFICATIONS):
        bindings.crypto_sign_open(signed, public)
    return (time.process_time() - started_s) * 1e6 / VERIFICATIONS


def measure_cost(setting: Setting, effort: Effort) -> Cost:
    """Measure the whole path per accepted block."""
    size = len(setting.keys)
    path = Run(setting)
    path.advance(effort.warm_up_rounds)
    committed = path.subject.delivered
    rounds = effort.rounds(size)
    windows_s = []
    verifications_us = []
    for _ in range(effort.windows):
        windows_s.append(path.advance(rounds))
        verifications_us.append(measure_verification_us())
    leaders = setting.context.parameters.leaders_per_round
    expected = effort.windows * rounds * leaders
    assert path.subject.delivered - committed == expected, "not every leader was committed"
    return Cost(
        block_us=min(windows_s) * 1e6 / (rounds * size),
        verification_us=min(verifications_us),
        header_bytes=path.header_bytes(),
    )


def dissect(setting: Setting, effort: Effort) -> list[tuple[str, float, float]]:
    """Measure the parts of the path; return name, us per block, us per verification."""
    path = Run(setting)
    path.dissection = Dissection(setting)
    path.advance(effort.warm_up_rounds)
    rounds = effort.rounds(len(setting.keys))
    per_block = 1e6 / (rounds * len(setting.keys))
    best: dict[str, float] = {}
    totals_s = []
    verifications_us = []
    for _ in range(effort.windows):
        stages = path.dissection.stages = Stages()
        totals_s.append(path.advance(rounds))
        verifications_us.append(measure_verification_us())
        parts = {
            "decode and hash": stages.decode_s,
            "validity": stages.admit_s - stages.decode_s,
            "accept": stages.accept_s,
            "commit and linearise": stages.commit_s,
        }
        for name, spent_s in parts.items():
            best[name] = min(best.get(name, math.inf), spent_s * per_block)
    best["the rest: effects, own blocks"] = min(totals_s) * per_block - sum(best.values())
    return [(name, us, min(verifications_us)) for name, us in best.items()]


def measure_rows(effort: Effort, sizes: Sequence[int] = SIZES) -> list[Row]:
    """Measure every case, the largest committee in most detail."""
    costs = {size: measure_cost(Setting(size), effort) for size in sizes}
    largest = max(sizes)
    quorum = Setting(largest).context.committee.quorum
    rows = [_cost_row(f"n={size}", cost) for size, cost in costs.items()]
    rows += [
        compare(
            f"n={largest}, the budget",
            "us per block",
            costs[largest].block_us,
            peer_name="budget on this class of machine",
            peer=BUDGET_US,
            goal=1,
        ),
        _cost_row(
            f"n={largest}, 2 leaders per round",
            measure_cost(Setting(largest, leaders=2), effort),
        ),
        _cost_row(
            f"n={largest}, a quorum of ancestors",
            measure_cost(Setting(largest, ancestors_count=quorum), effort),
        ),
    ]
    rows += [
        compare(
            f"n={largest}, {name}",
            "us per block",
            us,
            peer_name=VERIFICATION,
            peer=verification_us,
        )
        for name, us, verification_us in dissect(Setting(largest), effort)
    ]
    rows += [_header_row(size, cost) for size, cost in costs.items()]
    return rows + _growth_rows(costs)


def _cost_row(case: str, cost: Cost) -> Row:
    return compare(
        case,
        "us per block",
        cost.block_us,
        peer_name=VERIFICATION,
        peer=cost.verification_us,
        goal=GOAL_VERIFICATIONS,
    )


def _header_row(size: int, cost: Cost) -> Row:
    return compare(
        f"n={size}, header",
        "bytes",
        cost.header_bytes,
        peer_name="n block refs of Sui in BCS",
        peer=size * REF_BYTES,
    )


def _growth_rows(costs: dict[int, Cost]) -> list[Row]:
    """Compare how the cost grows with what cannot grow slower: the header that must be read."""
    rows = []
    for (fewer, low), (more, high) in pairwise(sorted(costs.items())):
        further_bytes = high.header_bytes - low.header_bytes
        rows += [
            compare(
                f"n={fewer} to n={more}, header per further ancestor",
                "bytes",
                further_bytes / (more - fewer),
                peer_name="a block ref of Sui in BCS",
                peer=REF_BYTES,
                goal=1,
            ),
            compare(
                f"n={fewer} to n={more}, growth of the cost per block",
                "factor",
                high.block_us / low.block_us,
                peer_name="growth of the header",
                peer=high.header_bytes / low.header_bytes,
                goal=1,
            ),
        ]
    return rows


def main() -> None:
    """Measure everything, or with less patience."""
    run(
        "consensus",
        lambda is_quick: measure_rows(Effort(windows=4) if is_quick else Effort()),
    )


if __name__ == "__main__":
    main()

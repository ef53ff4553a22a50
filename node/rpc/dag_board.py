"""The last rounds of the DAG, for everybody who looks: one picture, made anew at most every 500 ms.

What consensus has in memory is read on the event loop, which owns it, block by block and each only
once; what it stored is read in a thread. A node without a seat draws what was committed. How a
leader was decided is read off the DAG as it is now: a quorum of certificates is a direct commit,
whichever of both came first here.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import msgspec

from consensus.committee import EpochContext
from consensus.core import Core
from node.chain.chain import Chain
from node.rpc.dag_drawing import ROUNDS_MAX, CoreDrawing, Ordered, Sketch, draw_commits
from node.rpc.dag_history import DagHistory
from node.rpc.dag_schemas import Dag, Lane
from node.rpc.texts import account_text
from primitives.clock import Clock
from primitives.errors import HanseError
from primitives.ids import Address, Epoch

FRESH_MS: Final = 500
SIZES: Final = (10, 30, ROUNDS_MAX)
"""Of pictures, in rounds: whoever asks for many different ones gets the same few."""

EDGES_MAX: Final = 60_000
"""Of one picture: in a large committee each round has thousands."""

ROUNDS_MIN: Final = 4


@dataclass(slots=True)
class _Picture:
    made_ms: int
    raw: bytes


class DagBoard:
    """Draws the DAG of one node; belongs to the event loop.

    Args:
        consensus: what runs in the seat of this node, None without one.
        name_of: the name of an account; asked in a thread.
    """

    def __init__(
        self,
        chain: Chain,
        *,
        consensus: Callable[[], Core | None],
        name_of: Callable[[Address], str],
        clock: Clock,
    ) -> None:
        self._chain = chain
        self._consensus = consensus
        self._name_of = name_of
        self._clock = clock
        self._history = DagHistory(chain)
        self._drawing_of_core = CoreDrawing()
        self._pictures: dict[int, _Picture] = {}
        self._lanes: tuple[Epoch, tuple[Lane, ...]] | None = None
        self._drawing = asyncio.Lock()

    async def picture(self, rounds: int, *, readers: Executor) -> bytes:
        """Return the last rounds as JSON: of `SIZES` the least that holds so many."""
        rounds = next(size for size in SIZES if size >= rounds)
        if (fresh := self._fresh(rounds)) is not None:
            return fresh.raw
        async with self._drawing:
            # Another one may have waited for the same picture.
            if (fresh := self._fresh(rounds)) is not None:
                return fresh.raw
            made_ms = self._clock.monotonic_ms()
            made = _Picture(made_ms, await self._drawn(rounds, readers))
            self._pictures[rounds] = made
            return made.raw

    def _fresh(self, rounds: int) -> _Picture | None:
        known = self._pictures.get(rounds)
        if known is None or self._clock.monotonic_ms() - known.made_ms >= FRESH_MS:
            return None
        return known

    async def _drawn(self, rounds: int, readers: Executor) -> bytes:
        loop = asyncio.get_running_loop()
        ordered, lanes, shown = await loop.run_in_executor(readers, self._read, rounds)
        core = self._consensus()
        if core is not None and _is_of(core, ordered.context):
            sketch, source = self._drawing_of_core.draw(core, ordered, rounds=shown), "consensus"
        else:
            sketch = await loop.run_in_executor(readers, self._from_commits, ordered, shown)
            source = "commits"
        dag = Dag(
            source=source,
            epoch=ordered.context.epoch,
            height=ordered.height,
            first_round=sketch.first,
            last_round=sketch.last,
            committed_round=sketch.committed,
            lanes=lanes,
            blocks=sketch.blocks,
            leaders=sketch.leaders,
            twins=sketch.twins,
        )
        return msgspec.json.encode(dag)

    def _read(self, rounds: int) -> tuple[Ordered, tuple[Lane, ...], int]:
        """Read what is in the database: the last commits, and whose seats there are."""
        chain = self._chain
        head = chain.head
        lanes = self._named_lanes(head.epoch)
        shown = min(rounds, max(ROUNDS_MIN, EDGES_MAX // max(1, len(lanes) ** 2)))
        ordered = Ordered(
            context=chain.context_of(head.epoch),
            commits=self._history.commits(head, rounds=shown),
            executed=head.commit_index,
            height=head.height,
        )
        return ordered, lanes, shown

    def _from_commits(self, ordered: Ordered, rounds: int) -> Sketch:
        refs = [ref for commit in ordered.commits for ref in commit.blocks]
        return draw_commits(ordered, self._history.headers(refs), rounds=rounds)

    def _named_lanes(self, epoch: Epoch) -> tuple[Lane, ...]:
        """Return the seats of an epoch; a name that is given during it shows in the next one."""
        if self._lanes is None or self._lanes[0] != epoch:
            members = self._chain.members_of(epoch)
            lanes = tuple(
                Lane(
                    seat=seat,
                    operator=account_text(member.operator),
                    name=self._name(member.operator),
                    power=member.power,
                )
                for seat, member in enumerate(members)
            )
            self._lanes = epoch, lanes
        return self._lanes[1]

    def _name(self, who: Address) -> str:
        try:
            return self._name_of(who)
        except HanseError:
            # A chain may have no identity contract.
            return ""


def _is_of(core: Core, context: EpochContext) -> bool:
    """Tell whether a core runs the epoch of the head; at the end of one it may be a step ahead."""
    newest = next(iter(core.dag.round(core.dag.highest_round).arrivals), None)
    return newest is not None and newest.block.header.genesis == context.genesis_digest

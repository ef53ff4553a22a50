"""Random DAGs that up to f faulty power could really cause, biased towards close calls.

Left to chance almost every slot is decided at once and alike in every view. So twins are shown
to different voters, blocks name barely a quorum of parents and prefer to leave a leader out,
authors fall silent, late blocks come back as weak links, and views end inside a round.
"""

import random

from consensus.block import Block, BlockRef
from consensus.parameters import Parameters
from tests.dsl.committee import context_of
from tests.dsl.dag import Drawing

ROUNDS_MIN, ROUNDS_MAX = 6, 11
POWERS: tuple[tuple[int, ...], ...] = (
    (1, 1, 1, 1),
    (1, 1, 1, 1),
    (2, 3, 3, 3),
    (1, 2, 1, 3),
    (1, 1, 1, 1, 1, 1, 1),
    (3, 1, 4, 1, 5, 2, 7),
)


class RandomDag:
    """One seeded DAG; `drawing` holds it, `leaders_per_round` its number of leaders."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        powers = self._dice.choice(POWERS)
        self.leaders_per_round = self._dice.choice((1, 1, 2, len(powers)))
        self._gc_depth = self._dice.choice((3, 4, 6, 100))
        parameters = Parameters(
            leaders_per_round=self.leaders_per_round,
            gc_depth=self._gc_depth,
            schedule_window=self._dice.choice((1, 3, 5, 8)),
        )
        self.drawing = Drawing(context_of(powers, parameters=parameters))
        self._committee = self.drawing.context.committee
        self._faulty = self._choose_faulty()
        self._trim = self._dice.choice((0, 1, 2))
        """How often parents are cut down to barely a quorum, from never to always."""
        self._draw_rounds(self._dice.randint(ROUNDS_MIN, ROUNDS_MAX))

    def order(self) -> list[Block]:
        """Return all blocks in a random order that puts ancestors first."""
        return shuffled(list(self.drawing.blocks.values()), self._dice)

    def view(self) -> list[Block]:
        """Return a random cone-closed part: what one node has at one moment, in its order."""
        blocks = list(self.drawing.blocks.values())
        highest = blocks[-1].round
        if self._dice.random() < 0.5:
            # Everything up to a round, and stragglers of the next two.
            cut = self._dice.randint(max(1, highest - 5), highest)
            tips = [block for block in blocks if block.round <= cut]
            tips += [b for b in blocks if cut < b.round <= cut + 2 and self._dice.random() < 0.3]
        else:
            tips = self._dice.sample(blocks, min(len(blocks), self._dice.randint(1, 4)))
        names = [self.drawing.names[block.ref] for block in tips]
        return shuffled(self.drawing.cone(*names), self._dice)

    def _choose_faulty(self) -> set[int]:
        faulty: set[int] = set()
        power = 0
        for author in self._dice.sample(range(self._committee.size), self._committee.size):
            if power + self._committee.powers[author] <= self._committee.faulty_power_max:
                power += self._committee.powers[author]
                faulty.add(author)
        return faulty

    def _draw_rounds(self, count: int) -> None:
        twins: dict[int, int] = {}
        for number in range(1, count + 1):
            silent = self._silent()
            below, twins = twins, {}
            for author in self._committee.indices:
                if author in silent:
                    continue
                is_twin = author in self._faulty and self._dice.random() < 0.6
                copies = self._dice.randint(2, 3) if is_twin else 1
                for twin in range(copies):
                    ancestors = self._ancestors(number, author, below)
                    if ancestors is None:
                        break
                    self.drawing.add(number, author, ancestors=ancestors, twin=twin)
                    twins[author] = twin

    def _silent(self) -> set[int]:
        """Choose at most f power that stays silent in a round."""
        silent: set[int] = set()
        power = 0
        if self._dice.random() < 0.5:
            return silent
        for author in self._dice.sample(range(self._committee.size), self._committee.size):
            power += self._committee.powers[author]
            if power > self._committee.faulty_power_max:
                break
            silent.add(author)
        return silent

    def _ancestors(self, number: int, author: int, below: dict[int, int]) -> list[BlockRef] | None:
        """Choose parents with barely a quorum or more, one per author, and weak links."""
        if number == 1:
            return [self.drawing.ref(0, other) for other in self._committee.indices]
        chosen = {other: self._pick(number - 1, other, below[other]) for other in below}
        own = chosen.get(author)
        self._cut_down(chosen, author, leader=(number - 2) % self._committee.size)
        if own is not None:
            chosen[author] = own
        parents = sum(1 << other for other in chosen)
        if not self._committee.is_quorum(parents):
            return None
        refs = list(chosen.values())
        for other in self._committee.indices:
            if other not in chosen and self._dice.random() < 0.4:
                ref = self._older(number, other)
                refs += [] if ref is None else [ref]
        return refs

    def _pick(self, number: int, author: int, twin_max: int) -> BlockRef:
        # Most voters follow one twin, or hardly ever would one be certified.
        favourite = (number + author) % (twin_max + 1)
        other = self._dice.randint(0, twin_max)
        return self.drawing.ref(
            number, author, twin=favourite if self._dice.random() < 0.7 else other
        )

    def _cut_down(self, chosen: dict[int, BlockRef], author: int, *, leader: int) -> None:
        """Take parents away while a quorum stays, by preference the leader."""
        order = self._dice.sample(sorted(chosen), len(chosen))
        if self._dice.random() < 0.3:
            order.sort(key=lambda other: other != leader)
        for other in order:
            rest = sum(1 << kept for kept in chosen if kept != other)
            if other == author or self._dice.random() * 2 >= self._trim:
                continue
            if self._committee.is_quorum(rest):
                del chosen[other]

    def _older(self, number: int, author: int) -> BlockRef | None:
        """Return a block of the author from a few rounds below, as a weak link."""
        depth = min(self._gc_depth, 4)
        for older in range(number - 2, max(0, number - depth - 1), -1):
            if self.drawing.find(older, author) is not None:
                twin = int(self.drawing.find(older, author, twin=1) is not None)
                return self.drawing.ref(older, author, twin=self._dice.randint(0, twin))
        return None


def shuffled(blocks: list[Block], dice: random.Random) -> list[Block]:
    """Return the blocks in a random order that puts ancestors first."""
    inside = {block.ref for block in blocks}
    open_ancestors = {
        block.ref: {ref for ref in block.header.ancestors if ref in inside} for block in blocks
    }
    waiting = list(blocks)
    placed: list[Block] = []
    known: set[BlockRef] = set()
    while waiting:
        ready = [block for block in waiting if open_ancestors[block.ref] <= known]
        # A few at a time: far cheaper than one, and no less random to the committer.
        dice.shuffle(ready)
        for block in ready[: dice.randint(1, 1 + len(ready) // 2)]:
            waiting.remove(block)
            placed.append(block)
            known.add(block.ref)
    return placed

"""Whole rounds on a real chain behind the API, told in names: who trains, scores, votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fl.rules.scorecard import Place
from node.federation import calls
from node.federation.states import RoundState
from node.ledger.transaction import Transfer
from primitives.ids import Grain
from tests.chain.founded import address_of
from tests.fl import cast
from tests.fl.cast import OK_REPORT, SALT, Opinion
from tests.rpc.stage import Stage

TRAINERS = ("alice", "bob", "carol")
VALIDATORS = tuple(f"validator-{number}" for number in range(4))
HONEST = Opinion()
HARMFUL = Opinion(alone=-900, left_out=-400)
PAUSE_MS = 10_000


@dataclass
class Played:
    """What is done on a stage; each step is a commit of its own.

    Args:
        bond: of an update.
    """

    stage: Stage
    bond: int = cast.Offer().bond
    trainers: Sequence[str] = TRAINERS
    task: int = 0
    votes: list[bytes] = field(default_factory=list)

    @property
    def running(self) -> RoundState:
        running = self.stage.context.federation.round(self.task)
        assert running is not None, "no round runs"
        return running

    async def register(self) -> None:
        for name in self.trainers:
            await self.stage.send(calls.register(name, organisation=f"lab-{name}"), sender=name)

    async def wait(self, ms: int = PAUSE_MS) -> None:
        """Let chain time pass, with a commit at its end and one for what it woke."""
        proposer = self.stage.proposer
        proposer.now_ms = type(proposer.now_ms)(proposer.now_ms + ms)
        for _ in range(2):
            await self.stage.send(Transfer(address_of("bob"), Grain(1)), sender="validator-3")

    async def until(self, phase: str) -> None:
        for _ in range(60):
            running = self.stage.context.federation.round(self.task)
            if running is None or running.phase.value == phase:
                return
            await self.wait(1 if running.phase.value in ("select", "settle") else PAUSE_MS)
        raise AssertionError(f"the round never comes to {phase}")

    async def train(self, *, silent: Sequence[str] = ()) -> None:
        """Open a round, have everybody commit, and those that are not silent reveal."""
        await self.stage.send(calls.open_round(self.task), sender="validator-0")
        number = self.running.number
        for name in self.trainers:
            place = Place(self.task, number, address_of(name))
            commitment = cast.update_commitment(place, root=cast.root_of(name))
            call = calls.commit(self.task, commitment=commitment, bond=Grain(self.bond))
            await self.stage.send(call, sender=name)
        await self.until("reveal")
        for name in self.trainers:
            if name not in silent:
                call = calls.reveal(self.task, root=cast.root_of(name), salt=SALT)
                await self.stage.send(call, sender=name)
        await self.until("availability")

    async def hold(self, held: int) -> None:
        for name in VALIDATORS:
            await self.stage.send(calls.attest(self.task, held=held), sender=name)
        await self.until("score commit")

    async def score(
        self, opinions: Sequence[Opinion], *, others: Mapping[str, Sequence[Opinion]] | None = None
    ) -> None:
        number = self.running.number
        cards = {name: cast.card((others or {}).get(name, opinions)) for name in VALIDATORS}
        for name, card in cards.items():
            place = Place(self.task, number, address_of(name))
            commitment = cast.score_commitment(place, scores=card)
            call = calls.commit_scores(self.task, commitment=commitment)
            await self.stage.send(call, sender=name)
        for name, card in cards.items():
            call = calls.reveal_scores(self.task, card=card, salt=SALT)
            await self.stage.send(call, sender=name)
        await self.until("aggregate")

    async def vote(self, *, liars: Sequence[str] = ()) -> None:
        aggregate = cast.aggregate_of([one.weight for one in self.running.updates])
        for name in VALIDATORS:
            voted = bytes(32) if name in liars else aggregate
            await self.stage.send(calls.vote(self.task, aggregate=voted), sender=name)

    async def report(
        self, changes: tuple[int, ...] = OK_REPORT, *, by: Sequence[str] = VALIDATORS
    ) -> None:
        for name in by:
            await self.stage.send(calls.report(self.task, changes=changes), sender=name)

    async def end(self) -> None:
        for _ in range(60):
            if self.stage.context.federation.round(self.task) is None:
                return
            await self.wait()
        raise AssertionError("the round never ends")

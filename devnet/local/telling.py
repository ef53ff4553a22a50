"""Tell a round that ended, from what the chain kept of it and what each node measured."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from devnet.local.agreement import compare
from devnet.local.errors import NotReadyError
from devnet.local.network import LocalNetwork
from devnet.local.plan import Part
from devnet.local.story import REPUTATION_ONE, JobTime, PhaseTime, RoundStory, UpdateStory
from fl.rules.effects import Reason
from fl.rules.phase import Phase
from node.federation.states import REASONS
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.judgement_schemas import Judgement
from node.rpc.round_schemas import RoundHistory, Update
from node.rpc.schemas import DutyTime, Json
from node.rpc.texts import account_text, parse_address

EVENTS_PAGE: Final = 1_000
COMMITS_PAGE: Final = 100
ENDED_LOOKS_MAX: Final = 300
ENDED_LOOK_S: Final = 0.1
FOR_WORK: Final = (2, 3)
"""The purposes of `Paid` that are wages: of training, and of validating."""

_log: Final = structlog.get_logger("devnet.local.telling")


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the task stands to a node.

    Attributes:
        reputation: as a fraction.
        owed: vested or not.
    """

    reputation: float
    owed: int


@dataclass(slots=True)
class Teller:
    """Tells the rounds of one task in order.

    Attributes:
        seen: updates by round, as they were last seen while it ran.
        earned: of each node so far, vested or not.
    """

    network: LocalNetwork
    task: int
    seen: dict[int, tuple[Update, ...]] = field(default_factory=dict)
    earned: dict[str, int] = field(default_factory=dict)
    _claimed: dict[str, int] = field(default_factory=dict)
    _told_height: int = 0
    _version: int = 0

    async def tell(self, number: int) -> RoundStory:
        """Tell a round that ended; all before it were told.

        Raises:
            DivergedError: two nodes have different states.
            NodeAnswerError: the node knows too little of it.
        """
        client = self.any_node()
        history = await self._ended(client, number)
        updates = await self._updates(client, history)
        claimed = await self._payments(client, history.last_height)
        standings = await self._standings(client, history.last_height)
        earned = {name: one.owed + claimed.get(name, 0) for name, one in standings.items()}
        jobs = await self._jobs(number)
        gas, transactions = await self._gas(client, history)
        agreement = await compare(self.network)
        story = RoundStory(
            number=number,
            outcome=history.outcome,
            version=self._version_of(history),
            rungs=1 + max((job.rung for _, job in jobs), default=0),
            took_ms=await self._took_ms(client, history),
            update_to_model_ms=await self._update_to_model_ms(client, history),
            aggregation_ms=_slowest(jobs, "aggregate"),
            training_ms=_slowest(jobs, "train"),
            scoring_ms=_slowest(jobs, "score"),
            gas=gas,
            transactions=transactions,
            phases=_phases(history),
            jobs=tuple(
                JobTime(node=name, step=job.step, took_ms=job.took_ms, outcome=job.outcome)
                for name, job in jobs
            ),
            updates=tuple(self._update(one, earned) for one in updates),
            figures={},
            reputations={
                name: standings[name].reputation for name in self.network.names_of(Part.TRAINER)
            },
            height=agreement.height,
            state_root=agreement.state_root,
            agreed=len(agreement.nodes),
            refused=_refused(history),
            validator_trust=await self._validator_trust(client, number),
        )
        # Not before nothing can fail any more: a round that is told again begins where this did.
        self.earned, self._claimed = earned, claimed
        self._told_height = max(self._told_height, history.last_height)
        return story

    async def _ended(self, client: NodeClient, number: int) -> RoundHistory:
        """Return what became of a round; the node that is asked may hear of its end last."""
        for _ in range(ENDED_LOOKS_MAX):
            history = await client.round_history(self.task, number)
            if history.outcome != "running":
                return history
            await asyncio.sleep(ENDED_LOOK_S)
        raise NotReadyError(f"{client.url} does not hear of the end of round {number}")

    async def _updates(self, client: NodeClient, history: RoundHistory) -> tuple[Update, ...]:
        """Return the updates as the end of the round left them."""
        try:
            raw = await client.view(
                "rounds", "updates_of", str(self.task), height=history.last_height
            )
        except NodeAnswerError as error:
            _log.warning("updates are told as they were last seen", reason=str(error))
            return self.seen.get(history.number, ())
        seen = {one.trainer: one for one in self.seen.get(history.number, ())}
        refusals = _refusals(history)
        return tuple(_shown(index, one, seen, refusals) for index, one in enumerate(raw))

    async def _standings(self, client: NodeClient, height: int) -> dict[str, _Standing]:
        """Return how everybody who takes part stands at a height."""
        return {
            node.name: await self._standing(client, node.account, height)
            for node in self.network.record.nodes
            if node.plan.parts
        }

    async def _standing(self, client: NodeClient, account: str, height: int) -> _Standing:
        try:
            since = await client.view("identity", "registered_at", account, height=height)
            of = (str(self.task), account, since)
            standing = await client.view("rounds", "standing_of", *of, height=height)
            vesting = await client.view("rounds", "vesting_of", *of, height=height)
        except NodeAnswerError as error:
            _log.warning("a standing is told as it is now", account=account, reason=str(error))
            now = await client.standing(self.task, account)
            return _Standing(
                int(now.reputation) / REPUTATION_ONE, int(now.vested) + int(now.vesting)
            )
        owed = int(vesting["vested"]) + sum(map(int, vesting["amounts"]))
        return _Standing(int(standing["reputation"]) / REPUTATION_ONE, owed)

    async def _validator_trust(self, client: NodeClient, number: int) -> dict[str, float]:
        """Return the trust of each validator by node, as far as the node watched the round."""
        try:
            judgement = await client.judgement(self.task, number)
        except NodeAnswerError as error:
            _log.warning("trust of validators is not told", round=number, reason=str(error))
            return {}
        return {self.name_of(account): trust for account, trust in trust_of(judgement).items()}

    async def _payments(self, client: NodeClient, height: int) -> dict[str, int]:
        """Return what everybody was paid for work until a height."""
        claimed = dict(self._claimed)
        page = await client.events(
            "rounds", first_height=self._told_height + 1, last_height=height, limit=EVENTS_PAGE
        )
        while True:
            for placed in page.events:
                fields = placed.event.fields
                if placed.event.name == "Paid" and int(fields["purpose"]) in FOR_WORK:
                    name = self.name_of(_account(fields["to"]))
                    claimed[name] = claimed.get(name, 0) + int(fields["amount"])
            if page.is_complete or not page.events:
                return claimed
            page = await client.events(
                "rounds", last_height=height, limit=EVENTS_PAGE, after=page.events[-1]
            )

    def _update(self, update: Update, earned: Mapping[str, int]) -> UpdateStory:
        name = self.name_of(update.trainer)
        attack = next(
            (node.plan.attack for node in self.network.record.nodes if node.name == name), ""
        )
        return UpdateStory(
            trainer=name,
            attack=attack,
            verdict=update.verdict,
            score=int(update.score),
            norm=int(update.norm),
            weight=int(update.weight) / REPUTATION_ONE,
            gain=int(update.gain),
            earned=earned.get(name, 0) - self.earned.get(name, 0),
        )

    async def _jobs(self, number: int) -> list[tuple[str, DutyTime]]:
        found = []
        for name in self.network.alive():
            try:
                report = await self.network.client(name).duty_report()
            except (NodeAnswerError, NodeUnreachableError):
                continue
            found += [
                (name, job)
                for one in report.rounds
                if (one.task, one.round) == (self.task, number)
                for job in one.jobs
            ]
        return found

    async def _gas(self, client: NodeClient, history: RoundHistory) -> tuple[int, int]:
        gas, count, before = 0, 0, history.last_height + 1
        while before > history.first_height:
            page = await client.commits(before=before, limit=COMMITS_PAGE)
            for one in page.commits:
                if one.height >= history.first_height:
                    gas += int(one.gas_used)
                    count += one.receipts
            if page.is_complete or not page.commits:
                break
            before = page.commits[-1].height
        return gas, count

    async def _took_ms(self, client: NodeClient, history: RoundHistory) -> int:
        first = (await client.commit(history.first_height)).time_ms
        return (await client.commit(history.last_height)).time_ms - first

    async def _update_to_model_ms(self, client: NodeClient, history: RoundHistory) -> int | None:
        """Return from the last update revealed to the model committed, in chain time."""
        times = {}
        for name in ("UpdateRevealed", "ModelCommitted"):
            heights = [one.height for one in history.events if one.event.name == name]
            if not heights:
                return None
            times[name] = (await client.commit(heights[-1])).time_ms
        return times["ModelCommitted"] - times["UpdateRevealed"]

    def name_of(self, account: str) -> str:
        """Return the name of the node of an account, or the account."""
        for node in self.network.record.nodes:
            if node.account == account:
                return node.name
        return account

    def _version_of(self, history: RoundHistory) -> int:
        if history.model is not None:
            self._version = history.model.version
        return self._version

    def any_node(self) -> NodeClient:
        """Return how to ask a node that lives, an honest one if there is one.

        Raises:
            NotReadyError: none lives.
        """
        alive = [self.network.record.node(name) for name in self.network.alive()]
        if not alive:
            raise NotReadyError("no node of this devnet runs")
        best = min(alive, key=lambda node: (not node.plan.is_honest, node.plan.number))
        return self.network.client(best.name)


def trust_of(judgement: Judgement) -> dict[str, float]:
    """Return the trust of each validator in a round by account, as a fraction of all bands.

    Nobody has any where no update was judged, or where the node did not watch.
    """
    bands = sum(int(one.band) for one in judgement.updates if one.band is not None)
    return {
        _account(seat.validator): int(seat.trust) / bands
        for seat in judgement.seats
        if bands and seat.trust is not None
    }


def _refusals(history: RoundHistory) -> dict[str, Reason]:
    """Return why trainers earn nothing by a round that ended, as its settlement says.

    The records of the updates say less: of an update that no passing aggregate held, nothing.
    """
    events = (one.event for one in history.events if one.event.name == "Anomaly")
    return {
        _account(one.fields["trainer"]): REASONS[int(one.fields["reason"]) - 1] for one in events
    }


def _shown(
    index: int, raw: Json, seen: Mapping[str, Update], refusals: Mapping[str, Reason]
) -> Update:
    """Return an update from a record of the contract, whose integers are text."""
    trainer = _account(raw["trainer"])
    last, refusal = seen.get(trainer), refusals.get(trainer)
    weight = str(raw["weight"]) if refusal is None else "0"
    return Update(
        index=index,
        trainer=trainer,
        commitment=str(raw["commitment"]),
        committed_at=int(raw["committed_at"]),
        bond=str(raw["bond"]),
        root=str(raw["root"]) or None,
        attested="0" if last is None else last.attested,
        is_available=last is not None and last.is_available,
        is_judged=bool(raw["is_judged"]),
        score=str(raw["score"]),
        norm=str(raw["norm"]),
        cluster=str(raw["cluster"]),
        verdict=_verdict(refusal, weight=int(weight)),
        weight=weight,
        gain=str(raw["gain"]),
    )


def _verdict(refusal: Reason | None, *, weight: int) -> str:
    if refusal is not None:
        return refusal.value
    return "accepted" if weight else "pending"


def _account(text: str) -> str:
    return account_text(parse_address(text))


def _phases(history: RoundHistory) -> tuple[PhaseTime, ...]:
    known = [(one.phase, one.time_ms) for one in history.phases if one.time_ms is not None]
    ends = [time_ms for _, time_ms in known[1:]]
    return tuple(
        PhaseTime(phase=phase, took_ms=end - start)
        for (phase, start), end in zip(known, ends, strict=False)
    )


def _refused(history: RoundHistory) -> int:
    """Return how many aggregates the guard turned down: each but the one that was committed."""
    guarded = sum(one.phase == Phase.GUARD.value for one in history.phases)
    return guarded - (history.model is not None)


def _slowest(jobs: list[tuple[str, DutyTime]], step: str) -> int | None:
    """Return the longest of those that were done; first words of a step suffice."""
    times = [job.took_ms for _, job in jobs if job.outcome == "done" and job.step.startswith(step)]
    return max(times, default=None)

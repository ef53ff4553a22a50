"""Votes of validators whose chains execute the same commits, over hosts that meet in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from node.chain.chain import Chain
from node.chain.feed import CommitExecuted
from node.execution.local_chain import key_named
from node.ledger.checkpoint import (
    CERTIFICATE_CODEC,
    VOTE_CODEC,
    Checkpoint,
    sign_checkpoint,
)
from node.ledger.conflict import CheckpointConflict
from node.ledger.transaction import Transfer
from node.validator.ballot import Ballot
from node.validator.errors import StateDivergedError
from node.validator.finality import Finality, Outlets
from node.validator.network import Seating, ValidatorNetwork
from node.validator.validator import peers_of
from primitives.ids import AuthorityIndex, Digest, Grain
from tests.chain.founded import address_of
from tests.chain.proposer import CONSENSUS_KEYS, Proposer
from tests.validator.founders import Founder, founders, until

FORK: Final = Digest(b"\x99" * 32)


@dataclass
class Voter:
    """A founder that votes, without consensus."""

    founder: Founder
    network: ValidatorNetwork
    published: list[bytes] = field(default_factory=list)
    accused: list[CheckpointConflict] = field(default_factory=list)

    @property
    def certified(self) -> int:
        newest = self.founder.chain.certified
        return -1 if newest is None else newest.checkpoint.number

    def finality(self, key_number: int | None = None) -> Finality:
        number = self.founder.number if key_number is None else key_number
        return Finality(
            self.founder.chain,
            self.network,
            key=key_named(f"validator-{number} consensus"),
            outlets=Outlets(certificate=self.published.append, accuse=self.accused.append),
            ballot=Ballot(self.founder.chain.chain_id),
        )

    @asynccontextmanager
    async def voting(self) -> AsyncIterator[Finality]:
        finality = self.finality()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(finality.run())
            try:
                yield finality
            finally:
                running.cancel()


@asynccontextmanager
async def seated(founder: Founder) -> AsyncIterator[Voter]:
    """Open the streams of a founder to the others."""
    async with ValidatorNetwork(founder.host, protocol="/votes/1") as network:
        peers = peers_of(founder.chain.members())
        network.sit(Seating(founder.chain.context().genesis_digest, peers))
        yield Voter(founder, network)


class Scribe:
    """Orders commits with one transfer each, for one founder after another."""

    def __init__(self, *four: Founder) -> None:
        self._proposer = Proposer(four[0].chain)
        self._four = four

    async def commit(self) -> CommitExecuted:
        transfer = Transfer(recipient=address_of("bob"), amount=Grain(1))
        sub_dag = self._proposer.order(self._proposer.sign(transfer, sender="alice"))
        executed = None
        for one in self._four:
            executed = await one.chain.execute(sub_dag)
        assert executed is not None
        return executed


def played(folder: Path, scene: Callable[[Sequence[Founder]], Awaitable[None]]) -> None:
    async def play() -> None:
        async with founders(folder) as four:
            await scene(four)

    asyncio.run(play())


def vote_of(checkpoint: Checkpoint, voter: Voter, number: int) -> bytes:
    """Return the encoded vote of another seat."""
    members = voter.founder.chain.members()
    key = CONSENSUS_KEYS[members[number].keys.consensus_key]
    return VOTE_CODEC.encode(sign_checkpoint(checkpoint, author=AuthorityIndex(number), key=key))


def own_seat(voter: Voter) -> int:
    own = key_named(f"validator-{voter.founder.number} consensus").public.raw
    members = voter.founder.chain.members()
    return next(n for n, member in enumerate(members) if member.keys.consensus_key == own)


def others(voter: Voter) -> list[int]:
    return [seat for seat in range(4) if seat != own_seat(voter)]


def hear(voter: Voter, checkpoint: Checkpoint, seats: Sequence[int]) -> None:
    for seat in seats:
        voter.network.votes.put_nowait(
            (voter.founder.host.peer_id, vote_of(checkpoint, voter, seat))
        )


def test_what_all_executed_before_they_met_is_certified_oldest_first(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(*four[:3])
        for _ in range(3):
            await scribe.commit()
        async with (
            seated(four[0]) as one,
            seated(four[1]) as two,
            seated(four[2]) as three,
            one.voting(),
            two.voting(),
            three.voting(),
        ):
            chains = [voter.founder.chain for voter in (one, two, three)]
            await until(lambda: all(all_certified(chain, 3) for chain in chains))
            published = [*one.published, *two.published, *three.published]
            numbers = sorted(CERTIFICATE_CODEC.decode(raw).checkpoint.number for raw in published)
            # Whose turn it is, alone spreads it; the fourth seat is away.
            assert len(set(numbers)) == len(numbers) >= 2

    played(tmp_path, scene)


def all_certified(chain: Chain, count: int) -> bool:
    return all(chain.certificate(number) is not None for number in range(count))


def test_a_certificate_forms_from_votes_and_is_told_once(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(four[0])
        async with seated(four[0]) as voter, voter.voting():
            executed = await scribe.commit()
            assert executed.checkpoint is not None
            hear(voter, executed.checkpoint, others(voter)[:2])
            await until(lambda: voter.certified == 0)
            hear(voter, executed.checkpoint, others(voter))
            await until(voter.network.votes.empty)

    played(tmp_path, scene)


def test_votes_that_are_none_are_dropped(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(four[0])
        async with seated(four[0]) as voter, voter.voting():
            executed = await scribe.commit()
            assert executed.checkpoint is not None
            foreign = replace(executed.checkpoint, chain_id=FORK)
            peer = four[1].host.peer_id
            voter.network.votes.put_nowait((peer, b"nonsense"))
            voter.network.votes.put_nowait((peer, vote_of(foreign, voter, others(voter)[0])))
            hear(voter, executed.checkpoint, others(voter)[:2])
            await until(lambda: voter.certified == 0)

    played(tmp_path, scene)


def test_a_seat_that_signs_for_two_chains_is_accused(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(four[0])
        async with seated(four[0]) as voter, voter.voting():
            executed = await scribe.commit()
            assert executed.checkpoint is not None
            liar = others(voter)[0]
            hear(voter, replace(executed.checkpoint, state_root=FORK), [liar])
            hear(voter, executed.checkpoint, [liar])
            await until(lambda: voter.accused)
            assert voter.accused[0].first.author == liar

    played(tmp_path, scene)


def test_a_quorum_with_another_state_stops_the_node(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(four[0])
        async with seated(four[0]) as voter:
            executed = await scribe.commit()
            assert executed.checkpoint is not None
            hear(voter, replace(executed.checkpoint, state_root=FORK), others(voter))
            with pytest.raises(ExceptionGroup) as caught:
                await voter.finality().run()
            assert caught.group_contains(StateDivergedError)

    played(tmp_path, scene)


def test_who_has_no_seat_signs_nothing_and_collects_all_the_same(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(four[0])
        async with seated(four[0]) as voter, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(voter.finality(key_number=9).run())
            executed = await scribe.commit()
            assert executed.checkpoint is not None
            hear(voter, executed.checkpoint, range(3))
            await until(lambda: voter.certified == 0)
            running.cancel()

    played(tmp_path, scene)


def test_a_certificate_that_others_formed_ends_the_wait_for_votes(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(four[0])
        async with seated(four[0]) as voter, voter.voting() as finality:
            first = await scribe.commit()
            second = await scribe.commit()
            proposer = Proposer(four[0].chain)
            await finality.certify(proposer.certify(second.checkpoint))
            await four[0].chain.add_certificate(proposer.certify(first.checkpoint))
            assert all_certified(four[0].chain, 2)

    played(tmp_path, scene)


def test_votes_are_repeated_until_somebody_hears_them(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(*four[:3])
        executed = await scribe.commit()
        assert executed.checkpoint is not None
        async with seated(four[0]) as one, one.voting():
            await asyncio.sleep(0.1)
            async with seated(four[1]) as two:
                peer_id, raw = await two.network.votes.get()
                assert peer_id == four[0].host.peer_id
                assert VOTE_CODEC.decode(raw).checkpoint == executed.checkpoint

    played(tmp_path, scene)


def test_who_fell_behind_the_chain_votes_for_all_that_it_missed(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        scribe = Scribe(four[0])
        async with seated(four[0]) as voter, voter.voting():
            await asyncio.sleep(0)
            executed = await scribe.commit()
            for _ in range(2_000):
                # Of a commit without a checkpoint, so nothing but the number of events counts.
                four[0].chain.feed.publish(replace(executed, checkpoint=None))
            assert executed.checkpoint is not None
            hear(voter, executed.checkpoint, others(voter)[:2])
            await until(lambda: voter.certified == 0)

    played(tmp_path, scene)

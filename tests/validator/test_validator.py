import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from consensus.evidence import EVIDENCE_BYTES_MAX, EVIDENCE_CODEC, Evidence
from node.ledger.checkpoint import CERTIFICATE_CODEC
from node.ledger.parameters import LedgerParameters
from node.ledger.transaction import EvidenceKind, Transfer, Unbond
from node.validator.validator import ACCUSATIONS_WAITING_MAX
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, Digest, Epoch, Grain, Height
from tests.chain.founded import BALANCE, SMALL_STAKES, address_of
from tests.chain.proposer import Proposer
from tests.sync.chronicle import short_epochs
from tests.validator.founders import Founder, founders, until

SHORT_EPOCHS = short_epochs(1_000)
PROOF = Evidence(b"one", bytes(64), b"other", bytes(64))


def played(
    folder: Path,
    scene: Callable[[Sequence[Founder]], Awaitable[None]],
    *,
    count: int = 4,
    parameters: LedgerParameters = SMALL_STAKES,
) -> None:
    async def play() -> None:
        async with founders(folder, count=count, parameters=parameters) as all_of_them:
            await scene(all_of_them)

    asyncio.run(play())


async def transfer(founder: Founder) -> None:
    """Have a transfer go into a block of a founder."""
    await until(lambda: founder.purse.submit is not None)
    proposer = Proposer(founder.chain)
    raw = proposer.sign(Transfer(recipient=address_of("bob"), amount=Grain(1)), sender="alice")
    assert founder.purse.submit is not None
    await founder.purse.submit((raw,))


def certified(founder: Founder) -> int:
    newest = founder.chain.certified
    return -1 if newest is None else newest.checkpoint.number


def test_four_validators_execute_the_same_commits_and_certify_them(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        async with AsyncExitStack() as ruling:
            for one in four:
                await ruling.enter_async_context(one.ruling())
            await transfer(four[1])
            await until(lambda: all(certified(one) >= 0 for one in four))
            height = min(one.chain.head.height for one in four)
            assert len({one.chain.record_at(Height(height)) for one in four}) == 1
            published = [raw for one in four for raw in one.published]
            assert [CERTIFICATE_CODEC.decode(raw).checkpoint.number for raw in published] == [0]
        assert all(one.purse.submit is None for one in four)

    played(tmp_path, scene)


def test_a_validator_that_was_away_catches_up_and_votes_again(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        async with AsyncExitStack() as ruling:
            for one in four[:3]:
                await ruling.enter_async_context(one.ruling())
            async with four[3].ruling():
                await transfer(four[0])
                await until(lambda: certified(four[3]) >= 0)
            await transfer(four[0])
            await until(lambda: certified(four[0]) >= 1)
            await ruling.enter_async_context(four[3].ruling())
            await until(lambda: four[3].chain.head.height >= four[0].chain.head.height)
            await transfer(four[3])
            await until(lambda: certified(four[3]) >= 2)

    played(tmp_path, scene)


def test_a_chain_with_one_seat_needs_nobody_else(tmp_path: Path) -> None:
    async def scene(one: Sequence[Founder]) -> None:
        async with one[0].ruling() as validator:
            await transfer(one[0])
            await until(lambda: certified(one[0]) == 0)
            assert validator.network.is_alone
            assert validator.driver is not None

    played(tmp_path, scene, count=1)


def test_epochs_follow_each_other_and_each_end_is_certified(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        async with AsyncExitStack() as ruling:
            for one in four:
                await ruling.enter_async_context(one.ruling())
            await until(lambda: all(one.chain.head.epoch >= 2 for one in four))
            await until(lambda: all(is_closed(one, Epoch(1)) for one in four))

    played(tmp_path, scene, parameters=SHORT_EPOCHS)


def test_who_gives_its_seat_up_signs_the_end_of_its_last_epoch(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        leaver = four[3]
        raw = Proposer(leaver.chain).sign(Unbond(BALANCE), sender="validator-3")
        async with AsyncExitStack() as ruling:
            # Three of four make a quorum only with the one that leaves.
            for one in four[:2]:
                await ruling.enter_async_context(one.ruling())
            validator = leaver.validator()
            async with asyncio.TaskGroup() as tasks:
                holding = tasks.create_task(validator.run())
                await until(lambda: leaver.purse.submit is not None)
                assert leaver.purse.submit is not None
                await leaver.purse.submit((raw,))
                await until(holding.done)
            assert len(leaver.chain.members()) == 3
            left = Epoch(leaver.chain.head.epoch - 1)
            await until(lambda: all(is_closed(one, left) for one in (*four[:2], leaver)))
            assert validator.driver is None

    played(tmp_path, scene, parameters=SHORT_EPOCHS)


def is_closed(founder: Founder, epoch: Epoch) -> bool:
    """Tell whether the end of an epoch is certified here."""
    try:
        founder.chain.chain_file(after_epoch=epoch)
    except StorageError:
        return False
    newest = founder.chain.certified
    return newest is not None and newest.checkpoint.epoch >= epoch


def test_accusations_are_sent_and_bounded_and_never_wait(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        validator = four[0].validator()
        for _ in range(2 * ACCUSATIONS_WAITING_MAX):
            validator.accuse(PROOF)
        validator.accuse(Evidence(bytes(EVIDENCE_BYTES_MAX // 2), bytes(64), b"", bytes(64)))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(validator.run())
            await until(lambda: len(four[0].accused) == ACCUSATIONS_WAITING_MAX)
            running.cancel()
        (first, *_) = four[0].accused
        assert first.kind is EvidenceKind.EQUIVOCATION
        assert EVIDENCE_CODEC.decode(first.proof) == PROOF

    played(tmp_path, scene)


def test_a_seat_that_breaks_the_rules_of_the_running_epoch_is_banned(tmp_path: Path) -> None:
    async def scene(four: Sequence[Founder]) -> None:
        async with four[0].ruling() as validator:
            await until(lambda: four[0].purse.submit is not None)
            own = four[0].purse.seat
            assert own is not None
            other = AuthorityIndex((own + 1) % 4)
            genesis = four[0].chain.context().genesis_digest
            for _ in range(5):
                validator.blame(Digest(bytes(32)), other, "of an epoch that is not served")
                validator.blame(genesis, AuthorityIndex(9), "nobody")
            host, peer_id = four[0].host, validator.network.peer_at(genesis, other)
            assert peer_id is not None
            assert not host.bans.is_banned(peer_id, now_ms=host.clock.monotonic_ms())
            for _ in range(5):
                validator.blame(genesis, other, "it streamed nonsense")
            assert host.bans.is_banned(peer_id, now_ms=host.clock.monotonic_ms())

    played(tmp_path, scene)

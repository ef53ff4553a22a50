"""Signatures of the next commit are checked while one executes, and change nothing else."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from consensus.commit import CommittedSubDag
from node.chain.errors import CommitGapError
from node.ledger.transaction import Transfer
from node.signatures.checks import SignatureChecks, foresee_nothing
from node.signatures.claims import SignatureClaim
from node.signatures.verified import VerifiedSignatures
from node.signatures.verifier import InlineVerifier
from node.sync.foresight import execute_in_order
from primitives.ids import Grain
from tests.chain.founded import address_of, chain_at
from tests.chain.proposer import Proposer

COUNT = 3


async def ordered(folder: Path) -> list[CommittedSubDag]:
    """Return commits with two transfers each."""
    with chain_at(folder) as chain:
        proposer = Proposer(chain)
        found = []
        for _ in range(COUNT):
            transfer = Transfer(recipient=address_of("bob"), amount=Grain(1))
            payload = [proposer.sign(transfer, sender=sender) for sender in ("alice", "bob")]
            found.append(proposer.order(*payload))
            await chain.execute(found[-1])
    return found


@pytest.mark.asyncio
async def test_only_the_first_commit_waits_for_its_signatures(tmp_path: Path) -> None:
    found = await ordered(tmp_path / "one")
    verified = VerifiedSignatures()
    checks = SignatureChecks(InlineVerifier(), verified)
    with chain_at(tmp_path / "other", check=verified.check) as chain:
        await execute_in_order(found, chain.execute, foresee=checks.foresee)
        assert chain.head.commit_index == COUNT
    assert (verified.misses, verified.hits) == (2, 2 * COUNT - 2)


@pytest.mark.asyncio
async def test_what_came_by_gossip_is_not_asked_again(tmp_path: Path) -> None:
    class Asked(InlineVerifier):
        claims = 0

        @override
        async def verify(self, claims: Sequence[SignatureClaim]) -> list[bool]:
            self.claims += len(claims)
            return await super().verify(claims)

    (first, *_) = await ordered(tmp_path)
    payload = [raw for block in first.blocks for raw in block.signed.payload]
    verifier = Asked()
    checks = SignatureChecks(verifier, VerifiedSignatures())
    await checks.foresee(payload[:1])
    assert verifier.claims == 1
    await checks.foresee([*payload, b"", b"no transaction"])
    assert verifier.claims == 2


@pytest.mark.asyncio
async def test_failure_is_told_as_it_is_and_nothing_after_it_is_executed(tmp_path: Path) -> None:
    first, _, third = await ordered(tmp_path / "one")
    with chain_at(tmp_path / "other") as chain:
        with pytest.raises(CommitGapError):
            await execute_in_order([first, third, third], chain.execute, foresee=foresee_nothing)
        assert chain.head.commit_index == 1


@pytest.mark.asyncio
async def test_foreseeing_ends_with_whoever_gives_up(tmp_path: Path) -> None:
    found = await ordered(tmp_path / "one")
    began, ended = asyncio.Event(), asyncio.Event()

    async def foresee(payload: Iterable[bytes]) -> None:
        assert len(list(payload)) == 2
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with chain_at(tmp_path / "other") as chain, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await execute_in_order(found, chain.execute, foresee=foresee)
    assert began.is_set()
    assert ended.is_set()

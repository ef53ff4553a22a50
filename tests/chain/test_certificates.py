"""Certificates: verified, durable, told once, compared with what was executed, kept for clients."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from node.chain.certificates import Trust
from node.chain.chain import Chain
from node.chain.errors import (
    CommitteeUnknownError,
    NotCertifiedError,
    StateDivergedError,
)
from node.chain.feed import CertificateFormed, CommitExecuted
from node.execution.local_chain import key_named
from node.ledger.checkpoint import Certificate, Checkpoint
from node.ledger.errors import (
    CertificatePowerError,
    CertificateSignatureError,
    CheckpointFormatError,
)
from node.ledger.light_client import CHAIN_FILE_CODEC, ChainLink, LightClient
from node.ledger.transaction import Transfer
from node.storage.chain_tables import EPOCH_LINKS
from primitives.ids import AuthorityIndex, Digest, Epoch, Grain, Height
from tests.chain.founded import address_of, chain_at
from tests.chain.proposer import Proposer, certificate_of

PAY_BOB = Transfer(address_of("bob"), Grain(5))
HOUR_MS = 3_600_000


async def certified(proposer: Proposer) -> Certificate:
    """Execute a commit with a checkpoint; return its certificate."""
    return proposer.certify((await proposer.send(PAY_BOB)).checkpoint)


async def close_epoch(proposer: Proposer) -> Certificate:
    """Execute the last commit of an epoch; return its certificate."""
    executed = await proposer.commit(pause_ms=HOUR_MS)
    assert executed.next_members is not None
    return proposer.certify(executed.checkpoint)


@pytest.mark.asyncio
async def test_certificate_is_stored_told_once_and_found(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        certificate = await certified(proposer)
        with chain.feed.subscribe() as events:
            for _ in range(2):
                await chain.add_certificate(certificate)
            told = await anext(events)
            assert isinstance(told, CertificateFormed)
            assert told.certificate == certificate
            await proposer.commit()
            assert isinstance(await anext(events), CommitExecuted)
        assert chain.certified == certificate
        assert chain.certificate(0) == certificate
        assert chain.certificate(1) is None
        assert chain.certificate(-1) is None
        assert chain.certificate_covering(Height(0)) == certificate
        assert chain.certificate_covering(Height(1)) == certificate
        assert chain.certificate_covering(Height(2)) is None
        assert chain.certificate_covering(Height(-1)) is None
    with chain_at(tmp_path) as chain:
        assert chain.certified == certificate


@pytest.mark.asyncio
async def test_certificate_that_comes_twice_at_once_is_told_once(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        certificate = await certified(Proposer(chain))
        with chain.feed.subscribe() as events:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(chain.add_certificate(certificate))
            told = await anext(events)
            assert isinstance(told, CertificateFormed)
            assert told.certificate == certificate
            await Proposer(chain).commit()
            assert isinstance(await anext(events), CommitExecuted)


@pytest.mark.asyncio
async def test_certificate_that_the_committee_did_not_sign_is_refused(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        good = await certified(Proposer(chain))
        few = certificate_of(
            good.checkpoint,
            signers=[AuthorityIndex(0)],
            keys=[key_named("validator-0 consensus")],
            seat_count=4,
        )
        with pytest.raises(CertificatePowerError):
            await chain.add_certificate(few)
        forged = msgspec.structs.replace(good, signatures=(bytes(64),) * 3)
        with pytest.raises(CertificateSignatureError):
            await chain.add_certificate(forged)
        assert chain.certified is None


@pytest.mark.asyncio
async def test_older_certificate_is_stored_and_the_newest_stays(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        older, newer = await certified(proposer), await certified(proposer)
        await chain.add_certificate(newer, trust=Trust.VERIFIED)
        assert chain.certificate_covering(Height(1)) == newer
        await chain.add_certificate(older)
        assert chain.certified == newer
        assert chain.certificate_covering(Height(1)) == older


@pytest.mark.asyncio
async def test_own_state_that_differs_from_a_certified_one_stops_the_node(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        good = (await certified(proposer)).checkpoint
        for wrong in (
            msgspec.structs.replace(good, state_root=Digest(b"x" * 32)),
            msgspec.structs.replace(good, commit_digest=Digest(b"x" * 32)),
        ):
            with pytest.raises(StateDivergedError, match="keep the database and report"):
                await chain.add_certificate(proposer.certify(wrong))
    with pytest.raises(StateDivergedError), chain_at(tmp_path):
        pass


@pytest.mark.asyncio
async def test_certificate_that_came_before_its_commit_is_compared_too(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        wrong = _ahead(chain, proposer)
        await chain.add_certificate(proposer.certify(wrong))
        assert chain.certified is not None
        for _ in range(2):
            with pytest.raises(StateDivergedError):
                await proposer.send(PAY_BOB)
        assert chain.head.height == 0


@pytest.mark.asyncio
async def test_checkpoint_where_we_have_none_stops_the_node(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        wrong = _ahead(chain, proposer)
        await proposer.commit()
        with pytest.raises(StateDivergedError):
            await chain.add_certificate(proposer.certify(wrong))


def _ahead(chain: Chain, proposer: Proposer) -> Checkpoint:
    """Return a checkpoint of the next commit with a root that it will not have."""
    head = chain.head
    return Checkpoint(
        chain_id=chain.chain_id,
        epoch=head.epoch,
        number=0,
        commit_index=proposer.order().index,
        height=Height(head.height + 1),
        commit_digest=Digest(b"c" * 32),
        timestamp_ms=proposer.now_ms,
        state_root=Digest(b"x" * 32),
        receipts_root=Digest(b"r" * 32),
        previous=head.last_checkpoint,
        next_committee=None,
    )


@pytest.mark.asyncio
async def test_clients_follow_the_chain_through_its_epochs(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        client = LightClient.from_genesis(chain.genesis_file)
        with pytest.raises(NotCertifiedError, match="nothing is certified from epoch 0 on"):
            chain.chain_file()
        for epoch in range(3):
            await chain.add_certificate(await certified(proposer))
            at_epoch = client.follow(chain.chain_file())
            assert at_epoch.epoch == epoch
            await chain.add_certificate(await close_epoch(proposer))
            followed = client.follow(chain.chain_file())
            assert followed.epoch == epoch + 1
            assert at_epoch.follow(chain.chain_file(Epoch(epoch))).head == followed.head
        with pytest.raises(NotCertifiedError):
            chain.chain_file(Epoch(3))
    with chain_at(tmp_path) as chain:
        assert client.follow(chain.chain_file()).epoch == 3


@pytest.mark.asyncio
async def test_gap_in_the_closing_certificates_is_said(tmp_path: Path) -> None:
    with chain_at(tmp_path) as chain:
        proposer = Proposer(chain)
        closing = await close_epoch(proposer)
        await chain.add_certificate(await certified(proposer))
        with pytest.raises(CommitteeUnknownError, match="of epoch 1 is not known"):
            chain.chain_file()
        await chain.add_certificate(closing)
        assert LightClient.from_genesis(chain.genesis_file).follow(chain.chain_file()).epoch == 1


@pytest.mark.asyncio
async def test_closing_certificate_before_its_commit_is_completed_by_it(tmp_path: Path) -> None:
    with chain_at(tmp_path / "one") as one, chain_at(tmp_path / "other") as other:
        proposer = Proposer(one)
        sub_dag = proposer.order(pause_ms=HOUR_MS)
        executed = await one.execute(sub_dag)
        assert executed is not None
        closing = proposer.certify(executed.checkpoint)
        await other.add_certificate(closing)
        with pytest.raises(CommitteeUnknownError):
            other.chain_file()
        with pytest.raises(CommitteeUnknownError):
            await other.add_certificate(await certified(proposer))
        await other.execute(sub_dag)
        client = LightClient.from_genesis(other.genesis_file)
        assert client.follow(other.chain_file()).epoch == 1


@pytest.mark.asyncio
async def test_link_that_a_crash_left_without_its_seats_is_completed_when_the_chain_opens(
    tmp_path: Path,
) -> None:
    with chain_at(tmp_path) as chain:
        closing = await close_epoch(Proposer(chain))
        batch = chain.certificates.additions(closing)
        batch.put(EPOCH_LINKS, 0, ChainLink(closing, ()))
        chain.writer.write(batch)
    with chain_at(tmp_path) as chain:
        assert LightClient.from_genesis(chain.genesis_file).follow(chain.chain_file()).epoch == 1


@pytest.mark.asyncio
async def test_node_behind_takes_the_committees_from_a_chain_file(tmp_path: Path) -> None:
    with chain_at(tmp_path / "one") as one, chain_at(tmp_path / "other") as other:
        proposer = Proposer(one)
        for _ in range(2):
            await one.add_certificate(await close_epoch(proposer))
        newest = await certified(proposer)
        await one.add_certificate(newest)
        await other.add_chain_file(one.chain_file())
        assert other.certified == newest
        assert other.chain_file() == one.chain_file()
        assert other.certificate(1) == one.certificate(1)
        assert other.certificate_covering(Height(0)) == one.certificate(0)
        later = await certified(proposer)
        await one.add_certificate(later)
        await other.add_chain_file(one.chain_file(Epoch(2)))
        assert other.certified == later


@pytest.mark.asyncio
async def test_chain_file_that_does_not_follow_is_refused(tmp_path: Path) -> None:
    with chain_at(tmp_path / "one") as one, chain_at(tmp_path / "other") as other:
        proposer = Proposer(one)
        await one.add_certificate(await close_epoch(proposer))
        await one.add_certificate(await certified(proposer))
        with pytest.raises(CheckpointFormatError):
            await other.add_chain_file(b"garbage")
        with pytest.raises(CommitteeUnknownError):
            await other.add_chain_file(one.chain_file(Epoch(1)))
        chain = CHAIN_FILE_CODEC.decode(one.chain_file())
        link = chain.links[0]
        forged = msgspec.structs.replace(link.certificate, signatures=(bytes(64),) * 3)
        links = (msgspec.structs.replace(link, certificate=forged), *chain.links[1:])
        raw = CHAIN_FILE_CODEC.encode(msgspec.structs.replace(chain, links=links))
        with pytest.raises(CertificateSignatureError):
            await other.add_chain_file(raw)
        assert other.certified is None

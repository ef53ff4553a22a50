import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from node.chain.errors import NotCertifiedError
from node.running import certificate_gaps
from node.running.certificate_gaps import ATTEMPTS_MAX, MARGIN, CertificateGaps
from node.sync.follower import Reach
from primitives.ids import Height
from tests.sync.chronicle import GENESIS, GENESIS_OF_SHORT_EPOCHS, Chronicle
from tests.sync.village import QUICK, Node, RealClock, Village, grown, introduce
from tests.validator.founders import until

COMMITS = 9
"""Each with a checkpoint of its own: numbers 0 to 8."""


def gaps_of(node: Node) -> CertificateGaps:
    return CertificateGaps(node.chain, node.host, clock=RealClock(), limits=QUICK)


def played(
    folder: Path,
    scene: Callable[[Village, Node, Chronicle], Awaitable[None]],
    *,
    genesis: bytes = GENESIS,
) -> None:
    async def play() -> None:
        async with grown(folder, COMMITS, genesis=genesis) as (village, server, chronicle):
            await scene(village, server, chronicle)

    asyncio.run(play())


async def follower_of(village: Village, server: Node) -> Node:
    """Return a node that executed all that a server has, from one certificate to a later one."""
    node = await village.node()
    await introduce(node, server)
    await node.follower().catch_up(Reach.NEWEST)
    assert node.chain.head == server.chain.head
    return node


def test_a_receipt_can_be_proven_once_the_certificate_of_its_commit_was_fetched(
    tmp_path: Path,
) -> None:
    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await follower_of(village, server)
        with pytest.raises(NotCertifiedError):
            node.chain.prove_receipt(Height(1), 0)
        assert await gaps_of(node).close() == COMMITS - MARGIN
        node.chain.prove_receipt(Height(1), 0)

    played(tmp_path, scene)


def test_what_may_be_certified_any_moment_is_not_asked_for_yet(tmp_path: Path) -> None:
    async def scene(village: Village, server: Node, chronicle: Chronicle) -> None:
        node = await follower_of(village, server)
        gaps = gaps_of(node)
        await gaps.close()
        assert node.chain.certificate(COMMITS - 2) is None
        assert await gaps.close() == 0
        await chronicle.grow(MARGIN)
        await node.follower().catch_up(Reach.NEWEST)
        await gaps.close()
        assert all(node.chain.certificate(number) is not None for number in range(COMMITS))

    played(tmp_path, scene)


def test_certificates_of_an_epoch_that_is_over_are_fetched_too(tmp_path: Path) -> None:
    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await follower_of(village, server)
        assert node.chain.head.epoch >= 1
        await gaps_of(node).close()
        assert node.chain.certificate(0) is not None

    played(tmp_path, scene, genesis=GENESIS_OF_SHORT_EPOCHS)


def test_what_nobody_has_is_given_up(tmp_path: Path) -> None:
    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await follower_of(village, server)
        poor = await village.server(node.chain)
        asker = await follower_of(village, server)
        await server.host.disconnect(asker.host.peer_id)
        await introduce(asker, poor)
        gaps = gaps_of(asker)
        for _turn in range(ATTEMPTS_MAX):
            assert await gaps.close() == 0
        await introduce(asker, server)
        assert await gaps.close() == 0

    played(tmp_path, scene)


def test_gaps_are_looked_for_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate_gaps, "PAUSE_S", 0.01)

    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await follower_of(village, server)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(gaps_of(node).run())
            await until(lambda: node.chain.certificate(0))
            running.cancel()

    played(tmp_path, scene)


def test_what_was_certified_meanwhile_is_asked_for_no_longer(tmp_path: Path) -> None:
    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await follower_of(village, server)
        gaps = gaps_of(node)
        lonely = await village.node(node.chain)
        assert (
            await CertificateGaps(node.chain, lonely.host, clock=RealClock(), limits=QUICK).close()
            == 0
        )
        for number in range(COMMITS):
            certificate = server.chain.certificate(number)
            assert certificate is not None
            await node.chain.add_certificate(certificate)
        assert await gaps.close() == 0

    played(tmp_path, scene)

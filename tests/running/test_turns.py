import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.execution.local_chain import key_named
from node.ledger.checkpoint import CERTIFICATE_CODEC
from node.running import turns as turns_module
from node.running.turns import Turns
from node.signatures.checks import foresee_nothing
from node.sync.follower import Reach
from node.validator.validator import Surroundings, Validator
from primitives.keys import PrivateKey
from tests.sync.chronicle import GENESIS, GENESIS_OF_SHORT_EPOCHS, Chronicle
from tests.sync.village import Node, RealClock, Village, grown, introduce
from tests.validator.founders import QUICK, Purse, until

OWN = key_named("validator-3 consensus")
STRANGER = key_named("nobody")


def played(
    folder: Path,
    scene: Callable[[Village, Node, Chronicle], Awaitable[None]],
    *,
    commits: int = 3,
    genesis: bytes = GENESIS,
) -> None:
    async def play() -> None:
        async with grown(folder, commits, genesis=genesis) as (village, server, chronicle):
            await scene(village, server, chronicle)

    asyncio.run(play())


@asynccontextmanager
async def taking_turns(
    village: Village, node: Node, key: PrivateKey | None
) -> AsyncIterator[tuple[Turns, Purse]]:
    """Let a node take turns for a while."""
    news, purse = await village.gossip(node), Purse()

    def make_validator(own: PrivateKey) -> Validator:
        async def accuse(_: object) -> None:
            raise AssertionError("nobody is accused here")

        surroundings = Surroundings(
            host=node.host,
            payload=purse,
            publish=news.publish,
            accuse=accuse,
            foresee=foresee_nothing,
            clock=RealClock(),
            tuning=QUICK,
            folder=village.folder,
        )
        return Validator(node.chain, own, surroundings)

    turns = Turns(
        node.chain, node.follower(news=news), news, key=key, make_validator=make_validator
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(turns.run())
        try:
            yield turns, purse
        finally:
            running.cancel()


@pytest.mark.parametrize("key", [None, STRANGER])
def test_who_has_no_seat_follows(tmp_path: Path, key: PrivateKey | None) -> None:
    async def scene(village: Village, server: Node, chronicle: Chronicle) -> None:
        node = await village.node()
        await introduce(node, server)
        async with taking_turns(village, node, key) as (turns, _):
            await until(lambda: node.chain.head.height == 3)
            await chronicle.grow(2)
            await until(lambda: node.chain.head.height == 5)
            assert turns.validator is None

    played(tmp_path, scene)


def test_who_has_a_seat_goes_to_the_running_epoch_and_rules(tmp_path: Path) -> None:
    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await village.node()
        await introduce(node, server)
        async with taking_turns(village, node, OWN) as (turns, purse):
            await until(lambda: purse.submit is not None)
            assert turns.validator is not None
            # Within an epoch consensus itself leads on.
            assert node.chain.head.epoch == server.chain.head.epoch >= 1
            assert node.chain.head.commit_index == 0
        assert turns.validator is None

    played(tmp_path, scene, commits=7, genesis=GENESIS_OF_SHORT_EPOCHS)


def test_who_was_left_behind_in_its_epoch_follows_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "STANDSTILL_S", 0.1)

    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await village.node()
        async with taking_turns(village, node, OWN) as (_turns, purse):
            await until(lambda: purse.submit is not None)
            assert node.chain.head.epoch == 0
            await introduce(node, server)
            await until(lambda: node.chain.head.epoch >= 1 and purse.submit is not None)

    played(tmp_path, scene, commits=7, genesis=GENESIS_OF_SHORT_EPOCHS)


def test_certificates_that_others_formed_reach_who_rules(tmp_path: Path) -> None:
    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await village.node()
        speaker = await village.gossip(server)
        async with taking_turns(village, node, OWN) as (_turns, purse):
            await until(lambda: purse.submit is not None)
            await introduce(node, server)
            await until(lambda: speaker.mesh_size)
            newest = server.chain.certified
            assert newest is not None
            speaker.publish(CERTIFICATE_CODEC.encode(newest))
            await until(lambda: node.chain.certified == newest)

    played(tmp_path, scene)


def test_a_validator_that_fails_ends_the_turns(tmp_path: Path) -> None:
    async def scene(village: Village, server: Node, _: Chronicle) -> None:
        node = await village.node()
        await introduce(node, server)
        # What consensus knows nothing of: its first commit contradicts this one.
        await node.follower().catch_up(Reach.NEWEST)
        (village.folder / "journals").write_text("a file where a folder belongs")
        with pytest.raises(ExceptionGroup, match="TaskGroup"):
            async with taking_turns(village, node, OWN):
                await asyncio.sleep(30)

    played(tmp_path, scene)

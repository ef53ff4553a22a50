"""A round is told as its last commit left it, however late and however often it is asked for."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from devnet.local.network import LocalNetwork
from devnet.local.pid_file import running_as, write_pid
from devnet.local.plan import NodePlan, Part, Wish, make_plan
from devnet.local.record import NetworkRecord, NodeRecord
from devnet.local.story import REPUTATION_ONE, RoundStory
from devnet.local.supervision import Supervisor
from devnet.local.telling import Teller, trust_of
from node.rpc.client import NodeClient
from node.rpc.errors import NodeUnreachableError
from node.rpc.texts import account_text
from primitives.ids import Height
from tests.chain.founded import address_of
from tests.cli.shaky import Loss, shaky_way
from tests.rpc.offers import create_task
from tests.rpc.played import HARMFUL, HONEST, VALIDATORS, Played
from tests.rpc.stage import Stage, open_stage

ROUNDS = 2


@pytest_asyncio.fixture(name="played", scope="module", loop_scope="module")
async def _played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    """Yield two rounds that ended before anybody told them."""
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        played = Played(stage, trainers=("alice",))
        await played.register()
        await stage.send(create_task(rounds=ROUNDS), sender="alice")
        for _ in range(ROUNDS):
            await played.train()
            await played.hold(0b1)
            await played.score([HONEST], others={"validator-3": [HARMFUL]})
            await played.vote()
            await played.report()
            await played.end()
        yield played


@asynccontextmanager
async def _teller(
    stage: Stage, folder: Path, breaks: Mapping[bytes, list[Loss]] | None = None
) -> AsyncIterator[Teller]:
    """Yield who asks the node of a stage, as the only one of a network."""
    plan = NodePlan(number=0, parts=(Part.TRAINER,))
    node = NodeRecord(
        plan=plan,
        account=account_text(address_of("alice")),
        peer_id="",
        rpc_port=stage.port,
        p2p_port=1,
    )
    record = NetworkRecord(
        chain_id=stage.chain.chain_id.hex(),
        plan=replace(make_plan(Wish(nodes=1, rounds=0)), nodes=(plan,)),
        nodes=(node,),
        division=None,
        sponsor="",
        load_accounts=0,
    )
    own = running_as(os.getpid())
    assert own is not None
    write_pid(folder / "pids" / "node-0.json", own)
    with shaky_way(stage.server.url, breaks or {}) as url:
        async with NodeClient(url) as client:
            network = LocalNetwork(folder, record, stage.clock, Supervisor(folder))
            network.clients["node-0"] = client
            yield Teller(network, 0)


def _earned(told: RoundStory) -> int:
    (update,) = told.updates
    return update.earned


@pytest.mark.asyncio(loop_scope="module")
async def test_round_that_is_told_once_more_has_the_same_earnings(
    played: Played, tmp_path: Path
) -> None:
    # A request that was lost is sent once more by the client itself.
    breaks = {b"GET /v1/commits/": [Loss.REQUEST] * 2}
    async with _teller(played.stage, tmp_path, breaks) as teller:
        with pytest.raises(NodeUnreachableError):
            await teller.tell(0)
        assert _earned(await teller.tell(0)) > 0


@pytest.mark.asyncio(loop_scope="module")
async def test_round_is_told_without_what_later_rounds_brought(
    played: Played, tmp_path: Path
) -> None:
    reader = played.stage.context.federation
    async with _teller(played.stage, tmp_path) as teller:
        told = [await teller.tell(number) for number in range(ROUNDS)]
        history = await played.stage.client.round_history(0, 0)
    then = reader.at(Height(history.last_height)).standing(0, address_of("alice"))
    assert told[0].reputations["node-0"] == then.reputation / REPUTATION_ONE
    assert told[0].reputations["node-0"] < told[1].reputations["node-0"]
    vesting = reader.vesting(0, address_of("alice"))
    assert [_earned(one) for one in told] == list(vesting.amounts)
    assert teller.earned["node-0"] == sum(vesting.amounts)


@pytest.mark.asyncio(loop_scope="module")
async def test_gas_of_a_round_is_that_of_all_its_commits_though_nobody_listened(
    played: Played, tmp_path: Path
) -> None:
    client = played.stage.client
    async with _teller(played.stage, tmp_path) as teller:
        told = await teller.tell(0)
    history = await client.round_history(0, 0)
    gas = count = 0
    for height in range(history.first_height, history.last_height + 1):
        receipts = (await client.commit(height)).receipts
        gas += sum(int(receipt.gas_used) for receipt in receipts)
        count += len(receipts)
    assert count > 10
    assert (told.gas, told.transactions) == (gas, count)


@pytest.mark.asyncio(loop_scope="module")
async def test_trust_of_a_validator_is_what_its_scores_kept_of_the_bands(
    played: Played, tmp_path: Path
) -> None:
    async with _teller(played.stage, tmp_path) as teller:
        told = [await teller.tell(number) for number in range(ROUNDS)]
    accounts = {name: account_text(address_of(name)) for name in VALIDATORS}
    honest, liar = accounts["validator-0"], accounts["validator-3"]
    for one in told:
        assert set(one.validator_trust) == set(accounts.values())
        assert one.validator_trust[honest] == 1
        assert one.validator_trust[liar] == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_round_that_the_node_did_not_watch_is_told_without_trust_of_validators(
    played: Played, tmp_path: Path
) -> None:
    judgement = await played.stage.client.judgement(0, 0)
    assert trust_of(judgement)
    assert not trust_of(replace(judgement, seats=()))
    assert not trust_of(replace(judgement, updates=()))

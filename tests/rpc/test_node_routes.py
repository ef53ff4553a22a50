"""What the node says of itself, and what it lets its operator do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.server import RpcServer, RpcSettings
from node.rpc.texts import account_text
from p2p.wire.peer_id import peer_id_text
from tests.chain.founded import address_of, genesis_file
from tests.p2p.town import peer_of
from tests.rpc.roster import ROSTER
from tests.rpc.stage import OPERATOR, Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGER = peer_id_text(peer_of(9))


@dataclass
class Readiness:
    is_near: bool = True


READINESS = Readiness()


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(
        tmp_path_factory.mktemp("node"),
        genesis=genesis_file(),
        duties=ROSTER,
        is_ready=lambda: READINESS.is_near,
    ) as stage:
        await stage.commit()
        yield stage


async def test_status_tells_who_the_node_is(stage: Stage) -> None:
    status = await stage.client.status()
    assert status.operator == account_text(address_of(OPERATOR))
    assert status.chain_name == "tests"
    assert status.roles == ("validator",)
    assert (status.height, status.head_age_ms, status.peers) == (1, 0, 0)
    assert status.peer_id == peer_id_text(peer_of(1))


async def test_node_is_ready_when_it_says_so(stage: Stage) -> None:
    assert (await stage.client.ready()).status == "ready"
    READINESS.is_near = False
    with pytest.raises(NodeAnswerError, match="catching up") as caught:
        await stage.client.ready()
    assert caught.value.status == 503
    READINESS.is_near = True


async def test_peers_are_listed_banned_and_let_in_again(stage: Stage) -> None:
    host = stage.context.host
    assert host is not None
    assert (await stage.client.peers()).peers == ()
    async with stage.client_of() as operator:
        await operator.ban(STRANGER)
        assert host.bans.is_banned(peer_of(9), now_ms=host.clock.monotonic_ms())
        await operator.unban(STRANGER)
        assert not host.bans.is_banned(peer_of(9), now_ms=host.clock.monotonic_ms())
        with pytest.raises(NodeAnswerError, match="peer id"):
            await operator.ban("1" * 40)


async def test_duties_are_shown_with_their_times_for_the_operator(stage: Stage) -> None:
    duties = await stage.client.duties()
    assert duties.tasks[0].given_up == ("train, until round 3: no examples",)
    assert duties.jobs[0].step == "train"
    async with stage.client_of() as operator:
        report = await operator.duty_report()
    assert report.duties == duties
    assert report.rounds[0].jobs[0].took_ms == 1_500


async def test_metrics_are_explained_and_count(stage: Stage) -> None:
    text = await stage.client.metrics()
    for line in (
        "# HELP chain_height Commits executed since genesis.",
        "chain_height 1.0",
        "chain_finality_lag_commits ",
        "mempool_transactions 0.0",
        "p2p_peers 0.0",
        'p2p_gossip_messages_total{fate="published"',
        "blobs_count 0.0",
        'duties_last_seconds{step="train"} 1.5',
        "rpc_requests_total",
        "node_ready 1.0",
    ):
        assert line in text, line
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
    assert len(names) == len(set(names))
    memory = next(one for one in text.splitlines() if one.startswith("node_resident_memory"))
    assert float(memory.split()[1]) > 1 << 20


async def test_finality_lag_grows_while_the_chain_stands(tmp_path: Path) -> None:
    async with open_stage(tmp_path, genesis=genesis_file()) as stage:

        async def lag_s() -> float:
            lines = (await stage.client.metrics()).splitlines()
            return float(next(x for x in lines if x.startswith("chain_finality_lag_s")).split()[1])

        await stage.commit()
        before_s = await lag_s()
        stage.clock.now_ms += 90_000
        assert await lag_s() == before_s + 90


async def test_tail_of_the_log_is_for_the_operator(stage: Stage) -> None:
    async with stage.client_of() as operator:
        assert await operator.logs(limit=5) == ()
        with pytest.raises(NodeAnswerError, match="limit"):
            await operator.logs(limit=0)


async def test_parts_that_a_node_has_not_are_unavailable(tmp_path: Path) -> None:
    async with open_stage(tmp_path, genesis=genesis_file()) as stage:
        bare = replace(
            stage.context, host=None, pubsub=None, blobs=None, duties=None, logs=None, uploads=None
        )
        async with (
            RpcServer(bare, RpcSettings(port=0)) as server,
            NodeClient(server.url, token=stage.token) as client,
        ):
            for question in (
                client.peers(),
                client.duties(),
                client.duty_report(),
                client.logs(),
                client.blob("0" * 64),
                client.put_blob(b"x"),
            ):
                with pytest.raises(NodeAnswerError) as caught:
                    await question
                assert caught.value.status == 503
            assert (await client.status()).peer_id is None
            assert "chain_height" in await client.metrics()


async def test_node_that_is_not_there_is_one_clear_line() -> None:
    async with NodeClient("http://127.0.0.1:9") as client:
        with pytest.raises(NodeUnreachableError, match="no node answers at http://127"):
            await client.head()
        with pytest.raises(NodeUnreachableError, match="stream"):
            async with client.stream():
                pass

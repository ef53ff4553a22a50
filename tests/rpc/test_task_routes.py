"""Tasks and rounds: what runs, what became of what ended, as the contracts and their events say."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from node.federation import calls
from node.ledger.transaction import Transfer
from node.rpc.errors import NodeAnswerError
from node.rpc.texts import account_text
from primitives.ids import Grain
from tests.chain.founded import address_of
from tests.fl import cast
from tests.rpc.offers import DOCUMENT, FIRST_MODEL, create_task
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE = account_text(address_of("alice"))
OFFER = cast.Offer()
WINDOWS_MS = sum(OFFER.windows)


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Yield a node whose first round found no updates and whose second has one."""
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        await stage.send(calls.register("alice", organisation="lab"), sender="alice")
        await stage.send(create_task(), sender="alice")
        await stage.send(calls.publish(0, title="a task", description="of tests"), sender="alice")
        await stage.send(calls.open_round(0), sender="bob")
        for _ in range(40):
            if stage.context.federation.round(0) is None:
                break
            stage.proposer.now_ms = type(stage.proposer.now_ms)(
                stage.proposer.now_ms + max(OFFER.windows)
            )
            await stage.send(Transfer(address_of("bob"), Grain(1)), sender="carol")
        await stage.send(calls.open_round(0), sender="bob")
        commitment = calls.commit(0, commitment=bytes(32), bond=Grain(OFFER.bond))
        await stage.send(commitment, sender="alice")
        yield stage


async def test_tasks_come_in_pages(stage: Stage) -> None:
    page = await stage.client.tasks()
    assert page.count == 1
    assert page.tasks == (await stage.client.task(0),)
    assert (await stage.client.tasks(first=1)).tasks == ()


async def test_task_has_its_terms_and_its_words(stage: Stage) -> None:
    task = await stage.client.task(0)
    assert (task.title, task.description, task.sponsor) == ("a task", "of tests", ALICE)
    assert task.model == FIRST_MODEL.hex()
    assert task.terms.document == DOCUMENT.hex()
    assert task.terms.reward == str(OFFER.reward)
    assert task.is_running
    assert task.rounds == 2


async def test_running_round_shows_updates_and_seats(stage: Stage) -> None:
    running = await stage.client.running_round(0)
    assert running is not None
    assert running.phase == "commit"
    (update,) = running.updates
    assert (update.trainer, update.verdict, update.root) == (ALICE, "pending", None)
    assert len(running.seats) == 4
    assert running.seats[0].held == ()


async def test_history_of_a_round_that_ended_tells_its_phases(stage: Stage) -> None:
    first = (await stage.client.running_round(0)).number - 1  # type: ignore[union-attr]
    history = await stage.client.round_history(0, first)
    assert history.outcome == "null"
    assert history.model is None
    assert history.is_complete
    assert history.phases[0].phase == "commit"
    times = [one.time_ms for one in history.phases]
    assert None not in times
    assert times == sorted(times, key=int)  # type: ignore[arg-type]
    names = [one.event.name for one in history.events]
    assert (names[0], names[-1]) == ("RoundOpened", "RoundEnded")
    assert history == await stage.client.round_history(0, first)


async def test_history_of_the_running_round_grows(stage: Stage) -> None:
    running = await stage.client.running_round(0)
    assert running is not None
    history = await stage.client.round_history(0, running.number)
    assert history.outcome == "running"
    assert [one.event.name for one in history.events][-1] == "UpdateCommitted"


async def test_identity_and_standing_are_shown(stage: Stage) -> None:
    identity = await stage.client.identity(ALICE)
    assert (identity.name, identity.role, identity.roles) == (
        "alice",
        "client",
        ("client", "organisation"),
    )
    assert (await stage.client.identity(account_text(address_of("bob")))).registered_at == 0
    standing = await stage.client.standing(0, ALICE)
    assert (standing.vested, standing.vesting, standing.quarantined_until) == ("0", "0", 0)


async def test_what_is_not_there_is_not_found(stage: Stage) -> None:
    client = stage.client
    for question in (
        client.task(7),
        client.running_round(7),
        client.round_history(7, 0),
        client.round_history(0, 77),
        client.standing(7, ALICE),
        client.model(0, 1),
    ):
        with pytest.raises(NodeAnswerError) as caught:
            await question
        assert caught.value.status == 404

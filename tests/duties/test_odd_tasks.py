"""Tasks that somebody made up keep no node from the others."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from node.blobs.errors import BlobUnavailableError
from node.blobs.manifest import Access, BlobId, blob_id
from node.duties.duty import Duty, Step
from node.duties.errors import UpdateUnavailableError, WrongStartError
from node.duties.history import History
from node.duties.observing import Observer
from node.duties.ports import Audience
from node.duties.publishing import Prices, StartModel, create_task, publish_model
from node.duties.room import Fetcher, StoreRoom
from node.duties.roster import TASKS_MAX
from node.duties.setbacks import DOCUMENT_REST_MS_MAX, Setbacks
from node.duties.situation import Role
from node.duties.steward import DOCUMENTS_MAX
from node.duties.trainer import Sealed
from node.duties.validator import Validator
from node.duties.verdicts import AGAIN_MS_MAX, Verdict
from node.federation import calls
from node.federation.document import (
    DOCUMENT_SIZE_BYTES_MAX,
    TaskDocument,
    read_document,
    write_document,
)
from node.federation.states import UpdateState
from p2p.wire.peer_id import PeerId
from primitives.ids import Digest, Gas, Grain, Height, Power
from tests.duties.hamlet import ALL_ROLES, ORDER, Hamlet, Villager, at_work, hamlet, toy

NOWHERE = Digest(b"?" * 32)
GAS = Gas(3_000_000)
FREE = replace(ORDER, prices=Prices(reward=0, rounds=0))


async def published(place: Hamlet, sponsor: Villager) -> StartModel:
    own = sponsor.equipment
    return await publish_model(
        ORDER, worker=own.worker, blobs=own.blobs, folder=place.folder / "published"
    )


async def offer_elsewhere(place: Hamlet, sponsor: Villager) -> int:
    """Offer a task whose document begins with a model that nobody has."""
    blobs, start = sponsor.equipment.blobs, await published(place, sponsor)
    raw = blobs.read(start.document, size_bytes_max=DOCUMENT_SIZE_BYTES_MAX)
    document: TaskDocument = msgspec.structs.replace(read_document(raw), start=NOWHERE)
    odd = await blobs.put(write_document(document), audience=Audience.EVERYBODY, reason="odd")
    task = await create_task(
        replace(ORDER, ready=1),
        StartModel(document=odd, model=start.model),
        wallet=sponsor.equipment.wallet,
    )
    return task.number


@pytest.mark.asyncio
async def test_document_that_begins_with_another_model_stops_no_other_task(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        node = await place.settle("validator-0", toy(0))
        await place.register(node)
        odd = await offer_elsewhere(place, node)
        sound = await place.offer(node)
        with capture_logs() as logs:
            place.start(node)
            await place.until(lambda: place.version(sound.number) == 1)
        refused = [line for line in logs if line.get("task") == odd]
        assert [line["step"] for line in refused] == ["fetch document"], "once, and for good"
        assert refused[0]["again"] == "task"
        assert [one.task for one in node.steward.status().tasks] == [sound.number]


@pytest.mark.asyncio
async def test_document_is_held_against_the_first_model_of_later_versions_too(
    tmp_path: Path,
) -> None:
    async with at_work(tmp_path, toy(0)) as place:
        node = place.villagers[0]
        odd = await offer_elsewhere(place, node)
        await place.until(lambda: place.version() == 1)
        observer = Observer(node.equipment, committee=lambda: ())
        await observer.obtain(0)
        assert observer.has_document(0)
        with pytest.raises(WrongStartError) as refusal:
            await observer.obtain(odd)
        assert refusal.value.actual == NOWHERE
        assert not observer.has_document(odd)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_worthless_tasks_displace_none_that_pays_and_no_round_of_them_is_opened(
    tmp_path: Path,
) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        node = await place.settle("validator-0", toy(0))
        await place.register(node)
        sound = await place.offer(node)
        offer = FREE.offer(document=NOWHERE, model=NOWHERE)
        wallet = node.equipment.wallet
        for _ in range(5):
            async with asyncio.TaskGroup() as group:
                for _ in range(13):
                    call = calls.create_task(offer, escrow=Grain(0))
                    group.create_task(wallet.carry_out(call, gas_limit=GAS))
        assert place.reader.task_count() == 1 + TASKS_MAX + 1
        place.start(node)
        await place.until(lambda: place.version(sound.number) == 1)
        assert not any(place.reader.task(task).rounds for task in range(1, TASKS_MAX + 2))


HOLLOW = 2 * DOCUMENTS_MAX
HOLLOW_DOCUMENTS = [Digest(number.to_bytes(32, "big")) for number in range(1, HOLLOW + 1)]
RICH = replace(ORDER, prices=Prices(reward=2 * ORDER.prices.reward, rounds=1))


@dataclass
class VainFetcher:
    """Gets what peers have, but for the documents of hollow tasks, after which it asks in vain.

    Attributes:
        vain_s: that a fetch in vain lasts; None: for ever.
        asked: what was asked for, in order.
    """

    real: Fetcher
    vain_s: float | None
    asked: list[bytes] = field(default_factory=list)

    async def fetch(
        self,
        blob: BlobId,
        *,
        holders: Sequence[PeerId] = (),
        deadline_ms: int,
        size_bytes_max: int,
        access: Access = Access.PUBLIC,
    ) -> None:
        self.asked.append(blob)
        if Digest(blob) in HOLLOW_DOCUMENTS:
            await (asyncio.Event().wait() if self.vain_s is None else asyncio.sleep(self.vain_s))
            raise BlobUnavailableError("nobody has it")
        await self.real.fetch(
            blob,
            holders=holders,
            deadline_ms=deadline_ms,
            size_bytes_max=size_bytes_max,
            access=access,
        )


async def offer_hollow_tasks(sponsor: Villager) -> None:
    """Offer tasks that pay more than any other, and whose documents nobody has."""
    async with asyncio.TaskGroup() as group:
        for document in HOLLOW_DOCUMENTS:
            offer = RICH.offer(document=document, model=NOWHERE)
            call = calls.create_task(offer, escrow=Grain(RICH.prices.reward))
            group.create_task(sponsor.equipment.wallet.carry_out(call, gas_limit=GAS))


def ask_in_vain(place: Hamlet, node: Villager, *, vain_s: float | None) -> VainFetcher:
    """Have a node get no document of a hollow task."""
    room = node.equipment.blobs
    assert isinstance(room, StoreRoom)
    fetcher = VainFetcher(room.fetcher, vain_s)
    node.equipment = replace(node.equipment, blobs=replace(room, fetcher=fetcher))
    node.steward = place.steward(node.equipment, ALL_ROLES)
    return fetcher


@pytest.mark.asyncio
async def test_document_that_is_here_is_read_while_others_are_waited_for(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        node = await place.settle("validator-0", toy(0))
        fetcher = ask_in_vain(place, node, vain_s=None)
        await place.register(node)
        await offer_hollow_tasks(node)
        sound = await place.offer(node)
        place.start(node)
        await place.until(lambda: place.version(sound.number) == 1, limit_s=30)
        assert len(fetcher.asked) == DOCUMENTS_MAX, "no more at a time"


@pytest.mark.asyncio
async def test_document_that_was_not_asked_for_goes_before_those_that_nobody_gave(
    tmp_path: Path,
) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        node = await place.settle("validator-0", toy(0))
        fetcher = ask_in_vain(place, node, vain_s=0.5)
        sponsor = await place.settle("alice", toy(1), roles=frozenset({Role.TRAINER}))
        await place.register(sponsor)
        await offer_hollow_tasks(sponsor)
        sound = await place.offer(sponsor)
        place.start(node)
        document = place.reader.terms(sound.number).document
        await place.until(lambda: document in fetcher.asked, limit_s=30)
        before = fetcher.asked[: fetcher.asked.index(document)]
        assert len(before) == len(set(before)) == HOLLOW


def test_document_that_nobody_gives_rests_longer_than_other_duties() -> None:
    setbacks = Setbacks()
    rests = []
    for step in (Step.FETCH_DOCUMENT, Step.FETCH_MODEL):
        duty = Duty(step=step, task=0, round=0)
        for _ in range(32):
            setbacks.add(duty, Verdict.AGAIN, message="nobody", now_ms=0)
        assert setbacks.failures(duty) == 32
        rests.append(next(ms for ms in range(0, 10**6, 250) if setbacks.is_rested(duty, now_ms=ms)))
    assert rests == [DOCUMENT_REST_MS_MAX, AGAIN_MS_MAX]


def revealed(trainer: Villager, root: Digest) -> UpdateState:
    return UpdateState(
        index=0,
        trainer=trainer.who,
        registered_at=Height(1),
        commitment=bytes(32),
        committed_at=Height(1),
        bond=Grain(0),
        root=root,
        attested=Power(0),
        is_available=False,
        is_judged=False,
        score=0,
        norm=0,
        original=0,
        cluster=0,
        reason=None,
        weight=0,
        gain=0,
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("excess_bytes", [0, 1 << 20])
async def test_update_is_fetched_only_if_its_task_may_have_one_so_long(
    tmp_path: Path, excess_bytes: int
) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        node = await place.settle("validator-0", toy(0))
        trainer = await place.settle("alice", toy(1))
        room = node.equipment.blobs
        assert isinstance(room, StoreRoom)
        own = replace(node.equipment, blobs=replace(room, deadline_ms=500))
        await place.register(trainer)
        await place.offer(trainer)
        await own.wallet.carry_out(calls.open_round(0), gas_limit=GAS)
        observer = Observer(own, committee=lambda: ())
        await observer.obtain(0)
        scene = observer.scene(0)
        assert scene.round is not None
        content = bytes(scene.blob_bytes_max + excess_bytes)
        root = blob_id(trainer.store.put(content, access=Access.PRIVATE))
        sealed = Sealed.of(scene, scene.round, root=Digest(root), trainer=trainer.who)
        await trainer.equipment.blobs.offer(sealed)
        running = msgspec.structs.replace(scene.round, updates=(revealed(trainer, Digest(root)),))
        validator = Validator(own, history=History(own))
        duty = Duty(step=Step.FETCH_UPDATES, task=0, round=0, bits=1)
        with pytest.raises(UpdateUnavailableError) if excess_bytes else nullcontext():
            await validator.fetch_updates(scene, running, duty)
        assert node.store.has(root) is (not excess_bytes)
        assert node.store.total.size_bytes < scene.blob_bytes_max * 3

"""A model is made again from what the chain says, and a lie in its history is found."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fl.jobs.errors import JobFailedError
from fl.jobs.subject import AdaptedModel, AdapterShape, FrozenModel, ModelKind
from fl.jobs.work import PrepareJob
from fl.rules.limits import ONE
from node.blobs.errors import BlobUnavailableError
from node.blobs.manifest import BlobId, blob_id
from node.federation.blob_source import NodeBlobs
from node.federation.errors import (
    BrokenLineageError,
    NoSuchVersionError,
    UnrecordedLineageError,
)
from node.federation.lineage import Lineage, VersionMade, WorkerCompute
from node.federation.pull import pull
from node.federation.views import FederationReader, NoSuchTaskError
from primitives.cid import Cid
from tests.blobs.shelves import quarter
from tests.contracts.cast import refused
from tests.dsl.virtual_time import in_virtual_time
from tests.federation.history import History, LocalCompute
from tests.federation.local_caller import LocalCaller
from tests.jobs.clients import IN_A_MINUTE, REAL, client_of
from tests.worker.vectors import aggregate_job, store, vectors


class Auditor:
    """A node that has no blob of its own and makes the model again."""

    def __init__(self, lineage: Lineage, history: History, blobs: NodeBlobs) -> None:
        self.lineage = lineage
        self.history = history
        self.blobs = blobs
        self.compute = LocalCompute()

    @property
    def reader(self) -> FederationReader:
        return FederationReader(LocalCaller(self.history.chain))

    async def replayed(self, *, version: int | None = None) -> list[VersionMade]:
        return [made async for made in self.lineage.replay(0, version=version)]


@asynccontextmanager
async def audited(folder: Path, *, deadline_ms: int = 5_000) -> AsyncIterator[Auditor]:
    async with quarter(folder) as place:
        keeper, auditor = await place.keeper(1), await place.keeper(2)
        history = History(keeper.store, folder / "made")
        history.begin()
        blobs = NodeBlobs(
            auditor.fetcher, holders=lambda: (keeper.host.peer_id,), deadline_ms=deadline_ms
        )
        reader = FederationReader(LocalCaller(history.chain))
        compute = LocalCompute()
        lineage = Lineage(reader, blobs, compute, folder=folder / "again")
        found = Auditor(lineage, history, blobs)
        found.compute = compute
        yield found


@in_virtual_time
async def test_every_version_is_made_again_bit_for_bit(tmp_path: Path) -> None:
    async with audited(tmp_path) as auditor:
        for number, halvings in ((0, 0), (1, 2), (3, 0), (4, 1)):
            await auditor.history.add(number, halvings=halvings)
        auditor.history.publish()
        made = await auditor.replayed()
        assert [one.version for one in made] == [1, 2, 3, 4]
        assert [(one.of, one.round, one.updates) for one in made] == [
            (4, 0, 3),
            (4, 1, 3),
            (4, 3, 3),
            (4, 4, 3),
        ]
        last = blob_id(Cid.decode(made[-1].weights.cid))
        assert last == auditor.history.versions[-1].model
        # Nothing of earlier versions is left on the disk.
        assert len(list((tmp_path / "again").iterdir())) == 2
        assert len(await auditor.replayed(version=2)) == 2


@pytest.mark.parametrize(
    "lie",
    [
        {"model": b"m" * 32},
        {"limit": 1 << 10},
        {"halvings": 1},
        {"weights": [ONE - 2, 1, 1]},
    ],
    ids=lambda lie: next(iter(lie)),
)
@in_virtual_time
async def test_a_record_that_does_not_make_its_model_is_found(
    tmp_path: Path, lie: dict[str, object]
) -> None:
    async with audited(tmp_path) as auditor:
        for number in (0, 2):
            await auditor.history.add(number)
        auditor.history.publish(**lie)
        with pytest.raises(BrokenLineageError, match="version 2: made of 3 updates in round 2"):
            await auditor.replayed()


@in_virtual_time
async def test_updates_that_were_swapped_are_found(tmp_path: Path) -> None:
    async with audited(tmp_path) as auditor:
        version = await auditor.history.add(0)
        auditor.history.publish(roots=version.roots[::-1])
        with pytest.raises(BrokenLineageError) as caught:
            await auditor.replayed()
        assert caught.value.version == 1
        assert caught.value.expected == version.model
        assert caught.value.found != version.model


@in_virtual_time
async def test_a_first_version_on_another_start_is_found(tmp_path: Path) -> None:
    async with audited(tmp_path) as auditor:
        await auditor.history.add(0)
        auditor.history.publish(parent=b"p" * 32)
        with pytest.raises(BrokenLineageError, match="the document begins with another model"):
            await auditor.replayed()


@pytest.mark.parametrize(
    ("gap", "message"),
    [
        ({"limit": 0}, "the limit 0"),
        ({"weights": [ONE // 2, ONE // 4, ONE // 8]}, "the weights sum to 57344"),
    ],
    ids=["limit", "sum"],
)
@in_virtual_time
async def test_what_the_chain_does_not_say_cannot_be_verified(
    tmp_path: Path, gap: dict[str, object], message: str
) -> None:
    async with audited(tmp_path) as auditor:
        await auditor.history.add(0)
        auditor.history.publish(**gap)
        with pytest.raises(UnrecordedLineageError, match=message):
            await auditor.replayed()


@in_virtual_time
async def test_an_update_that_nobody_has_stops_the_replay(tmp_path: Path) -> None:
    async with audited(tmp_path, deadline_ms=2_000) as auditor:
        version = await auditor.history.add(0)
        auditor.history.store.drop(BlobId(version.roots[1]))
        auditor.history.publish()
        with pytest.raises(BlobUnavailableError, match="no such blob"):
            await auditor.replayed()


@in_virtual_time
async def test_the_start_is_what_the_seed_gives(tmp_path: Path) -> None:
    async with audited(tmp_path) as auditor:
        start = auditor.history.document.start
        auditor.compute.start = auditor.history.store.stored(BlobId(start))
        await auditor.lineage.check_start(0)
        await auditor.lineage.check_start(0, source="elsewhere")
        version = await auditor.history.add(0)
        auditor.compute.start = auditor.history.store.stored(BlobId(version.model))
        with pytest.raises(BrokenLineageError, match="the seed gives another start"):
            await auditor.lineage.check_start(0)


@in_virtual_time
async def test_a_model_is_pulled_with_its_document_and_records(tmp_path: Path) -> None:
    async with audited(tmp_path) as auditor:
        history = auditor.history
        first = await pull(auditor.reader, auditor.blobs, task=0)
        assert (first.version, first.records) == (0, ())
        assert blob_id(Cid.decode(first.weights.cid)) == history.document.start
        assert first.document == history.document
        for number in (0, 1):
            await history.add(number)
        history.publish()
        newest = await pull(auditor.reader, auditor.blobs, task=0)
        assert newest.version == 2
        assert [record.round for record in newest.records] == [0, 1]
        assert blob_id(Cid.decode(newest.weights.cid)) == history.versions[1].model
        assert (await pull(auditor.reader, auditor.blobs, task=0, version=1)).version == 1
        for version in (-1, 3):
            with pytest.raises(NoSuchVersionError, match=f"versions 0 to 2, not {version}"):
                await pull(auditor.reader, auditor.blobs, task=0, version=version)
        with pytest.raises(NoSuchTaskError):
            await pull(auditor.reader, auditor.blobs, task=1)


@in_virtual_time
async def test_a_record_has_one_root_for_each_contributor_in_their_order(tmp_path: Path) -> None:
    async with audited(tmp_path) as auditor:
        version = await auditor.history.add(0)
        rounds, who = auditor.history.chain.contract("rounds"), [bytes(32)] * 3
        given = (1, 0, version.parent, version.model, 5, 0, who)
        with refused("one root for each"):
            rounds.add_version(*given, list(version.roots[:2]), list(version.weights))
        with refused("one weight and score for each"):
            rounds.add_version(*given, list(version.roots), list(version.weights[:2]))
        auditor.history.publish()
        record = auditor.reader.model(0, 1)
        assert record is not None
        assert record.roots == tuple(version.roots)
        assert record.limit == version.limit
        registry = auditor.history.chain.contract("registry")
        with refused("only rounds may add a model"):
            registry.add_version(0, 2, 1, version.model, bytes(32), 1, 1, 0, [], [], [], [])


NOWHERE = AdaptedModel(
    frozen=FrozenModel(source="no such folder", kind=ModelKind.CAUSAL_LM), adapter=AdapterShape()
)


@pytest.mark.asyncio
async def test_a_worker_process_makes_the_same_model(tmp_path: Path) -> None:
    job = aggregate_job(tmp_path, store(tmp_path, *vectors(3)))
    # A worker without torch still aggregates, and is up in a tenth of the time.
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\")\n")
    async with client_of(REAL, PYTHONPATH=str(tmp_path)) as client:
        compute = WorkerCompute(client, terms=IN_A_MINUTE)
        assert await compute.aggregate(job) == await LocalCompute().aggregate(job)
        with pytest.raises(JobFailedError, match="torch"):
            await compute.prepare(PrepareJob(subject=NOWHERE, folder=str(tmp_path)))

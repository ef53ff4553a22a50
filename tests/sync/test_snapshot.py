"""A node that joins late: by the state of a certified checkpoint, into an empty folder."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from node.chain.certified import link_of
from node.chain.limits import DEFAULT_LIMITS, ChainLimits
from node.execution.local_chain import GENESIS_TIME_MS
from node.ledger.checkpoint import CERTIFICATE_CODEC, checkpoint_digest
from node.ledger.errors import TrustExpiredError
from node.ledger.genesis import GENESIS_CODEC, GenesisAccount, read_genesis
from node.ledger.light_client import ANCHOR_CODEC, Anchor
from node.ledger.tree.lookup import PLACE_FIRST
from node.ledger.tree.prove import cut_range
from node.ledger.tree.snapshot import (
    SNAPSHOT_CHUNK_CODEC,
    SnapshotChunk,
    cut_chunk,
    place_behind,
    verify_chunk,
)
from node.storage.chain_tables import CERTIFIED_HEIGHTS
from node.sync.errors import LedgerExistsError, NoSnapshotError, TooFarBehindError
from node.sync.follower import Reach
from node.sync.limits import SyncLimits
from node.sync.snapshot import Joined, Place, join_by_snapshot, set_aside
from node.sync.trust import TrustedAnchor
from p2p.host import Host
from p2p.wire.peer_id import peer_id_text
from primitives.clock import Clock
from primitives.hashing import sha256
from primitives.ids import Address, Digest, Epoch, Grain
from tests.chain.founded import StillClock
from tests.ledger.tree.memory import MemoryTree
from tests.p2p.town import meet
from tests.sync.chronicle import GENESIS, GENESIS_OF_SHORT_EPOCHS
from tests.sync.test_liars import refusals
from tests.sync.village import QUICK, Mangle, Node, RealClock, Village, grown

ACCOUNTS = 7_000
HASTY = replace(QUICK, patience_ms=1)


async def join(
    village: Village,
    peers: Sequence[Host],
    *,
    name: str = "late",
    limits: SyncLimits = QUICK,
    anchor: TrustedAnchor | None = None,
    clock: Clock | None = None,
) -> tuple[Place, Joined, Host]:
    """Join by snapshot from some peers, into a new folder of this name."""
    host = await village.host()
    for peer in peers:
        await meet(host, peer)
    folder = village.folder / name
    folder.mkdir(exist_ok=True)
    place = Place(folder=folder, genesis=village.genesis, node_id=b"node", anchor=anchor)
    joined = await join_by_snapshot(place, host, clock=clock or RealClock(), limits=limits)
    return place, joined, host


@pytest.mark.asyncio
async def test_late_node_has_the_state_and_the_proofs_and_follows_on(tmp_path: Path) -> None:
    short = GENESIS_OF_SHORT_EPOCHS
    async with grown(tmp_path, 13, genesis=short) as (village, server, chronicle):
        place, joined, host = await join(village, [server.host])
        late = Node(host, village.chain(place.folder))
        assert late.chain.head == server.chain.head
        assert joined.checkpoint.height == 13
        assert late.chain.chain_file() == server.chain.chain_file()
        await chronicle.grow(3)
        await late.follower().catch_up(Reach.NEWEST)
        assert late.chain.head.height == 16
        assert late.chain.head == server.chain.head


@pytest.mark.asyncio
async def test_snapshot_of_the_end_of_an_epoch_begins_the_next(tmp_path: Path) -> None:
    async with grown(tmp_path, 5, genesis=GENESIS_OF_SHORT_EPOCHS) as (village, server, _):
        place, joined, _ = await join(village, [server.host])
        assert joined.checkpoint.next_committee is not None
        assert village.chain(place.folder).head == server.chain.head


@pytest.mark.asyncio
async def test_node_that_joined_by_snapshot_gives_it_on(tmp_path: Path) -> None:
    async with grown(tmp_path, 7, genesis=GENESIS_OF_SHORT_EPOCHS) as (village, server, _):
        first, _, _ = await join(village, [server.host], name="first")
        middle = await village.server(village.chain(first.folder))
        second, _, _ = await join(village, [middle.host], name="second")
        assert village.chain(second.folder).head == server.chain.head


@pytest.mark.asyncio
async def test_folder_with_a_ledger_is_left_alone(tmp_path: Path) -> None:
    async with grown(tmp_path, 2) as (village, server, _):
        folder = tmp_path / "late"
        folder.mkdir()
        village.chain(folder).close()
        with pytest.raises(LedgerExistsError, match="needs an empty folder") as raised:
            await join(village, [server.host])
        assert raised.value.height == 0


@pytest.mark.asyncio
async def test_node_that_is_too_far_behind_joins_again_beside_its_old_ledger(
    tmp_path: Path,
) -> None:
    short = GENESIS_OF_SHORT_EPOCHS
    async with grown(tmp_path, 15, genesis=short, limits=DEFAULT_LIMITS) as (village, server, _):
        folder = tmp_path / "late"
        folder.mkdir()
        behind = Node(await village.host(), village.chain(folder))
        await meet(behind.host, server.host)
        with pytest.raises(TooFarBehindError) as raised:
            await behind.follower().catch_up()
        behind.chain.close()
        aside = set_aside(folder, height=raised.value.height)
        place, _, _ = await join(village, [server.host])
        assert village.chain(place.folder).head == server.chain.head
        assert aside.is_dir()


def test_ledgers_set_aside_do_not_displace_each_other(tmp_path: Path) -> None:
    for _ in range(3):
        (tmp_path / "ledger").mkdir()
        set_aside(tmp_path, height=7)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["ledger-at-7", "ledger-at-7-2", "ledger-at-7-3"]


@pytest.fixture(name="crowded", scope="module")
def _crowded() -> bytes:
    """Return the genesis file of a chain whose state is worth several chunks."""
    genesis = read_genesis(GENESIS)
    crowd = tuple(
        GenesisAccount(Address(sha256(number.to_bytes(8, "big"))), Grain(number + 1))
        for number in range(ACCOUNTS)
    )
    accounts = sorted((*genesis.accounts, *crowd), key=lambda account: account.address)
    return GENESIS_CODEC.encode(msgspec.structs.replace(genesis, accounts=tuple(accounts)))


def chunk_count(server: Node) -> int:
    """Return how many chunks the newest state of a node has."""
    low: bytes | None = PLACE_FIRST
    count = 0
    with server.chain.view() as view:
        while low is not None:
            low = place_behind(view.cut_chunk(low).high)
            count += 1
    return count


@pytest.mark.asyncio
async def test_large_state_comes_from_several_peers_and_survives_their_loss(
    tmp_path: Path, crowded: bytes
) -> None:
    async with grown(tmp_path, 1, genesis=crowded) as (village, server, _):
        left = [1]

        def few(raw: bytes) -> bytes | None:
            left[0] -= 1
            return raw if left[0] >= 0 else None

        miser = await village.liar(server, "chunk", few)
        second = await village.server(server.chain)
        place, joined, _ = await join(village, [miser, server.host, second.host])
        assert village.chain(place.folder).head == server.chain.head
        assert joined.peers >= 2


@pytest.mark.asyncio
async def test_join_that_was_interrupted_goes_on_where_it_was(
    tmp_path: Path, crowded: bytes
) -> None:
    async with grown(tmp_path, 1, genesis=crowded) as (village, server, _):
        await begin_and_stop(village, server)
        counted = [0]

        def count(raw: bytes) -> bytes:
            counted[0] += 1
            return raw

        counter = await village.liar(server, "chunk", count)
        place, joined, _ = await join(village, [counter])
        assert village.chain(place.folder).head == server.chain.head
        assert joined.chunks == counted[0] == chunk_count(server) - 1


async def begin_and_stop(village: Village, server: Node) -> None:
    """Join until one chunk of the newest state is there, in the folder that `join` takes."""
    left = [1]

    def few(raw: bytes) -> bytes | None:
        left[0] -= 1
        return raw if left[0] >= 0 else None

    miser = await village.liar(server, "chunk", few)
    with pytest.raises(NoSnapshotError):
        await join(village, [miser], limits=HASTY)


@pytest.mark.asyncio
async def test_state_that_was_begun_is_worth_more_than_a_newer_one(
    tmp_path: Path, crowded: bytes
) -> None:
    async with grown(tmp_path, 1, genesis=crowded) as (village, server, chronicle):
        await begin_and_stop(village, server)
        missing = chunk_count(server) - 1
        await chronicle.grow(2)
        other = await village.server(server.chain)
        place, joined, host = await join(village, [other.host])
        assert (joined.checkpoint.height, joined.chunks) == (1, missing)
        late = Node(host, village.chain(place.folder))
        await late.follower().catch_up(Reach.NEWEST)
        assert late.chain.head == server.chain.head


@pytest.mark.asyncio
async def test_holder_that_comes_late_is_waited_for(tmp_path: Path, crowded: bytes) -> None:
    async with grown(tmp_path, 1, genesis=crowded) as (village, server, chronicle):
        await begin_and_stop(village, server)
        await chronicle.grow(2)
        asked = asyncio.Event()

        def newer(raw: bytes) -> bytes | None:
            asked.set()
            return raw if CERTIFICATE_CODEC.decode(raw).checkpoint.height > 1 else None

        young = await village.liar(server, "manifest", newer)
        old = await village.server(server.chain)
        host = await village.host()
        await meet(host, young)
        place = Place(folder=tmp_path / "late", genesis=village.genesis, node_id=b"node")
        patient = replace(QUICK, patience_ms=60_000)
        async with asyncio.TaskGroup() as group:
            joining = group.create_task(
                join_by_snapshot(place, host, clock=RealClock(), limits=patient)
            )
            await asked.wait()
            await meet(host, old.host)
        assert joining.result().checkpoint.height == 1


@pytest.mark.asyncio
async def test_state_that_nobody_holds_any_more_makes_room_for_the_newest(
    tmp_path: Path, crowded: bytes
) -> None:
    async with grown(tmp_path, 1, genesis=crowded) as (village, server, chronicle):
        await begin_and_stop(village, server)
        await chronicle.grow(2)
        # It has executed the commit as well, but keeps the newest two states alone.
        young = await village.server(village.chain(limits=ChainLimits(kept_versions=2)))
        await meet(young.host, server.host)
        await young.follower().catch_up(Reach.NEWEST)
        place, joined, _ = await join(village, [young.host])
        assert joined.checkpoint.height == 3
        late = village.chain(place.folder)
        assert late.head == server.chain.head
        with late.environment.snapshot() as snapshot:
            assert list(snapshot.scan_keys(CERTIFIED_HEIGHTS)) == [3]


@pytest.mark.asyncio
async def test_join_that_nobody_helps_gives_up(tmp_path: Path) -> None:
    async with grown(tmp_path, 0) as (village, server, _):
        with pytest.raises(NoSnapshotError, match="within 1 ms"):
            await join(village, [server.host], limits=HASTY)


def anchor_of(server: Node) -> TrustedAnchor:
    """Return the end of the first epoch, as an operator would trust it."""
    with server.chain.environment.snapshot() as snapshot:
        link = link_of(snapshot, Epoch(0))
    assert link is not None
    checkpoint = link.certificate.checkpoint
    raw = ANCHOR_CODEC.encode(Anchor(checkpoint, link.next_seats))
    return TrustedAnchor(raw, checkpoint_digest(checkpoint))


@pytest.mark.asyncio
async def test_recent_checkpoint_may_be_trusted_instead_of_genesis(tmp_path: Path) -> None:
    async with grown(tmp_path, 13, genesis=GENESIS_OF_SHORT_EPOCHS) as (village, server, _):
        anchor, clock = anchor_of(server), StillClock(GENESIS_TIME_MS + 60_000)
        place, _, _ = await join(village, [server.host], anchor=anchor, clock=clock)
        late = village.chain(place.folder)
        assert late.head == server.chain.head
        # Those of the epoch before the anchor were not needed, so they are not here.
        assert late.chain_file(Epoch(1)) == server.chain.chain_file(Epoch(1))


@pytest.mark.asyncio
async def test_old_checkpoint_is_not_trusted(tmp_path: Path) -> None:
    async with grown(tmp_path, 6, genesis=GENESIS_OF_SHORT_EPOCHS) as (village, server, _):
        clock = StillClock(GENESIS_TIME_MS + 10 * 86_400_000)
        with pytest.raises(TrustExpiredError):
            await join(village, [server.host], anchor=anchor_of(server), clock=clock)


def other_value(raw: bytes) -> bytes:
    chunk = SNAPSHOT_CHUNK_CODEC.decode(raw)
    key, value = chunk.contents[0]
    contents = ((key, value + b"!"), *chunk.contents[1:])
    return SNAPSHOT_CHUNK_CODEC.encode(msgspec.structs.replace(chunk, contents=contents))


def other_place(raw: bytes) -> bytes:
    chunk = SNAPSHOT_CHUNK_CODEC.decode(raw)
    return SNAPSHOT_CHUNK_CODEC.encode(msgspec.structs.replace(chunk, low=b"\x01" * 32))


def higher(raw: bytes) -> bytes:
    certificate = CERTIFICATE_CODEC.decode(raw)
    checkpoint = certificate.checkpoint
    forged = msgspec.structs.replace(
        checkpoint, height=checkpoint.height + 1, state_root=Digest(bytes(32))
    )
    return CERTIFICATE_CODEC.encode(msgspec.structs.replace(certificate, checkpoint=forged))


@pytest.mark.parametrize(
    ("protocol", "mangle"),
    [
        ("chunk", other_value),
        ("chunk", other_place),
        ("chunk", lambda _: b"noise"),
        ("manifest", higher),
        ("manifest", lambda _: b"noise"),
        ("links", lambda _: b"noise"),
    ],
    ids=["value", "place", "chunk noise", "forged", "manifest noise", "links noise"],
)
@pytest.mark.asyncio
async def test_liar_about_snapshots_is_blamed_and_another_peer_used(
    tmp_path: Path, protocol: str, mangle: Mangle
) -> None:
    async with grown(tmp_path, 7, genesis=GENESIS_OF_SHORT_EPOCHS) as (village, server, _):
        liar = await village.liar(server, protocol, mangle)
        with capture_logs() as logs:
            place, _, _ = await join(village, [liar, server.host])
        assert village.chain(place.folder).head == server.chain.head
        assert set(refusals(logs)) == {("sync-false-answer", peer_id_text(liar.peer_id))}


def tree_of(server: Node) -> MemoryTree:
    """Return the newest state of a node as a tree to cut chunks of any size from."""
    tree = MemoryTree()
    low: bytes | None = PLACE_FIRST
    with server.chain.view() as view:
        while low is not None:
            chunk = view.cut_chunk(low)
            tree.apply(dict(chunk.contents))
            low = place_behind(chunk.high)
        assert tree.root.digest == view.root
    return tree


def nothing(tree: MemoryTree, low: bytes) -> SnapshotChunk:
    cut = cut_range(tree.source, tree.root, low=low, high=low)
    return SnapshotChunk(low=low, high=low, contents=(), cut=cut)


def one_entry(tree: MemoryTree, low: bytes) -> SnapshotChunk:
    return cut_chunk(tree.source, tree.root, low=low, content_bytes=1)


Tiny = Callable[[MemoryTree, bytes], SnapshotChunk]


async def miser_of(village: Village, server: Node, tiny: Tiny) -> Host:
    """Return a host whose chunks are true, and next to nothing."""
    tree = tree_of(server)

    def shorten(raw: bytes) -> bytes:
        chunk = tiny(tree, SNAPSHOT_CHUNK_CODEC.decode(raw).low)
        verify_chunk(tree.root.digest, chunk)
        return SNAPSHOT_CHUNK_CODEC.encode(chunk)

    return await village.liar(server, "chunk", shorten)


@pytest.mark.asyncio
async def test_holder_that_gives_next_to_nothing_at_a_time_holds_nobody_up(tmp_path: Path) -> None:
    async with grown(tmp_path, 1) as (village, server, _):
        miser = await miser_of(village, server, nothing)
        async with asyncio.timeout(20):
            with pytest.raises(NoSnapshotError):
                await join(village, [miser])


@pytest.mark.parametrize("tiny", [nothing, one_entry])
@pytest.mark.asyncio
async def test_holder_that_gives_next_to_nothing_at_a_time_is_blamed(
    tmp_path: Path, crowded: bytes, tiny: Tiny
) -> None:
    async with grown(tmp_path, 1, genesis=crowded) as (village, server, _):
        liar = await miser_of(village, server, tiny)
        with capture_logs() as logs:
            async with asyncio.timeout(20):
                place, _, _ = await join(village, [liar, server.host])
        assert village.chain(place.folder).head == server.chain.head
        assert set(refusals(logs)) == {("sync-false-answer", peer_id_text(liar.peer_id))}

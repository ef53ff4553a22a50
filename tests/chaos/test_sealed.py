"""Before its round is over, an update is readable to seats only, whatever anybody else asks for."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import pytest

from devnet.local.drive import Drive
from devnet.local.network import LocalNetwork
from devnet.local.plan import Part, Wish, make_plan
from fl.rules.phase import Phase
from node.blobs.errors import BadEnvelopeError
from node.blobs.manifest import BlobId
from node.blobs.sealed import SealedRoot
from node.blobs.sealing import Envelope, open_envelope
from node.rpc.errors import NodeAnswerError
from node.rpc.round_schemas import Round
from node.running.clock import SystemClock
from primitives.ids import Address
from tests.chaos.checks import LOOK_S
from tests.chaos.rounds import TASK, TOY, asked
from tests.chaos.spy import CONTROL_MS, SeatKeys, Spy, root_of, spying

FULL_NODE: Final = "node-4"
SEAT: Final = "node-0"


@dataclass
class Seen:
    """What was tried in vain while updates were sealed.

    Attributes:
        asked: phases in which the API and the disk of the full node had nothing.
        contents: of updates by their root, as a seat opened the envelopes that are all a spy got.
    """

    asked: set[str] = field(default_factory=set)
    contents: dict[BlobId, bytes] = field(default_factory=dict)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_full_node_cannot_read_an_update_before_the_rule_opens_it(tmp_path: Path) -> None:
    wish = Wish(nodes=6, validators=4, trainers=1, rounds=3, study=TOY)
    drive = Drive(tmp_path / "net", make_plan(wish), SystemClock())
    seen = Seen()
    try:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(_look(drive, seen, folder=tmp_path / "spy"), name="spy")
            story = await drive.run()
            looking.cancel()
        assert seen.asked >= {Phase.AVAILABILITY.value, Phase.SCORE_COMMIT.value}
        assert seen.contents
        version = story.rounds[-1].version
        async with asked(drive) as network:
            await _is_open(network, seen, version=version, folder=tmp_path / "reader")
    finally:
        if drive.network is not None:
            await drive.network.stop()


async def _look(drive: Drive, seen: Seen, *, folder: Path) -> None:
    """Try to read what is revealed, for as long as rounds run."""
    while drive.campaign is None:  # noqa: ASYNC110 - it is a moment of another task
        await asyncio.sleep(LOOK_S)
    async with asked(drive) as network, spying(network, FULL_NODE, folder=folder) as spy:
        while True:
            running = await _running(network, FULL_NODE)
            for root in _roots(running):
                assert running is not None
                await _is_not_at_the_full_node(network, root)
                seen.asked.add(running.phase)
                if root not in seen.contents:
                    await _is_sealed_on_the_wire(network, spy, running, root, seen)
            await asyncio.sleep(LOOK_S / 2)


async def _is_not_at_the_full_node(network: LocalNetwork, root: BlobId) -> None:
    """Check that the node gives no such blob away, and that its store does not know the name."""
    with pytest.raises(NodeAnswerError) as refusal:
        await network.client(FULL_NODE).blob(root.hex())
    assert refusal.value.status == 404
    assert not _has_on_disk(network, root)


async def _is_sealed_on_the_wire(
    network: LocalNetwork, spy: Spy, running: Round, root: BlobId, seen: Seen
) -> None:
    """Check that an envelope is all that nodes give away, and that only a seat can open it."""
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(spy.reads(root), name="as it is")
        opening = group.create_task(
            spy.opens(SealedRoot(TASK, running.number, root)), name="sealed"
        )
    for name in network.names_of(Part.VALIDATOR):
        later = await _running(network, name)
        if later is None or later.number != running.number:
            # Its round was over while we tried, so it may have been public by then.
            return
    assert not reading.result()
    assert not opening.result()
    for envelope in spy.envelopes():
        _opens_for_no_key_of(spy, envelope)
        content = SeatKeys.of(network, SEAT).open(envelope)
        seen.contents[root_of(content)] = content
        assert not _has_on_disk(network, content)


def _opens_for_no_key_of(spy: Spy, envelope: bytes) -> None:
    """Check that the keys of a full node open no place in an envelope."""
    slots = msgspec.msgpack.decode(envelope, type=Envelope).slots
    assert spy.keys.operator not in {slot.operator for slot in slots}
    for operator in (spy.keys.operator, *(Address(slot.operator) for slot in slots)):
        with pytest.raises(BadEnvelopeError):
            open_envelope(envelope, operator=operator, consensus_key=spy.keys.consensus)


async def _is_open(network: LocalNetwork, seen: Seen, *, version: int, folder: Path) -> None:
    """Check that the same ways lead to the same updates once a version was made of them."""
    client = network.client(FULL_NODE)
    models = [await client.model(TASK, one) for one in range(1, version + 1)]
    used = {BlobId(bytes.fromhex(root)) for model in models for root in model.roots}
    opened = {root: seen.contents[root] for root in used & set(seen.contents)}
    assert opened
    async with spying(network, FULL_NODE, folder=folder) as spy:
        for root, content in opened.items():
            assert await spy.reads(root, limit_ms=CONTROL_MS)
            assert spy.store.read(root) == content
    for model in models:
        await client.model_blobs(TASK, model.version)
    for root, content in opened.items():
        assert await client.blob(root.hex()) == content
        assert _has_on_disk(network, root)
        assert _has_on_disk(network, content)


def _has_on_disk(network: LocalNetwork, wanted: bytes) -> bool:
    """Tell whether the blobs of the full node have these bytes anywhere."""
    files = (path for path in (network.folder / FULL_NODE / "blobs").rglob("*") if path.is_file())
    return any(wanted in path.read_bytes() for path in files)


async def _running(network: LocalNetwork, name: str) -> Round | None:
    with contextlib.suppress(NodeAnswerError):
        # A full node learns of the task a moment after the validators.
        return await network.client(name).running_round(TASK)
    return None


def _roots(running: Round | None) -> list[BlobId]:
    found = () if running is None else (one.root for one in running.updates)
    return [BlobId(bytes.fromhex(root)) for root in found if root]

"""Duties from a configuration, and tasks from an order."""

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fl.jobs.subject import Half
from fl.rules.limits import MEASURES_MAX, WINDOW_MS_MAX, WINDOW_MS_MIN
from fl.worker.machine import MachineClock
from node.config.sections import Columns, Config, TrainingSection, WorkerSection
from node.config.sections import Role as NodeRole
from node.duties.outfit import (
    BlobParts,
    Keys,
    learning_of,
    open_equipment,
    open_room,
    open_steward,
    report_missing_examples,
    roles_of,
    worker_command,
)
from node.duties.publishing import Guard, Windows
from node.duties.room import StoreRoom
from node.duties.scene import Learning
from node.duties.situation import Role
from node.duties.steward import Wishes
from node.execution.local_chain import key_named
from primitives.ids import Address, Digest
from tests.chain.founded import address_of
from tests.duties.hamlet import ORDER, Hamlet, hamlet, toy

HOME = Path("/srv/node")


def test_worker_is_started_as_configured() -> None:
    section = WorkerSection(module="devnet.attacks.worker", options=("--bad",), threads=3)
    command = worker_command(section)
    assert (command.module, command.options, command.threads) == (
        "devnet.attacks.worker",
        ("--bad",),
        3,
    )
    assert worker_command(WorkerSection()).threads >= 1


def test_examples_are_trained_on_and_their_test_half_is_held_out() -> None:
    section = TrainingSection(examples="/folder", columns=Columns(text="body"))
    learning = learning_of(Config(folder=HOME, training=section))
    assert learning.train is not None
    assert learning.held_out is not None
    assert (learning.train.spec, learning.train.half) == ("/folder", Half.TRAIN)
    assert (learning.held_out.spec, learning.held_out.half) == ("/folder", Half.TEST)
    assert (learning.train.text, learning.train.label) == ("body", None)


def test_folders_of_training_count_from_the_folder_of_the_node(tmp_path: Path) -> None:
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    section = TrainingSection(
        examples="data",
        held_out="./apart",
        models={"a/b": "models/tiny", "c/d": "owner/name@main", "e/f": "./later"},
    )
    learning = learning_of(Config(folder=tmp_path, training=section))
    assert learning.train is not None
    assert learning.held_out is not None
    assert learning.train.spec == str(tmp_path / "data")
    assert learning.held_out.spec == str(tmp_path / "apart")
    assert dict(learning.models) == {
        "a/b": str(tmp_path / "models" / "tiny"),
        "c/d": "owner/name@main",
        "e/f": str(tmp_path / "later"),
    }


def test_held_out_alone_makes_a_scorer_that_does_not_train() -> None:
    both = {NodeRole.TRAINER, NodeRole.VALIDATOR}
    learning = learning_of(Config(folder=HOME, training=TrainingSection(held_out="held")))
    assert learning.train is None
    assert learning.held_out is not None
    assert (learning.held_out.spec, learning.held_out.half) == ("/srv/node/held", Half.HELD_OUT)
    assert roles_of(both, learning) == {Role.VALIDATOR, Role.SCORER}


def test_examples_that_are_held_out_too_are_divided_as_for_training() -> None:
    section = TrainingSection(examples="data", held_out="./data")
    learning = learning_of(Config(folder=HOME, training=section))
    assert learning.held_out is not None
    assert learning.held_out.half is Half.TEST


@pytest.mark.parametrize("spec", ["hub:owner/name", "synthetic:notes?seed=1"])
def test_examples_that_are_no_folder_stay_as_they_are(spec: str) -> None:
    section = TrainingSection(examples=spec, models={"a/b": "package:tiny"})
    learning = learning_of(Config(folder=HOME, training=section))
    assert learning.train is not None
    assert learning.train.spec == spec
    assert learning.models == (("a/b", "package:tiny"),)


def test_roles_follow_from_configuration_and_examples() -> None:
    both = {NodeRole.TRAINER, NodeRole.VALIDATOR}
    section = TrainingSection(examples="folder")
    learning = learning_of(Config(folder=HOME, training=section))
    assert roles_of(both, learning) == frozenset(Role)
    assert roles_of(both, Learning()) == {Role.VALIDATOR}
    assert roles_of({NodeRole.TRAINER}, learning) == {Role.TRAINER}
    assert roles_of((), learning) == frozenset()


def test_validator_without_examples_is_told_at_start_that_it_does_not_score() -> None:
    held_out = learning_of(Config(folder=HOME, training=TrainingSection(held_out="held")))
    with capture_logs() as lines:
        report_missing_examples({NodeRole.VALIDATOR}, Learning())
        report_missing_examples({NodeRole.VALIDATOR}, held_out)
        report_missing_examples((), Learning())
    assert [line["event"] for line in lines] == ["this node does not score"]


# Orders.


def test_windows_keep_to_what_the_chain_takes() -> None:
    terms = Windows(training=1, guard=10**15).as_terms()
    assert (terms[0], terms[-1], len(terms)) == (WINDOW_MS_MIN, WINDOW_MS_MAX, 7)


def test_guard_watches_the_loss_then_classes_then_probes() -> None:
    guard = Guard(loss=1, each_class=2, each_probe=3, probes=1)
    assert guard.as_bounds(classes=2) == (1, 2, 2, 3)
    assert guard.as_bounds(classes=MEASURES_MAX) == (1,)
    assert Guard(loss=1).as_bounds(classes=0) == (1,)


def test_few_trainers_may_earn_more_each() -> None:
    def percent(slots: int, given: int = 0) -> int:
        order = replace(ORDER, slots=slots, identity_percent=given)
        return order.offer(document=Digest(bytes(32)), model=Digest(bytes(32))).identity_percent

    assert [percent(slots) for slots in (1, 4, 8, 100)] == [100, 50, 25, 15]
    assert percent(4, 30) == 30


# Everything together.


async def outfitted(place: Hamlet, folder: Path, *, tasks: frozenset[int] | None) -> StoreRoom:
    """Add a node as a composition root would, and let its duties run."""
    villager = await place.settle("validator-0", toy(0))
    borrowed = villager.equipment.blobs
    assert isinstance(borrowed, StoreRoom)
    parts = BlobParts(
        store=borrowed.store,
        fetcher=borrowed.fetcher,
        envelopes=borrowed.envelopes,
        peers=list,
        random_bytes=borrowed.circle.random_bytes,
    )
    chain = place.square.chain
    keys = Keys(account=key_named("validator-0"), consensus=key_named("validator-0 consensus"))
    room = open_room(chain, parts, keys=keys)
    villager.equipment = open_equipment(
        chain,
        wallet=villager.equipment.wallet,
        blobs=room,
        worker=villager.equipment.worker,
        learning=villager.equipment.learning,
        folder=folder / "outfitted",
    )
    villager.steward = open_steward(
        chain,
        villager.equipment,
        roles=frozenset(Role),
        clock=MachineClock(),
        wishes=Wishes(tasks=lambda: tasks),
    )
    await place.register(villager)
    await place.offer(villager)
    place.start(villager)
    return room


@pytest.mark.asyncio
async def test_one_node_alone_may_do_everything(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        room = await outfitted(place, tmp_path, tasks=None)
        await place.until(lambda: place.version() == 1)
        assert room.circle.recipients([address_of("validator-0"), Address(bytes(32))]) == [
            (address_of("validator-0"), key_named("validator-0 consensus").public)
        ]
        assert room.has(Digest(place.reader.task(0).model))


@pytest.mark.asyncio
async def test_task_that_was_not_chosen_is_left_alone(tmp_path: Path) -> None:
    async with hamlet(tmp_path, validators=1) as place:
        await outfitted(place, tmp_path, tasks=frozenset({5}))
        for _ in range(5):
            await place.square.chain.feed.wait_for(lambda _: True)
        assert place.villagers[0].steward.status().tasks == ()
        assert place.phase() is None

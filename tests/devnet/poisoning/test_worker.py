"""An attacking worker does honest jobs with a tiny classifier and sends something else."""

import os
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from devnet.attacks.poisoning.catalogue import attack_named
from devnet.attacks.worker.__main__ import main
from devnet.attacks.worker.ring import Ring
from devnet.attacks.worker.workshop import AttackingWorkshop
from fl.jobs.results import PrepareResult, TrainResult
from fl.rules.update.header import BlobKind, Expectation
from fl.rules.update.rows import Int32s
from fl.training.fixed_point import FRACTION_BITS
from fl.worker.blobs import read_vector
from fl.worker.loop import EXIT_REFUSED
from fl.worker.machine import Machine
from fl.worker.workshop import Workshop
from primitives.ids import Digest
from tests.jobs.clients import IN_A_MINUTE, client_of
from tests.worker.places import (
    prepare_job,
    quiet_desk,
    train_job,
    write_examples,
    write_model,
)

MACHINE = Machine(device="cpu", threads=1)


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked")
    write_model(folder / "model")
    write_examples(folder / "examples")
    return folder


@pytest.fixture(name="prepared", scope="module")
def _prepared(place: Path) -> PrepareResult:
    result = Workshop(MACHINE).perform(prepare_job(place), quiet_desk())
    assert isinstance(result, PrepareResult)
    return result


def _sent(place: Path, prepared: PrepareResult, workshop: Workshop | AttackingWorkshop) -> Int32s:
    result = workshop.perform(train_job(place), quiet_desk())
    assert isinstance(result, TrainResult)
    return _vector(result, prepared)


def _vector(result: TrainResult, prepared: PrepareResult) -> Int32s:
    expected = Expectation(
        kind=BlobKind.UPDATE,
        base_model=Digest(prepared.model),
        tokenizer=Digest(prepared.tokenizer),
        layout=prepared.layouts[0],
    )
    return read_vector(result.update, expected=expected)


def _attacker(name: str, ring: Path | None = None) -> AttackingWorkshop:
    return AttackingWorkshop(MACHINE, attack=attack_named(name), ring=Ring(ring, trainers=20))


@pytest.fixture(name="honest", scope="module")
def _honest(place: Path, prepared: PrepareResult) -> Int32s:
    return _sent(place, prepared, Workshop(MACHINE))


def test_worker_without_an_attack_sends_the_honest_update(
    place: Path, prepared: PrepareResult, honest: Int32s
) -> None:
    assert np.array_equal(_sent(place, prepared, _attacker("none")), honest)


def test_flipped_update_is_the_negative_and_valid(
    place: Path, prepared: PrepareResult, honest: Int32s
) -> None:
    assert np.array_equal(_sent(place, prepared, _attacker("signflip")), -honest)


def test_free_rider_sends_zeros(place: Path, prepared: PrepareResult) -> None:
    assert not _sent(place, prepared, _attacker("zero")).any()


@pytest.mark.parametrize("name", ["labelflip", "backdoor"])
def test_poisoned_examples_lead_elsewhere(
    name: str, place: Path, prepared: PrepareResult, honest: Int32s
) -> None:
    sent = _sent(place, prepared, _attacker(name)).astype(np.float64)
    product = sent @ honest / (np.linalg.norm(sent) * np.linalg.norm(honest))
    assert product < 0.9


def test_replayed_update_is_the_one_of_the_round_before(
    place: Path, prepared: PrepareResult, honest: Int32s
) -> None:
    attacker = _attacker("replay")
    assert not _sent(place, prepared, attacker).any()
    assert np.array_equal(_sent(place, prepared, attacker), honest)


def test_attackers_of_one_ring_see_each_other(tmp_path: Path) -> None:
    """In the order in which they came, whoever has which number."""
    first, second = (Ring(tmp_path, trainers=20, attackers=2, number=n) for n in (1, 0))
    ones, zeros = np.ones(3), np.zeros(3)
    assert first.share(ones, round_number=1).tolist() == [[1, 1, 1]]
    # Two files of one tick of the clock are in the order of their names.
    os.utime(tmp_path / "round-1" / "1.npy", ns=(0, 0))
    assert second.share(zeros, round_number=1).tolist() == [[1, 1, 1], [0, 0, 0]]


def test_sybils_send_what_the_first_of_them_has(
    place: Path, prepared: PrepareResult, tmp_path: Path
) -> None:
    ring = tmp_path / "ring"
    first = Ring(ring, trainers=20, attackers=2, number=7)
    layout = prepared.layouts[0]
    first.share(np.full(layout.size, 0.5), round_number=0)
    sent = _sent(place, prepared, _attacker("sybil", ring))
    assert sent == pytest.approx(1 << (FRACTION_BITS - 1), rel=0.05)


def test_noise_of_two_attackers_is_not_the_same(
    place: Path, prepared: PrepareResult, tmp_path: Path
) -> None:
    sent = [
        _sent(
            place,
            prepared,
            AttackingWorkshop(
                MACHINE,
                attack=attack_named("noise"),
                ring=Ring(tmp_path / f"ring-{number}", trainers=20, attackers=2, number=number),
            ),
        )
        for number in (0, 1)
    ]
    assert not np.array_equal(sent[0], sent[1])


def test_lone_attacker_knows_only_itself() -> None:
    ring = Ring(None, trainers=20)
    assert ring.share(np.ones(3), round_number=0).shape == (1, 3)
    assert ring.number == 0


def test_labels_of_a_language_model_cannot_be_flipped(place: Path) -> None:
    job = train_job(place)
    frozen = msgspec.structs.replace(
        job.subject.frozen, kind=type(job.subject.frozen.kind).CAUSAL_LM
    )
    causal = msgspec.structs.replace(
        job, subject=msgspec.structs.replace(job.subject, frozen=frozen)
    )
    perform = partial(_attacker("labelflip").perform, causal, quiet_desk())
    with pytest.raises(Exception, match="classes"):
        perform()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_node_names_the_attack_on_the_command_line_of_the_worker(
    place: Path, prepared: PrepareResult, tmp_path: Path
) -> None:
    options = ("--attack", "zero", "--ring", str(tmp_path / "ring"), "--trainers", "20")
    client = client_of("devnet.attacks.worker", options=options, memory_bytes_max=4 << 30)
    async with client:
        result = await client.run(train_job(place), terms=IN_A_MINUTE)
    assert not _vector(result, prepared).any()
    assert len(list((tmp_path / "ring" / "round-0").glob("*.npy"))) == 1


def test_unknown_attack_ends_the_worker_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--attack", "bribe", "--fd", "0"]) == EXIT_REFUSED
    assert "bribe" in capsys.readouterr().err

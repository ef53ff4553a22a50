"""Every fuzz target, briefly: its seeds get through, changes of them raise what is declared."""

import itertools
import random

import pytest

from primitives.errors import MalformedBytesError
from tests.fuzz.__main__ import main
from tests.fuzz.engine import Report, run_seeded
from tests.fuzz.job_targets import JOB_TARGETS
from tests.fuzz.ledger_targets import LEDGER_TARGETS
from tests.fuzz.mutation import BYTES_MAX, mutate
from tests.fuzz.rooms import JOB_TARGETS as JOB_NAMES
from tests.fuzz.rooms import NODE_TARGETS, RULES_TARGETS, rooms_of
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.fuzz.update_targets import UPDATE_TARGETS
from tests.fuzz.vm_targets import VM_TARGETS

EXECUTIONS = {"core": 5, "vm": 2, "contract-source": 2}

over_targets = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())


def run(target: Target, *, seed: int, executions: int) -> Report:
    """Run a target so many times."""
    ticks = itertools.count()
    return run_seeded(
        target,
        seed=seed,
        clock_s=lambda: next(ticks),
        is_over=lambda count: count >= executions,
    )


@over_targets
def test_seeds_get_through(target: Target) -> None:
    assert all(target.feed(raw) for raw in target.seeds)


@over_targets
def test_bytes_of_a_peer_raise_nothing_but_what_is_declared(target: Target) -> None:
    executions = EXECUTIONS.get(target.name, 400)
    report = run(target, seed=1, executions=executions)
    assert report.crash is None, str(report)
    assert report.executions == executions


@pytest.mark.slow
@over_targets
def test_many_bytes_of_a_peer_raise_nothing_but_what_is_declared(target: Target) -> None:
    report = run(target, seed=2, executions=EXECUTIONS.get(target.name, 400) * 25)
    assert report.crash is None, str(report)


@over_targets
def test_same_seed_makes_the_same_bytes(target: Target) -> None:
    def changes(seed: int) -> list[bytes]:
        dice = random.Random(seed)
        return [mutate(target.seeds[0], dice=dice, seeds=target.seeds) for _ in range(20)]

    assert changes(5) == changes(5)
    assert len(set(changes(5))) > 10
    assert all(len(raw) <= BYTES_MAX for raw in changes(6))


def test_targets_of_the_node_are_guided_by_its_coverage() -> None:
    assert {target.name for target in (*LEDGER_TARGETS, *VM_TARGETS)} == NODE_TARGETS
    assert all("node" in rooms_of(name) for name in NODE_TARGETS)
    assert "consensus" in rooms_of("block")


def test_targets_of_training_are_guided_without_loading_torch() -> None:
    assert {target.name for target in UPDATE_TARGETS} == RULES_TARGETS
    assert {target.name for target in JOB_TARGETS} == JOB_NAMES
    assert all("fl.rules" in rooms_of(name) for name in RULES_TARGETS)
    assert all("fl.jobs" in rooms_of(name) for name in JOB_NAMES)


def fragile(raw: bytes) -> None:
    """Refuse most bytes and break on one of them."""
    if b"\x07" in raw:
        raise ValueError(raw)
    raise MalformedBytesError("as declared")


def test_crash_comes_with_the_bytes_that_cause_it() -> None:
    target = Target("fragile", fragile, (MalformedBytesError,), (b"\x06",))
    report = run(target, seed=1, executions=10_000)
    assert report.crash is not None
    assert b"\x07" in report.crash
    assert "ValueError" in report.trace
    assert report.crash.hex() in str(report)


def test_command_line_runs_a_target_and_replays_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    raw = TARGETS["evidence"].seeds[0]
    assert main(["--target", "evidence", "--input", raw.hex()]) == 0
    assert main(["--target", "evidence", "--input", "c1"]) == 0
    printed = capsys.readouterr().out
    assert "got through" in printed
    assert "refused as declared" in printed


@pytest.mark.slow
def test_command_line_fuzzes_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--target", "all", "--seconds", "6", "--engine", "seeded"]) == 0
    assert capsys.readouterr().out.count("ok") == len(TARGETS)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["evidence", "yamux", "key-proof", "vm"])
def test_command_line_is_guided_by_coverage_where_it_can_be(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--target", target, "--seconds", "2"]) == 0
    assert "ok" in capsys.readouterr().out

"""The store and the journal that simulated nodes run on are a store and a journal."""

from random import Random

import pytest
from typing_extensions import override

from devnet.simulator.kernel.disk import Disk
from devnet.simulator.kernel.scheduler import Scheduler
from devnet.simulator.validators.store import SimulatedBlockStore, SimulatedJournal
from primitives.ids import Epoch
from tests.conformance.block_store import (
    CONTEXT,
    CRASH_CASES,
    JOURNAL_CASES,
    STORE_CASES,
    CrashCase,
    JournalCase,
    StoreCase,
)
from tests.consensus.driving import Call, Trace, WatchedStore


class LoadedDice(Random):
    """Dice that always fall alike."""

    def __init__(self, draw: float) -> None:
        super().__init__(0)
        self._draw = draw

    @override
    def random(self) -> float:
        return self._draw


class SimulatedDisk:
    """A simulated disk with one store on it, which counts what is not synced."""

    def __init__(self) -> None:
        self.disk = Disk(Scheduler(seed=1), Random(1))
        self.trace: Trace = []

    def open(self) -> WatchedStore:
        return WatchedStore(SimulatedBlockStore(self.disk, CONTEXT), self.trace)

    @property
    def unsynced_count(self) -> int:
        names = ["sync", *(call.name for call in self.trace)]
        return names[::-1].index("sync")

    def crash(self, *, lost: int) -> None:
        count = self.unsynced_count
        self.disk.crash(LoadedDice((count - lost + 0.5) / (count + 1)))
        self.trace.append(Call("sync", None))


class SimulatedJournalDisk:
    """A simulated disk with a journal."""

    def __init__(self) -> None:
        self.disk = Disk(Scheduler(seed=1), Random(1))
        self.open().create()

    def open(self) -> SimulatedJournal:
        return SimulatedJournal(self.disk, Epoch(0))

    def lose(self) -> None:
        self.disk.wipe()


@pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.__name__)
def test_simulated_store_conforms(case: StoreCase) -> None:
    case(SimulatedDisk)


@pytest.mark.parametrize("case", CRASH_CASES, ids=lambda case: case.__name__)
def test_simulated_store_survives_a_crash(case: CrashCase) -> None:
    case(SimulatedDisk)


@pytest.mark.parametrize("case", JOURNAL_CASES, ids=lambda case: case.__name__)
def test_simulated_journal_conforms(case: JournalCase) -> None:
    case(SimulatedJournalDisk)

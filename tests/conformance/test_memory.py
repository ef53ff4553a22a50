"""The store in memory, which the tests of consensus run on, is a store."""

import pytest

from tests.conformance.block_store import (
    CRASH_CASES,
    JOURNAL_CASES,
    STORE_CASES,
    CrashCase,
    JournalCase,
    StoreCase,
)
from tests.conformance.memory import MemoryDisk, MemoryJournal


@pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.__name__)
def test_store_in_memory_conforms(case: StoreCase) -> None:
    case(MemoryDisk)


@pytest.mark.parametrize("case", CRASH_CASES, ids=lambda case: case.__name__)
def test_store_in_memory_survives_a_crash(case: CrashCase) -> None:
    case(MemoryDisk)


@pytest.mark.parametrize("case", JOURNAL_CASES, ids=lambda case: case.__name__)
def test_journal_in_memory_conforms(case: JournalCase) -> None:
    case(MemoryJournal)

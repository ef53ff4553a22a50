"""An older database becomes the present one, step by step, and a crash leaves it at a step."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from node.storage.batch import WriteBatch
from node.storage.environment import MapLimits
from node.storage.errors import DatabaseFullError, ForeignDatabaseError
from node.storage.schema import Schema
from node.storage.table import Number, RawBytes, Table
from node.storage.transaction import WriteTransaction
from primitives.errors import StorageError
from tests.storage.places import IDENTITY, SMALL, open_at, opened
from tests.tidy.sources import ROOT

TEXTS: Table[int, bytes] = Table("texts", key=Number(), value=RawBytes())
SIZES: Table[int, int] = Table("sizes", key=Number(), value=Number())
LOUD: Table[int, bytes] = Table("loud", key=Number(), value=RawBytes())


def count_sizes(step: WriteTransaction) -> None:
    """Add a table that follows from another."""
    for key, text in step.scan(TEXTS):
        step.put(SIZES, key, len(text))


def speak_up(step: WriteTransaction) -> None:
    """Move everything to a table of another name, and leave one record out."""
    for key, text in list(step.scan(TEXTS)):
        step.put(LOUD, key, text.upper())
    step.drop(TEXTS)
    step.delete(SIZES, 1)


FIRST = Schema(purpose="test", tables=(TEXTS,))
SECOND = Schema(purpose="test", tables=(TEXTS, SIZES), migrations=(count_sizes,))
THIRD = Schema(purpose="test", tables=(LOUD, SIZES), migrations=(count_sizes, speak_up))

KILLED_DURING = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from tests.storage.places import open_at
from tests.storage.test_migration import THIRD

def dying(migration, moment):
    def run(step):
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        migration(step)
        os.kill(os.getpid(), signal.SIGKILL)
    return run

step, moment = int(sys.argv[2]), sys.argv[3]
migrations = list(THIRD.migrations)
migrations[step] = dying(migrations[step], moment)
open_at(Path(sys.argv[1]), schema=replace(THIRD, migrations=tuple(migrations)))
"""


def write_first(folder: Path) -> None:
    """Make a database of the first version."""
    with opened(folder, schema=FIRST) as (_, writer):
        from_one = {1: b"one", 2: b"three"}
        for key, text in from_one.items():
            writer.write(texts(key, text))


def texts(key: int, text: bytes) -> WriteBatch:
    batch = WriteBatch()
    batch.put(TEXTS, key, text)
    return batch


def check_third(folder: Path) -> None:
    """Check that the database is of the third version, with everything in it."""
    with (
        open_at(folder, schema=THIRD) as environment,
        environment.snapshot() as snapshot,
    ):
        assert environment.stamp.version == 3
        assert dict(snapshot.scan(LOUD)) == {1: b"ONE", 2: b"THREE"}
        assert dict(snapshot.scan(SIZES)) == {2: 5}


def test_two_steps_lead_to_the_present_version(tmp_path: Path) -> None:
    write_first(tmp_path)
    with open_at(tmp_path, schema=SECOND) as environment, environment.snapshot() as snapshot:
        assert environment.stamp.version == 2
        assert dict(snapshot.scan(SIZES)) == {1: 3, 2: 5}
    check_third(tmp_path)
    check_third(tmp_path)


def test_two_steps_are_taken_at_once(tmp_path: Path) -> None:
    write_first(tmp_path)
    check_third(tmp_path)


def test_new_database_is_of_the_present_version(tmp_path: Path) -> None:
    with open_at(tmp_path, schema=THIRD) as environment, environment.snapshot() as snapshot:
        assert environment.stamp.version == 3
        assert list(snapshot.scan(LOUD)) == []


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_kill_at_a_step_leaves_the_version_before_it(
    step: int, moment: str, tmp_path: Path
) -> None:
    write_first(tmp_path)
    command = [sys.executable, "-c", KILLED_DURING, str(tmp_path), str(step), moment]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    left = (FIRST, SECOND)[step]
    with open_at(tmp_path, schema=left) as environment, environment.snapshot() as snapshot:
        assert environment.stamp.version == step + 1
        assert dict(snapshot.scan(TEXTS)) == {1: b"one", 2: b"three"}
    check_third(tmp_path)


def test_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    def fail(step: WriteTransaction) -> None:
        count_sizes(step)
        raise StorageError("not today")

    write_first(tmp_path)
    with pytest.raises(StorageError, match="not today"):
        open_at(tmp_path, schema=replace(SECOND, migrations=(fail,)))
    check_third(tmp_path)


def test_foreign_database_is_not_migrated(tmp_path: Path) -> None:
    write_first(tmp_path)
    with pytest.raises(ForeignDatabaseError):
        open_at(tmp_path, schema=THIRD, identity=replace(IDENTITY, node_id=b"another"))
    with open_at(tmp_path, schema=FIRST) as environment:
        assert environment.stamp.version == 1


def test_step_that_needs_more_room_gets_it(tmp_path: Path) -> None:
    def swell(step: WriteTransaction) -> None:
        for key in range(40):
            step.put(SIZES, key, key)
            step.put(TEXTS, 100 + key, bytes(100_000))

    write_first(tmp_path)
    schema = replace(SECOND, migrations=(swell,))
    with pytest.raises(DatabaseFullError):
        open_at(tmp_path, schema=schema, limits=MapLimits(bytes_first=1 << 20, bytes_max=1 << 21))
    with open_at(tmp_path, schema=schema, limits=SMALL) as environment:
        assert environment.map_bytes >= 4_000_000
        with environment.snapshot() as snapshot:
            assert snapshot.get(SIZES, 39) == 39

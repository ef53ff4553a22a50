"""No journal is ever taken for an older or an emptier one than it is."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from consensus.events import JournalEntry
from node.storage.errors import (
    ForeignDatabaseError,
    JournalBackwardError,
    JournalDamagedError,
    JournalLostError,
    StorageInUseError,
    WriterStoppedError,
)
from node.storage.signer_journal import (
    HEADER_SIZE_BYTES,
    RECORD_SIZE_BYTES,
    FileJournal,
    JournalOwner,
    LostJournal,
    open_or_mourn,
)
from primitives.errors import StorageError
from primitives.ids import Digest, Epoch, Round
from tests.tidy.sources import ROOT

OWNER: Final = JournalOwner(epoch=Epoch(3), genesis=Digest(b"g" * 32), public_key=b"k" * 32)

FILL: Final = """
import resource, signal, sys
from pathlib import Path
from node.storage.errors import DiskFullError, WriterStoppedError
from node.storage.signer_journal import FileJournal
from tests.storage.test_signer_journal import OWNER, entry
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
journal = FileJournal.open(Path(sys.argv[1]), OWNER)
signed = 0
try:
    while True:
        journal.append((entry(signed + 1),))
        signed += 1
except DiskFullError as error:
    print(signed, error)
try:
    journal.last()
except WriterStoppedError as error:
    print(error)
"""


def entry(number: int) -> JournalEntry:
    """Return the entry of a round."""
    return JournalEntry(OWNER.epoch, Round(number), Digest(number.to_bytes(32, "big")))


def journal_of(path: Path, *numbers: int) -> Path:
    """Make a journal with these rounds, and close it."""
    journal = FileJournal.create(path, OWNER)
    journal.append(tuple(entry(number) for number in numbers))
    journal.close()
    return path


def last_of(path: Path, owner: JournalOwner = OWNER) -> JournalEntry | None:
    """Open a journal, and return its last entry."""
    journal = FileJournal.open(path, owner)
    try:
        return journal.last()
    finally:
        journal.close()


def test_journal_that_was_never_used_is_empty(tmp_path: Path) -> None:
    assert last_of(journal_of(tmp_path / "journal")) is None


def test_missing_journal_is_lost_and_not_empty(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with pytest.raises(JournalLostError) as loss:
        FileJournal.open(path, OWNER)
    assert loss.value.path == path
    assert not path.exists()


def test_stand_in_for_a_lost_journal_lets_nothing_be_signed(tmp_path: Path) -> None:
    journal = open_or_mourn(tmp_path / "journal", OWNER)
    assert isinstance(journal, LostJournal)
    with pytest.raises(JournalLostError):
        journal.last()
    with pytest.raises(JournalLostError):
        journal.append((entry(1),))


def test_journal_is_not_made_over_another(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal", 1, 2)
    with pytest.raises(StorageError, match="already"):
        FileJournal.create(path, OWNER)
    assert last_of(path) == entry(2)


def test_creation_that_was_cut_short_leaves_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.new").write_bytes(b"half")
    with pytest.raises(JournalLostError):
        FileJournal.open(tmp_path / "journal", OWNER)
    assert last_of(journal_of(tmp_path / "journal", 1)) == entry(1)


@pytest.mark.parametrize("rounds", [(5,), (4,), (6, 6), (7, 6), (6, 0)])
def test_journal_never_goes_backward(rounds: tuple[int, ...], tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal", 1, 5)
    journal = FileJournal.open(path, OWNER)
    with pytest.raises(JournalBackwardError) as refusal:
        journal.append(tuple(entry(number) for number in rounds))
    assert refusal.value.refused == rounds[-1]
    assert journal.last() == entry(5)
    journal.append((entry(8),))
    journal.close()
    assert last_of(path) == entry(8)


def test_entry_of_another_epoch_is_refused(tmp_path: Path) -> None:
    journal = FileJournal.create(tmp_path / "journal", OWNER)
    with pytest.raises(JournalBackwardError):
        journal.append((replace_epoch(entry(9)),))
    journal.close()


def replace_epoch(signed: JournalEntry) -> JournalEntry:
    """Return the entry as one of the epoch after."""
    return JournalEntry(Epoch(signed.epoch + 1), signed.round, signed.digest)


@pytest.mark.parametrize(
    ("subject", "owner"),
    [
        ("epoch", replace(OWNER, epoch=Epoch(4))),
        ("chain or committee", replace(OWNER, genesis=Digest(b"x" * 32))),
        ("key", replace(OWNER, public_key=b"x" * 32)),
    ],
)
def test_foreign_journal_is_refused(subject: str, owner: JournalOwner, tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal", 1)
    with pytest.raises(ForeignDatabaseError) as refusal:
        FileJournal.open(path, owner)
    assert refusal.value.subject == subject
    assert isinstance(open_or_mourn(path, owner), LostJournal)


def test_journal_in_use_is_refused(tmp_path: Path) -> None:
    journal = FileJournal.create(tmp_path / "journal", OWNER)
    for opening in (FileJournal.open, open_or_mourn):
        with pytest.raises(StorageInUseError):
            opening(tmp_path / "journal", OWNER)
    journal.close()
    with pytest.raises(WriterStoppedError):
        journal.last()


def test_record_that_was_cut_short_is_cut_off(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal", 1, 2, 3)
    whole = path.read_bytes()
    for missing in range(1, RECORD_SIZE_BYTES):
        path.write_bytes(whole[:-missing])
        assert last_of(path) == entry(2)
        assert path.read_bytes() == whole[:-RECORD_SIZE_BYTES]
    journal = FileJournal.open(path, OWNER)
    journal.append((entry(4),))
    journal.close()
    assert last_of(path) == entry(4)


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal", 1, 2, 7)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(JournalDamagedError) as failure:
            FileJournal.open(path, OWNER)
        assert failure.value.offset <= place < failure.value.offset + HEADER_SIZE_BYTES
    path.write_bytes(whole)
    assert last_of(path) == entry(7)


@pytest.mark.parametrize("left_out", [0, 1])
def test_record_that_is_missing_in_the_middle_is_noticed(left_out: int, tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal", 1, 2, 3)
    whole = path.read_bytes()
    start = HEADER_SIZE_BYTES + left_out * RECORD_SIZE_BYTES
    path.write_bytes(whole[:start] + whole[start + RECORD_SIZE_BYTES :])
    with pytest.raises(JournalDamagedError):
        FileJournal.open(path, OWNER)


def test_header_that_was_cut_short_is_damage(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(JournalDamagedError, match="byte 0"):
        FileJournal.open(path, OWNER)


def test_long_journal_is_read_in_pieces(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal", *range(1, 20_001))
    assert last_of(path) == entry(20_000)


def test_path_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"File exists|Not a directory"):
        FileJournal.create(tmp_path / "file" / "journal", OWNER)
    with pytest.raises(StorageError, match="Is a directory"):
        FileJournal.open(tmp_path, OWNER)


def test_full_disk_lets_nothing_more_be_signed(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "journal")
    command = [sys.executable, "-c", FILL, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    full, stopped = ended.stdout.splitlines()
    signed = int(full.split()[0])
    assert "the disk is full" in full
    assert "the writer has stopped" in stopped
    assert signed == (1_000 - HEADER_SIZE_BYTES) // RECORD_SIZE_BYTES
    assert last_of(path) == entry(signed)

"""Records of rounds are kept within bounds, and a bad disk costs nothing but explanations."""

from pathlib import Path

import msgspec

from node.federation.sights import SeenUpdate
from node.rpc.round_record import RoundRecord, SeenRung
from node.rpc.round_shelf import ASIDE, RECORDS_MAX, RoundShelf
from node.storage.disk import Reserve
from primitives.ids import Address, Height

UPDATE = SeenUpdate(
    trainer=Address(bytes(32)),
    registered_at=Height(1),
    committed_at=Height(2),
    root=b"",
    is_judged=False,
    score=0,
    band=0,
    norm=0,
    original=0,
    cluster=0,
    reason=0,
    weight=0,
    gain=0,
    sharers=1,
)


def record(number: int, *, is_ended: bool = True) -> RoundRecord:
    rung = SeenRung(number=0, weights=(1,), height=None, votes=((0, b"hash"),))
    return RoundRecord(task=1, number=number, updates=(UPDATE,), rungs=(rung,), is_ended=is_ended)


def test_rounds_that_ended_are_found_after_a_restart(tmp_path: Path) -> None:
    shelf = RoundShelf(tmp_path / "rounds")
    shelf.put(record(1))
    shelf.put(record(2, is_ended=False))
    again = RoundShelf(tmp_path / "rounds")
    assert again.get(1, 1) == record(1)
    assert again.get(1, 2) is None


def test_oldest_files_go_first(tmp_path: Path) -> None:
    shelf = RoundShelf(tmp_path, files_max=3)
    for number in range(6):
        shelf.put(record(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "round-1-3.json",
        "round-1-4.json",
        "round-1-5.json",
    ]
    assert shelf.get(1, 0) == record(0)


def test_memory_is_bounded() -> None:
    shelf = RoundShelf()
    for number in range(RECORDS_MAX + 1):
        shelf.put(record(number))
    assert shelf.get(1, 0) is None
    assert shelf.get(1, RECORDS_MAX) is not None


def test_file_that_is_no_record_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "round-1-1.json").write_bytes(b"{")
    (tmp_path / "round-1-2.json").write_bytes(msgspec.json.encode({"task": "x"}))
    (tmp_path / "round-1-3.json").mkdir()
    shelf = RoundShelf(tmp_path)
    assert [shelf.get(1, number) for number in (1, 2, 3)] == [None] * 3


def test_disk_that_takes_nothing_is_survived(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    shelf = RoundShelf(blocked / "rounds")
    shelf.put(record(1))
    assert shelf.get(1, 1) == record(1)


def test_reading_displaces_no_round_that_runs(tmp_path: Path) -> None:
    shelf = RoundShelf(tmp_path)
    for number in range(RECORDS_MAX + 1):
        shelf.put(record(number))
    running = record(RECORDS_MAX + 1, is_ended=False)
    shelf.put(running)
    for number in range(RECORDS_MAX + 1):
        assert shelf.get(1, number) is not None
    assert shelf.get(1, running.number) == running


def test_rounds_that_run_are_bounded_and_leave_when_they_end() -> None:
    shelf = RoundShelf()
    for number in range(RECORDS_MAX + 1):
        shelf.put(record(number, is_ended=False))
    assert [shelf.get(1, number) is None for number in (0, 1)] == [True, False]
    shelf.put(record(1))
    assert shelf.get(1, 1) == record(1)


def test_rounds_without_updates_displace_no_others(tmp_path: Path) -> None:
    shelf = RoundShelf(tmp_path, files_max=1)
    shelf.put(record(1))
    shelf.put(record(2, is_ended=False))
    for is_ended in (False, True):
        for number in range(3, RECORDS_MAX + 3):
            shelf.put(RoundRecord(task=1, number=number, is_ended=is_ended))
    assert [path.name for path in tmp_path.iterdir()] == ["round-1-1.json"]
    assert shelf.get(1, 2) is not None


def test_file_of_another_chain_or_round_is_as_good_as_none(tmp_path: Path) -> None:
    RoundShelf(tmp_path, chain_id=b"old").put(record(1))
    shelf = RoundShelf(tmp_path, chain_id=b"new")
    assert shelf.get(1, 1) is None
    shelf.put(record(1))
    (tmp_path / "round-1-1.json").rename(tmp_path / "round-1-2.json")
    again = RoundShelf(tmp_path, chain_id=b"new")
    assert again.get(1, 2) is None


def test_file_that_is_nested_without_end_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "round-1-1.json").write_bytes(b'{"a":' + b"[" * 1_000_000)
    assert RoundShelf(tmp_path).get(1, 1) is None


def test_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "round-1-1.json").mkdir()
    shelf = RoundShelf(tmp_path)
    shelf.put(record(1))
    assert not (tmp_path / ASIDE).exists()
    assert shelf.get(1, 1) == record(1)


def test_disk_that_is_nearly_full_is_left_alone(tmp_path: Path) -> None:
    shelf = RoundShelf(tmp_path, reserve=Reserve(percent=101, bytes_max=1 << 62))
    shelf.put(record(1))
    assert list(tmp_path.iterdir()) == []
    assert shelf.get(1, 1) == record(1)

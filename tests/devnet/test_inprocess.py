"""The in-process devnet: its stores conform, its nodes agree, and its report can say otherwise."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from consensus.commit import Commit, CommittedSubDag, commit_digest
from consensus.events import (
    AlarmKind,
    CloseEpoch,
    JournalEntry,
    PayloadReturned,
    RaiseAlarm,
    ReportPeer,
)
from devnet.inprocess.chain import Chain, NodeEpochs, genesis_ms
from devnet.inprocess.cli import app
from devnet.inprocess.devnet import Devnet, Settings
from devnet.inprocess.logs import FileLog, MemoryLog
from devnet.inprocess.network import ARRIVALS_MAX, MemoryNetwork
from devnet.inprocess.record import Agreement, EpochSink, NodeRecord
from devnet.inprocess.report import Report, percentile, render
from devnet.inprocess.store import LoggedBlockStore, LoggedJournal
from node.running.clock import SystemClock
from primitives.errors import StorageError
from primitives.ids import AuthorityIndex, CommitIndex
from tests.conformance.block_store import (
    CONTEXT,
    JOURNAL_CASES,
    ROUNDS,
    STORE_CASES,
    JournalCase,
    StoreCase,
    commit_of,
)
from tests.consensus.builders import digest_of

NODES = tuple(AuthorityIndex(node) for node in range(3))


class MemoryLogDisk:
    """Outlives stores in memory."""

    def __init__(self) -> None:
        self.log = MemoryLog()

    def open(self) -> LoggedBlockStore:
        return LoggedBlockStore(self.log)


class FileDisk:
    """A folder with a store and a journal; what was opened before is flushed, not closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs: list[FileLog] = []

    def log(self, name: str) -> FileLog:
        for log in self.logs:
            log.sync()
        self.logs.append(FileLog.open(self.folder / name))
        return self.logs[-1]

    def open(self) -> LoggedBlockStore:
        return LoggedBlockStore(self.log("blocks"))

    def close(self) -> None:
        for log in self.logs:
            log.close()


class FileJournalDisk(FileDisk):
    """The same with a journal."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_lost = False

    def open(self) -> LoggedJournal:  # type: ignore[override, explicit-override]
        return LoggedJournal(None if self.is_lost else self.log("journal"))

    def lose(self) -> None:
        self.is_lost = True


@pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.__name__)
def test_store_over_a_log_in_memory_conforms(case: StoreCase) -> None:
    case(MemoryLogDisk)


@pytest.mark.parametrize("case", STORE_CASES, ids=lambda case: case.__name__)
def test_store_over_a_file_conforms(case: StoreCase, tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    case(lambda: disk)
    disk.close()


@pytest.mark.parametrize("case", JOURNAL_CASES, ids=lambda case: case.__name__)
def test_journal_over_a_file_conforms(case: JournalCase, tmp_path: Path) -> None:
    disk = FileJournalDisk(tmp_path)
    case(lambda: disk)
    disk.close()


def test_record_that_was_cut_short_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = FileLog.open(path)
    for record in (b"first", b"", b"third"):
        log.append(record)
    log.close()
    whole = path.read_bytes()
    for size in range(len(whole) - 1, len(whole) - len(b"third") - 8, -1):
        path.write_bytes(whole[:size])
        again = FileLog.open(path)
        assert again.records() == [b"first", b""]
        again.append(b"anew")
        again.close()
        last = FileLog.open(path)
        assert last.records() == [b"first", b"", b"anew"]
        last.close()


def test_damaged_record_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = FileLog.open(path)
    log.append(b"first")
    log.close()
    path.write_bytes(path.read_bytes().replace(b"first", b"worst"))
    with pytest.raises(StorageError, match="damaged"):
        FileLog.open(path)


def test_disk_that_fails_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="directory"):
        FileLog.open(tmp_path)
    file = Path("/dev/full").open("wb")  # noqa: SIM115 - closing it fails too
    full = FileLog(file, [])
    full.append(b"x")
    with pytest.raises(StorageError, match="No space left"):
        full.sync()
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_missing_journal_is_lost_only_where_blocks_are(tmp_path: Path) -> None:
    chain = Chain(1, starts_at_ms=0, epoch_ms=None)
    record = NodeRecord(NODES[0], Agreement(1), clock=SystemClock())

    def journal_of() -> JournalEntry | None:
        with NodeEpochs(
            chain,
            NODES[0],
            folder=tmp_path,
            make_sink=lambda context: EpochSink(record, context),
        ) as epochs:
            return epochs.open(chain.first).journal.last()

    assert journal_of() is None
    (journal,) = tmp_path.glob("*/journal")
    (blocks,) = tmp_path.glob("*/blocks")
    blocks.unlink()
    assert journal_of() is None
    journal.unlink()
    with pytest.raises(StorageError, match="missing"):
        journal_of()


def test_chain_in_a_folder_keeps_its_genesis(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    assert genesis_ms(folder, now_ms=5) == genesis_ms(folder, now_ms=9) == 5
    (folder / "genesis-ms").write_text("soon")
    with pytest.raises(StorageError, match="genesis-ms"):
        genesis_ms(folder, now_ms=5)


def test_next_epoch_follows_the_closing_commit() -> None:
    chain = Chain(4, starts_at_ms=1_000, epoch_ms=500)
    assert chain.first.span.closes_at_ms == 1_500
    closing = commit_of(1, *ROUNDS[0])
    second = chain.after(chain.first, closing)
    assert (second.epoch, second.span.starts_at_ms, second.span.closes_at_ms) == (1, 1, 501)
    other = chain.after(chain.first, commit_of(2, *ROUNDS[1]))
    assert second.genesis_digest != other.genesis_digest


def test_network_delivers_in_order_and_loses_what_nobody_takes() -> None:
    async def main() -> None:
        network = MemoryNetwork(3, latency_ms=1)
        first, second, third = (network.end(node) for node in NODES)
        await first.broadcast(b"to all")
        await first.send(NODES[1], b"to one")
        assert [await second.receive() for _ in range(2)] == [(0, b"to all"), (0, b"to one")]
        assert await third.receive() == (0, b"to all")
        for _ in range(ARRIVALS_MAX + 5):
            await second.send(NODES[0], b"x")
        assert network.lost_count == 5

    asyncio.run(main())


def sub_dag_of(commit: Commit) -> CommittedSubDag:
    """Return a commit with its blocks."""
    blocks = tuple(ROUNDS[commit.index - 1])
    return CommittedSubDag(commit, digest=commit_digest(commit), blocks=blocks)


def test_agreement_counts_what_everybody_delivered() -> None:
    agreement = Agreement(3)
    sub_dag = sub_dag_of(commit_of(1, *ROUNDS[0]))
    for node in NODES:
        assert agreement.commits_count == 0
        agreement.note(node, CONTEXT, sub_dag)
    assert (agreement.commits_count, agreement.last_digest) == (1, sub_dag.digest)
    assert agreement.conflict is None


def test_two_digests_of_one_commit_are_a_conflict() -> None:
    agreement = Agreement(3)
    right = commit_of(1, *ROUNDS[0])
    wrong = msgspec.structs.replace(right, timestamp_ms=7)
    for node, commit in zip(NODES, (right, wrong, right), strict=True):
        agreement.note(node, CONTEXT, sub_dag_of(commit))
    assert agreement.conflict is not None
    assert agreement.conflict.startswith("epoch 0 commit 1: node 0 has ")


class StoppedClock:
    """A clock for figures."""

    def monotonic_ms(self) -> int:
        return 0

    def wall_ms(self) -> int:
        return 2


def test_record_counts_new_commits_and_measures_own_blocks() -> None:
    record = NodeRecord(NODES[1], Agreement(3), clock=StoppedClock())
    for index in (1, 2):
        commit = commit_of(index, *ROUNDS[index - 1])
        void = (ROUNDS[index - 1][0].ref,)
        record.deliver(CONTEXT, sub_dag_of(msgspec.structs.replace(commit, void=void)))
    # The first commit is stamped before this process began.
    assert (record.commits_count, list(record.finality_ms), record.round) == (1, [2], 2)
    for notice in (
        RaiseAlarm(AlarmKind.JOURNAL_LOST, ""),
        ReportPeer(NODES[2], "rude"),
        PayloadReturned((b"a", b"b")),
        CloseEpoch(CommitIndex(1), digest_of(1)),
    ):
        record.notify(notice)
    assert record.alarms == {"JOURNAL_LOST": 1}
    assert (record.reports_count, record.returned_count) == (1, 2)


def test_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([], 50) is None
    assert percentile([7], 99) == 7
    assert [percentile(range(1, 101), percent) for percent in (0, 50, 99, 100)] == [1, 50, 99, 100]


def test_report_tells_disagreement_and_idleness() -> None:
    devnet = Devnet.create(Settings(nodes=3))
    assert devnet.report().verdict == "no-progress"
    devnet.agreement.conflict = "node 0 has this, node 1 has that"
    report = devnet.report()
    assert (report.verdict, report.reason) == ("diverged", devnet.agreement.conflict)
    render(report)


@pytest.mark.slow
def test_nodes_agree_on_the_real_clock_and_go_on_from_their_files(tmp_path: Path) -> None:
    settings = Settings(round_delay_ms=10, epoch_ms=400, folder=tmp_path)
    seen: list[Report] = []
    first = asyncio.run(Devnet.create(settings).run(1_000, show=seen.append))
    assert first.verdict == "pass", first.reason
    assert seen
    assert first.epochs > 1
    assert first.payload_per_s > 0
    assert first.finality_ms_p50 is not None
    again = asyncio.run(Devnet.create(settings).run(1_000, show=seen.append))
    assert again.verdict == "pass", again.reason
    assert again.commits > first.commits


@pytest.mark.slow
def test_command_prints_one_object_and_exits_by_the_verdict() -> None:
    arguments = ["--seconds", "1", "--round-delay-ms", "10", "--latency-ms", "1", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["verdict"] == "pass"
    assert len(report["per_node"]) == 4
    idle = CliRunner().invoke(app, ["--seconds", "1", "--latency-ms", "2000"])
    assert idle.exit_code == 1
    assert "no-progress" in idle.stdout


def test_command_tells_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    result = CliRunner().invoke(app, ["--folder", str(tmp_path / "taken")])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_node_that_cannot_open_its_store_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "node-2").touch()
    devnet = Devnet.create(Settings(folder=tmp_path))
    with pytest.raises(StorageError, match="node-2"):
        asyncio.run(devnet.run(10_000, show=lambda _: None))


def test_bug_ends_the_run_as_it_is() -> None:
    devnet = Devnet.create(Settings(nodes=1))

    def fail(_: Report) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(devnet.run(50, show=fail))
    assert caught.group_contains(ZeroDivisionError)


def test_interrupted_run_shows_what_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupt(*_: object, **__: object) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr(Devnet, "run", interrupt)
    result = CliRunner().invoke(app, ["--nodes", "3"])
    assert result.exit_code == 1
    assert "3 nodes in one process" in result.stdout

from pathlib import Path

import pytest

from tests.tidy import hygiene
from tests.tidy.sources import Source


@pytest.mark.parametrize(
    "call",
    [
        "asyncio.Queue()",
        "Queue()",
        "asyncio.PriorityQueue(0)",
        "asyncio.Queue(maxsize=0)",
        "queue.LifoQueue(maxsize=-1)",
        "queue.SimpleQueue()",
    ],
)
def test_queue_without_a_bound_is_reported(call: str) -> None:
    assert len(list(hygiene.unbounded_queues([Source.of(f"inbox = {call}")]))) == 1


@pytest.mark.parametrize(
    "call", ["asyncio.Queue(8)", "asyncio.Queue(maxsize=BLOCKS_MAX)", "Queue(limit)", "queue()"]
)
def test_queue_with_a_bound_is_accepted(call: str) -> None:
    assert not list(hygiene.unbounded_queues([Source.of(f"inbox = {call}")]))


@pytest.mark.parametrize("comment", ["# TODO: later", "x = 1  # FIXME", "# HACK(soon)"])
def test_unfinished_work_without_an_issue_is_reported(comment: str) -> None:
    assert len(list(hygiene.unowned_todos([Source.of(f"{comment}\n")]))) == 1


@pytest.mark.parametrize("line", ["# TODO(#12): later", "text = 'TODO'", "# toDo"])
def test_unfinished_work_with_an_issue_is_accepted(line: str) -> None:
    assert not list(hygiene.unowned_todos([Source.of(f"{line}\n")]))


def test_file_that_nothing_imports_is_reported() -> None:
    dead = Source.of("", path="consensus/dead.py")
    (finding,) = hygiene.unimported_files([dead], entry_points="python -m consensus.dead_not")
    assert finding.place == "consensus/dead.py"


def test_file_does_not_import_itself_into_life_by_its_prefix() -> None:
    other = Source.of("import consensus.dead_end", path="tests/test_other.py")
    dead = Source.of("", path="consensus/dead.py")
    assert list(hygiene.unimported_files([other, dead], entry_points=""))


@pytest.mark.parametrize(
    "statement",
    [
        "import consensus.dag",
        "from consensus import dag",
        "from consensus.dag import Dag",
        "start([sys.executable, '-m', 'consensus.dag'])",
    ],
)
def test_imported_file_is_accepted(statement: str) -> None:
    user = Source.of(statement, path="tests/test_user.py")
    used = Source.of("", path="consensus/dag.py")
    assert not list(hygiene.unimported_files([user, used], entry_points=""))


def test_file_that_only_names_itself_is_reported() -> None:
    dead = Source.of("import consensus.dead", path="consensus/dead.py")
    assert list(hygiene.unimported_files([dead], entry_points=""))


def test_file_that_a_command_starts_is_accepted() -> None:
    tool = Source.of("", path="devnet/inprocess.py")
    text = "python -m devnet.inprocess --nodes 4"
    assert not list(hygiene.unimported_files([tool], entry_points=text))


def test_large_binary_file_is_reported(tmp_path: Path) -> None:
    blob, large_text, small = tmp_path / "blob", tmp_path / "text", tmp_path / "small"
    blob.write_bytes(b"\xff" * (hygiene.BLOB_SIZE_BYTES_MAX + 1))
    large_text.write_bytes(b"a" * (hygiene.BLOB_SIZE_BYTES_MAX + 1))
    small.write_bytes(b"\0" * hygiene.BLOB_SIZE_BYTES_MAX)
    (finding,) = hygiene.large_blobs([blob, large_text, small])
    assert finding.place == "blob"


@pytest.mark.parametrize("home", hygiene.HOMES)
def test_path_on_a_machine_is_reported(tmp_path: Path, home: str) -> None:
    note = tmp_path / "note.md"
    note.write_text(f"first line\nsee `/{home}/ada/hanse`\n")
    (finding,) = hygiene.machine_paths([note])
    assert finding.place == "note.md:2"


@pytest.mark.parametrize(
    "text", ["https://example.org/home/page", "docs/work/plan.md", "~/hanse", "peers/root/hash"]
)
def test_address_or_relative_path_is_accepted(tmp_path: Path, text: str) -> None:
    note = tmp_path / "note.md"
    note.write_text(text)
    assert not list(hygiene.machine_paths([note]))

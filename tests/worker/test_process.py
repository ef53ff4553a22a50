"""`python -m fl.worker` as a process: its command line, and what it loads and does not load."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from fl.jobs.errors import FailureCode, JobFailedError
from fl.worker.loop import EXIT_REFUSED
from tests.jobs.clients import IN_A_MINUTE, REAL, client_of, is_running
from tests.jobs.orders import a_blob
from tests.worker.places import prepare_job
from tests.worker.vectors import aggregate_job, inspect_job, store, vectors

_TRAPPED: Final = """
import atexit, os, sys
from fl.worker.entry import leave

atexit.register(os.abort)
sys.stdout.write("last words")
leave(3)
"""


def _mapped(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.asyncio
async def test_aggregation_and_inspection_never_load_torch(tmp_path: Path) -> None:
    blobs = store(tmp_path, *vectors(3))
    async with client_of(REAL) as client:
        first = await client.run(aggregate_job(tmp_path, blobs), terms=IN_A_MINUTE)
        again = await client.run(aggregate_job(tmp_path, blobs), terms=IN_A_MINUTE)
        found = await client.run(inspect_job(*blobs), terms=IN_A_MINUTE)
        assert client.pid is not None
        mapped = _mapped(client.pid)
    assert first == again
    assert len(found.facts) == 3
    assert "numpy" in mapped
    assert "torch" not in mapped


@pytest.fixture
def folder_without_torch(tmp_path: Path) -> Path:
    """Return a folder that hides torch from whoever has it on the path."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\")\n")
    return tmp_path


@pytest.mark.asyncio
async def test_worker_without_torch_refuses_to_train_and_goes_on_aggregating(
    tmp_path: Path, folder_without_torch: Path
) -> None:
    aggregate = aggregate_job(tmp_path, store(tmp_path, *vectors(2)))
    async with client_of(REAL, PYTHONPATH=str(folder_without_torch)) as client:
        with pytest.raises(JobFailedError, match=r"'torch'.*pip install") as failure:
            await client.run(prepare_job(tmp_path), terms=IN_A_MINUTE)
        assert failure.value.reason is FailureCode.NO_TORCH
        assert (await client.run(aggregate, terms=IN_A_MINUTE)).norm > 0


def test_worker_leaves_without_taking_python_down() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _TRAPPED], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (3, "last words")


@pytest.mark.asyncio
async def test_damaged_blob_fails_its_job_with_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "rotten").write_bytes(b"rot")
    rotten = a_blob(str(tmp_path / "rotten"), b"ripe")
    async with client_of(REAL) as client:
        with pytest.raises(JobFailedError, match="rotten: the content is") as failure:
            await client.run(inspect_job(rotten), terms=IN_A_MINUTE)
    assert failure.value.reason is FailureCode.BAD_INPUT
    assert failure.value.cause == "blob_file"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fd", "99"], "--fd 99: .*Bad file descriptor.*a worker is started by a node"),
        (["--fd", "1"], "--fd 1: no socket: a worker is started by a node"),
        ([], "the following arguments are required: --fd"),
    ],
)
def test_worker_that_is_started_by_hand_says_so_in_a_line(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "fl.worker", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == EXIT_REFUSED
    assert "Traceback" not in ended.stderr
    assert re.search(said, ended.stderr)


def test_worker_ends_when_its_node_is_killed() -> None:
    node = (
        "import asyncio, os, signal, sys\n"
        "from tests.jobs.clients import IN_A_MINUTE, client_of\n"
        "from tests.jobs.orders import order\n"
        "async def live():\n"
        "    async with client_of() as client:\n"
        "        await client.run(order('echo'), terms=IN_A_MINUTE)\n"
        "        print(client.pid, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(live())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", node], capture_output=True, text=True, timeout=60, check=False
    )
    pid = int(ended.stdout.split()[-1])
    for _ in range(100):
        if not is_running(pid):
            return
        time.sleep(0.05)
    pytest.fail("the worker outlived its node")

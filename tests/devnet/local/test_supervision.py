"""Processes are started, found again by other programs, and never mistaken for strangers."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from devnet.local.errors import DevnetRunsError
from devnet.local.network import LocalNetwork
from devnet.local.pid_file import Running, is_alive, read_pid, running_as, signal_group, write_pid
from devnet.local.plan import Wish, make_plan
from devnet.local.ports import free_ports
from devnet.local.supervision import Supervisor, node_command
from node.running.clock import SystemClock

SLEEP = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)")
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(60)",
)
SHORT = (sys.executable, "-c", "print('last words', flush=True)")


async def _said(supervisor: Supervisor, name: str, words: str) -> None:
    async with asyncio.timeout(20):
        while words not in supervisor.last_words(name):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


@pytest.mark.asyncio
async def test_process_is_stopped_by_a_program_that_did_not_start_it(tmp_path: Path) -> None:
    starter = Supervisor(tmp_path)
    starter.start("one", SLEEP)
    await _said(starter, "one", "here")
    other = Supervisor(tmp_path)
    assert other.is_alive("one")
    with pytest.raises(DevnetRunsError, match="one runs already"):
        other.start("one", SLEEP)
    stopping = asyncio.create_task(other.stop("one"))  # noqa: TID251 - two programs at one time
    while not stopping.done():
        # Only its parent can bury it.
        starter.is_alive("one")
        await asyncio.sleep(0.02)
    await stopping
    assert not starter.is_alive("one")
    assert read_pid(tmp_path / "pids" / "one.json") is None


@pytest.mark.asyncio
async def test_network_that_another_took_the_place_of_stops_none_of_its_processes(
    tmp_path: Path,
) -> None:
    plan = make_plan(Wish(nodes=1, rounds=0))
    before = await LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock())
    after = await LocalNetwork.create(tmp_path / "net", plan, clock=SystemClock())
    after.supervisor.start("node-0", SLEEP)
    await before.stop()
    assert after.alive() == ("node-0",)
    await after.stop()
    assert after.alive() == ()


@pytest.mark.asyncio
async def test_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    supervisor.start("deaf", DEAF)
    await _said(supervisor, "deaf", "deaf")
    await supervisor.stop("deaf", patience_s=0.2)
    assert not supervisor.is_alive("deaf")


@pytest.mark.asyncio
async def test_paused_process_lives_and_can_be_stopped(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    supervisor.start("one", SLEEP)
    await _said(supervisor, "one", "here")
    assert supervisor.signal("one", signal.SIGSTOP)
    assert supervisor.is_alive("one")
    await supervisor.stop("one")
    assert not supervisor.is_alive("one")
    assert not supervisor.signal("one", signal.SIGCONT)


@pytest.mark.asyncio
async def test_process_that_ended_by_itself_leaves_its_words(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, variables={"PYTHONUNBUFFERED": "1"})
    supervisor.start("short", SHORT)
    await _said(supervisor, "short", "last words")
    async with asyncio.timeout(20):
        while supervisor.is_alive("short"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    assert supervisor.last_words("nobody") == ""


def test_number_that_was_used_again_is_a_stranger(tmp_path: Path) -> None:
    own = running_as(os.getpid())
    assert own is not None
    assert is_alive(own)
    stale = Running(own.pid, "another moment")
    assert not is_alive(stale)
    assert not signal_group(stale, signal.SIGKILL)
    path = tmp_path / "pids" / "one.json"
    write_pid(path, own)
    assert read_pid(path) == own
    path.write_text("nonsense")
    assert read_pid(path) is None


def test_nobody_has_the_number_of_the_dead() -> None:
    assert running_as(2**22 + 1) is None
    assert not is_alive(None)


def test_ports_are_different_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(port > 1_023 for port in ports)


def test_node_is_started_as_a_module_of_this_interpreter(tmp_path: Path) -> None:
    assert node_command(tmp_path)[0] == sys.executable
    assert node_command(tmp_path)[-2:] == ("--folder", str(tmp_path))

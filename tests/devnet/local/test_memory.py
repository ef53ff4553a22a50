"""Memory is read of the processes that are meant, and peaks outlive them."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.devnet import app
from devnet.local.memory import MemoryWatch, largest, resident
from devnet.local.network import LocalNetwork
from devnet.local.plan import Wish, make_plan
from node.running.clock import SystemClock

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system tells nothing in /proc"
)

BIG_MB = 64
PARENT = """
import subprocess, sys, time
grown = bytes(range(256)) * {parent}
asleep = (
    "import sys, time; grown = bytes(range(256)) * int(sys.argv[2]);"
    "print(1, flush=True); time.sleep(60)"
)
children = [
    subprocess.Popen([sys.executable, "-c", asleep, name, str(size)], stdout=subprocess.PIPE)
    for name, size in (("node.signatures", {parent} * 2), ("worker", {parent} * 3))
]
for child in children:
    child.stdout.readline()
print("ready", flush=True)
time.sleep(60)
"""


def test_process_that_is_gone_holds_nothing() -> None:
    assert resident(2**22 + 1) is None
    assert largest([2**22 + 1]) is None


def test_peak_is_no_less_than_what_is_held_now() -> None:
    found = largest([os.getpid(), 2**22 + 1])
    assert found is not None
    assert 1 < found.now_mb <= found.peak_mb


@pytest.mark.asyncio
async def test_node_its_signatures_and_its_worker_are_told_apart_and_outlived() -> None:
    script = PARENT.format(parent=BIG_MB << 12)
    node = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    watch = MemoryWatch()
    try:
        assert node.stdout is not None
        assert await node.stdout.readline() == b"ready\n"
        watch.look([node.pid])
    finally:
        os.killpg(node.pid, signal.SIGKILL)
        await node.communicate()
    watch.look([node.pid])
    seen = watch.seen
    assert seen.node_mb is not None
    assert seen.signatures_mb is not None
    assert seen.worker_mb is not None
    assert BIG_MB < seen.node_mb < 2 * BIG_MB
    assert 2 * BIG_MB < seen.signatures_mb < 3 * BIG_MB
    assert 3 * BIG_MB < seen.worker_mb < 4 * BIG_MB


@pytest.mark.slow
def test_load_tells_the_memory_of_the_largest_node(tmp_path: Path) -> None:
    folder = tmp_path / "net"

    async def start() -> LocalNetwork:
        plan = make_plan(Wish(nodes=1, rounds=0))
        network = await LocalNetwork.create(folder, plan, clock=SystemClock())
        async with network.opened():
            network.start()
            await network.wait_ready()
        return network

    def load(*options: str) -> str:
        words = ["load", "--tps", "10", "--seconds", "1", "--folder", str(folder), *options]
        return CliRunner().invoke(app, words).output

    network = asyncio.run(start())
    try:
        found = json.loads(load("--json"))["memory"]
        assert 20 < found["now_mb"] <= found["peak_mb"]
        assert re.search(r"largest node +\d+ MB resident, \d+ MB at its peak", load())
    finally:
        asyncio.run(network.stop())

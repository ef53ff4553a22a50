import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typing_extensions import override

from node.__main__ import main
from node.app import (
    Foundation,
    blob_bounds,
    chain_limits,
    open_node,
    pool_limits,
    read_genesis_file,
    sync_limits,
)
from node.chain.limits import KEPT_EPOCHS_MIN
from node.config.load import load_config
from node.config.sections import MempoolSection, NetworkSection, StorageSection
from node.execution.local_chain import key_named
from node.ledger.genesis import read_genesis
from node.life import SWITCH_INTERVAL_S, run_node
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError
from node.running.clock import SystemClock
from node.running.readiness import HEAD_AGE_MS_MAX
from node.sync.limits import DEFAULT_LIMITS
from primitives.errors import ConfigurationError, HanseError, StorageError
from tests.chain.founded import chain_at, genesis_file
from tests.running.places import FULL, VALIDATOR, foundation_of, founded, friend_at

LIMIT_S = 30


@pytest.fixture(name="network", scope="module")
def _network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(founded(tmp_path_factory.mktemp("network") / "net"))


@pytest.fixture(name="homes")
def _homes(network: Path, tmp_path: Path) -> Iterator[Path]:
    """Return the folders of the network, which no test has used."""
    interval_s = sys.getswitchinterval()
    yield Path(shutil.copytree(network, tmp_path / "net"))
    sys.setswitchinterval(interval_s)


@asynccontextmanager
async def living(foundation: Foundation) -> AsyncIterator[str]:
    """Run a node until the body is done; yield its URL."""
    ready = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run_node(foundation, announce=ready.set_result))
        await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield await ready
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_node_answers_rules_and_stops_when_told_and_goes_on_where_it_was(homes: Path) -> None:
    async def scene() -> None:
        foundation = foundation_of(homes / VALIDATOR, {"HANSE_RPC_LISTEN": "127.0.0.1:0"})
        heights = [0]
        for _life in range(2):
            async with (
                friend_at(homes / FULL),
                living(foundation) as url,
                NodeClient(url) as client,
            ):
                before = heights[-1]
                while heights[-1] <= before:
                    await asyncio.sleep(0.02)
                    heights.append((await client.head()).height)
                assert (await client.ready()).status == "ready"
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)

    asyncio.run(scene())


@dataclass(frozen=True)
class FixedClock(SystemClock):
    """A wall clock that stands."""

    now_ms: int

    @override
    def wall_ms(self) -> int:
        return self.now_ms


def test_a_node_whose_chain_stands_is_not_ready(homes: Path) -> None:
    async def scene() -> None:
        at_home = foundation_of(homes / FULL, {"HANSE_RPC_LISTEN": "127.0.0.1:0"})
        genesis = read_genesis(at_home.genesis)
        foundation = replace(at_home, clock=FixedClock(genesis.time_ms + HEAD_AGE_MS_MAX))
        async with (
            open_node(foundation, stop=asyncio.Event()) as node,
            NodeClient(node.url) as client,
        ):
            assert not (await client.status()).is_ready
            with pytest.raises(NodeAnswerError, match="catching up"):
                await client.ready()

    asyncio.run(scene())


def test_a_node_that_waits_for_a_snapshot_stops_when_told(homes: Path) -> None:
    async def scene() -> None:
        foundation = foundation_of(homes / FULL, {"HANSE_NETWORK_JOIN": "snapshot"})
        async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(run_node(foundation))
            await asyncio.sleep(0.3)
            os.kill(os.getpid(), signal.SIGTERM)

    asyncio.run(scene())


def test_what_keeps_a_node_from_joining_is_one_error(homes: Path) -> None:
    foundation = foundation_of(
        homes / FULL,
        {"HANSE_NETWORK_JOIN": "snapshot", "HANSE_NETWORK_LISTEN": "/ip4/192.0.2.1/tcp/1"},
    )
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        asyncio.run(run_node(foundation))


def test_a_port_that_somebody_has_is_one_error(homes: Path) -> None:
    async def scene() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(HanseError, match=listen):
                await run_node(foundation_of(homes / FULL, {"HANSE_RPC_LISTEN": listen}))

    asyncio.run(scene())


def test_two_nodes_never_run_in_one_folder(homes: Path) -> None:
    async def scene() -> None:
        foundation = foundation_of(homes / FULL, {"HANSE_RPC_LISTEN": ""})
        async with open_node(foundation, stop=asyncio.Event()):
            with pytest.raises(StorageError, match="in use"):
                await run_node(foundation)

    asyncio.run(scene())


def test_a_part_that_fails_ends_the_node_with_its_error(homes: Path) -> None:
    async def scene() -> None:
        home = homes / VALIDATOR
        (home / "journals").write_text("a file where a folder belongs")
        foundation = foundation_of(home, {"HANSE_RPC_LISTEN": ""})
        async with friend_at(homes / FULL), asyncio.timeout(LIMIT_S):
            with pytest.raises(HanseError, match="signer journal"):
                await run_node(foundation)

    asyncio.run(scene())


def test_a_genesis_file_that_is_not_there_is_named(homes: Path) -> None:
    config = load_config(homes / FULL, {"HANSE_NETWORK_GENESIS": "nowhere"})
    with pytest.raises(ConfigurationError, match=r"network\.genesis: .*nowhere.*copy"):
        read_genesis_file(config)


def test_who_rules_alone_waits_for_nobody(tmp_path: Path) -> None:
    own, named = key_named("validator-0 consensus"), NetworkSection(peers=("/ip4/1.2.3.4/tcp/1",))
    with chain_at(tmp_path / "one", genesis=genesis_file(validators=1)) as chain:
        assert sync_limits(NetworkSection(), key=own, chain=chain).peers_wait_ms == 0
        for section, key in ((named, own), (NetworkSection(), None)):
            assert sync_limits(section, key=key, chain=chain) == DEFAULT_LIMITS
    with chain_at(tmp_path / "four") as chain:
        assert sync_limits(NetworkSection(), key=own, chain=chain) == DEFAULT_LIMITS


def test_mempool_holds_what_the_configuration_says() -> None:
    limits = pool_limits(MempoolSection(bytes_max=70_000, per_sender_max=3))
    assert (limits.bytes_max, limits.per_sender_max) == (70_000, 3)


def test_zero_kept_history_is_all_of_it() -> None:
    assert chain_limits(StorageSection(kept_history=0)).kept_history is None
    assert chain_limits(StorageSection(kept_history=5_000)).kept_history == 5_000


@pytest.mark.parametrize("epochs", [KEPT_EPOCHS_MIN, 90])
def test_blocks_stay_for_as_many_epochs_as_the_file_says(epochs: int, tmp_path: Path) -> None:
    (tmp_path / "hanse.toml").write_text(f"[storage]\nkept_epochs = {epochs}\n")
    assert chain_limits(load_config(tmp_path, {}).storage).kept_epochs == epochs


def test_fewer_epochs_than_consensus_serves_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hanse.toml").write_text(f"[storage]\nkept_epochs = {KEPT_EPOCHS_MIN - 1}\n")
    with pytest.raises(ConfigurationError, match=f"kept_epochs .* from {KEPT_EPOCHS_MIN} to"):
        load_config(tmp_path, {})


@pytest.mark.parametrize("extra", [[], ["--debug"]])
def test_a_folder_without_a_node_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str]
) -> None:
    assert main(["--folder", str(tmp_path / "nowhere"), *extra]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("error: ")
    assert (len(lines) == 1) == (not extra)


def test_who_interrupts_before_the_node_runs_sees_no_trace(
    homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setenv("HANSE_KEYS_PASSWORD_FILE", "")
    monkeypatch.delenv("HANSE_PASSWORD", raising=False)
    monkeypatch.setattr("getpass.getpass", interrupted)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert main(["--folder", str(homes / FULL)]) == 130


def test_main_runs_a_node_until_it_is_told_to_stop(
    homes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HANSE_RPC_LISTEN", "")
    home = homes / FULL

    def stop() -> None:
        for _turn in range(50 * LIMIT_S):
            # Signals are listened to before the ledger is made.
            if (home / "ledger" / "data.mdb").exists():
                os.kill(os.getpid(), signal.SIGTERM)
                return
            time.sleep(0.02)

    with ThreadPoolExecutor(1) as beside:
        beside.submit(stop)
        assert main(["--folder", str(home)]) == 0
    assert capsys.readouterr().out == "ready \n"


@pytest.mark.slow
def test_the_process_says_when_it_is_ready_and_ends_in_order(homes: Path) -> None:
    command = [sys.executable, "-m", "node", "--folder", str(homes / VALIDATOR)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert '"event": "stopped"' in errors.splitlines()[-1]


def test_ledger_and_blobs_leave_the_configured_reserve_on_the_disk() -> None:
    section = StorageSection(disk_reserve=12_345)
    reserves = [chain_limits(section).map.reserve, blob_bounds(section).reserve]
    assert [one.bytes_max for one in reserves] == [12_345, 12_345]

"""`round watch` hears from the node, and does not ask again and again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cli import news, node_watch
from cli.online import Online
from cli.round import watch_rounds
from node.federation import calls
from node.rpc.log_ring import LogRing
from tests.rpc.offers import create_task
from tests.rpc.stage import PLENTY, Stage, open_stage

pytestmark = pytest.mark.asyncio

Heard = Callable[[str], Coroutine[None, None, str]]


@asynccontextmanager
async def running(main: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run a command that does not end by itself."""
    async with asyncio.TaskGroup() as tasks:
        command = tasks.create_task(main, name="command")
        yield
        command.cancel()


@pytest.fixture(name="heard")
def _heard(capsys: pytest.CaptureFixture[str]) -> Heard:
    """Return what waits until the command has printed a text, and returns all it printed."""
    printed: list[str] = []

    async def heard(text: str) -> str:
        async with asyncio.timeout(10):
            printed.append(capsys.readouterr().out)
            while text not in "".join(printed):
                await asyncio.sleep(0.005)
                printed.append(capsys.readouterr().out)
        return "".join(printed)

    return heard


async def requests_of(stage: Stage) -> float:
    lines = (await stage.client.metrics()).splitlines()
    return next(float(one.split()[1]) for one in lines if one.startswith("rpc_requests_total "))


async def test_watched_round_is_told_without_asking_in_between(
    tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "PAUSE_S", 0.001)
    async with open_stage(tmp_path, limits=PLENTY) as stage:
        await stage.send(create_task(), sender="alice")
        line = Online(folder=tmp_path)
        async with running(watch_rounds(stage.client, line, task=0, rounds=0)):
            await asyncio.sleep(0.05)
            before = await requests_of(stage)
            await asyncio.sleep(0.1)
            assert await requests_of(stage) == before + 1
            await stage.send(calls.open_round(0), sender="alice")
            await heard("round 0: commit, rung 0, updates 0, revealed 0")


async def test_round_is_watched_by_asking_where_no_stream_is_to_be_had(
    tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "PAUSE_S", 0.01)
    async with open_stage(tmp_path, limits=replace(PLENTY, streams_max=0)) as stage:
        await stage.send(create_task(), sender="alice")
        line = Online(folder=tmp_path)
        async with running(watch_rounds(stage.client, line, task=0, rounds=0)):
            await asyncio.sleep(0.05)
            await stage.send(calls.open_round(0), sender="alice")
            await heard("round 0: commit, rung 0, updates 0, revealed 0")


@pytest.mark.parametrize("streams", [0, 1])
async def test_log_is_followed_line_by_line_and_none_is_missed_or_told_twice(
    tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch, streams: int
) -> None:
    monkeypatch.setattr(node_watch, "PAUSE_S", 0.01)
    async with (
        open_stage(tmp_path, limits=replace(PLENTY, streams_max=streams)) as stage,
        stage.client_of() as operator,
    ):
        logs = stage.context.logs
        assert isinstance(logs, LogRing)
        for number in range(3):
            logs(None, "info", {"event": f"early {number}"})
        line = Online(folder=tmp_path)
        async with running(node_watch.follow_log(operator, line, lines=1)):
            printed = await heard("early 2")
            # The clock stands still: all of them bear one millisecond.
            for number in range(3):
                logs(None, "info", {"event": f"late {number}"})
                printed = await heard(f"late {number}")
            await asyncio.sleep(0.05)
            printed = await heard("late 2")
        assert "early 1" not in printed
        assert [printed.count(f"late {number}") for number in range(3)] == [1, 1, 1]

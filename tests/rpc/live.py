"""A node behind its API in a thread of its own, for clients that know nothing of asyncio."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from node.federation import calls
from tests.rpc.offers import create_task
from tests.rpc.roster import ROSTER
from tests.rpc.stage import open_stage


@dataclass(frozen=True)
class Live:
    """Where the node is, and a token of its operator."""

    url: str
    token: str


@contextmanager
def live_node(folder: Path) -> Iterator[Live]:
    """Run a node with an identity, a task and a running round."""
    started: Queue[tuple[Live, asyncio.AbstractEventLoop, asyncio.Event]] = Queue(maxsize=1)

    async def run() -> None:
        async with open_stage(folder, duties=ROSTER) as stage:
            await stage.send(calls.register("alice"), sender="alice")
            await stage.send(create_task(), sender="alice")
            await stage.send(calls.open_round(0), sender="alice")
            ended = asyncio.Event()
            live = Live(stage.server.url, stage.token())
            started.put((live, asyncio.get_running_loop(), ended))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="live node")
    thread.start()
    live, loop, ended = started.get(timeout=30)
    try:
        yield live
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(30)
